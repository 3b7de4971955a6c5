"""Why a run is held up, what to do about it, and the two ways on; always above the views while it lasts."""

from __future__ import annotations

from html import escape

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QFrame, QWidget

from labcontrol.engine import PauseCause, RunState, RunStatus
from labcontrol.gui.shared.buttons import button
from labcontrol.gui.shared.layouts import label, row


class PauseNotice(QFrame):
    """Shown while a run is paused for a reason of its own. Signals: `resume`, `abort`."""

    resume = pyqtSignal()
    abort = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("banner")
        self.setProperty("kind", "caution")
        self.text = label(wraps=True)
        self.resume_button = button(
            "Resume now", "Connect the device again and go on with the same epoch", self.resume.emit
        )
        self.resume_button.setObjectName("primary")
        self.abort_button = button("Abort", "End the run; what was measured is kept", self.abort.emit)
        self.setLayout(row((self.text, 1), self.resume_button, self.abort_button, margins=(14, 8, 8, 8)))
        self.hide()

    def show_status(self, status: RunStatus) -> None:
        held_up = status.state is RunState.PAUSED and status.cause is not PauseCause.USER
        if held_up:
            self.text.setText(f"<b>The run is paused.</b> {escape(status.reason)}")
        self.setVisible(held_up)
