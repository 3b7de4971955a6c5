"""A run: asks the strategy for masks, has the reservoir measure them, records every epoch, and emits events.

with Run(experiment) as run:
    run.start()
print(run.result["test"]["nmse"])
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from drivers.interfaces import DeviceLimitError
from labcontrol.bench import Bench, bench_for, driver_classes
from labcontrol.calibration import calibrated, check_devices
from labcontrol.config import BenchConfig, ExperimentConfig
from labcontrol.engine.control import ABORTED, RunAbortedError, RunControl
from labcontrol.engine.events import Event, Finished, Mailbox, Seen, StateChanged
from labcontrol.engine.fault_player import FaultPlayer, check_fault_script
from labcontrol.engine.light_record import recorded_light
from labcontrol.engine.record import record_path, run_header
from labcontrol.engine.resume import Recorded, read_recorded
from labcontrol.engine.run_context import RunContext
from labcontrol.engine.session import Session
from labcontrol.engine.status import PauseCause, RunState, RunStatus, StateMachine
from labcontrol.engine.stop import Ending
from labcontrol.errors import UserError
from labcontrol.learning import check_learning
from labcontrol.records import DiskRoom, RecordWriteError, RunWriter
from labcontrol.records.lock import RunLock, sole_writer
from labcontrol.records.run_file import Completion
from labcontrol.reservoir import Reservoir, StepView
from labcontrol.tasks import Task, make_task

log = logging.getLogger(__name__)

# Without a step and without a reason to wait: longer than any device is given for an answer.
_PATIENCE_S = 60.0
_VIEW_INTERVAL_S = 0.04  # listeners see at most 25 steps a second


class Run:
    """One run of one experiment on one bench. What can be checked is checked here, before a device is opened.

    Parameters
    ----------
    experiment : ExperimentConfig
        What is learned, how, and when it is enough.
    bench : BenchConfig, optional
        By default the one that the experiment names.
    directory : path
        Where the record goes; made if need be.
    armed_by : str
        Operator who armed a real laser, for the record; a simulated one needs none.

    Raises
    ------
    UserError
        When experiment, bench, task and strategy do not go together, or a calibration that the bench requires does not
        hold.

    Notes
    -----
    States::

        idle -> preparing -> running -> stopping -> finished, or stopped when it was stopped by hand
                    |           |           |
                    +-----------+-----------+---- paused, and back: by hand, for a fault, for a full disk
                    |           |           |
                    +-----------+-----------+---> aborted by hand, or failed (also from paused and idle)

    finished, stopped, aborted and failed are final; all but a finished run can be `continued`.

    Events, in the order of a run without trouble:

    ===============  ===================================================================================
    `StateChanged`   at every change of state, `preparing` first
    `Doing`          while preparing, for each thing that takes time
    `Prepared`       once, when camera scale and step time are measured
    `Predicted`      once, when the pilot is measured and on record
    `Seen`           after a step, at most 25 times a second; of those not taken only the newest is kept
    `EpochDone`      for each epoch, when it is on disk
    `DriftMeasured`  after a measurement of the reference mask that is compared, when it is on disk
    `FaultSeen`      at any time, when a fault is on record, before the pause that it may bring
    `Finished`       last, when the laser is off and the record closed
    ===============  ===================================================================================

    As a context manager it waits at the end for a started run, and raises what that failed of; left by an exception,
    Ctrl-C for instance, it aborts the run first. Either way the laser is off and the record closed after it.
    """

    def __init__(
        self,
        experiment: ExperimentConfig,
        bench: BenchConfig | None = None,
        directory: Path | str = "runs",
        *,
        armed_by: str = "",
    ) -> None:
        self.experiment = experiment
        self.bench_config = bench = calibrated(bench_for(experiment) if bench is None else bench)
        self._armed_by = armed_by
        laser, _ = driver_classes(bench)["laser"]
        self.needs_arming: bool = not laser.on_table
        check_fault_script(experiment.fault_script, bench)
        check_learning(experiment.learning)
        self.task: Task = make_task(experiment.task, experiment.seed)
        self._recorded: Recorded | None = None
        self._lock: RunLock | None = None
        self.record = record_path(Path(directory), experiment)
        self.disk_room = DiskRoom()
        self.result: dict[str, Any] = {}
        self.error: BaseException | None = None
        self._mailboxes: tuple[Mailbox, ...] = ()
        self._machine = StateMachine(lambda status: self._emit(StateChanged(status)))
        self._control = RunControl(self._on_pause, self._on_resume)
        self._resumes_to = RunState.RUNNING
        self._thread: threading.Thread | None = None
        self._last_view_s = 0.0

    @classmethod
    def continued(cls, record: Path, *, armed_by: str = "") -> Self:
        """The run of a record, to be continued after its last epoch: what ended it is dropped; raises UserError.

        Parameters
        ----------
        record : path
            Of a run that was interrupted, stopped, aborted or failed.
        armed_by : str
            Operator who armed a real laser.

        Returns
        -------
        Run
            Not started yet.
        """
        recorded = read_recorded(record)
        run = cls(recorded.experiment, recorded.bench, record.parent, armed_by=armed_by)
        run._recorded, run.record = recorded, record
        return run

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.wait()
        finally:
            if not self.wait(0):
                self.abort()
                self.wait()
        if error is None and self.error is not None:
            raise self.error

    # --- for everyone -------------------------------------------------------------------------------------------
    @property
    def status(self) -> RunStatus:
        return self._machine.status

    def subscribe(self) -> Mailbox:
        """Listen to the run.

        Returns
        -------
        Mailbox
            Receives every event from now on; after the end, only that it is over.
        """
        mailbox = Mailbox()
        self._mailboxes = (*self._mailboxes, mailbox)
        if self.status.state.is_final:
            mailbox.put(Finished(self.status, self.result))
        return mailbox

    def start(self) -> None:
        """Run in a thread of its own; what goes wrong is in `error` and in the status."""
        self._thread = threading.Thread(target=self._execute_in_thread, name="run", daemon=False)
        self._thread.start()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for a started run.

        Parameters
        ----------
        timeout_s : float, optional
            How long, in s; by default until it is over.

        Returns
        -------
        bool
            Whether it is over.
        """
        if self._thread is not None:
            self._thread.join(timeout_s)
            return not self._thread.is_alive()
        return self.status.state.is_final

    def pause(self) -> None:
        """Hold before the next step; the table stays as it is."""
        self._control.request_pause()

    def pause_dark(self, reason: str) -> None:
        """Laser off before the next step, and paused until somebody resumes; what was under way is measured again.

        Parameters
        ----------
        reason : str
            For record and display, after the word "operator".
        """
        self._control.request_dark_pause(reason)

    def resume(self) -> None:
        """Go on after a pause."""
        self._control.request_resume()

    def stop(self) -> None:
        """Finish the epoch, measure the result, close."""
        self._control.request_stop()

    def abort(self, reason: str = ABORTED) -> None:
        """Laser off and close before the next step; what was measured is kept.

        Parameters
        ----------
        reason : str
            For record and display.
        """
        self._control.request_abort(reason)

    def wait_for_a_person(self, at_most_s: float) -> None:
        """Fail when nobody comes in time, where the experiment does not say so (`faults.give_up_after_s`).

        Parameters
        ----------
        at_most_s : float
            How long, in s.
        """
        self._control.patience_s = at_most_s

    def arm(self, who: str) -> None:
        """Allow a real laser to emit, before the run is started.

        Parameters
        ----------
        who : str
            Operator who armed it, for the record.
        """
        self._armed_by = who

    def execute(self) -> RunStatus:
        """Run here and now. The laser is off and the record closed when this returns or raises.

        Returns
        -------
        RunStatus
            The final one.

        Raises
        ------
        BaseException
            UserError, DeviceError or whatever else went wrong; status and record then say so too.
        """
        self._machine.move(RunState.PREPARING)
        ending: tuple[RunState, str] = (RunState.FINISHED, "")
        try:
            self._require_arming()
            self._take_record()
            with Bench(self.bench_config) as bench:
                ended = self._on_bench(bench)
                ending = (RunState(ended.state), ended.reason)
        except RunAbortedError as aborted:
            ending = (RunState.ABORTED, str(aborted))
        except DeviceLimitError as error:
            refused = UserError(str(error), f"Change it in the section [{error.device}] of the bench file.")
            ending = (RunState.FAILED, str(refused))
            raise refused from error
        except BaseException as error:
            ending = (RunState.FAILED, str(error) or type(error).__name__)
            raise
        finally:
            if self._lock is not None:
                self._lock.release()
            self._machine.note(laser_on=False)
            self._machine.move(*ending)
            self._emit(Finished(self.status, self.result))
        return self.status

    def _take_record(self) -> None:
        """Lock the record of a run that is continued, and read it again: another process may have continued it."""
        if self._recorded is not None:
            with sole_writer(self.record) as self._lock:
                self._recorded = read_recorded(self.record, locked=True)

    def _require_arming(self) -> None:
        if self.needs_arming and not self._armed_by:
            laser = self.bench_config.laser.driver
            raise UserError(
                f"The laser of the bench {self.bench_config.name!r} ({laser}) is a real one, and nobody has armed it.",
                "Make sure that the table is safe, then add --arm.",
            )

    # --- the run ------------------------------------------------------------------------------------------------
    def _on_bench(self, bench: Bench) -> Ending:
        """Everything between opening and closing the devices. Returns how learning ended."""
        experiment = self.experiment
        check_devices(bench.config, bench.identities)
        bench.laser.check_power(bench.config.laser.power_w)
        reservoir = Reservoir(bench, experiment.reservoir, experiment.side, np.random.default_rng([experiment.seed, 1]))
        script = experiment.fault_script
        player = FaultPlayer(script, bench.table, bench.clock) if script is not None else None
        if player is not None:
            self.disk_room = player.disk_room
        reservoir.between_steps = self._between_steps(bench, player)
        bench.wait = lambda seconds: self._control.wait(seconds, bench.clock.sleep)
        reservoir.observer = self._on_step
        if self._armed_by:
            bench.light.arm(self._armed_by)
        with self._writer(bench) as writer, recorded_light(bench, writer):
            self._machine.note(record=self.record, epochs=experiment.epochs)
            session = Session(
                RunContext(
                    experiment, self.task, bench, reservoir, writer, self._machine, self._emit, self._control, player
                )
            )  # fmt: skip
            try:
                ending = session.run(self._recorded)
            except RunAbortedError as aborted:
                _finish(writer, "aborted", str(aborted))
                raise
            except BaseException as error:
                _finish(writer, "failed", str(error) or type(error).__name__)
                raise
            self.result = session.result
            return ending

    def _between_steps(self, bench: Bench, player: FaultPlayer | None) -> Callable[[], None]:
        bench.light.expect_heartbeats(_PATIENCE_S)
        self._control.on_wait = bench.light.heartbeat

        def between_steps() -> None:
            bench.light.heartbeat()
            self._control.between_steps()
            if player is not None:
                player.step()

        return between_steps

    def _writer(self, bench: Bench) -> RunWriter:
        if self._recorded is not None:
            dropped = self._recorded.dropped_checkpoints
            return RunWriter.reopen(self.record, dropped_checkpoints=dropped, lock=self._lock, room=self.disk_room)
        return RunWriter.create(self.record, run_header(self.experiment, bench, self.task), room=self.disk_room)

    # --- events -------------------------------------------------------------------------------------------------
    def _emit(self, event: Event) -> None:
        for mailbox in self._mailboxes:
            try:
                mailbox.put(event)
            except Exception:
                log.exception("a listener failed and gets no more events; the run goes on")
                self._mailboxes = tuple(other for other in self._mailboxes if other is not mailbox)

    def _on_step(self, view: StepView) -> None:
        now = time.perf_counter()
        if now - self._last_view_s >= _VIEW_INTERVAL_S:
            self._last_view_s = now
            self._emit(Seen(view))

    def _on_pause(self) -> None:
        self._resumes_to = self.status.state
        self._machine.move(RunState.PAUSED, "paused by the user, with the light on", PauseCause.USER)

    def _on_resume(self) -> None:
        self._machine.move(self._resumes_to)

    def _execute_in_thread(self) -> None:
        try:
            self.execute()
        except BaseException as error:
            log.error("the run failed: %s", error)
            self.error = error


def _finish(writer: RunWriter, state: Completion, reason: str) -> None:
    """Say in the record how the run ended; what ended it matters more than a disk that is full as well."""
    try:
        writer.finish(state, reason)
    except RecordWriteError as error:
        log.error("the record does not say how the run ended: %s", error)
