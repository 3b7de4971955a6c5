"""The time of a simulated table: virtual, as fast as the computer can, or real."""

from __future__ import annotations

from typing import Protocol

from drivers.interfaces import Clock, RealClock


class TableClock(Clock, Protocol):
    """A clock that starts at zero with the table and can be set to the time of a restored one."""

    def set(self, seconds: float) -> None:
        """Go on from this time."""
        ...


class VirtualClock:
    """Time that passes only by waiting."""

    def __init__(self) -> None:
        self._now_s = 0.0

    def now_s(self) -> float:
        return self._now_s

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            self._now_s += seconds

    def set(self, seconds: float) -> None:
        self._now_s = seconds


class SteadyClock:
    """The computer's clock, counted from the start of the table."""

    def __init__(self) -> None:
        self._clock = RealClock()
        self._zero_s = self._clock.now_s()

    def now_s(self) -> float:
        return self._clock.now_s() - self._zero_s

    def sleep(self, seconds: float) -> None:
        self._clock.sleep(seconds)

    def set(self, seconds: float) -> None:
        self._zero_s = self._clock.now_s() - seconds
