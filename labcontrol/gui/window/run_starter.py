"""How a run begins, from the form, the queue or a record, once the table is free and its laser armed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PyQt5.QtCore import QObject, QTimer, pyqtSignal
from PyQt5.QtWidgets import QWidget

from labcontrol.config import ExperimentConfig
from labcontrol.engine import RunStatus
from labcontrol.errors import UserError
from labcontrol.gui.calibration.page import CalibrationPage
from labcontrol.gui.devices.page import DevicesPage
from labcontrol.gui.experiment.page import ExperimentPage
from labcontrol.gui.experiment.queue_list import QueuedRun
from labcontrol.gui.live.run_controller import RunController
from labcontrol.gui.processes.arming import armed
from labcontrol.gui.processes.run_process import LiveRun, RunFactory

_CALIBRATION_MEASURES = "The calibration is measuring. Stop it, or wait until it is done; then start the run."


class RunStarter(QObject):
    """Starts one run at a time; whoever else holds the devices lets go of them first.

    Signals: `taking` when the devices are asked for, `beginning` when they are free; then `started`, or `refused` with
    the UserError that stands in the way. `note` (words) when there is nothing to start now.

    window: asks whether a real laser may be armed.
    """

    taking = pyqtSignal()
    beginning = pyqtSignal()
    started = pyqtSignal()
    refused = pyqtSignal(object)
    note = pyqtSignal(str)

    def __init__(
        self,
        window: QWidget,
        runs: RunFactory,
        controller: RunController,
        experiment: ExperimentPage,
        devices: DevicesPage,
        calibration: CalibrationPage,
    ) -> None:
        super().__init__(window)
        self._window, self._runs, self._controller = window, runs, controller
        self._experiment, self._devices, self._calibration = experiment, devices, calibration

    def start_form(self) -> None:
        """Start what the form says."""
        self.start(lambda: self._runs.new(*self._experiment.chosen()))

    def start_simulated(self) -> None:
        """Start the experiment that needs no setting, on the simulated table."""
        self._experiment.show_experiment(ExperimentConfig())
        self.start_form()

    def start_queued(self, queued: QueuedRun) -> None:
        """Start a run of the queue."""
        experiment = queued.experiment
        self.start(lambda: self._runs.new(experiment, self._experiment.bench_of(experiment)))

    def continue_run(self, record: Path) -> None:
        """Go on with the run of a record."""
        self.start(lambda: self._runs.continued(record))

    def go_on(self, status: RunStatus) -> None:
        """A run is over: go on with the queue, if it is going and the run ended by itself."""
        panel = self._experiment.queue
        waiting, was_going, halts = len(panel.queue.waiting), panel.queue.going, panel.queue.halts
        following = panel.queue.after(status)
        panel.refresh()
        if following is not None:
            # not from within the signal: the run that has ended is still being put away
            QTimer.singleShot(0, partial(self.start_queued, following))
            return
        self._runs.armed_by = ""
        if was_going and waiting and not halts:
            self.note.emit(f"The queue waits ({waiting} to go): the last run did not end by itself.")

    def start(self, make_run: Callable[[], LiveRun]) -> None:
        """Start this run as soon as nobody else holds the devices; nothing happens while another is active."""
        if self._controller.is_active:
            return
        if self._calibration.is_working:
            self._stop_queue()
            self.note.emit(_CALIBRATION_MEASURES)
            return
        self.taking.emit()
        begin = partial(self._begin, make_run)
        self._calibration.release(partial(self._devices.release, begin))

    def _begin(self, make_run: Callable[[], LiveRun]) -> None:
        self.beginning.emit()
        try:
            self._controller.start(lambda: armed(self._window, self._runs, make_run))
        except UserError as error:
            self._stop_queue()
            self.refused.emit(error)
        else:
            self.started.emit()

    def _stop_queue(self) -> None:
        self._experiment.queue.queue.stop()
        self._experiment.queue.refresh()
