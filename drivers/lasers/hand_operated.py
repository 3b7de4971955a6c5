"""A laser without a line to the computer, or of a family that no driver speaks to: a person operates it.

The program says what to do and when, and takes the person's word for it: nothing here measures or switches anything.
Camera and detector see whether light is there. A shutter in front (`shuttered-laser`) lets the program switch it off.
"""

from __future__ import annotations

import logging
import time
from typing import Self

from pydantic import Field

from drivers.interfaces import (
    DeviceFaultError,
    DeviceRefusedError,
    DeviceStatus,
    DriverContext,
    DriverOptions,
    Identity,
    Laser,
)

log = logging.getLogger(__name__)

_POLL_S = 0.1


class HandOperatedOptions(DriverOptions):
    """Settings of a laser that a person operates."""

    max_power_w: float = Field(gt=0, description="largest power that may be asked for, in W")
    vendor: str = Field("unknown", min_length=1, description="who made it, for the record")
    model: str = Field("laser operated by hand", min_length=1, description="what it is, for the record")
    serial_number: str = Field("unknown", min_length=1, description="number on its label, for the record")
    time_to_act_s: float = Field(
        20.0, ge=0, le=3600, description="time that the person at the laser has to switch it on, in s"
    )
    behind_a_shutter: bool = Field(
        False, description="whether a shutter that the program closes stands in front, so that the laser may stay on"
    )
    warm_up_time_s: float = Field(0.0, ge=0, description="time from switching on until the power is stable, in s")


class HandOperatedLaser(Laser):
    """A laser that a person switches on and off. address: empty.

    Without a shutter, "off" is never confirmed: the guardian cannot switch this laser off, and says so.
    """

    Options = HandOperatedOptions

    def __init__(self, context: DriverContext, options: HandOperatedOptions) -> None:
        super().__init__(context)
        self._options = options
        self._power_w = 0.0
        self._on = self._off_asked = False

    @classmethod
    def from_bench(cls, address: str, options: HandOperatedOptions, context: DriverContext) -> Self:
        del address  # it has none
        return cls(context, options)

    @property
    def power_limits_w(self) -> tuple[float, float]:
        self._require_open()
        return 0.0, self._options.max_power_w

    @property
    def warm_up_time_s(self) -> float:
        return self._options.warm_up_time_s

    @property
    def last_answer_s(self) -> float:
        """Nothing can be asked, and so nothing is late."""
        return time.monotonic()

    def emission_off_now(self) -> None:
        self._off_asked = True

    # --- device -------------------------------------------------------------------------------------------------
    def _open(self) -> None:
        self._on = False
        measured = "by nobody: the power is the one asked for"
        self._conditions = {"operated": "by hand", "switched_off": self._switched_off_by, "power_measured": measured}

    def _close(self) -> None:
        if self._on and not self._options.behind_a_shutter:
            log.error("%s is operated by hand: switch it off at the laser now.", self.name)
        self._on = False

    def _read_identity(self) -> Identity:
        options = self._options
        return Identity(options.vendor, options.model, options.serial_number, "unknown")

    def _read_status(self) -> DeviceStatus:
        summary = "on, as far as is known" if self._on else "off, as far as is known"
        return DeviceStatus(ok=True, summary=f"operated by hand: {summary}", values=dict(self._conditions))

    @property
    def _switched_off_by(self) -> str:
        return "by its shutter" if self._options.behind_a_shutter else "by a person only, the program cannot"

    # --- laser --------------------------------------------------------------------------------------------------
    def _get_power_setpoint(self) -> float:
        return self._power_w

    def _set_power(self, watts: float) -> None:
        self._power_w = watts

    def _read_power(self) -> float:
        return self._power_w if self._on else 0.0

    def _read_emission(self) -> bool:
        return self._on

    def _set_emission(self, on: bool) -> None:
        if on:
            self._ask_for_light()
        elif self._on and not self._options.behind_a_shutter:
            raise DeviceFaultError(
                self.name, "is operated by hand: the program cannot switch it off.", "Switch it off at the laser now."
            )
        else:
            self._on = False

    def _ask_for_light(self) -> None:
        options = self._options
        self._off_asked = False
        self.while_starting(
            f"Set the laser to {1e3 * self._power_w:.4g} mW and switch it on by hand within {options.time_to_act_s:g} s"
        )
        ready_s = self.clock.now_s() + options.time_to_act_s
        while (left_s := ready_s - self.clock.now_s()) > 0.0:
            if self._off_asked:
                raise DeviceRefusedError(
                    self.name, "is not to be switched on any more.", "Leave it off, or switch it off if it is on."
                )
            self.clock.sleep(min(_POLL_S, left_s))
        self._on = True

    def _read_interlock_closed(self) -> bool:
        return True  # nobody can say; a laser without its interlock gives no light, which the camera sees

    def _read_faults(self) -> tuple[str, ...]:
        return ()
