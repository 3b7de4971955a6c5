"""The question before a window with a run in progress is closed."""

from __future__ import annotations

from enum import Enum

from PyQt5.QtWidgets import QMessageBox, QWidget


class Ending(Enum):
    """What a person wants of the run when the window is closed."""

    STAY = "Cancel"
    KEEP = "Keep running"
    STOP = "Stop after this epoch"
    ABORT = "Abort now"


_ROLES = {
    Ending.KEEP: QMessageBox.AcceptRole,
    Ending.STOP: QMessageBox.AcceptRole,
    Ending.ABORT: QMessageBox.DestructiveRole,
    Ending.STAY: QMessageBox.RejectRole,
}
_GOES_ON = (
    "Kept running, the run goes on without this window; open the program again, or use 'labcontrol attach', to come "
    "back to it."
)
_IS_PAUSED = (
    "The laser was not armed to run unattended: kept running, the run is paused with the laser off a few seconds after "
    "the window has closed. Open the program again, or use 'labcontrol attach', to come back and continue it."
)
_ENDS = "Stopped or aborted, the laser is switched off, the record closed, and every epoch kept."


def ask_how_to_end(parent: QWidget, *, goes_on: bool) -> Ending:
    """Ask. Whoever closes the question without an answer stays.

    Parameters
    ----------
    parent : QWidget
        Over which the question appears.
    goes_on : bool
        Whether the run may go on while nobody is attached.
    """
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Question)
    box.setWindowTitle("A run is in progress")
    box.setText("A run is in progress and holds the table.")
    box.setInformativeText(f"{_GOES_ON if goes_on else _IS_PAUSED}\n\n{_ENDS}")
    buttons = {ending: box.addButton(ending.value, role) for ending, role in _ROLES.items()}
    box.setDefaultButton(buttons[Ending.STAY])
    box.setEscapeButton(buttons[Ending.STAY])
    box.exec_()
    clicked = box.clickedButton()
    return next((ending for ending, button in buttons.items() if button is clicked), Ending.STAY)
