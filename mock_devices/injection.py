"""Faults that a script brings to the table: those of single commands, and states that last for a while."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from mock_devices.faults import Faults
from mock_devices.physics.diode import LaserDiode

_LINE = ("timeout", "garbled", "disconnect")
KINDS: Mapping[str, tuple[str, ...]] = {
    "laser": (*_LINE, "droop", "trip", "interlock"),
    "slm": (*_LINE, "skip", "unsettled"),
    "dmd": (*_LINE, "skip"),
    "camera": (*_LINE, "drop", "stale", "failed"),
    "detector": (*_LINE, "overload", "no_trigger"),
}
"""What can go wrong, by device. See docs/faults.md."""

_LASTING = ("disconnect", "droop", "trip", "interlock")


class Parts(Protocol):
    """What stands on the table; each has `faults`."""

    laser: LaserDiode


class Injection:
    """Faults under way on a table."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._ends: list[tuple[float, str, str]] = []
        self.next_end_s = float("inf")

    def begin(self, device: str, kind: str, now_s: float, *, times: int, seconds: float | None, share: float) -> None:
        """See `drivers.interfaces.Table.inject`."""
        if kind not in KINDS.get(device, ()):
            raise ValueError(f"{device} knows no fault {kind!r}")
        if kind not in _LASTING:
            self._faults(device).add(kind, times)
            return
        self._set(device, kind, share if kind == "droop" else 1.0)
        self._ends.append((now_s + seconds if seconds is not None else float("inf"), device, kind))
        self.next_end_s = min(end_s for end_s, _, _ in self._ends)

    def end(self, now_s: float) -> None:
        """End what has lasted long enough."""
        over = [entry for entry in self._ends if entry[0] <= now_s]
        self._ends = [entry for entry in self._ends if entry[0] > now_s]
        self.next_end_s = min((end_s for end_s, _, _ in self._ends), default=float("inf"))
        for _, device, kind in over:
            if not any(entry[1:] == (device, kind) for entry in self._ends):
                self._set(device, kind, 0.0)

    def state(self) -> list[Any]:
        return [[end_s if end_s < float("inf") else None, device, kind] for end_s, device, kind in self._ends]

    def restore(self, state: list[Any]) -> None:
        """The states themselves are restored with their devices."""
        self._ends = [(float("inf") if end_s is None else end_s, device, kind) for end_s, device, kind in state]
        self.next_end_s = min((end_s for end_s, _, _ in self._ends), default=float("inf"))

    def _faults(self, device: str) -> Faults:
        faults: Faults = getattr(self._parts, device).faults
        return faults

    def _set(self, device: str, kind: str, value: float) -> None:
        laser = self._parts.laser
        if kind == "disconnect":
            self._faults(device).disconnected = bool(value)
        elif kind == "droop":
            laser.droop = value
        elif kind == "interlock":
            laser.interlock_open = bool(value)
        else:
            laser.fault = "an over-temperature trip" if value else ""
