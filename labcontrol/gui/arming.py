"""A real laser emits only after a person has said so, for one run or for one pass through the queue."""

from __future__ import annotations

import getpass
from collections.abc import Callable

from PyQt5.QtWidgets import QMessageBox, QWidget

from labcontrol.bench import driver_classes
from labcontrol.config import BenchConfig
from labcontrol.errors import UserError
from labcontrol.gui.run_process import LiveRun, RunFactory
from labcontrol.gui.words import power


def needs_arming(bench: BenchConfig) -> bool:
    """Whether the laser of this bench is a real one. Raises UserError."""
    laser, _ = driver_classes(bench)["laser"]
    return not laser.on_table


def armed(parent: QWidget, runs: RunFactory, make_run: Callable[[], LiveRun]) -> LiveRun:
    """The run, armed where its laser is a real one. Raises UserError when the person does not arm it."""
    run = make_run()
    if runs.armed_by or not needs_arming(run.bench_config):
        return run
    if not _ask(parent, run.bench_config):
        raise UserError("The laser was not armed.", "Make sure that the table is safe, then start again and arm it.")
    runs.armed_by = f"{_who()} in the window"
    return make_run()


def _ask(parent: QWidget, bench: BenchConfig) -> bool:
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Warning)
    box.setWindowTitle("Arm the laser?")
    box.setText(f"This run lights a real laser: {bench.laser.driver}, {power(bench.laser.power_w)}.")
    box.setInformativeText("Look that nobody is in the beam and the table is covered. F12 switches it off at any time.")
    arm = box.addButton("Arm and start", QMessageBox.AcceptRole)
    stay = box.addButton("Leave it off", QMessageBox.RejectRole)
    box.setDefaultButton(stay)
    box.exec_()
    return box.clickedButton() is arm


def _who() -> str:
    try:
        return getpass.getuser()
    except OSError:
        return "somebody"
