"""An emulated Cobolt 06-01 laser (Hübner Photonics), the classic command set of 06-MLD and 06-DPL heads.

Source: the command tables in the manuals of the 06-01 series, as the maker's package pycobolt uses them.
"""

from __future__ import annotations

from collections.abc import Callable

from mock_devices.wire.instrument import Instrument
from mock_devices.wire.laser_electronics import LaserElectronics

_FAULTS = {"temperature": 1, "interlock": 3, "constant power": 4}
_BAD = b"Syntax error: illegal command\r\n"


class CoboltInstrument(Instrument):
    """An 06-MLD head unless ``model`` says 06-DPL; with the autostart sequence of a laser for the laboratory."""

    endings = (b"\r\n", b"\r")

    def __init__(
        self,
        electronics: LaserElectronics | None = None,
        *,
        serial_number: str = "12345",
        model: str = "0661-06-01-0050-100",
        autostart: bool = True,
    ) -> None:
        super().__init__()
        self.electronics = laser = electronics or LaserElectronics()
        self.model = model
        self.autostart = autostart
        self.mode = 1
        self._waiting_for_key = False
        self._queries: dict[str, Callable[[], str]] = {
            "?": lambda: "OK",
            "l?": lambda: f"{laser.emitting:d}",
            "p?": lambda: f"{laser.setpoint_w:.4f}",
            "pa?": lambda: f"{laser.power_w():.4f}",
            "i?": lambda: f"{1000.0 * laser.power_w() + 40.0 * laser.emitting:.1f}",
            "ilk?": lambda: f"{not laser.interlock_closed:d}",
            "f?": lambda: f"{_FAULTS.get(laser.faults[0], 1) if laser.faults else 0:d}",
            "gom?": lambda: f"{self._state():d}",
            "gam?": lambda: f"{self.mode:d}",
            "gsn?": lambda: serial_number,
            "sn?": lambda: serial_number,
            "gfv?": lambda: "6.3.2",
            "gfd?": lambda: "2019-05-06",
            "gfbd?": lambda: "2019-05-06",
            "gcn?": lambda: "laser",
            "glm?": lambda: self.model,
            "gmlp?": lambda: f"{1000.0 * laser.max_power_w:.4f}",
            "hrs?": lambda: "128.25",
            "rbpt?": lambda: "27.512",
            "@cobas?": lambda: f"{self.autostart:d}",
            "@cobasks?": lambda: f"{laser.key_on:d}",
        }
        self._actions: dict[str, Callable[[], bool]] = {
            "l0": self._off,
            "@cob0": self._off,
            "l1": lambda: not self.autostart and laser.switch_on(),
            "@cob1": self._autostart,
            "cp": lambda: self._set_mode(1),
            "ci": lambda: self._set_mode(0),
            "em": lambda: self._set_mode(2),
            "cf": self._clear,
        }
        self._settings: dict[str, Callable[[float], bool]] = {
            "p": laser.set_power,
            "@cobasp": laser.set_power,
            "slc": lambda milliamperes: milliamperes >= 0.0,
            "@cobas": self._set_autostart,
            "@cobasdr": lambda value: value in (0.0, 1.0),
        }

    def answer(self, command: bytes) -> bytes:
        words = command.decode("ascii", "replace").split()
        if not words:
            return b""
        name, values = words[0], words[1:]
        if not values and name in self._queries:
            return self._queries[name]().encode() + b"\r\n"
        if not values and name in self._actions:
            return b"OK\r\n" if self._actions[name]() else _BAD
        if len(values) == 1 and name in self._settings:
            try:
                return b"OK\r\n" if self._settings[name](float(values[0])) else _BAD
            except ValueError:
                return _BAD
        return _BAD

    def _state(self) -> int:
        # 06-MLD: 0 off, 1 waiting for key, 2 continuous, 5 fault; 06-DPL: 3 warming up and 4 completed instead of 2
        laser = self.electronics
        slow = "-06-5" in self.model or "-06-9" in self.model
        if laser.faults:
            return 5
        if laser.emitting:
            return 4 if slow else 2
        if laser.starting:
            return 3 if slow else 2
        return int(self._waiting_for_key)

    def _off(self) -> bool:
        self._waiting_for_key = False
        self.electronics.switch_off()
        return True

    def _autostart(self) -> bool:
        self._waiting_for_key = not self.electronics.key_on
        self.electronics.switch_on()
        return True

    def _clear(self) -> bool:
        self.electronics.clear_faults()
        return True

    def _set_mode(self, mode: int) -> bool:
        self.mode = mode
        return True

    def _set_autostart(self, value: float) -> bool:
        self.autostart = value == 1.0
        return value in (0.0, 1.0)
