"""What a host may hold the table for: the interface of a job."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from labcontrol.config import BenchConfig
from labcontrol.host.protocol import HostState, Message, Request

Handler = Callable[..., Any]
"""Is given the request, one that `lights` also the job's `darks` when it arrived; returns what is answered."""


class BenchSettings(Message):
    """The bench that a job controls.

    Parameters
    ----------
    bench : BenchConfig
        As its file has it, without calibrations applied.
    journal : str
        Where the guardian of a real laser writes what it does when the host is gone; absolute.
    """

    bench: BenchConfig
    journal: str


class TakeFrame(Request):
    """Answered with a new `Frame`; during a calibration with None while no bench is open."""

    name = "frame"


class Job(ABC):
    """One thing done with the table, from taking it to letting it go.

    A host has one job at a time. It calls `begin`, `end` and the handlers of requests that are not urgent from one
    thread, one after the other; everything else at any time from any thread.

    Attributes
    ----------
    state : HostState
        What the host says it holds the table for.
    leased : bool
        Whether one client steers it, whose silence means dark and whose end is the job's.
    settings : type[Message]
        Of what a client gives to begin it.
    carries : tuple of type
        Classes of the events and answers that travel to clients; those of their fields come with them.
    pictures : tuple of type
        Those of which only the newest is worth sending.
    bench : BenchConfig
        That is held.
    darks : int
        How often `light_off` was called.
    """

    state: ClassVar[HostState]
    leased: ClassVar[bool] = False
    settings: ClassVar[type[Message]]
    carries: ClassVar[tuple[Any, ...]] = ()
    pictures: ClassVar[tuple[type, ...]] = ()

    bench: BenchConfig
    darks: int = 0

    @classmethod
    @abstractmethod
    def make(cls, settings: Any) -> Job:
        """Build it, checked as far as that goes without a device. Raises UserError."""

    @property
    @abstractmethod
    def requests(self) -> Mapping[type[Request], Handler]:
        """What it obeys."""

    @property
    @abstractmethod
    def is_over(self) -> bool:
        """Whether it is done with the table, by itself or by `end`."""

    @abstractmethod
    def begin(self) -> None:
        """Take the table, or as much of it as is needed first; without light, and soon: dark is not heard meanwhile."""

    @abstractmethod
    def light_off(self, reason: str) -> None:
        """Emission off, from any state, and an end to what needs light. reason: for log and record."""

    @abstractmethod
    def end(self) -> None:
        """Let go of the table; may be called more than once."""

    def afterwards(self) -> None:  # noqa: B027 - most jobs leave nothing to do
        """What is left to do when the table is free."""

    @abstractmethod
    def drain(self) -> list[Any]:
        """The events since the last call, oldest first."""

    def description(self) -> Any:
        """What whoever began it is answered."""
        return None

    def welcome(self) -> list[Any]:
        """What a client that attaches now has to know of what was emitted before."""
        return []

    def status(self) -> dict[str, Any]:
        """Fields of `HostStatus` that only the job knows."""
        return {}

    def outcome(self) -> str:
        """How it ended, for people."""
        return f"{self.state} has ended"

    def attend(self, present: bool) -> None:  # noqa: B027 - most jobs need nobody
        """Somebody looks at the job now, or nobody has for a while."""
