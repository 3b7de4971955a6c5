"""An emulated Thorlabs PM100D with a photodiode sensor.

Source: SCPI command reference in the operation manuals of PM100D, PM100USB and PM400. It keeps whatever the last user
set: unit, attenuation, zero, bandwidth, averaging, reference.
"""

from __future__ import annotations

import math
import time

from mock_devices.wire.scpi import ScpiInstrument, number
from mock_devices.wire.signals import LightMeter

RANGES_W = (50e-9, 500e-9, 5e-6, 50e-6, 500e-6, 5e-3, 50e-3)
_OVER_RANGE = "9.90000000E+37"


class Pm100Instrument(ScpiInstrument):
    """sensor: what it answers when asked for its sensor, for example to pull it out.

    range_change_s: how long a reading takes that changes the range by itself, for each range on the way.
    settings: what the last user may have left, by attribute: `unit`, `attenuation_db`, `zero_w`, `filter_on`,
    `averages`, `reference_on`, `wavelength_nm`, `auto_range`, `range_w`.
    """

    def __init__(self, light: LightMeter, *, serial_number: str = "P0012345") -> None:
        super().__init__(f"Thorlabs,PM100D,{serial_number},2.6.0", no_error='+0,"No error"')
        self.light = light
        self.range_change_s = 0.0
        self.sensor = '"S130C","1234567","08-Aug-2016",1,18,289'
        self.wavelength_nm = 1064.0
        self.range_w = RANGES_W[-1]
        self.auto_range = True
        self.averages = 1
        self.unit = "W"
        self.attenuation_db = 0.0
        self.beam_mm = 9.5
        self.zero_w = 0.0
        self.filter_on = True
        self.reference_on = False
        self.reference_w = 0.0
        self.configured = "POW"
        self._last = "0.0"
        self.add("SYSTem:SENSor:IDN", lambda _: self.sensor)
        self.add_number(self, "wavelength_nm", "[SENSe]:CORRection:WAVelength", 400.0, 1100.0, "NM")
        self.add_number(self, "attenuation_db", "[SENSe]:CORRection[:LOSS[:INPut[:MAGNitude]]]", -60.0, 60.0, "DB")
        self.add_number(self, "beam_mm", "[SENSe]:CORRection:BEAMdiameter", 0.1, 50.0, "MM")
        self.add("[SENSe]:CORRection:COLLect:ZERO:MAGNitude", lambda _: f"{self.zero_w:.7E}")
        self.add("[SENSe]:CORRection:COLLect:ZERO:STATe", lambda _: "0")
        self.add("[SENSe]:CORRection:COLLect:ZERO[:INITiate]", command=lambda _: self._zero())
        self.add_choice(self, "unit", "[SENSe]:POWer[:DC]:UNIT", "W", "DBM")
        self.add_switch(self, "auto_range", "[SENSe]:POWer[:DC]:RANGe:AUTO")
        self.add("[SENSe]:POWer[:DC]:RANGe[:UPPer]", self._get_range, self._set_range)
        self.add_number(self, "reference_w", "[SENSe]:POWer[:DC]:REFerence", -1.0, 1.0, "W")
        self.add_switch(self, "reference_on", "[SENSe]:POWer[:DC]:REFerence:STATe")
        self.add("[SENSe]:AVERage[:COUNt]", lambda _: str(self.averages), self._set_averages)
        self.add_switch(self, "filter_on", "INPut[:PDIode]:FILTer[:LPASs][:STATe]")
        self.add("CONFigure[:SCALar][:POWer]", lambda _: self.configured, lambda _: self._configure("POW"))
        self.add("CONFigure[:SCALar]:CURRent[:DC]", command=lambda _: self._configure("CURR"))
        self.add("INITiate[:IMMediate]", command=lambda _: self._take())
        self.add("ABORt", command=lambda _: None)
        self.add("FETCh", lambda _: self._last)
        self.add("READ", lambda _: self._initiate())
        self.add("MEASure[:SCALar][:POWer]", lambda _: self._measure(), lambda _: self._configure("POW"))
        for group in ("QUEStionable", "AUXillary", "OPERation", "MEASurement"):
            self.add(f"STATus:{group}[:EVENt]", lambda _: "0")
            self.add(f"STATus:{group}:CONDition", lambda _: "0")
            for register in ("ENABle", "PTRansition", "NTRansition"):
                self.add(f"STATus:{group}:{register}", lambda _: "0", lambda _: None)
        self.add("STATus:PRESet", command=lambda _: None)

    def _configure(self, what: str) -> None:
        self.configured = what

    def _measure(self) -> str:
        self._configure("POW")
        return self._initiate()

    def _take(self) -> None:
        self._initiate()

    def _initiate(self) -> str:
        self._last = self._reading()
        return self._last

    def _reading(self) -> str:
        power_w = self.light.power_w()
        if self.configured == "CURR":
            return f"{0.3 * power_w:.8E}"  # responsivity of silicon at about 500 nm, in A/W
        if self.auto_range:
            self._follow(power_w)
        elif power_w > 1.05 * self.range_w:
            return _OVER_RANGE
        if power_w > 1.05 * RANGES_W[-1]:
            return _OVER_RANGE
        power_w = (power_w - self.zero_w) * 10 ** (self.attenuation_db / 10) - self.reference_on * self.reference_w
        if self.unit == "DBM":
            return f"{10 * math.log10(max(power_w, 1e-15) / 1e-3):.8E}"
        return f"{power_w:.8E}"

    def _follow(self, power_w: float) -> None:
        fitting = next((limit_w for limit_w in RANGES_W if power_w <= limit_w), RANGES_W[-1])
        if fitting != self.range_w and self.range_change_s:
            steps = abs(RANGES_W.index(fitting) - RANGES_W.index(self.range_w))
            time.sleep(steps * self.range_change_s)
        self.range_w = fitting

    def _zero(self) -> None:
        self.zero_w = self.light.power_w()

    def _get_range(self, which: str) -> str:
        return f"{number(which, RANGES_W[0], RANGES_W[-1], 'W') if which else self.range_w:.8E}"

    def _set_range(self, value: str) -> None:
        watts = number(value, 0.0, RANGES_W[-1], "W")
        self.auto_range = False
        self.range_w = next(limit_w for limit_w in RANGES_W if limit_w >= watts)

    def _set_averages(self, value: str) -> None:
        self.averages = int(number(value, 1, 10_000))
