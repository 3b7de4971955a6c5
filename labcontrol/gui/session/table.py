"""The table as this window knows it: who holds it, whether there is light, the run on it, and what is lost."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from PyQt5.QtCore import QObject, pyqtSignal

from labcontrol.config import BenchConfig
from labcontrol.engine import Event, Mailbox, RunStatus
from labcontrol.gui.session.connection import HostConnection, Refused, Then
from labcontrol.gui.session.lost_laser import LostLaser
from labcontrol.host import HostClient, HostState, HostStatus
from labcontrol.host.errors import LostHostError
from labcontrol.host.jobs.run import RunDescription, RunSettings
from labcontrol.host.protocol import Begin, End, Gap, Message, Request
from labcontrol.host.remote_run import RemoteRun

log = logging.getLogger(__name__)

LEASED = (HostState.MANUAL, HostState.CALIBRATION)
"""States that end with the window."""

_RELEASE_S = 20.0


@dataclass(frozen=True)
class Loss:
    """A host that held the table for something has ended without a word."""

    error: LostHostError
    held_for: HostState


class TableSession(QObject):
    """Takes the table for runs, manual control and calibration, and follows what is done with it.

    Nothing here waits but `finish` and `shut_down`: answers and events come with a later tick of `host`.

    Parameters
    ----------
    start : callable
        Starts a host and attaches to it; called in a thread when the table is needed first.

    Attributes
    ----------
    host : HostConnection
    run : RemoteRun or None
        The present run, or the last one.
    loss : Loss or None
        Until the laser is under control again; of that laser `lost_laser` says what is known.
    is_measuring : bool
        Whether a calibration measures; see `set_measuring`.

    Signals
    -------
    changed : ()
        State, light, run status or `loss` is another.
    emitted : (event)
        By manual control or a calibration.
    run_began : (RemoteRun, whether it had been going before)
    run_events : (list of events, RunStatus, whether the run is over)
    run_failed : (error)
    run_over : (RunStatus)
    lost : (Loss)
    problem : (error, what could not be done)
    """

    changed = pyqtSignal()
    emitted = pyqtSignal(object)
    run_began = pyqtSignal(object, bool)
    run_events = pyqtSignal(object, object, bool)
    run_failed = pyqtSignal(object)
    run_over = pyqtSignal(object)
    lost = pyqtSignal(object)
    problem = pyqtSignal(object, str)

    def __init__(self, start: Callable[[], HostClient] | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.run: RemoteRun | None = None
        self.is_running = self.is_measuring = False
        self.loss: Loss | None = None
        self.lost_laser = LostLaser(self)
        self.lost_laser.changed.connect(self.changed.emit)
        self.host = HostConnection(start, self)
        self.host.heard.connect(self._hear)
        self.host.ticked.connect(self._on_tick)
        self._held_for = HostState.FREE
        self._waiting: list[tuple[Request, Then, Refused]] | None = None  # until the job is begun
        self._bench: BenchConfig | None = None
        self._mailbox = Mailbox()

    # --- who holds it, and the light ----------------------------------------------------------------------------
    @property
    def state(self) -> HostState:
        """What this window holds the table for, or has asked for; RUN also for a run that it only follows.

        What is held with a lease nobody else can end: there is no need to wait for what the host says.
        """
        return HostState.RUN if self.is_running else self._held_for

    @property
    def light_is_on(self) -> bool:
        """Whether emission is switched on, as last heard."""
        return self.status.laser_on if self.is_running else self.host.status.laser_on

    @property
    def power_w(self) -> float | None:
        """Setpoint of the laser, while one is in use or after a run."""
        if not self.is_running and self.host.status.power_w is not None:
            return self.host.status.power_w
        return self.run.bench_config.laser.power_w if self.run is not None else None

    def begin(self, job: HostState, settings: Message, bench: BenchConfig, then: Then, refused: Refused) -> None:
        """Take the table for a job; what this window holds it for otherwise ends first.

        Parameters
        ----------
        job : HostState
            MANUAL, CALIBRATION or RUN: the jobs of a host are called by what they hold the table for.
        settings : Message
            Of the job.
        bench : BenchConfig
            That the job holds.
        then, refused : callable
            Given the job's description, or the error that stands in the way.
        """

        def begun(description: Any) -> None:
            self._bench = bench
            then(description)
            for asked in waiting:
                self.host.ask(*asked)
            if self._waiting is waiting:
                self._waiting = None

        def not_begun(error: Exception) -> None:
            if self._waiting is waiting:
                self._held_for, self._waiting = HostState.FREE, None
            refused(error)
            for _, _, refuse in waiting:
                refuse(error)
            self.changed.emit()

        if self.state in LEASED:
            self._end()
        waiting: list[tuple[Request, Then, Refused]] = []
        self._waiting = waiting
        self._held_for = job
        self.host.ask(Begin(job=job.value, settings=settings.model_dump(mode="json")), begun, not_begun)
        self.changed.emit()

    def ask(self, request: Request, then: Then, refused: Refused) -> None:
        """Ask something of the job that this window has begun, or is about to."""
        if self._waiting is not None:
            self._waiting.append((request, then, refused))
        else:
            self.host.ask(request, then, refused)

    def release(self) -> None:
        """Light off and every device closed, where this window holds them for anything but a run."""
        if self.state in LEASED:
            self._end()
            self._held_for = HostState.FREE
            self.changed.emit()

    def _end(self) -> None:
        self.safe_off()  # what is being measured would keep the end waiting
        self.host.ask(End(), refused=lambda error: log.info("the table was not released: %s", error))

    def set_measuring(self, measuring: bool) -> None:
        """A calibration measures now, or does not any more."""
        self.is_measuring = measuring
        self.changed.emit()

    def safe_off(self) -> None:
        """Light off at once, whoever switched it on; a run ends and keeps what was measured."""
        self.host.safe_off(lambda error: self.problem.emit(error, "The laser did not confirm that it is off."))

    def shut_down(self) -> None:
        """Leave the host. A run goes on; anything else ends, and this waits until its light is off."""
        client = self.host.client
        if client is not None and self._held_for in LEASED:
            try:
                client.request(End(), _RELEASE_S)
            except Exception as error:
                log.error("the table was not released in order; check that the laser is off: %s", error)
        self.host.close()
        self.lost_laser.clear()

    # --- the run ------------------------------------------------------------------------------------------------
    @property
    def status(self) -> RunStatus:
        """Of the run."""
        return self.run.status if self.run is not None else RunStatus()

    def start(self, settings: RunSettings, bench: BenchConfig, refused: Refused) -> None:
        """Have the host begin a run."""
        self.begin(HostState.RUN, settings, bench, partial(self._follow, attached=False), refused)

    def pause(self) -> None:
        self._steer(RemoteRun.pause)

    def pause_dark(self) -> None:
        """Hold, with the laser off."""
        self._steer(partial(RemoteRun.pause, dark=True))

    def resume(self) -> None:
        self._steer(RemoteRun.resume)

    def stop(self) -> None:
        self._steer(RemoteRun.stop)

    def abort(self) -> None:
        self._steer(RemoteRun.abort)

    def note(self, text: str) -> None:
        """Something worth knowing for the run's log and record."""
        if self.run is not None and self.is_running:
            self.run.note(text)

    def finish(self, timeout_s: float) -> bool:
        """Wait for the run's end; False if it has not ended."""
        end_s = time.monotonic() + timeout_s
        while self.run is not None and self.is_running and time.monotonic() < end_s:
            self.run.wait(0.05)
            self._on_tick()
        return not self.is_running

    def _steer(self, act: Callable[[RemoteRun], None]) -> None:
        if self.run is not None and self.is_running:
            act(self.run)
            self.host.hurry()

    def _follow(self, description: RunDescription, *, attached: bool) -> None:
        """Show the run that the host has, from now on."""
        assert self.host.client is not None
        self.run = run = RemoteRun.of(self.host.client, description)
        self._mailbox = run.subscribe()
        self.is_running, self._held_for = True, HostState.FREE
        self.clear_loss()
        self.run_began.emit(run, attached)
        self.changed.emit()

    def _emit_run(self, run: RemoteRun) -> None:
        over = run.wait(0)  # first: what arrives with the end is drained with it
        events = self._mailbox.drain()
        self.is_running = not over
        self.run_events.emit(events, run.status, over)
        if over:
            if isinstance(run.error, LostHostError):
                self._lose(run.client, run.error, HostState.RUN, was_on=run.status.laser_on)
            elif run.error is not None:
                self.run_failed.emit(run.error)
            self.run_over.emit(run.status)

    # --- what arrives -------------------------------------------------------------------------------------------
    def _hear(self, event: Any) -> None:
        if isinstance(event, HostStatus):
            if event.laser_on:
                self.clear_loss()
        elif isinstance(event, RunDescription):
            self._follow(event, attached=True)
        elif not isinstance(event, Event | Gap | LostHostError):
            self.emitted.emit(event)

    def _on_tick(self) -> None:
        if self.run is not None and self.is_running:
            self._emit_run(self.run)
        client = self.host.client
        if client is not None and client.lost is not None:
            held_for, self._held_for = self._held_for, HostState.FREE
            self.host.drop()
            if held_for in LEASED:
                self._lose(client, client.lost, held_for, was_on=client.status.laser_on)
        self.changed.emit()

    # --- what is lost -------------------------------------------------------------------------------------------
    def clear_loss(self) -> None:
        """The laser is under control again: what was said of a lost one holds no more."""
        if self.loss is not None:
            self.loss = None
            self.lost_laser.clear()

    def _lose(self, client: HostClient, error: LostHostError, held_for: HostState, *, was_on: bool) -> None:
        bench = self.run.bench_config if held_for is HostState.RUN and self.run is not None else self._bench
        assert bench is not None
        self.loss = Loss(error, held_for)
        self.lost.emit(self.loss)
        self.lost_laser.begin(bench, Path(client.status.journal or ""), was_on=was_on)
