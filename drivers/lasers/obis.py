"""Coherent OBIS lasers (LX, LS) on their serial or USB port, directly or through an OBIS Remote.

Source: SCPI command tables of the OBIS operator's manuals, as used by python-microscope, Micro-Manager and qudi.
``SYST`` and ``SOUR`` without a number speak to device 0, which is an OBIS Remote where there is one, with the number 1
to the laser behind it; a head on its own USB port has no number 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Self, TypeVar

from drivers.interfaces import DeviceStatus, DriverContext, Found, Identity, Search
from drivers.lasers.wired_laser import SerialLaserOptions, Waiting, WiredLaser
from drivers.transports import Condition, LandmarkConversation, Line, Reply, SerialLine
from drivers.transports.reply import Parse

T = TypeVar("T")

_HEX = re.compile(rb"\s*([0-9A-Fa-f]{1,8})\s*")
_SWITCH = {b"ON": True, b"OFF": False}
_ERRORS = {
    b"ERR-400": "query unavailable",
    b"ERR-350": "error queue overflow",
    b"ERR-321": "out of memory",
    b"ERR-310": "system error",
    b"ERR-241": "device unavailable",
    b"ERR-221": "settings conflict",
    b"ERR-220": "invalid parameter",
    b"ERR-203": "command protected",
    b"ERR-200": "execution error",
    b"ERR-109": "parameter missing",
    b"ERR-102": "syntax error",
    b"ERR-100": "unrecognised command",
    b"ERR-500": "bus fault",
    b"ERR-510": "I2C fault",
    b"ERR-520": "controller time-out",
    b"ERR-900": "bus message time-out",
}
_FAULTS = {
    0: "base plate temperature out of range",
    1: "diode temperature out of range",
    2: "internal temperature out of range",
    3: "no electrical power at the diode",
    4: "I2C error",
    5: "diode current too high",
    6: "memory checksum error",
    7: "memory was restored to defaults",
    8: "message buffer overflow",
    9: "warm-up took too long",
    10: "temperature controller failure",
    11: "RS-485 bus error",
    12: "diode temperature off its set point",
    13: "set power is not reached",
    14: "photodiode reads negative",
    15: "fatal fault",
    16: "start-up failure",
    17: "watchdog reset",
    18: "field calibration error",
    20: "output power above limit",
}
_MODEL = re.compile(rb"Coherent[^\r\n]{0,20}OBIS[^\r\n]{0,80}")
_CDRH_DELAY, _WARMED_UP = 1 << 4, 1 << 8


class ObisConversation(LandmarkConversation):
    """Replies are closed by a handshake line: ``OK``, or ``ERR`` and a number in its place."""

    ending = b"\r\n"
    reply_ending = b"\r\n"
    landmarks = ("SYST:INF:SNUM?", "SYST:INF:FVER?")

    def write(self, command: str) -> None:
        self.ask(command, lambda reply: reply.nothing_but(b""))

    def _prepare(self) -> None:
        # Both settings last; without the first, nothing says where a reply ends. A head without number 1 says no.
        for setting in ("SYST:COMM:HAND ON", "SYST1:COMM:HAND ON", "SYST:COMM:PROM OFF", "SYST1:COMM:PROM OFF"):
            self._send(setting)
            self.line.drain(self.quiet_s)

    def _read_reply(self, timeout_s: float) -> bytes:
        lines = self._read_lines(timeout_s, lambda line: line == b"OK" or line.startswith(b"ERR"))
        return b"\n".join(lines[:-1] if lines[-1] == b"OK" else lines)

    def _check(self, reply: Reply) -> None:
        if reply.received.startswith(b"ERR"):
            raise reply.refusal(_ERRORS.get(reply.received, "unknown error"))


def _switch(reply: Reply) -> bool:
    return reply.one_of(_SWITCH)


def _bits(reply: Reply) -> int:
    return int(reply.matching(_HEX, "a hexadecimal number of up to 8 digits")[1], 16)


class ObisLaser(WiredLaser[ObisConversation]):
    """A Coherent OBIS laser in constant-power mode; its autostart is switched off. address: serial port."""

    Options = SerialLaserOptions
    resolution_w = 1e-5
    off_commands = ("SOUR:AM:STAT OFF", "SOUR1:AM:STAT OFF")

    def __init__(self, context: DriverContext, line: Line, options: SerialLaserOptions) -> None:
        super().__init__(context, ObisConversation(line, timeout_s=options.timeout_s), options)
        self._number = ""  # of the laser, behind a Remote
        self._says_interlock = True

    @classmethod
    def from_bench(cls, address: str, options: SerialLaserOptions, context: DriverContext) -> Self:
        return cls(context, SerialLine(context.device, address, options.baudrate_hz), options)

    @classmethod
    def discover(cls, search: Search) -> Iterable[Found]:
        """By Coherent's USB number, or by what it says it is."""
        return search.on_serial_ports(usb_vendors={0x0D4D}, question=b"*IDN?\r\n", answer=_MODEL)

    # --- device -------------------------------------------------------------------------------------------------
    def _needed(self) -> Iterable[Condition]:
        self._says_interlock = self._ask_if_known("SYST:LOCK?", _switch) is not None
        # With autostart, closing the interlock would be enough to start emission.
        yield Condition("autostart", self._to("SYST:AUT?"), ("OFF",), self._to("SYST:AUT OFF"))
        yield Condition("operating_mode", self._to("SOUR:AM:SOUR?"), ("CWP",), self._to("SOUR:AM:INT CWP"))
        yield Condition(
            "diode_temperature_control",
            self._to("SOUR:TEMP:APR?"),
            ("ON",),
            self._to("SOUR:TEMP:APR ON"),
            optional=True,
        )
        yield Condition("emission_delay", self._to("SYST:CDRH?"), optional=True)

    def _switch_off(self) -> None:
        """First of all, and so where it is found out which device is the laser."""
        if self._identity is None:
            behind_a_remote = self._talk.ask_if_known("SYST1:INF:MOD?", Reply.text) is not None
            self._number = "1" if behind_a_remote else ""
        super()._switch_off()

    def _to(self, command: str) -> str:
        """A command to the laser, whatever is in front of it."""
        return command[:4] + self._number + command[4:]

    def _ask(self, command: str, parse: Parse[T]) -> T:
        return self._talk.ask(self._to(command), parse)

    def _ask_if_known(self, command: str, parse: Parse[T]) -> T | None:
        return self._talk.ask_if_known(self._to(command), parse)

    def _read_identity(self) -> Identity:
        model, serial_number, firmware = (
            self._ask(f"SYST:INF:{what}?", Reply.text) for what in ("MOD", "SNUM", "FVER")
        )
        return Identity("Coherent", model, serial_number, firmware)

    def _read_status(self) -> DeviceStatus:
        emission, closed, faults = self._read_emission(), self._read_interlock_closed(), self._read_faults()
        bits = self._ask("SYST:STAT?", _bits)
        delayed = bool(bits & _CDRH_DELAY)
        state = ("starting" if delayed else "on") if emission else "off"
        return DeviceStatus(
            ok=closed and not faults,
            summary=", ".join(faults) or ("interlock open" if not closed else state),
            values={
                "emission": emission,
                "interlock_closed": closed,
                "warmed_up": bool(bits & _WARMED_UP),
                "delayed": delayed,
                "power_w": self._read_power(),
                "power_setpoint_w": self._get_power_setpoint(),
                **self._conditions,
                "round_trip_s": self._talk.round_trip_s,
            },
        )

    # --- laser --------------------------------------------------------------------------------------------------
    def _read_power_limits(self) -> tuple[float, float]:
        return self._ask("SOUR:POW:LIM:LOW?", Reply.number), self._ask("SOUR:POW:LIM:HIGH?", Reply.number)

    def _get_power_setpoint(self) -> float:
        return self._ask("SOUR:POW:LEV:IMM:AMPL?", Reply.number)

    def _send_power(self, watts: float) -> None:
        self._talk.write(self._to(f"SOUR:POW:LEV:IMM:AMPL {watts:.5f}"))

    def _read_power(self) -> float:
        return self._ask("SOUR:POW:LEV?", Reply.number)

    def _read_emission(self) -> bool:
        return self._ask("SOUR:AM:STAT?", _switch)

    def _read_interlock_closed(self) -> bool:
        """A head that does not know the question reports an open interlock among its faults."""
        return not self._says_interlock or self._ask("SYST:LOCK?", _switch)

    def _read_faults(self) -> tuple[str, ...]:
        bits = self._ask("SYST:FAUL?", _bits)
        return tuple(_FAULTS.get(bit, f"fault bit {bit}") for bit in range(32) if bits >> bit & 1)

    def _send_emission_on(self) -> None:
        self._talk.write(self._to("SOUR:AM:STAT ON"))

    def _waits_for(self) -> Waiting | None:
        waits = super()._waits_for()
        if self._ask("SYST:STAT?", _bits) & _CDRH_DELAY:
            return Waiting("in the delay of its class, about 5 s")
        return waits

    def _send_emission_off(self) -> None:
        self._talk.write(self._to("SOUR:AM:STAT OFF"))
