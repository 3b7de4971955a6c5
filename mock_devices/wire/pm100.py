"""An emulated Thorlabs PM100D with a photodiode sensor. Source: SCPI command reference of the PM100D."""

from __future__ import annotations

from mock_devices.wire.scpi import DATA_TYPE, ScpiError, ScpiInstrument, number, switch
from mock_devices.wire.signals import LightMeter

RANGES_W = (50e-9, 500e-9, 5e-6, 50e-6, 500e-6, 5e-3, 50e-3)
_OVER_RANGE = "9.90000000E+37"


class Pm100Instrument(ScpiInstrument):
    """sensor: what it answers when asked for its sensor, for example to pull it out."""

    def __init__(self, light: LightMeter, *, serial_number: str = "P0012345") -> None:
        super().__init__(f"Thorlabs,PM100D,{serial_number},2.6.0", no_error='+0,"No error"')
        self.light = light
        self.sensor = "S130C,1234567,08-Aug-2016,1,18,289"
        self.wavelength_nm = 1064.0
        self.range_w = RANGES_W[-1]
        self.auto_range = True
        self.averages = 1
        self.add("SYSTem:SENSor:IDN", lambda _: self.sensor)
        self.add("[SENSe]:CORRection:WAVelength", self._get_wavelength, self._set_wavelength)
        self.add("[SENSe]:POWer[:DC]:UNIT", lambda _: "W", self._set_unit)
        self.add("[SENSe]:POWer[:DC]:RANGe:AUTO", lambda _: f"{self.auto_range:d}", self._set_auto)
        self.add("[SENSe]:POWer[:DC]:RANGe[:UPPer]", self._get_range, self._set_range)
        self.add("[SENSe]:AVERage:COUNt", lambda _: str(self.averages), self._set_averages)
        self.add("CONFigure[:SCALar][:POWer]", command=lambda _: None)
        self.add("READ", lambda _: self._power())
        self.add("MEASure[:SCALar][:POWer]", lambda _: self._power())

    def _power(self) -> str:
        power_w = self.light.power_w()
        limit_w = RANGES_W[-1] if self.auto_range else self.range_w
        return f"{power_w:.8E}" if power_w <= 1.05 * limit_w else _OVER_RANGE

    def _get_wavelength(self, which: str) -> str:
        return f"{number(which, 400.0, 1100.0) if which else self.wavelength_nm:.8E}"

    def _set_wavelength(self, value: str) -> None:
        self.wavelength_nm = number(value, 400.0, 1100.0)

    def _set_unit(self, value: str) -> None:
        if value.upper() not in ("W", "DBM"):
            raise ScpiError(*DATA_TYPE)

    def _set_auto(self, value: str) -> None:
        self.auto_range = switch(value)

    def _get_range(self, which: str) -> str:
        return f"{number(which, RANGES_W[0], RANGES_W[-1]) if which else self.range_w:.8E}"

    def _set_range(self, value: str) -> None:
        watts = number(value, 0.0, RANGES_W[-1])
        self.auto_range = False
        self.range_w = next(limit_w for limit_w in RANGES_W if limit_w >= watts)

    def _set_averages(self, value: str) -> None:
        self.averages = int(number(value, 1, 10_000))
