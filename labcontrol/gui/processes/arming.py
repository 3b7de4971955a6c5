"""A real laser emits only after a person has said so: for one run, one pass through the queue, or one calibration."""

from __future__ import annotations

import getpass
from collections.abc import Callable

from PyQt5.QtWidgets import QMessageBox, QWidget

from labcontrol.bench import driver_classes
from labcontrol.config import BenchConfig
from labcontrol.errors import UserError
from labcontrol.formatting import power
from labcontrol.gui.processes.run_process import LiveRun, RunFactory


def needs_arming(bench: BenchConfig) -> bool:
    """Whether the laser of this bench is a real one. Raises UserError."""
    laser, _ = driver_classes(bench)["laser"]
    return not laser.on_table


def armed(parent: QWidget, runs: RunFactory, make_run: Callable[[], LiveRun]) -> LiveRun:
    """The run, armed where its laser is a real one. Raises UserError when the person does not arm it."""
    run = make_run()
    if runs.armed_by:
        return run
    runs.armed_by = who_arms(parent, run.bench_config, "This run lights")
    return make_run() if runs.armed_by else run


def who_arms(parent: QWidget, bench: BenchConfig, what: str) -> str:
    """On whose word the laser of a bench may emit; empty where it is no real one.

    what: the beginning of the question, for example "This run lights". Raises UserError when nobody arms it.
    """
    if not needs_arming(bench):
        return ""
    if not _ask(parent, bench, what):
        raise UserError("The laser was not armed.", "Make sure that the table is safe, then start again and arm it.")
    return f"{_who()} in the window"


def _ask(parent: QWidget, bench: BenchConfig, what: str) -> bool:
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Warning)
    box.setWindowTitle("Arm the laser?")
    box.setText(f"{what} a real laser: {bench.laser.driver}, {power(bench.laser.power_w)}.")
    box.setInformativeText("Make sure nobody is in the beam and the table is covered. F12 switches it off at any time.")
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
