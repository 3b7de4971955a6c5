"""An emulated Thorlabs ITC4000 or CLD1015 with a laser diode. Source: the makers' programmer's reference manuals."""

from __future__ import annotations

from mock_devices.wire.laser_electronics import LaserElectronics
from mock_devices.wire.scpi import EXECUTION, ScpiError, ScpiInstrument, number, switch


class ThorlabsDiodeInstrument(ScpiInstrument):
    """A controller in constant-current mode.

    threshold_a, slope_w_per_a: of the diode; together with the electronics' largest power they give its current limit.
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
        self.temperature_c = 25.0
        self.temperature_control = False
        self.mode = "CURR"
        for protection, fault in {"OTEMp": "temperature", "VOLTage": "voltage", "EXTernal": "external"}.items():
            self._add_protection(protection, fault)
        self._add_protection("CONNection", "connection")
        self.add("OUTPut[1]:PROTection:INTLock:TRIPped", lambda _: f"{not laser.interlock_closed:d}")
        self.add("OUTPut[1]:PROTection:KEYLock:TRIPped", lambda _: f"{not laser.key_on:d}")
        self.add("OUTPut[1][:STATe]", lambda _: f"{laser.emitting:d}", self._set_output)
        self.add("OUTPut2[:STATe]", lambda _: f"{self.temperature_control:d}", self._set_temperature_control)
        self.add("SOURce[1]:FUNCtion:MODE", lambda _: self.mode, self._set_mode)
        self.add("SOURce[1]:CURRent:LIMit[:AMPLitude]", lambda _: f"{self.limit_a:.7E}")
        self.add("SOURce[1]:CURRent[:LEVel][:IMMediate][:AMPLitude]", self._get_current, self._set_current)
        self.add("SOURce2:TEMPerature[:SPOint]", lambda _: f"{self.temperature_c:.7E}", self._set_temperature)
        self.add("UNIT:TEMPerature", lambda _: "C", lambda _: None)
        self.add("MEASure[:SCALar]:CURRent[1]", lambda _: f"{self.current_a if laser.emitting else 0.0:.7E}")
        self.add("MEASure[:SCALar]:POWer2", lambda _: f"{laser.power_w():.7E}")
        self.add("MEASure[:SCALar]:TEMPerature", lambda _: f"{self.temperature_c:.7E}")

    @property
    def limit_a(self) -> float:
        return self.threshold_a + self.electronics.max_power_w / self.slope_w_per_a

    def _add_protection(self, name: str, fault: str) -> None:
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
        self.mode = value.upper()[:4]

    def _get_current(self, which: str) -> str:
        return f"{number(which, 0.0, self.limit_a) if which else self.current_a:.7E}"

    def _set_current(self, value: str) -> None:
        self.current_a = number(value, 0.0, self.limit_a)
        self.electronics.set_power(max(0.0, self.slope_w_per_a * (self.current_a - self.threshold_a)))

    def _set_temperature(self, value: str) -> None:
        self.temperature_c = number(value, -55.0, 150.0)
