"""What a record holds, one class for each kind of thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class RunState:
    """How far a run is.

    name: running, finished, stopped, aborted, failed; or interrupted, when it says running but nobody writes it.
    unix_s: when it came into this state. epochs: how many there were then.
    """

    name: str
    reason: str
    unix_s: float
    epochs: int

    @classmethod
    def of(cls, line: dict[str, Any]) -> Self:
        """From a line of the journal; early versions called a run that was stopped by hand finished."""
        by_hand = (line["state"], line["reason"]) == ("finished", "stopped by the user")
        return cls("stopped" if by_hand else line["state"], line["reason"], line["time"], line["epochs"])


@dataclass(frozen=True)
class Change:
    """Content that is not what was written. row: the first, in a table. text: in plain words."""

    dataset: str
    row: int | None
    text: str


@dataclass(frozen=True)
class LogLine:
    """One line of the log."""

    unix_s: float
    level: str
    text: str

    @classmethod
    def of(cls, line: dict[str, Any]) -> Self:
        """From a line of the journal."""
        return cls(line["time"], line["level"], line["text"])


RETRIED = "retried"
"""Kind of a fault that was mended at once: a frame or sample acquired again."""
_FORMER = {"retaken": RETRIED}  # as records of early versions have it


@dataclass(frozen=True)
class Fault:
    """What a device did wrong, and what was done about it. epoch: epochs on disk at that time."""

    unix_s: float
    device: str
    kind: str
    text: str
    action: str
    epoch: int = 0

    @classmethod
    def of(cls, line: dict[str, Any]) -> Self:
        """From a line of the journal."""
        kind = _FORMER.get(line["kind"], line["kind"])
        return cls(line["time"], line["device"], kind, line["text"], line["action"], line.get("epoch", 0))


@dataclass(frozen=True)
class Pilot:
    """Masks measured before learning.

    Attributes
    ----------
    masks : ndarray of bool, shape (B, N)
        Replay by replay; each replay holds the initial mask as well.
    outputs : ndarray of float32, shape (B, T)
        What they gave.
    replays : ndarray of int, shape (B,)
        Number of each one's replay within the pilot.
    """

    masks: NDArray[np.bool_]
    outputs: NDArray[np.float32]
    replays: NDArray[np.int64]


@dataclass(frozen=True)
class Checkpoint:
    """State from which the run continues after so many epochs."""

    epochs: int
    state: bytes
