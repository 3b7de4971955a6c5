"""What application and guardian say to each other: one JSON object a line."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import drivers.interfaces as interfaces
from drivers.interfaces import DeviceError

BEAT_INTERVAL_S = 0.05
SILENCE_S = 0.3
"""Emission goes off when no beat arrived for so long."""
SILENT = "no sign of the application"
"""Begins the reason of a trip that is no matter of the laser's."""
POLL_INTERVAL_S = 0.25
"""One reading (emission, interlock, faults or power) is taken so often while the laser emits."""


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
    """A change of the laser's permission or emission, and why."""

    unix_s: float
    state: str
    reason: str


def read_journal(path: Path) -> list[Transition]:
    """What the guardian wrote when nobody was there to hear it, oldest first; without a line half written."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return [Transition(**json.loads(line)) for line in lines if line.endswith("\n")]


def error_words(error: DeviceError) -> dict[str, str]:
    """An error of a driver as JSON types."""
    return {"kind": type(error).__name__, "device": error.device, "message": error.message, "remedy": error.remedy}


def as_error(words: dict[str, str]) -> DeviceError:
    """The error that `error_words` described; one of the family that every driver raises."""
    kind = getattr(interfaces, words["kind"], DeviceError)
    if not (isinstance(kind, type) and issubclass(kind, DeviceError)):
        kind = DeviceError
    return kind(words["device"], words["message"], words["remedy"])
