"""A run as a job: it needs no client, and goes on whoever attaches, leaves, hangs or dies."""

from __future__ import annotations

import logging
import math
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import model_validator

from labcontrol.config import BenchConfig, ExperimentConfig
from labcontrol.engine import Event, Finished, Predicted, Prepared, Run, RunState, Seen, StateChanged
from labcontrol.engine.light_record import laser_journal
from labcontrol.host.errors import described
from labcontrol.host.jobs.job import Handler, Job
from labcontrol.host.protocol import UNATTENDED_S, Continue, HostState, Message, Pause, Request, Stop

log = logging.getLogger(__name__)


class RunSettings(Message):
    """A new run, or the continuation of a record.

    Parameters
    ----------
    experiment, bench : ExperimentConfig, BenchConfig
        Of a new run.
    folder : str
        Where its record goes; absolute.
    record : str
        Of the run to continue; absolute.
    armed_by : str
        On whose word a real laser may emit; empty where nobody said so.
    unattended : bool
        Whether a run with a real laser goes on while no client is attached.
    figures : bool
        Whether figures are saved beside the record at the end.
    """

    experiment: ExperimentConfig | None = None
    bench: BenchConfig | None = None
    folder: str = "runs"
    record: str = ""
    armed_by: str = ""
    unattended: bool = False
    figures: bool = False

    @model_validator(mode="after")
    def _one_of_both(self) -> RunSettings:
        if (self.experiment is None or self.bench is None) == (not self.record):
            raise ValueError("should have either experiment and bench, or a record to continue")
        return self


@dataclass(frozen=True)
class RunDescription:
    """The run that a host has.

    experiment, bench: as it was started. record: where it is written. continued: whether it had epochs before.
    """

    experiment: ExperimentConfig
    bench: BenchConfig
    record: Path
    continued: bool


@dataclass(frozen=True)
class RunFailed:
    """What a run failed of, told before it is `Finished`; see `labcontrol.host.errors.described`."""

    kind: str
    message: str
    remedy: str


class RunJob(Job):
    """Holds one run.

    Parameters
    ----------
    run : Run
        Not started yet.
    unattended : bool
        Whether it may go on without a client although its laser is a real one.
    continued : bool
        Whether the record had epochs before.
    at_the_end : callable
        Called with the run when it is over and the table free.
    """

    state = HostState.RUN
    settings = RunSettings
    carries = (Event, RunDescription, RunFailed)
    pictures = (Seen,)

    def __init__(
        self,
        run: Run,
        *,
        unattended: bool = False,
        continued: bool = False,
        at_the_end: Callable[[Run], None] = lambda _: None,
    ) -> None:
        self.run, self.bench = run, run.bench_config
        self.unattended = unattended or not run.needs_arming
        self._continued, self._at_the_end = continued, at_the_end
        self._mailbox = run.subscribe()
        self._known: dict[type, Any] = {}
        self._last: list[Any] = []
        self._end_events: list[Any] = []
        self._started = self._left = False

    @classmethod
    def make(cls, settings: RunSettings) -> RunJob:
        """Build and check the run. Raises UserError."""
        armed_by = settings.armed_by
        if armed_by and settings.unattended:
            armed_by = f"{armed_by}, to run unattended"
        if settings.record:
            run = Run.continued(Path(settings.record), armed_by=armed_by)
        else:
            assert settings.experiment is not None
            run = Run(settings.experiment, settings.bench, settings.folder, armed_by=armed_by)
        at_the_end = _save_figures if settings.figures else lambda _: None
        return cls(run, unattended=settings.unattended, continued=bool(settings.record), at_the_end=at_the_end)

    @property
    def requests(self) -> Mapping[type[Request], Handler]:
        return {Pause: self._pause, Continue: self._continue, Stop: self._stop}

    @property
    def is_over(self) -> bool:
        return self._started and self.run.wait(0)

    def begin(self) -> None:
        self.run.start()
        self._started = True

    def light_off(self, reason: str) -> None:
        """A run without light is aborted; the record says why."""
        log.info("the run is aborted: %s", reason)
        self.darks += 1
        self.run.abort(reason)

    def end(self) -> None:
        """Abort it if need be, and wait for its end."""
        if self._started and not self.run.wait(0):
            self.run.abort()
            self.run.wait()

    def afterwards(self) -> None:
        self._at_the_end(self.run)

    def drain(self) -> list[Any]:
        events = self._last or self._mailbox.drain()
        self._last = []
        for event in events:
            if isinstance(event, Prepared | Predicted):
                self._known[type(event)] = event
        if events and any(isinstance(event, Finished) for event in events):
            if not self.run.wait(0):
                self._last = events  # what it failed of is known when its thread has ended
                return []
            self._end_events = [event for event in events if isinstance(event, Finished)]
            if self.run.error is not None:
                self._end_events.insert(0, RunFailed(**described(self.run.error)))
            events = [event for event in events if not isinstance(event, Finished)] + self._end_events
        return events

    def description(self) -> RunDescription:
        run = self.run
        return RunDescription(run.experiment, run.bench_config, run.record, self._continued)

    def welcome(self) -> list[Any]:
        known = [self._known[kind] for kind in (Prepared, Predicted) if kind in self._known]
        return [self.description(), *known, *(self._end_events or [StateChanged(self.run.status)])]

    def outcome(self) -> str:
        return str(self.run.status)

    def status(self) -> dict[str, Any]:
        now = self.run.status
        return {
            "record": str(self.run.record),
            "run_state": str(now.state),
            "paused": now.state is RunState.PAUSED,
            "reason": now.reason,
            "epoch": now.epoch,
            "epochs": now.epochs,
            "error": now.error if math.isfinite(now.error) else None,
            "journal": str(laser_journal(self.run.record)),
            "laser_on": now.laser_on,
            "unattended": self.unattended,
        }

    def attend(self, present: bool) -> None:
        if present:
            self._left = False
        elif not self.unattended and not self._left:
            self._left = True
            self.run.pause_dark(
                f"has left: nobody was attached for {UNATTENDED_S:g} s, and the laser is not armed to run unattended."
            )

    # --- what it obeys ------------------------------------------------------------------------------------------
    def _pause(self, request: Pause) -> bool:
        now = self.run.status
        if now.state is RunState.STOPPING or now.state.is_final:
            return False
        if now.state is RunState.PAUSED and not (request.dark and now.laser_on):
            return False
        if request.dark:
            self.run.pause_dark("wants the laser off during a pause.")
        else:
            self.run.pause()
        return True

    def _continue(self, _: Continue) -> bool:
        if self.run.status.state is not RunState.PAUSED:
            return False
        self.run.resume()
        return True

    def _stop(self, _: Stop) -> bool:
        if self.run.status.state is RunState.STOPPING or self.run.status.state.is_final:
            return False
        self.run.stop()
        return True


def _save_figures(run: Run) -> None:
    """As after a run in the terminal, by the same program in a process of its own: it takes long and may fail."""
    if not run.status.epoch:
        return
    command = [sys.executable, "-P", "-m", "labcontrol", "runs", "export", str(run.record), "--to", "png,svg"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        log.error("the figures of %s could not be saved: %s", run.record, done.stderr.strip())
