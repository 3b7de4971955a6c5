"""Thorlabs laser diode controllers ITC4000, LDC4000 and CLD101x: SCPI over USB, through VISA.

Source: programmer's reference manuals of the 4000 series and of the CLD101x series.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Self

from pydantic import Field

from drivers.interfaces import (
    DeviceFaultError,
    DeviceRefusedError,
    DeviceStatus,
    DriverContext,
    Found,
    Identity,
    Search,
)
from drivers.lasers.wired_laser import START_POLL_S, WiredLaser, WiredLaserOptions
from drivers.transports import Condition, Line, Reply, ScpiConversation, VisaLine

_USB = {(0x1313, 0x804A), (0x1313, 0x804F), (0x1313, None)}  # ITC4000, CLD101x
_MODEL = re.compile(r"thorlabs,\s*(ITC4|LDC4|CLD101)", re.IGNORECASE)
_PROTECTIONS = {"OTEM": "over temperature", "KEYL": "key switch is locked"}
_PROTECTIONS_4000 = _PROTECTIONS | {"VOLT": "compliance voltage exceeded", "EXT": "external switch open"}
_PROTECTIONS_CLD = _PROTECTIONS | {"CONN": "no diode connected"}


class ThorlabsDiodeOptions(WiredLaserOptions):
    """Settings of a laser diode on a controller in constant-current mode.

    Power and current of the diode: power_w = slope_w_per_a (current - threshold_a), from its data sheet or, better,
    measured on the bench.
    """

    timeout_s: float = Field(2.0, gt=0, le=60, description="longest time for one answer, in s")
    threshold_a: float = Field(ge=0, description="threshold current of the diode, in A")
    slope_w_per_a: float = Field(gt=0, description="slope efficiency of the diode, in W/A")
    photodiode: bool = Field(
        False, description="whether the diode's monitor photodiode is wired and its response is set in the controller"
    )
    temperature_c: float | None = Field(
        None, ge=-55, le=150, description="temperature to hold, in degrees C; by default what the controller is set to"
    )
    temperature_tolerance_k: float = Field(
        0.5, gt=0, le=20, description="emission starts once the diode is this close to its temperature, in K"
    )
    visa_backend: str = Field("@py", description="VISA library: @py for pyvisa-py, empty for the system's own")


class ThorlabsDiodeLaser(WiredLaser[ScpiConversation]):
    """A laser diode on an ITC4000, LDC4000 or CLD101x in constant-current mode. address: VISA resource name.

    The largest power follows from the current limit set in the controller, which is never changed here. Temperature
    control, where the controller has it, must run before emission, and is left running.
    """

    Options = ThorlabsDiodeOptions
    off_commands = ("OUTP OFF",)

    def __init__(self, context: DriverContext, line: Line, options: ThorlabsDiodeOptions) -> None:
        super().__init__(context, ScpiConversation(line, timeout_s=options.timeout_s), options)
        self._threshold_a = options.threshold_a
        self._slope_w_per_a = options.slope_w_per_a
        self._photodiode = options.photodiode
        self._temperature_c = options.temperature_c
        self._temperature_tolerance_k = options.temperature_tolerance_k
        self._model = ""

    @classmethod
    def from_bench(cls, address: str, options: ThorlabsDiodeOptions, context: DriverContext) -> Self:
        return cls(context, VisaLine(context.device, address, options.visa_backend), options)

    @classmethod
    def discover(cls, search: Search) -> Iterable[Found]:
        """By the USB numbers of ITC4000 and CLD101x, or by what it says it is."""
        return search.on_visa(usb=_USB, identity=_MODEL)

    @property
    def resolution_w(self) -> float:  # type: ignore[override]
        """Power that belongs to a hundredth of a milliampere."""
        return 1e-5 * self._slope_w_per_a

    # --- device -------------------------------------------------------------------------------------------------
    def _needed(self) -> Iterable[Condition]:
        self._model = self._talk.identity().model
        needed = [
            Condition("operating_mode", "SOUR:FUNC:MODE?", ("CURR",), "SOUR:FUNC:MODE CURR"),
            Condition("modulation", "SOUR:AM?", ("0", "OFF"), "SOUR:AM 0", optional=True),
            Condition("current_limit_a", "SOUR:CURR:LIM?"),
        ]
        if not self._model.startswith("CLD"):
            needed.append(Condition("pulses", "SOUR:FUNC:SHAP?", ("DC",), "SOUR:FUNC:SHAP DC", optional=True))
            remedy = "It would gate the light. Set the LD ENABLE input to off or to protection at the controller."
            modes = ("OFF", "PROT")
            needed.append(Condition("enable_input", "OUTP:PROT:EXT:MODE?", modes, optional=True, remedy=remedy))
        if self._has_temperature_control:
            needed.append(Condition("temperature_unit", "UNIT:TEMP?", ("C", "CEL"), "UNIT:TEMP CEL"))
            if self._temperature_c is not None:
                setting = f"SOUR2:TEMP {self._temperature_c:.3f}"
                needed.append(Condition("temperature_setpoint_c", "SOUR2:TEMP?", self._temperature_c, setting))
                needed.append(Condition("temperature_control", "OUTP2?", ("1", "ON"), "OUTP2 ON"))
        return needed

    def _read_identity(self) -> Identity:
        return self._talk.identity()

    def _read_status(self) -> DeviceStatus:
        emission, closed, faults = self._read_emission(), self._read_interlock_closed(), self._read_faults()
        values: dict[str, float | int | str | bool] = {
            "emission": emission,
            "interlock_closed": closed,
            "current_a": self._talk.ask("MEAS:CURR?", Reply.number),
            "current_setpoint_a": self._talk.ask("SOUR:CURR?", Reply.number),
            "current_limit_a": self._talk.ask("SOUR:CURR:LIM?", Reply.number),
            "power_w": self._read_power(),
            **self._conditions,
            "round_trip_s": self._talk.round_trip_s,
        }
        if self._has_temperature_control:
            values["temperature_c"] = self._talk.ask("MEAS:TEMP?", Reply.number)
        return DeviceStatus(
            ok=closed and not faults,
            summary=", ".join(faults) or ("interlock open" if not closed else "on" if emission else "off"),
            values=values,
        )

    @property
    def _has_temperature_control(self) -> bool:
        return not self._model.startswith("LDC")

    # --- laser --------------------------------------------------------------------------------------------------
    def _read_power_limits(self) -> tuple[float, float]:
        limit_a = self._talk.ask("SOUR:CURR:LIM?", Reply.number)
        if limit_a <= self._threshold_a:
            raise DeviceRefusedError(
                self.name,
                f"its current limit of {limit_a:g} A is not above the threshold of {self._threshold_a:g} A.",
                "Set the limit at the controller and the threshold in the bench file for this diode.",
            )
        return 0.0, self._power(limit_a)

    def _get_power_setpoint(self) -> float:
        return self._power(self._talk.ask("SOUR:CURR?", Reply.number))

    def _send_power(self, watts: float) -> None:
        current_a = self._threshold_a + watts / self._slope_w_per_a if watts > 0.0 else 0.0
        self._talk.write(f"SOUR:CURR {current_a:.6f}")

    def _read_power(self) -> float:
        if self._photodiode:
            return self._talk.ask("MEAS:POW2?", Reply.number)
        return self._power(self._talk.ask("MEAS:CURR?", Reply.number))

    def _power(self, current_a: float) -> float:
        return max(0.0, self._slope_w_per_a * (current_a - self._threshold_a))

    def _read_emission(self) -> bool:
        return self._talk.ask("OUTP?", Reply.flag)

    def _read_interlock_closed(self) -> bool:
        return not self._talk.ask("OUTP:PROT:INTL:TRIP?", Reply.flag)

    def _read_faults(self) -> tuple[str, ...]:
        protections = _PROTECTIONS_CLD if self._model.startswith("CLD") else _PROTECTIONS_4000
        faults = [text for name, text in protections.items() if self._talk.ask(f"OUTP:PROT:{name}:TRIP?", Reply.flag)]
        if self._has_temperature_control and not self._talk.ask("OUTP2?", Reply.flag):
            faults.append("temperature control is off")
        return tuple(faults)

    def _start(self) -> None:
        """Emission only once the diode has its temperature: a cold one may jump between modes, a hot one ages."""
        if self._has_temperature_control:
            self._wait_for_temperature()
        super()._start()

    def _wait_for_temperature(self) -> None:
        set_c = self._talk.ask("SOUR2:TEMP?", Reply.number)
        tolerance_k, give_up_s = self._temperature_tolerance_k, self.clock.now_s() + self._options.start_time_s
        said = False
        while abs((found_c := self._talk.ask("MEAS:TEMP?", Reply.number)) - set_c) > tolerance_k:
            if self._off_asked.is_set():
                raise DeviceRefusedError(self.name, "was switched off while it started.", "Start it again.")
            words = f"the diode is at {found_c:.1f} °C and is to be at {set_c:.1f} °C within {tolerance_k:g} K"
            if self.clock.now_s() >= give_up_s:
                raise DeviceFaultError(
                    self.name,
                    f"{words}, after {self._options.start_time_s:g} s; emission stays off.",
                    "Check the temperature control; start_time_s and temperature_tolerance_k are in the bench file.",
                )
            if not said:
                self.while_starting(words)
                said = True
            self.clock.sleep(START_POLL_S)

    def _send_emission_on(self) -> None:
        self._talk.write("OUTP ON")

    def _send_emission_off(self) -> None:
        self._talk.write("OUTP OFF")
