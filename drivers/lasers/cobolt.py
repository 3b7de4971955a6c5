"""Cobolt 06-01 lasers (Hübner Photonics): 06-MLD diode and 06-DPL diode-pumped heads, on their serial or USB port.

Source: command tables of the 06-01 series manuals, as used by the maker's package pycobolt, by pylablib and by
Micro-Manager. They do not agree on what ``gom?`` answers while a 06-DPL starts: 1, 2 and 3 are all "not yet" here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
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
from drivers.lasers.wired_laser import SerialLaserOptions, Waiting, WiredLaser
from drivers.transports import Condition, LandmarkConversation, Line, Reply, SerialLine

_FAULTS = {
    b"0": (),
    b"1": ("temperature out of range",),
    b"3": ("interlock was opened",),
    b"4": ("constant power cannot be reached",),
}
# What `gom?` answers depends on the kind of head.
_MLD_STATES = {
    b"0": "off",
    b"1": "waiting for its key",
    b"2": "on",
    b"3": "on, modulated",
    b"4": "on, modulated",
    b"5": "fault",
    b"6": "aborted",
}
_DPL_STATES = {
    b"0": "off",
    b"1": "starting (1: waiting for its key or its temperatures)",
    b"2": "starting (2: waiting for its supply or its key)",
    b"3": "starting (3: warming up)",
    b"4": "on",
    b"5": "fault",
    b"6": "aborted",
    b"7": "on, modulated",
}
# Wavelength in nm, series, power in mW, variant; four digits at the end are heads that speak other commands.
_MODEL = re.compile(rb"(\d{4})-06-(?P<kind>[059])\d-\d{4}-\d{3}(?:-C)?(?!\d)")


class CoboltOptions(SerialLaserOptions):
    """Settings of a Cobolt laser."""

    command_spacing_s: float = Field(
        0.1, ge=0, le=1, description="rest between an answer and the next command, in s; the maker's software keeps 0.1"
    )


class CoboltConversation(LandmarkConversation):
    """One line back for every command: a value, ``OK``, or ``Syntax error`` and its reason."""

    ending = b"\r"
    reply_ending = b"\r\n"
    landmarks = ("gsn?", "gfv?")

    def write(self, command: str) -> None:
        self.ask(command, lambda reply: reply.nothing_but(b"OK"))

    def _check(self, reply: Reply) -> None:
        if reply.received.startswith(b"Syntax error"):
            raise reply.refusal()


class CoboltLaser(WiredLaser[CoboltConversation]):
    """A Cobolt 06-MLD or 06-DPL laser in constant-power mode. address: serial port.

    Emission starts by the laser's own sequence (``@cob1``) where autostart is enabled, which waits for temperatures
    and, with a key switch, for the key to be turned off and on; by ``l1`` otherwise.
    """

    Options = CoboltOptions
    resolution_w = 1e-4
    off_commands = ("l0", "@cob0")

    def __init__(self, context: DriverContext, line: Line, options: CoboltOptions) -> None:
        talk = CoboltConversation(line, timeout_s=options.timeout_s, spacing_s=options.command_spacing_s)
        super().__init__(context, talk, options)
        self._model = ""
        self._states = _MLD_STATES
        self._autostart = False

    @classmethod
    def from_bench(cls, address: str, options: CoboltOptions, context: DriverContext) -> Self:
        return cls(context, SerialLine(context.device, address, options.baudrate_hz), options)

    @classmethod
    def discover(cls, search: Search) -> Iterable[Found]:
        """By what it says its model is; Cobolt's USB number alone may be a head of another generation or series."""
        for found in search.on_serial_ports(usb_vendors={0x25DC}, question=b"glm?\r", answer=_MODEL):
            yield found if _MODEL.search(found.what.encode()) else replace(found, sure=False)

    def clear_fault(self) -> None:
        """Forget a fault whose cause is gone (``cf``); emission stays off."""
        self._require_open()
        self._talk.write("cf")

    # --- device -------------------------------------------------------------------------------------------------
    def _needed(self) -> Iterable[Condition]:
        self._model = self._talk.ask("glm?", Reply.text)
        model = _MODEL.fullmatch(self._model.encode("ascii"))
        if model is None:
            raise DeviceRefusedError(
                self.name,
                f"is a Cobolt {self._model}, not a 06-01 of the generation this driver speaks to.",
                "Its number should end in three digits, such as 0638-06-01-0180-100. Name another driver.",
            )
        self._states = _MLD_STATES if model["kind"] == b"0" else _DPL_STATES
        self._autostart = self._talk.ask("@cobas?", Reply.flag)
        return (
            Condition("operating_mode", "gam?", ("1",), "cp", remedy="It is to be constant power (1)."),
            Condition("digital_modulation", "gdmes?", ("0",), "sdmes 0", optional=True),
            Condition("analog_modulation", "games?", ("0",), "sames 0", optional=True),
            Condition("on_off_modulation", "", command="xoom", optional=True),
            Condition("autostart", "@cobas?"),
        )

    def _read_identity(self) -> Identity:
        serial_number, firmware = self._talk.landmark_replies
        return Identity("Cobolt", self._model, serial_number.text(), firmware.text())

    def _read_status(self) -> DeviceStatus:
        emission, closed, faults = self._read_emission(), self._read_interlock_closed(), self._read_faults()
        state = self._read_state()
        readings: dict[str, float | bool | None] = {
            "key_on": self._talk.ask_if_known("@cobasks?", Reply.flag),
            "baseplate_temperature_c": self._talk.ask_if_known("rbpt?", Reply.number),
            "operating_time_h": self._talk.ask_if_known("hrs?", Reply.number),
        }
        return DeviceStatus(
            ok=closed and not faults,
            summary=", ".join(faults) or ("interlock open" if not closed else state),
            values={
                "emission": emission,
                "interlock_closed": closed,
                "state": state,
                "power_w": self._read_power(),
                "power_setpoint_w": self._get_power_setpoint(),
                **{name: value for name, value in readings.items() if value is not None},
                **self._conditions,
                "round_trip_s": self._talk.round_trip_s,
            },
        )

    # --- laser --------------------------------------------------------------------------------------------------
    def _read_power_limits(self) -> tuple[float, float]:
        return 0.0, 1e-3 * self._talk.ask("gmlp?", Reply.number)

    def _get_power_setpoint(self) -> float:
        return self._talk.ask("p?", Reply.number)

    def _send_power(self, watts: float) -> None:
        self._talk.write(f"p {watts:.6f}")

    def _read_power(self) -> float:
        return self._talk.ask("pa?", Reply.number)

    def _read_emission(self) -> bool:
        return self._talk.ask("l?", Reply.flag)

    def _read_interlock_closed(self) -> bool:
        return self._talk.ask("ilk?", lambda reply: reply.one_of({b"0": True, b"1": False}))

    def _read_faults(self) -> tuple[str, ...]:
        return self._talk.ask("f?", lambda reply: reply.one_of(_FAULTS))

    def _send_emission_on(self) -> None:
        self._talk.write("@cob1" if self._autostart else "l1")

    def _waits_for(self) -> Waiting | None:
        state = self._read_state()
        if state in ("fault", "aborted"):
            raise DeviceFaultError(
                self.name,
                f"did not start: {', '.join(self._read_faults()) or state}; emission stays off.",
                "Clear the fault at the laser.",
            )
        if state.startswith("on") and self._read_emission():
            return None
        if state == "waiting for its key" or (state.startswith("starting") and self._key_is_off):
            turn = "Turn the key to ON." if self._key_is_off else "Turn the key OFF and then ON again."
            return Waiting(state, turn)
        return Waiting(state)

    @property
    def _key_is_off(self) -> bool:
        return self._talk.ask_if_known("@cobasks?", Reply.flag) is False

    def _send_emission_off(self) -> None:
        self._talk.write("l0")

    def _read_state(self) -> str:
        return self._talk.ask("gom?", lambda reply: reply.one_of(self._states))
