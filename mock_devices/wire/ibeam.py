"""An emulated Toptica iBeam smart.

Source: the command reference of its manual, as pylablib, pymeasure, python-microscope and Micro-Manager use it: channel
1 is the bias, channel 2 the operating level, and each adds to what comes out where it is enabled; a power without unit
is in mW; ``en ext`` lets an input gate the light. It keeps what the last user set, also prompt, echo and talkativeness.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from mock_devices.wire.instrument import Instrument
from mock_devices.wire.laser_electronics import LaserElectronics

_SYNTAX = "%SYS-E-001, unknown command or parameter"
_LOCKED = "%SYS-E-030, laser locked"
_RANGE = "%SYS-E-005, value out of range"
_UNITS_W = {"": 1e-3, "mil": 1e-3, "mic": 1e-6}


class IBeamInstrument(Instrument):
    """An iBeam smart with two channels. Words may be shortened, as in its command line.

    warns: what it says after ``laser on``, for example that its temperature has not settled yet.
    """

    endings = (b"\r\n", b"\r")

    def __init__(self, electronics: LaserElectronics | None = None, *, serial_number: str = "15601") -> None:
        super().__init__()
        self.electronics = laser = electronics or LaserElectronics(max_power_w=0.125)
        self.echo = True
        self.prompt = True
        self.talk = "usual"
        self.clip = "GOOD"
        self.warns = ""
        self.levels_w = {1: 0.0, 2: 0.0}
        self.enabled: set[int] = {2}
        self.external = False
        self.fine = False
        name = f"iBEAM-SMART-640-S-G1-{serial_number}"
        self._rules: list[tuple[re.Pattern[str], Callable[..., str | None]]] = [
            (_words("show serial"), lambda: f"SN: {name}"),
            (_words("serial"), lambda: f"SN: {name}"),
            (_words("id"), lambda: name),
            (_words("version"), lambda: "iBPs-001A01-05"),
            (_words("show level power"), self._levels),
            (_words("show power"), lambda: self._scaled(f"PIC  = {round(1e6 * laser.power_w()):06d} uW  ")),
            (_words("show current"), lambda: self._scaled(f"LDC  = {40.0 + 900.0 * laser.power_w():05.1f} mA ")),
            (_words("show temperature system"), lambda: self._scaled("TEMP = 029.1  C  ")),
            (_words("show temperature"), lambda: self._scaled("TEMP = 025.0  C  ")),
            (_words("show satellite"), self._satellite),
            (_words("show limit"), lambda: "Imax: 180.0 mA\nIcal: 150.0 mA"),
            (_words("show data"), lambda: f"Serial: {name}\nChannels: 2\nCDC: 1"),
            (_words("status uptime"), lambda: "PowerUp: 1203 h + 15 s\nLaserOn: 812 h + 7 s"),
            (_words("status laser"), lambda: "ON" if laser.emitting or laser.starting else "OFF"),
            (_words("status clip"), lambda: self.clip),
            (_words("status fine"), lambda: "ON" if self.fine else "OFF"),
            (_words("status channel", r"(\d)"), self._status_of),
            (_words("laser", "(on|off)"), self._switch),
            (_words("fine", "(on|off)"), lambda word: self._set("fine", word == "on")),
            (_words("enable ext"), lambda: self._set_external(True)),
            (_words("disable ext"), lambda: self._set_external(False)),
            (_words("enable", r"(\d)"), self._enable),
            (_words("disable", r"(\d)"), self._disable),
            (
                _words("channel", r"(?:(\d) )?pow(?:e(?:r)?)? (\d+(?:\.\d+)?)(?: (mic|mil)(?:\w*))?"),
                self._set_level,
            ),
            (_words("echo", "(on|off)"), lambda word: self._set("echo", word == "on")),
            (_words("prompt", "(on|off)"), lambda word: self._set("prompt", word == "on")),
            (_words("talk", "(quiet|usual|gabby)"), lambda word: self._set("talk", word)),
            (_words("reset system"), self._reset),
        ]

    def answer(self, command: bytes) -> bytes:
        echo = command + b"\r\n" if self.echo else b""
        words = " ".join(command.decode("ascii", "replace").lower().split())
        reply = self._carry_out(words) if words else None
        body = b"".join(line.encode() + b"\r\n" for line in (reply or "").split("\n") if line)
        return echo + b"\r\n" + body + (b"CMD> " if self.prompt else b"[OK]\r\n")

    def _carry_out(self, words: str) -> str | None:
        for pattern, action in self._rules:
            if match := pattern.fullmatch(words):
                return action(*match.groups())
        return _SYNTAX

    def _scaled(self, reply: str) -> str:
        return f"%SYS-I-077, scaled\n{reply}" if self.talk == "gabby" else reply

    def _levels(self) -> str:
        return "\n".join(f"CH{channel}, PWR: {1e3 * watts:.3f} mW" for channel, watts in self.levels_w.items())

    def _satellite(self) -> str:
        milliwatts = 1e3 * self.electronics.max_power_w
        return f"Satellite data:\n  Pmax: {milliwatts:.0f} mW\n  CH2 setp: {1e3 * self.levels_w[2]:.3f} mW"

    def _switch(self, word: str) -> str | None:
        if word == "off":
            self.electronics.switch_off()
            return None
        return (self.warns or None) if self.electronics.switch_on() else _LOCKED

    def _status_of(self, channel: str) -> str:
        if int(channel) not in self.levels_w:
            return _RANGE
        return "ON" if int(channel) in self.enabled else "OFF"

    def _enable(self, channel: str) -> str | None:
        if int(channel) not in self.levels_w:
            return _RANGE
        self.enabled.add(int(channel))
        return self._drive()

    def _disable(self, channel: str) -> str | None:
        self.enabled -= {int(channel)} if int(channel) else set(self.levels_w)
        return self._drive()

    def _set_level(self, channel: str | None, value: str, unit: str | None) -> str | None:
        watts, number = _UNITS_W[unit or ""] * float(value), int(channel or 2)
        if number not in self.levels_w or watts > self.electronics.max_power_w:
            return _RANGE
        self.levels_w[number] = watts
        return self._drive()

    def _set_external(self, on: bool) -> None:
        """Nothing is connected to the input that then gates the light."""
        self.external = self.electronics.gated = on

    def _drive(self) -> str | None:
        total_w = sum(watts for channel, watts in self.levels_w.items() if channel in self.enabled)
        return None if self.electronics.set_power(total_w) else _RANGE

    def _set(self, name: str, value: bool | str) -> None:
        setattr(self, name, value)

    def _reset(self) -> None:
        self.electronics.switch_off()
        self.echo = self.prompt = True
        self.talk = "usual"


def _words(words: str, rest: str = "") -> re.Pattern[str]:
    """A pattern of words of which two letters or more are enough, and what follows them."""
    shortened = " ".join(
        word[:2] + "".join(f"(?:{letter}" for letter in word[2:]) + ")?" * len(word[2:]) for word in words.split()
    )
    return re.compile(f"{shortened} {rest}" if rest else shortened)
