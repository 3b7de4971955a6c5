"""Lasers: power, emission, interlock and faults. Emission is always explicit, and off is always reachable."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

from drivers.interfaces.device import Device
from drivers.interfaces.errors import DeviceFaultError, DeviceRefusedError


class Laser(Device):
    """A laser whose emission only ever starts by `emission_on`; closing it switches emission off."""

    role: ClassVar[str] = "laser"

    while_starting: Callable[[str], None] = staticmethod(lambda _: None)
    """Called with what a start still waits for, and what a person must do, whenever that changes."""

    @property
    @abstractmethod
    def power_limits_w(self) -> tuple[float, float]:
        """Smallest and largest power that may be set, in W, as the device states them."""

    @property
    @abstractmethod
    def warm_up_time_s(self) -> float:
        """How long after `emission_on` the power is not yet stable, in s."""

    @property
    def power_setpoint_w(self) -> float:
        """Power that the laser is set to, in W."""
        self._require_open()
        return self._get_power_setpoint()

    @power_setpoint_w.setter
    def power_setpoint_w(self, watts: float) -> None:
        self.check_power(watts)
        self._set_power(watts)

    def check_power(self, watts: float) -> None:
        """Refuse a power that cannot be set.

        Parameters
        ----------
        watts : float
            Power to be set later, in W.

        Raises
        ------
        DeviceLimitError
            When it is outside `power_limits_w`.
        """
        self._require_open()
        self._require_within("the power", watts, self.power_limits_w, "W")

    @property
    def power_w(self) -> float:
        """Power measured by the laser itself, in W."""
        self._require_open()
        return self._read_power()

    @property
    def emission(self) -> bool:
        """Whether light comes out now, as the device reports it."""
        self._require_open()
        return self._read_emission()

    @property
    def interlock_closed(self) -> bool:
        """Whether the interlock lets the laser emit."""
        self._require_open()
        return self._read_interlock_closed()

    @property
    def faults(self) -> tuple[str, ...]:
        """Faults the device reports, in plain words; empty when all is well."""
        self._require_open()
        return self._read_faults()

    def emission_on(self) -> None:
        """Start emission, and return when light is there.

        A start may take as long as the laser's own procedure does: warm-up, key, the delay of its class, temperature.
        `while_starting` is told what it waits for.

        Raises
        ------
        DeviceRefusedError
            While the interlock is open, and where no light came in time; emission is off then.
        DeviceFaultError
            While the laser reports a fault.
        """
        self._require_open()
        if not self._read_interlock_closed():
            raise DeviceRefusedError(
                self.name, "the interlock is open, emission stays off.", "Close the interlock and try again."
            )
        faults = self._read_faults()
        if faults:
            raise DeviceFaultError(
                self.name, f"reports {', '.join(faults)}; emission stays off.", "Clear the fault at the laser."
            )
        self._set_emission(True)

    def emission_off(self) -> None:
        """Stop emission; allowed in every state of an open device.

        Raises
        ------
        DeviceError
            When the laser does not confirm it.
        """
        self._require_open()
        self._set_emission(False)

    def emission_off_now(self) -> None:
        """Send "off" at once, from any thread, wait for nothing and confirm nothing; never raises.

        The guardian of a laser calls it, repeatedly, while another thread may be waiting for an answer. A driver that
        cannot do that leaves it out, and is switched off when its present command has ended.
        """

    @property
    def last_answer_s(self) -> float:
        """When the laser last answered, by `time.monotonic`; a driver that does not keep it leaves it out."""
        return -math.inf

    # --- for drivers --------------------------------------------------------------------------------------------
    @abstractmethod
    def _get_power_setpoint(self) -> float: ...

    @abstractmethod
    def _set_power(self, watts: float) -> None: ...

    @abstractmethod
    def _read_power(self) -> float: ...

    @abstractmethod
    def _read_emission(self) -> bool: ...

    @abstractmethod
    def _set_emission(self, on: bool) -> None: ...

    @abstractmethod
    def _read_interlock_closed(self) -> bool: ...

    @abstractmethod
    def _read_faults(self) -> tuple[str, ...]: ...
