"""The laser of the simulated table."""

from __future__ import annotations

from drivers.interfaces import DeviceStatus, Laser
from mock_devices.on_table import OnTable


class SimulatedLaser(OnTable, Laser):
    """A laser diode with interlock."""

    model = "laser diode"
    part = "laser"

    @property
    def power_limits_w(self) -> tuple[float, float]:
        return 0.0, self._table.options.laser.max_power_w

    @property
    def warm_up_time_s(self) -> float:
        return self._table.options.laser.warm_up_time_s

    def _get_power_setpoint(self) -> float:
        with self._command:
            return self._table.laser.setpoint_w

    def _set_power(self, watts: float) -> None:
        with self._command:
            self._table.laser.setpoint_w = watts

    def _read_power(self) -> float:
        """The laser's own power meter: true to 10 uW, without noise, so that looking at it changes nothing."""
        with self._command as now_s:
            return round(self._table.laser.power_w(now_s), 5)

    def _read_emission(self) -> bool:
        with self._command:
            return self._table.laser.emission

    def _set_emission(self, on: bool) -> None:
        with self._command as now_s:
            self._table.laser.switch(on, now_s)

    def _read_interlock_closed(self) -> bool:
        with self._command:
            return not self._table.laser.interlock_open

    def _read_faults(self) -> tuple[str, ...]:
        with self._command:
            return (self._table.laser.fault,) if self._table.laser.fault else ()

    def _open(self) -> None:
        with self._command:
            pass

    def _close(self) -> None:
        if self._faults.disconnected:
            return  # Off cannot be sent over a dead line.
        with self._table.lock:
            now_s = self.clock.now_s()
            self._table.catch_up(now_s)
            self._table.laser.switch(False, now_s)

    def _read_status(self) -> DeviceStatus:
        power_w = self._read_power()
        laser = self._table.laser
        if laser.interlock_open:
            summary = "interlock open, emission off"
        elif laser.fault:
            summary = f"{laser.fault}, emission off"
        else:
            summary = f"emission on, {1e3 * power_w:.2f} mW" if laser.emission else "emission off"
        return DeviceStatus(
            not (laser.interlock_open or laser.fault),
            summary,
            {
                "power_w": power_w,
                "setpoint_w": laser.setpoint_w,
                "emission": laser.emission,
                "interlock_closed": not laser.interlock_open,
            },
        )
