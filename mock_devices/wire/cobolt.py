"""An emulated Cobolt 06-01 laser (Hübner Photonics): 06-MLD diode and 06-DPL diode-pumped heads.

Source: the command tables in the manuals of the 06-01 series, as the maker's package pycobolt, pylablib,
python-microscope and Micro-Manager use them. Where they disagree, the instrument has both as options. It keeps what the
last user set: mode, modulation, autostart, current.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from mock_devices.wire.instrument import Instrument
from mock_devices.wire.laser_electronics import LaserElectronics

_FAULTS = {"temperature": 1, "interlock": 3, "constant power": 4}
_BAD = b"Syntax error: illegal command\r\n"
_VALUE = b"Syntax error: illegal value\r\n"
_AUTOSTART = b"Syntax error: not allowed in autostart mode.\r\n"
_THRESHOLD_MA, _SLOPE_MA_PER_W = 40.0, 1000.0
_LARGEST_MA = 200.0


class CoboltInstrument(Instrument):
    """An 06-MLD head unless ``model`` says 06-DPL; with the autostart sequence of a laser for the laboratory.

    key_switch: whether the head has one, which must be turned off and on before each start.
    waits: what a 06-DPL answers to ``gom?`` while it waits; sources give the numbers two ways.
    unknown: commands that this head does not know, as older firmware does.
    """

    endings = (b"\r\n", b"\r")

    def __init__(
        self,
        electronics: LaserElectronics | None = None,
        *,
        serial_number: str = "12345",
        model: str = "0661-06-01-0050-100",
        autostart: bool = True,
        key_switch: bool = False,
        waits: Literal["key first", "temperature first"] = "key first",
        unknown: tuple[str, ...] = (),
    ) -> None:
        super().__init__()
        self.electronics = laser = electronics or LaserElectronics()
        self.model = model
        self.autostart = autostart
        self.key_switch = key_switch
        self.unknown = unknown
        self.mode = 1
        self.digital_modulation = self.analog_modulation = self.on_off_modulation = False
        self.low_impedance = False
        self.current_ma = 60.0
        self._waiting_for_key = self._aborted = False
        self._key_number, self._temperature_number = (1, 2) if waits == "key first" else (2, 1)
        laser.on_key_turned = self._key_turned
        self._queries: dict[str, Callable[[], str]] = {
            "?": lambda: "OK",
            "l?": lambda: f"{laser.emitting:d}",
            "p?": lambda: f"{laser.setpoint_w:.4f}",
            "pa?": lambda: f"{laser.power_w():.4f}",
            "i?": lambda: f"{self._flowing_ma:.1f}",
            "rlc?": lambda: f"{self._flowing_ma / 1000.0:.4f}",
            "glc?": lambda: f"{self.current_ma:.1f}",
            "gmlc?": lambda: f"{_LARGEST_MA:.1f}",
            "glmp?": lambda: f"{1000.0 * laser.setpoint_w:.3f}",
            "ilk?": lambda: f"{not laser.interlock_closed:d}",
            "f?": lambda: f"{_FAULTS.get(laser.faults[0], 1) if laser.faults else 0:d}",
            "gom?": lambda: f"{self._state():d}",
            "gam?": lambda: f"{self.mode:d}",
            "gdmes?": lambda: f"{self.digital_modulation:d}",
            "games?": lambda: f"{self.analog_modulation:d}",
            "galis?": lambda: f"{self.low_impedance:d}",
            "ra?": lambda: f"0 0 0 0 0 0 0 {self.mode} 0",
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
            "rtect?": lambda: "25.003",
            "leds?": lambda: "3",
            "@cobas?": lambda: f"{self.autostart:d}",
            "@cobasks?": lambda: f"{laser.key_on:d}",
            "@cobasdr?": lambda: "0",
        }
        self._actions: dict[str, Callable[[], bytes | None]] = {
            "l0": self._off,
            "@cob0": self._off,
            "l1": self._on,
            "@cob1": self._start,
            "abort": self._abort,
            "restart": self._start,
            "cp": lambda: self._set_mode(1),
            "ci": lambda: self._set_mode(0),
            "ecc": lambda: self._set_mode(0),
            "em": lambda: self._set_mode(2),
            "eoom": lambda: self._set_on_off(True),
            "xoom": lambda: self._set_on_off(False),
            "cf": self._clear,
        }
        self._settings: dict[str, Callable[[float], bool]] = {
            "p": laser.set_power,
            "@cobasp": laser.set_power,
            "slmp": lambda milliwatts: laser.set_power(milliwatts / 1000.0),
            "slc": self._set_current,
            "sam": self._set_numbered_mode,
            "sdmes": lambda on: self._set_flag("digital_modulation", on),
            "sames": lambda on: self._set_flag("analog_modulation", on),
            "salis": lambda on: self._set_flag("low_impedance", on),
            "@cobas": lambda on: self._set_flag("autostart", on),
            "@cobasdr": lambda value: value in (0.0, 1.0),
        }

    def answer(self, command: bytes) -> bytes:
        words = command.decode("ascii", "replace").split()
        if not words or words[0] in self.unknown:
            return _BAD if words else b""
        name, values = words[0], words[1:]
        if not values and name in self._queries:
            return self._queries[name]().encode() + b"\r\n"
        if not values and name in self._actions:
            return self._actions[name]() or b"OK\r\n"
        if len(values) == 1 and name in self._settings:
            try:
                return b"OK\r\n" if self._settings[name](float(values[0])) else _VALUE
            except ValueError:
                return _VALUE
        return _BAD

    @property
    def _is_dpl(self) -> bool:
        return "-06-5" in self.model or "-06-9" in self.model

    @property
    def _flowing_ma(self) -> float:
        laser = self.electronics
        if not laser.emitting or laser.gated:
            return 0.0
        return self.current_ma if self.mode == 0 else _THRESHOLD_MA + _SLOPE_MA_PER_W * laser.power_w()

    def _state(self) -> int:
        # 06-MLD: 0 off, 1 waiting for key, 2 continuous, 4 modulated, 5 fault, 6 aborted
        # 06-DPL: 1 and 2 waiting, 3 warming up, 4 completed, 5 fault, 6 aborted, 7 modulated
        laser = self.electronics
        if laser.faults:
            return 5
        if laser.emitting:
            if self.mode == 2:
                return 7 if self._is_dpl else 4
            return 4 if self._is_dpl else 2
        if laser.starting:
            return 3 if self._is_dpl else 2
        if self._waiting_for_key:
            return self._key_number if self._is_dpl else 1
        return 6 if self._aborted else 0

    # --- actions ------------------------------------------------------------------------------------------------
    def _off(self) -> None:
        self._waiting_for_key = self._aborted = False
        self.electronics.switch_off()

    def _on(self) -> bytes | None:
        if self.autostart:
            return _AUTOSTART
        return None if self.electronics.switch_on() else _BAD

    def _start(self) -> None:
        """The autostart sequence; a key switch must be turned off and on for it, even where it is on already."""
        self._aborted = False
        if not self.electronics.emitting:
            self._waiting_for_key = self.key_switch or not self.electronics.key_on
            if not self._waiting_for_key:
                self.electronics.switch_on()

    def _key_turned(self) -> None:
        if self._waiting_for_key:
            self._waiting_for_key = False
            self.electronics.switch_on()

    def _abort(self) -> None:
        self._off()
        self._aborted = True

    def _clear(self) -> None:
        self.electronics.clear_faults()

    # --- settings -----------------------------------------------------------------------------------------------
    def _set_mode(self, mode: int) -> None:
        self.mode = mode
        self._drive()

    def _set_numbered_mode(self, mode: float) -> bool:
        if mode not in (0.0, 1.0, 2.0):
            return False
        self._set_mode(int(mode))
        return True

    def _set_on_off(self, on: bool) -> bytes | None:
        if self._is_dpl:
            return _BAD
        self.on_off_modulation = on
        self._drive()
        return None

    def _set_flag(self, name: str, value: float) -> bool:
        if value not in (0.0, 1.0):
            return False
        setattr(self, name, value == 1.0)
        self._drive()
        return True

    def _set_current(self, milliamperes: float) -> bool:
        if not 0.0 <= milliamperes <= _LARGEST_MA:
            return False
        self.current_ma = milliamperes
        self._drive()
        return True

    def _drive(self) -> None:
        """Nothing is connected to the modulation input: where it is used, no light comes out."""
        modulated = self.mode == 2 and (self.digital_modulation or self.analog_modulation)
        self.electronics.gated = modulated or self.on_off_modulation


class NewerCoboltInstrument(Instrument):
    """An 06 head of the newer generation, of which the model's number ends in four digits: other commands."""

    endings = (b"\r\n", b"\r")

    def __init__(self, *, serial_number: str = "54321", model: str = "0661-06-01-0050-1100") -> None:
        super().__init__()
        self.electronics = LaserElectronics()
        self._answers = {
            "gsn?": serial_number,
            "sn?": serial_number,
            "gfv?": "10.1.0",
            "glm?": model,
            "?": "OK",
            "l?": "0",
            "laser:runmode?": "ConstantPower",
            "state?": "Off",
        }

    def answer(self, command: bytes) -> bytes:
        words = command.decode("ascii", "replace").split()
        if not words:
            return b""
        if words[0] in ("l0", "@cob0"):
            self.electronics.switch_off()
            return b"OK\r\n"
        return self._answers.get(words[0].lower(), "Syntax error: illegal command").encode() + b"\r\n"
