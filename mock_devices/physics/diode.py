"""The laser diode: power against time, interlock and faults."""

from __future__ import annotations

import math

from mock_devices.faults import Faults
from mock_devices.options import LaserOptions
from mock_devices.state import State


class LaserDiode:
    """Optical power of the laser.

    `interlock_open`, `fault` (plain words, empty for none) and `droop` (share of the power missing) are what a test
    or a fault script sets; an open interlock or a fault stops the emission at once and for good.
    """

    def __init__(self, options: LaserOptions, drift_phase_rad: float) -> None:
        self._options = options
        self._drift_phase_rad = drift_phase_rad
        self.setpoint_w = options.power_w
        self.emission = False
        self._since_s = 0.0
        self._interlock_open = False
        self._fault = ""
        self.droop = 0.0
        self.faults = Faults()

    @property
    def interlock_open(self) -> bool:
        return self._interlock_open

    @interlock_open.setter
    def interlock_open(self, is_open: bool) -> None:
        self._interlock_open = is_open
        if is_open:
            self.emission = False

    @property
    def fault(self) -> str:
        return self._fault

    @fault.setter
    def fault(self, words: str) -> None:
        self._fault = words
        if words:
            self.emission = False

    def switch(self, on: bool, now_s: float) -> None:
        """Start or stop emission; a start against interlock or fault is ignored, as the diode's driver would."""
        if on and not self.emission and not self._interlock_open and not self._fault:
            self.emission = True
            self._since_s = now_s
        elif not on:
            self.emission = False

    def power_w(self, time_s: float) -> float:
        """Power at a time, noise left out."""
        if not self.emission:
            return 0.0
        o = self._options
        power = self.setpoint_w * (1 - self.droop)
        if o.warm_up_time_s > 0:
            # The stated time is six time constants.
            power *= 1 - o.warm_up_share * math.exp(-6 * max(0.0, time_s - self._since_s) / o.warm_up_time_s)
        if o.drift_share:
            power *= 1 + o.drift_share * math.sin(2 * math.pi * time_s / o.drift_period_s + self._drift_phase_rad)
        return power

    def state(self) -> State:
        return {
            "setpoint_w": self.setpoint_w,
            "emission": self.emission,
            "since_s": self._since_s,
            "interlock_open": self._interlock_open,
            "fault": self._fault,
            "droop": self.droop,
            "faults": self.faults.state(),
        }

    def restore(self, state: State) -> None:
        self.setpoint_w = state["setpoint_w"]
        self.emission = state["emission"]
        self._since_s = state["since_s"]
        self._interlock_open = state["interlock_open"]
        self._fault = state["fault"]
        self.droop = state["droop"]
        self.faults.restore(state["faults"])
