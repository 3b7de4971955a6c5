"""A run that a host has, with the interface of `labcontrol.engine.Run`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from labcontrol.config import BenchConfig, ExperimentConfig
from labcontrol.engine import Doing, EpochDone, Event, Finished, Mailbox, RunState, RunStatus, StateChanged
from labcontrol.errors import UserError
from labcontrol.host.client import HostClient
from labcontrol.host.errors import LostHostError, as_error
from labcontrol.host.jobs.run import RunDescription, RunFailed, RunSettings
from labcontrol.host.protocol import Abort, Begin, Continue, Gap, HostState, Note, Pause, Stop, Welcome
from labcontrol.records import RunReader

_WELCOME_S = 30.0


class RemoteRun:
    """A run elsewhere: the same events, dataclass for dataclass, and the same status.

    Who attaches late, or was too slow, gets the epochs that it has not seen from the record: every epoch once, in
    order. Everything is taken in by `Mailbox.drain` of the subscribers and by `wait`, in the caller's thread.

    Attributes
    ----------
    experiment, bench_config, record
        As in `Run`.
    result : dict
        After the end; empty before.
    error : Exception or None
        What the run failed of; LostHostError when its host has gone.
    """

    experiment: ExperimentConfig
    bench_config: BenchConfig
    record: Path

    def __init__(self, client: HostClient, *, whole: bool) -> None:
        """Use `begin` or `attach`. whole: whether epochs before the first event are wanted."""
        self.client = client
        self.result: dict[str, Any] = {}
        self.error: Exception | None = None
        self._status = RunStatus()
        self._mailboxes: list[_PolledMailbox] = []
        self._early: list[Event] = []  # what came before anybody subscribed
        self._next: int | None = 0 if whole else None
        self._over, self._awaits_welcome = False, whole
        self._handlers: dict[type, Callable[[Any], None]] = {
            RunDescription: self._describe,
            StateChanged: self._change,
            Doing: self._take_doing,
            EpochDone: self._take_epoch,
            Gap: lambda _: self._catch_up(),
            RunFailed: self._fail,
            Finished: self._finish,
            LostHostError: self._lose,
        }
        client.hear(self._hear)

    @classmethod
    def attach(cls, client: HostClient) -> RemoteRun:
        """The run that a host holds, to be watched from its first epoch on. Raises UserError when it holds none."""
        if client.status.state is not HostState.RUN:
            raise UserError(f"The host (process {client.host.pid}) holds no run.", "'labcontrol ps' lists hosts.")
        run = cls(client, whole=True)
        client.request(Welcome())
        run._await(lambda: not run._awaits_welcome or run.error is not None)
        if run.error is not None:
            raise run.error
        return run

    @classmethod
    def begin(cls, client: HostClient, settings: RunSettings) -> RemoteRun:
        """Have a host begin a run, or continue one; waits until it is built and checked. Raises UserError."""
        run = cls(client, whole=False)
        described = client.request(Begin(job="run", settings=settings.model_dump(mode="json")), _WELCOME_S * 4)
        run._describe(described)
        return run

    @classmethod
    def of(cls, client: HostClient, description: RunDescription) -> RemoteRun:
        """The run that a host has described, for whoever does not wait: its events from now on."""
        run = cls(client, whole=False)
        run._describe(description)
        run._status = RunStatus(RunState.PREPARING, epochs=run.experiment.epochs)
        return run

    # --- as in Run ----------------------------------------------------------------------------------------------
    @property
    def status(self) -> RunStatus:
        """The newest status that arrived."""
        return self._status

    def subscribe(self) -> Mailbox:
        """A mailbox that receives every event from now on; the first one those that are there already, too."""
        mailbox = _PolledMailbox(self.client.poll)
        for event in self._early:
            mailbox.put(event)
        self._early = []
        self._mailboxes.append(mailbox)
        return mailbox

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until the run is over; False when it is not yet."""
        end_s = math.inf if timeout_s is None else time.monotonic() + timeout_s
        self.client.poll()
        while not self._over and (left_s := end_s - time.monotonic()) > 0:
            self.client.wait(min(left_s, 1.0))
        return self._over

    def pause(self, *, dark: bool = False) -> None:
        self.client.ask(Pause(dark=dark))

    def resume(self) -> None:
        self.client.ask(Continue())

    def stop(self) -> None:
        self.client.ask(Stop())

    def abort(self) -> None:
        self.client.ask(Abort())

    def note(self, text: str) -> None:
        """Log a line in the run's process."""
        self.client.ask(Note(text=text))

    # --- what arrives -------------------------------------------------------------------------------------------
    def _await(self, met: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + _WELCOME_S  # a wait may end at once, with events of other things
        while not met():
            if time.monotonic() > deadline_s:
                raise UserError("The host did not say which run it has.", "Try again.")
            self.client.wait(0.1)

    def _hear(self, event: Any) -> None:
        if self._over or (self._awaits_welcome and not isinstance(event, RunDescription | LostHostError)):
            return  # what comes before the welcome, that says, too
        handle = self._handlers.get(type(event))
        if handle is not None:
            handle(event)
        elif isinstance(event, Event):
            self._emit(event)

    def _describe(self, described: RunDescription) -> None:
        self.experiment, self.bench_config = described.experiment, described.bench
        self.record = described.record
        if self._awaits_welcome:
            self._awaits_welcome = False
            if self.client.status.epoch:  # before its first epoch a record may be in the making
                self._catch_up()

    def _change(self, event: StateChanged) -> None:
        self._status = event.status
        self._emit(event)

    def _take_doing(self, event: Doing) -> None:
        self._status = replace(self._status, doing=event.what)
        self._emit(event)

    def _fail(self, event: RunFailed) -> None:
        self.error = as_error({"kind": event.kind, "message": event.message, "remedy": event.remedy})

    def _take_epoch(self, event: EpochDone) -> None:
        index = event.epoch.index
        if self._next is not None and index > self._next:
            self._catch_up(index)
        if self._next is None or index == self._next:
            self._next, self._status = index + 1, event.status
            self._emit(event)

    def _catch_up(self, stop: int | None = None) -> None:
        """Epochs that were emitted before, or while nobody could hear them, from the record."""
        if self._next is None or not self.record.exists():
            return
        with RunReader(self.record) as reader:
            epochs = reader.epochs.rows(self._next, stop)
            errors = reader.incumbent_errors()
            planned = self.experiment.epochs
        for epoch in epochs:
            error = float(errors[epoch.index])
            self._next = epoch.index + 1
            self._status = replace(self._status, epoch=self._next, epochs=planned, error=error)
            self._emit(EpochDone(epoch, error, self._status))

    def _finish(self, event: Finished) -> None:
        if self._next is not None and self._next < event.status.epoch:
            self._catch_up()
        self.result, self._status, self._over = event.result, event.status, True
        self._emit(event)

    def _lose(self, error: LostHostError) -> None:
        """Nothing is known about the light any more; whatever was told last stays."""
        self.error, self._over = error, True
        self._status = replace(self._status, state=RunState.FAILED, reason=error.message)
        self._emit(Finished(self._status, {}))

    def _emit(self, event: Event) -> None:
        if not self._mailboxes:
            self._early.append(event)
        for mailbox in self._mailboxes:
            mailbox.put(event)


class _PolledMailbox(Mailbox):
    """A mailbox that polls the client before it is emptied."""

    def __init__(self, poll: Callable[[], None]) -> None:
        super().__init__()
        self._poll = poll

    def drain(self) -> list[Event]:
        self._poll()
        return super().drain()
