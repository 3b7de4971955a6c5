"""The state of a run: a locked machine with an immutable status."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from labcontrol.formatting import duration, rounded


class RunState(StrEnum):
    """idle, preparing, running, paused, stopping, then one of finished, stopped, aborted, failed.

    A stopped run has a measured result, as a finished one; it can be continued, as an aborted one.
    """

    IDLE = "idle"
    PREPARING = "preparing"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    FINISHED = "finished"
    STOPPED = "stopped"
    ABORTED = "aborted"
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        return self in (RunState.FINISHED, RunState.STOPPED, RunState.ABORTED, RunState.FAILED)


class PauseCause(StrEnum):
    """Who or what made a run pause."""

    NONE = ""
    USER = "user"
    DEVICE = "device"
    DISK = "disk"


_ALLOWED: dict[RunState, frozenset[RunState]] = {
    RunState.IDLE: frozenset({RunState.PREPARING, RunState.ABORTED, RunState.FAILED}),
    RunState.PREPARING: frozenset(
        {RunState.RUNNING, RunState.PAUSED, RunState.STOPPING, RunState.ABORTED, RunState.FAILED}
    ),
    RunState.RUNNING: frozenset({RunState.PAUSED, RunState.STOPPING, RunState.ABORTED, RunState.FAILED}),
    RunState.PAUSED: frozenset(
        {
            RunState.PREPARING,
            RunState.RUNNING,
            RunState.PAUSED,  # once more: for another reason
            RunState.STOPPING,
            RunState.ABORTED,
            RunState.FAILED,
        }
    ),
    RunState.STOPPING: frozenset(
        {RunState.FINISHED, RunState.STOPPED, RunState.ABORTED, RunState.FAILED, RunState.PAUSED}
    ),
    RunState.FINISHED: frozenset(),
    RunState.STOPPED: frozenset(),
    RunState.ABORTED: frozenset(),
    RunState.FAILED: frozenset(),
}


@dataclass(frozen=True)
class RunStatus:
    """What is known about a run now.

    reason: why it is in this state, in plain words; cause: of a pause. doing: what a run that is preparing does now.
    epoch: epochs done. error: loss of the incumbent mask. accepted: flips accepted. retried: frames and samples that
    failed their checks and were acquired again. laser_on: whether the program has emission switched on. epoch_s: wall
    time of an epoch, averaged.
    """

    state: RunState = RunState.IDLE
    reason: str = ""
    cause: PauseCause = PauseCause.NONE
    doing: str = ""
    record: Path | None = None
    epoch: int = 0
    epochs: int = 0
    error: float = float("inf")
    accepted: int = 0
    retried: int = 0
    laser_on: bool = False
    epoch_s: float = 0.0

    @property
    def seconds_left(self) -> float:
        """At the present pace, to the largest number of epochs."""
        return max(0, self.epochs - self.epoch) * self.epoch_s

    def __str__(self) -> str:
        """For people: ``running, epoch 120 of 1024, error 0.0312, 12 s left``."""
        if self.state is RunState.STOPPED:
            return f"{self.reason}, error {rounded(self.error)}"
        words = ": ".join(filter(None, (self.state, self.reason or self.doing)))
        if self.epoch:
            words += f", epoch {self.epoch} of {self.epochs}, error {rounded(self.error)}"
        return words if self.state.is_final or not self.epoch else f"{words}, {duration(self.seconds_left)} left"


class StateMachine:
    """Holds the status; every change is made under its lock and reported to one listener."""

    def __init__(self, on_change: Callable[[RunStatus], None]) -> None:
        self._lock = threading.RLock()
        self._status = RunStatus()
        self._on_change = on_change

    @property
    def status(self) -> RunStatus:
        with self._lock:
            return self._status

    def move(self, state: RunState, reason: str = "", cause: PauseCause = PauseCause.NONE) -> None:
        """Change the state. Raises RuntimeError for a change that must not happen."""
        with self._lock:
            if state not in _ALLOWED[self._status.state]:
                raise RuntimeError(f"A run that is {self._status.state} cannot become {state}.")
            self._status = replace(self._status, state=state, reason=reason, cause=cause, doing="")
            self._on_change(self._status)

    def note(self, **facts: Any) -> None:
        """Update facts without a change of state; listeners hear of them with the epoch that brought them."""
        with self._lock:
            self._status = replace(self._status, **facts)
