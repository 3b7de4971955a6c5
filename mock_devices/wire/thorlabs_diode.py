"""An emulated Thorlabs ITC4000, LDC4000 or CLD101x with a laser diode.

Source: SCPI programmer's reference manuals of the 4000 series and of the CLD101x series. It keeps whatever the last
user set: mode, pulses, modulation, the function of the LD ENABLE input, units, temperature.
"""

from __future__ import annotations

from mock_devices.wire.laser_electronics import LaserElectronics
from mock_devices.wire.scpi import EXECUTION, SETTINGS_CONFLICT, ScpiError, ScpiInstrument, choice, number, switch

# What each family answers to when it is asked which protection has tripped.
_PROTECTIONS = {
    "ITC": ("OTEMp", "KEYLock", "VOLTage", "EXTernal"),
    "LDC": ("OTEMp", "KEYLock", "VOLTage", "EXTernal"),
    "CLD": ("OTEMp", "KEYLock", "CONNection"),
}
_FAULTS = {"OTEMp": "temperature", "VOLTage": "voltage", "EXTernal": "external", "CONNection": "connection"}
_KELVIN = 273.15


class ThorlabsDiodeInstrument(ScpiInstrument):
    """A controller in constant-current mode.

    threshold_a, slope_w_per_a: of the diode; together with the electronics' largest power they give its current limit.
    settings: what the last user may have left, by attribute: `mode`, `shape`, `modulated`, `enable_input`,
    `temperature_unit`, `setpoint_c`. diode_c: temperature of the diode, which its control brings to the set point at
    once unless `drifts`.
    """

    def __init__(
        self,
        electronics: LaserElectronics | None = None,
        *,
        model: str = "ITC4001",
        threshold_a: float = 0.05,
        slope_w_per_a: float = 0.8,
        serial_number: str = "M00400001",
    ) -> None:
        super().__init__(f"Thorlabs,{model},{serial_number},1.8.0", no_error='+0,"No error"')
        self.electronics = laser = electronics or LaserElectronics(max_power_w=0.06)
        self.threshold_a = threshold_a
        self.slope_w_per_a = slope_w_per_a
        self.current_a = 0.0
        self.setpoint_c = 25.0
        self.diode_c = 25.0
        self.drifts = False
        self.temperature_control = False
        self.temperature_unit = "C"
        self.mode = "CURR"
        self.shape = "DC"
        self.modulated = False
        self.enable_input = "PROT"  # what the LD ENABLE input at the back does; nothing is connected to it
        family = model[:3]
        for protection in _PROTECTIONS.get(family, _PROTECTIONS["ITC"]):
            self._add_protection(protection)
        self.add("OUTPut[1]:PROTection:INTLock:TRIPped", lambda _: f"{not laser.interlock_closed:d}")
        self.add("OUTPut[1][:STATe]", lambda _: f"{laser.emitting:d}", self._set_output)
        self.add("SOURce[1]:FUNCtion:MODE", lambda _: self.mode, self._set_mode)
        self.add_switch(self, "modulated", "SOURce[1]:AM[:STATe]")
        if family != "CLD":
            self.add_choice(self, "shape", "SOURce[1]:FUNCtion[:SHAPe]", "DC", "PULSe")
            self.add_choice(self, "enable_input", "OUTPut[1]:PROTection:EXTernal:MODE", "OFF", "PROTection", "ENABle")
        self.add("SOURce[1]:CURRent:LIMit[:AMPLitude]", lambda _: f"{self.limit_a:.7E}")
        self.add("SOURce[1]:CURRent[:LEVel][:IMMediate][:AMPLitude]", self._get_current, self._set_current)
        self.add("MEASure[:SCALar]:CURRent[1]", lambda _: f"{self._flowing_a:.7E}")
        self.add("MEASure[:SCALar]:POWer2", lambda _: f"{laser.power_w():.7E}")
        if family != "LDC":
            self.add("OUTPut2[:STATe]", lambda _: f"{self.temperature_control:d}", self._set_temperature_control)
            self.add("SOURce2:TEMPerature[:SPOint]", lambda _: self._in_unit(self.setpoint_c), self._set_temperature)
            self.add("MEASure[:SCALar]:TEMPerature", lambda _: self._in_unit(self._temperature_c))
            self.add("UNIT:TEMPerature", lambda _: self.temperature_unit, self._set_unit)
            self.add("SENSe2:TEMPerature:DATA", lambda _: self._in_unit(self._temperature_c))
        else:
            self.temperature_control = True  # of another instrument

    def answer(self, command: bytes) -> bytes:
        self.electronics.gated = self.shape == "PULS" or self.modulated or self.enable_input == "ENAB"
        reply = super().answer(command)
        self.electronics.gated = self.shape == "PULS" or self.modulated or self.enable_input == "ENAB"
        return reply

    @property
    def limit_a(self) -> float:
        return self.threshold_a + self.electronics.max_power_w / self.slope_w_per_a

    @property
    def _flowing_a(self) -> float:
        return self.current_a if self.electronics.emitting and not self.electronics.gated else 0.0

    @property
    def _temperature_c(self) -> float:
        return self.setpoint_c if self.temperature_control and not self.drifts else self.diode_c

    def _in_unit(self, celsius: float) -> str:
        value = {"C": celsius, "K": celsius + _KELVIN, "F": 1.8 * celsius + 32.0}[self.temperature_unit[0]]
        return f"{value:.7E}"

    def _add_protection(self, name: str) -> None:
        if name == "KEYLock":
            self.add(f"OUTPut[1]:PROTection:{name}:TRIPped", lambda _: f"{not self.electronics.key_on:d}")
        else:
            fault = _FAULTS[name]
            self.add(f"OUTPut[1]:PROTection:{name}:TRIPped", lambda _: f"{fault in self.electronics.faults:d}")

    def _set_output(self, value: str) -> None:
        if not switch(value):
            self.electronics.switch_off()
            return
        # The interlock of these controllers does not latch: once it is closed, the output can be switched on again.
        if self.electronics.interlock_closed and self.electronics.faults == ["interlock"]:
            self.electronics.clear_faults()
        if not self.temperature_control or not self.electronics.switch_on():
            raise ScpiError(*EXECUTION)

    def _set_temperature_control(self, value: str) -> None:
        self.temperature_control = switch(value)
        if not self.temperature_control:
            self.electronics.switch_off()

    def _set_mode(self, value: str) -> None:
        mode = choice(value, "CURRent", "POWer")
        if self.electronics.emitting and mode != self.mode:
            raise ScpiError(*SETTINGS_CONFLICT)
        self.mode = mode

    def _get_current(self, which: str) -> str:
        return f"{number(which, 0.0, self.limit_a, 'A') if which else self.current_a:.7E}"

    def _set_current(self, value: str) -> None:
        self.current_a = number(value, 0.0, self.limit_a, "A")
        self.electronics.set_power(max(0.0, self.slope_w_per_a * (self.current_a - self.threshold_a)))

    def _set_unit(self, value: str) -> None:
        self.temperature_unit = choice(value, "C", "CELsius", "K", "F", "FAR")[0]

    def _set_temperature(self, value: str) -> None:
        self.setpoint_c = number(value, -55.0, 150.0, "C")
