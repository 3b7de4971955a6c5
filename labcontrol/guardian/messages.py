"""What application and guardian say to each other: one JSON object a line."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import drivers.interfaces as interfaces
from drivers.interfaces import DeviceError

HEARTBEAT_INTERVAL_S = 0.05
"""Application and guardian each say so often that they are there."""
SILENCE_S = 0.8
"""Emission goes off when no beat of the application arrived for so long: dark within a second of the last one."""
LONG_SILENCE_S = 3.0
"""After a longer silence of the application a person has to arm the laser again."""
GUARDIAN_SILENCE_S = 0.8
"""The application ends a guardian that was not heard for so long while the laser emits, and switches off itself."""
POLL_INTERVAL_S = 0.25
"""One reading (emission, interlock, faults or power) is taken so often while the laser emits."""
UNREAD_S = 1.0
"""Emission goes off when the laser has answered nothing for so long."""
LATE_S = 1.0
"""Emission goes off when the guardian itself was held up for so long, or the clocks say that the computer slept."""


class Cause(StrEnum):
    """Why the permission to emit was taken away. See the table of causes in docs/faults.md."""

    SILENCE = "silence of the application"
    LONG_SILENCE = "long silence of the application"
    APPLICATION_ENDED = "end of the application"
    GUARDIAN_ENDED = "end of the guardian"
    LATE = "guardian held up"
    ASLEEP = "computer asleep"
    UNREADABLE = "laser cannot be read"
    STOPPED = "laser stopped by itself"
    INTERLOCK = "interlock"
    FAULT = "fault of the laser"
    POWER = "too much power"
    REPORTED = "reported by the application"

    @property
    def needs_a_person(self) -> bool:
        """Whether only a person may give the permission back; otherwise a run that was armed goes on by itself."""
        return self not in (Cause.SILENCE, Cause.UNREADABLE)


@dataclass(frozen=True)
class Limits:
    """What the guardian allows.

    ceiling_w: largest power that may come out, in W; None for `margin` times the power set.
    """

    ceiling_w: float | None = None
    margin: float = 1.2
    silence_s: float = SILENCE_S


@dataclass(frozen=True)
class Start:
    """First line to the guardian: which laser to hold. options: of the driver, JSON types."""

    device: str
    driver: str
    address: str
    options: dict[str, Any]
    limits: Limits

    def line(self) -> str:
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def read(cls, line: str) -> Start:
        values = json.loads(line)
        return cls(**values | {"limits": Limits(**values["limits"])})


@dataclass(frozen=True)
class Transition:
    """A change of the laser's permission or emission, and why. cause: of a trip; empty otherwise."""

    unix_s: float
    state: str
    reason: str
    cause: str = ""


def read_journal(path: Path) -> list[Transition]:
    """What the guardian wrote when nobody was there to hear it, oldest first; without a line half written."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return [Transition(**json.loads(line)) for line in lines if line.endswith("\n")]


def error_message(error: DeviceError) -> dict[str, str]:
    """An error of a driver as JSON types."""
    return {"kind": type(error).__name__, "device": error.device, "message": error.message, "remedy": error.remedy}


def as_error(words: dict[str, str]) -> DeviceError:
    """The error that `error_message` described; one of the family that every driver raises."""
    kind = getattr(interfaces, words["kind"], DeviceError)
    if not (isinstance(kind, type) and issubclass(kind, DeviceError)):
        kind = DeviceError
    return kind(words["device"], words["message"], words["remedy"])
