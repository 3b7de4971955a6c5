"""What the emulated electronics of a wired table are connected to: its laser diode and its photodiode."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mock_devices.detector import SimulatedDetector
from mock_devices.laser import SimulatedLaser
from mock_devices.wire.signals import Volts


class TableLight:
    """The laser of a table, driven by a laser's emulated electronics.

    warms_up_at_once: whether the table's time passes by its warm-up when it is switched on.
    """

    def __init__(self, laser: SimulatedLaser, *, warms_up_at_once: bool) -> None:
        self._laser = laser
        self._warms_up_at_once = warms_up_at_once

    def set_power(self, watts: float) -> None:
        self._laser.power_setpoint_w = watts

    def set_emission(self, on: bool) -> None:
        if not on:
            self._laser.emission_off()
            return
        self._laser.emission_on()
        if self._warms_up_at_once:
            self._laser.clock.sleep(self._laser.warm_up_time_s)

    def power_w(self) -> float:
        return self._laser.power_w


class TableSignal:
    """The photodiode of a table at the input of an emulated oscilloscope; there is no trigger cable.

    before: called before samples are taken.
    """

    def __init__(self, detector: SimulatedDetector, watts_per_volt: float, before: Callable[[], None]) -> None:
        self._detector = detector
        self._watts_per_volt = watts_per_volt
        self._before = before
        self._wanted: tuple[int, float, int] | None = None
        self._record: Volts | None = None

    def arm(self, points: int, interval_s: float, before: int) -> None:
        self._wanted, self._record = (points, interval_s, before), None

    def force(self) -> None:
        if self._wanted is None:
            return
        points, interval_s, before = self._wanted
        self._wanted = None
        self._before()
        data = self._detector.read(points - before, 1.0 / interval_s).data
        self._record = np.concatenate([np.full(before, data[0]), data]) / self._watts_per_volt

    def disarm(self) -> None:
        self._wanted, self._record = None, np.zeros(0)

    def recorded(self) -> Volts | None:
        return self._record
