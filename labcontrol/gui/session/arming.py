"""A real laser emits only after a person has armed it: for one run, one pass through the queue, or one calibration."""

from __future__ import annotations

import getpass
from dataclasses import dataclass

from PyQt5.QtWidgets import QCheckBox, QMessageBox, QWidget

from labcontrol.bench import driver_classes
from labcontrol.config import BenchConfig
from labcontrol.errors import UserError
from labcontrol.formatting import power


@dataclass(frozen=True)
class Arming:
    """Who armed the laser, and for what.

    armed_by: the operator; empty where the laser is simulated. unattended: whether a run may go on while no window or
    terminal is attached.
    """

    armed_by: str = ""
    unattended: bool = False


def needs_arming(bench: BenchConfig) -> bool:
    """Whether the laser of this bench is a real one. Raises UserError."""
    laser, _ = driver_classes(bench)["laser"]
    return not laser.on_table


def arm(parent: QWidget | None, bench: BenchConfig, what: str, *, is_run: bool) -> Arming:
    """Ask whether the laser of a bench may emit, where it is a real one.

    Parameters
    ----------
    parent : QWidget or None
        Over which the question appears.
    bench : BenchConfig
        With the laser.
    what : str
        The beginning of the question, for example "This run lights".
    is_run : bool
        Whether it can go on without this window, and so has to be asked for that too.

    Raises
    ------
    UserError
        When nobody arms it, or the bench file does not hold together.
    """
    if not needs_arming(bench):
        return Arming()
    arming = _ask(parent, bench, what, is_run=is_run)
    if arming is None:
        raise UserError("The laser was not armed.", "Make sure that the table is safe, then start again and arm it.")
    return arming


def _ask(parent: QWidget | None, bench: BenchConfig, what: str, *, is_run: bool) -> Arming | None:
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Warning)
    box.setWindowTitle("Arm the laser?")
    box.setText(f"{what} a real laser: {bench.laser.driver}, {power(bench.laser.power_w)}.")
    box.setInformativeText("Make sure nobody is in the beam and the table is covered. F12 switches it off at any time.")
    unattended = QCheckBox("Keep running unattended, when no window or terminal is attached")
    unattended.setToolTip(
        "Without this, a run that nobody is attached to any more is paused with the laser off. The record says which."
    )
    if is_run:
        box.setCheckBox(unattended)
    button = box.addButton("Arm and start", QMessageBox.AcceptRole)
    stay = box.addButton("Leave it off", QMessageBox.RejectRole)
    box.setDefaultButton(stay)
    box.exec_()
    if box.clickedButton() is not button:
        return None
    return Arming(f"{_who()} in the window", unattended.isChecked())


def _who() -> str:
    try:
        return getpass.getuser()
    except OSError:
        return "somebody"
