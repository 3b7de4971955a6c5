"""What a run emits to its listeners, through mailboxes that never block it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labcontrol.engine.pilot import PilotResult
from labcontrol.engine.status import RunStatus
from labcontrol.records import Epoch, Fault
from labcontrol.reservoir import StepView
from labcontrol.tasks import Task


@dataclass(frozen=True)
class StateChanged:
    status: RunStatus


@dataclass(frozen=True)
class Doing:
    """What a run that is preparing does now, in few words: ``pilot 12/67``."""

    what: str


@dataclass(frozen=True)
class Prepared:
    """The table is measured and the record is open. centres_px: (N, 2) camera pixel of each neuron."""

    task: Task
    initial_mask: NDArray[np.bool_]
    centres_px: NDArray[np.float64]
    step_s: float


@dataclass(frozen=True)
class Predicted:
    """The pilot is measured: the fixed gain, what mirrors do, and the predicted learning curve are known."""

    pilot: PilotResult


@dataclass(frozen=True)
class EpochDone:
    """One epoch, already on disk. incumbent_error: loss of the incumbent after it."""

    epoch: Epoch
    incumbent_error: float
    status: RunStatus


@dataclass(frozen=True)
class Seen:
    """The newest step, for display; most steps are not emitted."""

    view: StepView


@dataclass(frozen=True)
class FaultSeen:
    """A device did something wrong. What it means for the run is in `fault.action`, and in the status if it paused."""

    fault: Fault


@dataclass(frozen=True)
class DriftMeasured:
    """The reference mask was measured again.

    epoch: epochs done. level: mean output over the first one. error: loss of the reference mask.
    excess: how far the output is from the first one, in standard deviations of what noise alone would do.
    """

    epoch: int
    level: float
    error: float
    excess: float


@dataclass(frozen=True)
class Finished:
    """The run is over and its record closed."""

    status: RunStatus
    result: dict[str, Any]


_LONGEST_WAIT_S = 0.1

Event = StateChanged | Doing | Prepared | Predicted | EpochDone | Seen | FaultSeen | DriftMeasured | Finished


class Mailbox:
    """Events for one listener: every event up to a bound, and of what was seen only the newest.

    When a listener does not empty it, the oldest epochs are dropped and counted in `missed`; they are in the record.
    Empty it with `drain` now and then, or iterate over it to get each event as it comes, until the run is over.

    Parameters
    ----------
    capacity : int
        Events that are kept.
    """

    def __init__(self, capacity: int = 100_000) -> None:
        self._news = threading.Condition()
        self._events: deque[Event] = deque()
        self._seen: Seen | None = None
        self._capacity = capacity
        self.missed = 0

    def put(self, event: Event) -> None:
        """Called by the run; never waits for the listener.

        Parameters
        ----------
        event : Event
            What happened.
        """
        with self._news:
            if isinstance(event, Seen):
                self._seen = event
                self._news.notify()
                return
            if len(self._events) >= self._capacity:
                self._events.popleft()
                self.missed += 1
            self._events.append(event)
            self._news.notify()

    def drain(self) -> list[Event]:
        """All events since the last call.

        Returns
        -------
        list of Event
            Oldest first; the newest view last.
        """
        with self._news:
            events = list(self._events)
            self._events.clear()
            if self._seen is not None:
                events.append(self._seen)
                self._seen = None
        return events

    def __iter__(self) -> Iterator[Event]:
        while True:
            for event in self.drain():
                yield event
                if isinstance(event, Finished):
                    return
            with self._news:
                # Never without a time limit, or Ctrl-C would not end the wait on every system.
                self._news.wait_for(self._is_filled, _LONGEST_WAIT_S)

    def _is_filled(self) -> bool:
        return bool(self._events) or self._seen is not None
