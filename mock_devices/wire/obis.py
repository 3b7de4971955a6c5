"""An emulated Coherent OBIS laser, on its own USB port or behind an OBIS Remote.

Source: SCPI command tables of the OBIS operator's manuals, as python-microscope, Micro-Manager's two adapters and qudi
use them. The handshake is on as delivered. ``SYST`` and ``SOUR`` without a number are device 0: the Remote where there
is one. It keeps what the last user set: operating mode, autostart, temperature control, handshake, prompt.
"""

from __future__ import annotations

import re

from mock_devices.wire.laser_electronics import LaserElectronics
from mock_devices.wire.scpi import (
    ILLEGAL_PARAMETER,
    MISSING_PARAMETER,
    OUT_OF_RANGE,
    UNDEFINED_HEADER,
    ScpiError,
    ScpiInstrument,
    choice,
    number,
    switch,
)

_WORDS = ("OFF", "ON")
_UNAVAILABLE = (-241, "Device unavailable")
_NUMBERS = {
    UNDEFINED_HEADER[0]: b"ERR-100",
    OUT_OF_RANGE[0]: b"ERR-220",
    ILLEGAL_PARAMETER[0]: b"ERR-220",
    MISSING_PARAMETER[0]: b"ERR-109",
    _UNAVAILABLE[0]: b"ERR-241",
}
_FAULT_BITS = {"temperature": 0, "interlock": 29, "over current": 5, "constant power": 13}
_NODE = re.compile(r"(SYST(?:em)?|SOUR(?:ce)?)(\d+)?(:.*)", re.IGNORECASE)


class ObisInstrument(ScpiInstrument):
    """An OBIS LX or LS. Every reply is closed by a line ``OK`` while the handshake is on.

    remote: whether it stands behind a Remote, which is device 0 and says who it is itself. says_interlock: whether the
    firmware knows ``SYSTem:LOCK?``.
    """

    endings = (b"\r\n", b"\r", b"\n")

    def __init__(
        self,
        electronics: LaserElectronics | None = None,
        *,
        serial_number: str = "VAL-70-4711",
        autostart: bool = True,
        remote: bool = False,
        says_interlock: bool = True,
    ) -> None:
        who = "OBIS Remote" if remote else "OBIS 660nm 100mW C"
        super().__init__(f"Coherent, Inc - {who} - V1.0.5 - Dec 14 2015")
        self.electronics = laser = electronics or LaserElectronics(max_power_w=0.11, min_power_w=0.001)
        self.remote = _Remote() if remote else None
        self.handshake = True
        self.prompt = False
        self.autostart = autostart
        self.source = "MIXED"  # analog and digital input together, as delivered
        self.temperature_control = True
        self.add("SYSTem:INFormation:MODel", lambda _: "OBIS 660nm 100mW C")
        self.add("SYSTem:INFormation:SNUMber", lambda _: serial_number)
        self.add("SYSTem:INFormation:FVERsion", lambda _: "V1.0.5")
        self.add("SYSTem:INFormation:WAVelength", lambda _: "660")
        self.add("SYSTem:INFormation:TYPe", lambda _: "DDL")
        self.add_switch(self, "handshake", "SYSTem:COMMunicate:HANDshaking", _WORDS)
        self.add_switch(self, "prompt", "SYSTem:COMMunicate:PROMpt", _WORDS)
        self.add_switch(self, "autostart", "SYSTem:AUTostart", _WORDS)
        self.add("SYSTem:STATus", lambda _: f"{self._status():08X}")
        self.add("SYSTem:FAULt", lambda _: f"{self._faults():08X}")
        self.add("SYSTem:ERRor:CLEar", lambda _: "0", lambda _: None)
        self.add("SYSTem:ERRor:COUNt", lambda _: "0")
        if says_interlock:
            self.add("SYSTem:LOCK", lambda _: _word(laser.interlock_closed and laser.key_on))
        self.add("SYSTem:CDRH", lambda _: _word(laser.start_delay_s > 0.0), lambda _: None)
        self.add("SYSTem:HOURs", lambda _: "812")
        self.add("SYSTem:DIODe:HOURs", lambda _: "640.5")
        self.add("SOURce:AM:STATe", lambda _: _word(laser.emitting or laser.starting), self._set_state)
        self.add("SOURce:AM:SOURce", lambda _: self.source)
        self.add("SOURce:AM:INTernal", command=lambda text: self._set_source(choice(text, "CWP", "CWC")))
        self.add("SOURce:AM:EXTernal", command=lambda text: self._set_source(_external(text)))
        self.add("SOURce:POWer:LIMit:LOW", lambda _: f"{laser.min_power_w:.5f}")
        self.add("SOURce:POWer:LIMit:HIGH", lambda _: f"{laser.max_power_w:.5f}")
        self.add("SOURce:POWer:NOMinal", lambda _: f"{laser.max_power_w / 1.1:.5f}")
        self.add("SOURce:POWer:LEVel:IMMediate:AMPLitude", lambda _: f"{laser.setpoint_w:.5f}", self._set_power)
        self.add("SOURce:POWer:LEVel", lambda _: f"{laser.power_w():.5f}")
        self.add_switch(self, "temperature_control", "SOURce:TEMPerature:APRobe", _WORDS)
        for place, celsius in {"DIODe": 25.02, "INTernal": 31.4, "BASeplate": 28.9}.items():
            self.add(f"SOURce:TEMPerature:{place}", lambda _, celsius=celsius: f"{celsius:.2f}C")

    def answer(self, command: bytes) -> bytes:
        words = command.decode("ascii", "replace").strip()
        if not words:
            return b""
        try:
            reply = self._of_device(words)
        except ScpiError as error:
            return _NUMBERS.get(error.entry[0], b"ERR-102") + b"\r\n"
        finally:
            self.electronics.gated = self.source not in ("CWP", "CWC") or not self.temperature_control
        line = b"" if reply is None else str(reply).encode() + b"\r\n"
        return line + (b"OK\r\n" if self.handshake else b"")

    def _of_device(self, words: str) -> str | bytes | None:
        """Carry out a command for the device that its number means."""
        node = _NODE.match(words)
        if node is None:
            return self._carry_out(words)[0]
        device, command = int(node[2] or 0), node[1] + node[3]
        if self.remote is not None and device == 0:
            return self.remote.obey(command)
        if device != (1 if self.remote is not None else 0):
            raise ScpiError(*_UNAVAILABLE)
        return self._carry_out(command)[0]

    def _status(self) -> int:
        laser = self.electronics
        return (
            bool(laser.faults)
            | laser.emitting << 1
            | laser.ready << 2
            | laser.starting << 4
            | (not laser.starting) << 8
            | 1 << 31
        )

    def _faults(self) -> int:
        return sum(1 << _FAULT_BITS.get(fault, 15) for fault in self.electronics.faults)

    def _set_state(self, value: str) -> None:
        if not switch(value):
            self.electronics.switch_off()
        elif not self.electronics.switch_on():
            raise ScpiError(*OUT_OF_RANGE)

    def _set_source(self, value: str) -> None:
        self.source = value

    def _set_power(self, value: str) -> None:
        laser = self.electronics
        laser.set_power(number(value, laser.min_power_w, laser.max_power_w))


class _Remote(ScpiInstrument):
    """The Remote in front of a laser: a device with an identity and settings of its own, and no light."""

    def __init__(self) -> None:
        super().__init__("Coherent, Inc - OBIS Remote - V2.1 - Jan 7 2014")
        self.add("SYSTem:INFormation:MODel", lambda _: "OBIS Remote")
        self.add("SYSTem:INFormation:SNUMber", lambda _: "R-1-0815")
        self.add("SYSTem:INFormation:FVERsion", lambda _: "V2.1")
        self.add("SYSTem:COMMunicate:HANDshaking", lambda _: "ON", _taken)
        self.add("SYSTem:COMMunicate:PROMpt", lambda _: "OFF", _taken)
        self.add("SYSTem:STATus", lambda _: "80000000")
        self.add("SYSTem:FAULt", lambda _: "00000000")

    def obey(self, command: str) -> str | bytes | None:
        """Carry out one command; what it answers."""
        return self._carry_out(command)[0]


def _taken(value: str) -> None:
    """A setting that this device takes and that changes nothing here."""
    switch(value)


def _external(text: str) -> str:
    words = {"DIG": "DIGITAL", "ANAL": "ANALOG", "MIX": "MIXED"}
    return words[choice(text, "DIGital", "ANALog", "MIXed")]


def _word(on: bool) -> str:
    return _WORDS[on]
