"""An emulated Coherent OBIS laser. Source: SCPI command tables of the OBIS operator's manuals."""

from __future__ import annotations

from mock_devices.wire.laser_electronics import LaserElectronics
from mock_devices.wire.scpi import OUT_OF_RANGE, UNDEFINED_HEADER, ScpiError, ScpiInstrument, number, switch

_NUMBERS = {UNDEFINED_HEADER[0]: b"ERR-100", OUT_OF_RANGE[0]: b"ERR-220"}
_FAULT_BITS = {"temperature": 0, "interlock": 29, "over current": 5, "constant power": 13}


class ObisInstrument(ScpiInstrument):
    """An OBIS LX with its Remote: every reply is closed by a line ``OK`` once the handshake is switched on."""

    endings = (b"\r\n", b"\r", b"\n")

    def __init__(
        self, electronics: LaserElectronics | None = None, *, serial_number: str = "VAL-70-4711", autostart: bool = True
    ) -> None:
        super().__init__("Coherent, Inc - OBIS 660nm 100mW C - V1.0.5 - Dec 14 2015")
        self.electronics = laser = electronics or LaserElectronics(max_power_w=0.11, min_power_w=0.001)
        self.handshake = False
        self.prompt = False
        self.autostart = autostart
        self.source = "MIXED"
        self.add("SYSTem:INFormation:MODel", lambda _: "OBIS 660nm 100mW C")
        self.add("SYSTem:INFormation:SNUMber", lambda _: serial_number)
        self.add("SYSTem:INFormation:FVERsion", lambda _: "V1.0.5")
        self.add("SYSTem:COMMunicate:HANDshaking", lambda _: _word(self.handshake), self._set_handshake)
        self.add("SYSTem:COMMunicate:PROMpt", lambda _: _word(self.prompt), self._set_prompt)
        self.add("SYSTem:AUTostart", lambda _: _word(self.autostart), self._set_autostart)
        self.add("SYSTem:STATus", lambda _: f"{self._status():08X}")
        self.add("SYSTem:FAULt", lambda _: f"{self._faults():08X}")
        self.add("SYSTem:LOCK", lambda _: _word(laser.interlock_closed and laser.key_on))
        self.add("SYSTem:CDRH", lambda _: _word(laser.start_delay_s > 0.0))
        self.add("SYSTem:HOURs", lambda _: "812")
        self.add("SOURce:AM:STATe", lambda _: _word(laser.emitting or laser.starting), self._set_state)
        self.add("SOURce:AM:SOURce", lambda _: self.source)
        self.add("SOURce:AM:INTernal", command=self._set_source)
        self.add("SOURce:AM:EXTernal", command=self._set_source)
        self.add("SOURce:POWer:LIMit:LOW", lambda _: f"{laser.min_power_w:.5f}")
        self.add("SOURce:POWer:LIMit:HIGH", lambda _: f"{laser.max_power_w:.5f}")
        self.add("SOURce:POWer:LEVel:IMMediate:AMPLitude", lambda _: f"{laser.setpoint_w:.5f}", self._set_power)
        self.add("SOURce:POWer:LEVel", lambda _: f"{laser.power_w():.5f}")
        self.add("SOURce:TEMPerature:APRobe", lambda _: "ON", lambda _: None)
        self.add("*TST", lambda _: "0")

    def answer(self, command: bytes) -> bytes:
        words = command.decode("ascii", "replace").strip()
        if not words:
            return b""
        try:
            reply = self._carry_out(words)
        except ScpiError as error:
            return _NUMBERS.get(error.entry[0], b"ERR-102") + b"\r\n"
        line = b"" if reply is None else str(reply).encode() + b"\r\n"
        return line + (b"OK\r\n" if self.handshake else b"")

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

    def _set_handshake(self, value: str) -> None:
        self.handshake = switch(value)

    def _set_prompt(self, value: str) -> None:
        self.prompt = switch(value)

    def _set_autostart(self, value: str) -> None:
        self.autostart = switch(value)

    def _set_state(self, value: str) -> None:
        if not switch(value):
            self.electronics.switch_off()
        elif not self.electronics.switch_on():
            raise ScpiError(*OUT_OF_RANGE)

    def _set_source(self, value: str) -> None:
        self.source = value.upper()

    def _set_power(self, value: str) -> None:
        laser = self.electronics
        laser.set_power(number(value, laser.min_power_w, laser.max_power_w))


def _word(on: bool) -> str:
    return "ON" if on else "OFF"
