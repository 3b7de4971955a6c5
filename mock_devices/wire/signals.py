"""What emulated meters measure: light, and voltages after a trigger pulse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from drivers.interfaces import RealClock

Volts = NDArray[np.float64]


class LightMeter(Protocol):
    """Light on a power sensor, for example the detector of a simulated table."""

    def power_w(self) -> float:
        """What the sensor sees now, in W."""
        ...


class Signal(Protocol):
    """A voltage that is recorded after a trigger pulse."""

    def arm(self, points: int, interval_s: float, before: int) -> None:
        """Record from the next pulse on: ``points`` in all, ``before`` of them from before the pulse."""
        ...

    def force(self) -> None:
        """Trigger now, if armed."""
        ...

    def disarm(self) -> None: ...

    def recorded(self) -> Volts | None:
        """The last record in V, or None while it waits for its pulse or is not complete."""
        ...


class FunctionSignal:
    """A voltage that is a function of the time since the last trigger pulse; `pulse` gives one."""

    def __init__(self, volts: Callable[[Volts], Volts]) -> None:
        self._volts = volts
        self._clock = RealClock()
        self._wanted: tuple[int, float, int] | None = None
        self._record: Volts | None = None
        self._complete_at_s = 0.0

    def arm(self, points: int, interval_s: float, before: int) -> None:
        self._wanted, self._record = (points, interval_s, before), None

    def pulse(self) -> None:
        if self._wanted is None:
            return
        points, interval_s, before = self._wanted
        self._wanted = None
        self._complete_at_s = self._clock.now_s() + (points - before) * interval_s
        self._record = self._volts(np.asarray((np.arange(points) - before) * interval_s, dtype=np.float64))

    def force(self) -> None:
        self.pulse()

    def disarm(self) -> None:
        self._wanted = None
        self._record = np.zeros(0)
        self._complete_at_s = 0.0

    def recorded(self) -> Volts | None:
        return self._record if self._clock.now_s() >= self._complete_at_s else None
