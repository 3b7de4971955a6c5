"""How a run begins, from the form, the queue or a record, once its laser is armed."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PyQt5.QtCore import QObject, QTimer, pyqtSignal
from PyQt5.QtWidgets import QWidget

from labcontrol.calibration import calibrated
from labcontrol.config import BenchConfig, ExperimentConfig
from labcontrol.engine import RunStatus
from labcontrol.errors import UserError
from labcontrol.gui.session.arming import Arming, arm
from labcontrol.gui.session.run_queue import QueuedRun, RunQueue
from labcontrol.gui.session.setup import ExperimentSetup
from labcontrol.gui.session.table import TableSession
from labcontrol.host import HostState
from labcontrol.host.jobs.run import RunSettings
from labcontrol.records import RunReader

_CALIBRATION_MEASURES = "The calibration is measuring. Stop it, or wait until it is done; then start the run."


class RunStarter(QObject):
    """Starts one run at a time.

    Parameters
    ----------
    window : QWidget or None
        Over which a person is asked whether a real laser may be armed.
    folder : Path
        Of the records.
    table, setup, queue : TableSession, ExperimentSetup, RunQueue
    arming : Arming
        Who armed the laser before the window was opened, for the first run or queue.

    Signals
    -------
    refused : (UserError)
        What stands in the way.
    note : (text)
        When there is nothing to start now.
    """

    refused = pyqtSignal(object)
    note = pyqtSignal(str)

    def __init__(
        self,
        window: QWidget | None,
        folder: Path,
        table: TableSession,
        setup: ExperimentSetup,
        queue: RunQueue,
        arming: Arming,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._window, self._folder, self._arming = window, folder, arming
        self._table, self._setup, self._queue = table, setup, queue
        queue.start_requested.connect(self.start_queued)

    def start_form(self) -> None:
        """Start what the experiment form says."""
        try:
            experiment, bench = self._setup.chosen()
        except UserError as error:
            self._refuse(error)
        else:
            self._start_new(experiment, bench)

    def start_simulated(self) -> None:
        """Start the experiment that needs no setting, on the simulated table."""
        self._setup.replace(ExperimentConfig())
        self.start_form()

    def start_queued(self, queued: QueuedRun) -> None:
        """Start a run of the queue."""
        try:
            bench = self._setup.bench_of(queued.experiment)
        except UserError as error:
            self._refuse(error)
        else:
            self._start_new(queued.experiment, bench)

    def continue_run(self, record: Path) -> None:
        """Go on with the run of a record."""
        try:
            with RunReader(record) as reader:
                bench = BenchConfig.model_validate(reader.config["bench"])
        except (UserError, KeyError, ValueError) as error:
            self._refuse(error if isinstance(error, UserError) else UserError(f"{record.name} cannot be read: {error}"))
        else:
            self._start({"record": str(record.absolute())}, bench)

    def after_run(self, status: RunStatus) -> None:
        """A run is over: go on with the queue, if it is going and the run ended by itself."""
        waiting, was_going, halts = len(self._queue.waiting), self._queue.going, self._queue.halts
        following = self._queue.after(status)
        if following is not None:
            # not from within the signal: the run that has ended is still being shown
            QTimer.singleShot(0, partial(self.start_queued, following))
            return
        self._arming = Arming()
        if was_going and waiting and not halts:
            self.note.emit(f"The queue waits ({waiting} to go): the last run did not end by itself.")

    def _start_new(self, experiment: ExperimentConfig, bench: BenchConfig) -> None:
        fields = {"experiment": experiment, "bench": bench, "folder": str(self._folder.absolute())}
        self._start(fields, bench)

    def _start(self, fields: dict[str, object], bench: BenchConfig) -> None:
        """Nothing happens while another run is active."""
        if self._table.state is HostState.RUN:
            return
        if self._table.is_measuring:
            self._queue.stop()
            self.note.emit(_CALIBRATION_MEASURES)
            return
        try:
            calibrated(bench)  # the host checks it too; here the remedy is a page of the window
            if not self._arming.armed_by:
                self._arming = arm(self._window, bench, "This run lights", is_run=True)
            settings = RunSettings.model_validate(
                fields | {"armed_by": self._arming.armed_by, "unattended": self._arming.unattended}
            )
        except UserError as error:
            self._refuse(error)
        else:
            self._table.start(settings, bench, self._refuse)

    def _refuse(self, error: Exception) -> None:
        self._queue.stop()
        self.refused.emit(error)
