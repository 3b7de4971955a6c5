"""The question before a window with a run in progress is closed."""

from __future__ import annotations

from enum import Enum

from PyQt5.QtWidgets import QMessageBox, QWidget


class Ending(Enum):
    """What a person wants of the run when the window is closed."""

    STAY = "Keep running"
    STOP = "Stop after this epoch"
    ABORT = "Abort now"


def ask_how_to_end(parent: QWidget) -> Ending:
    """Ask. Whoever closes the question without an answer stays."""
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Question)
    box.setWindowTitle("A run is in progress")
    box.setText("A run is in progress and holds the table.")
    box.setInformativeText("Either way the laser is switched off, the record closed, and every epoch kept.")
    buttons = {
        box.addButton(Ending.STOP.value, QMessageBox.AcceptRole): Ending.STOP,
        box.addButton(Ending.ABORT.value, QMessageBox.DestructiveRole): Ending.ABORT,
    }
    stay = box.addButton(Ending.STAY.value, QMessageBox.RejectRole)
    box.setDefaultButton(stay)
    box.exec_()
    clicked = box.clickedButton()
    return next((ending for button, ending in buttons.items() if button is clicked), Ending.STAY)
