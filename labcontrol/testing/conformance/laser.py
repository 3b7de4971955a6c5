"""What every laser promises: above all that it is dark unless it was switched on."""

from __future__ import annotations

import math

import pytest

from drivers.interfaces import DeviceNotOpenError, DeviceRefusedError, Laser
from labcontrol.testing.conformance.device import DeviceConformance


class LaserConformance(DeviceConformance):
    """What every laser promises. A subclass overrides `device`."""

    Role = Laser

    def test_emission_is_always_explicit(self, opened: Laser) -> None:
        assert not opened.emission
        opened.power_setpoint_w = opened.power_limits_w[1] / 2
        assert not opened.emission
        opened.emission_on()
        assert opened.emission
        opened.emission_off()
        opened.emission_off()
        assert not opened.emission

    def test_emission_is_off_after_closing(self, opened: Laser) -> None:
        opened.emission_on()
        opened.close()
        assert not opened.open().emission

    def test_power_is_set_within_the_limits_or_refused(self, opened: Laser) -> None:
        low, high = opened.power_limits_w
        assert 0 <= low < high
        opened.power_setpoint_w = high / 2
        for watts in (-0.001, 1.01 * high, math.nan, math.inf):
            with pytest.raises(DeviceRefusedError):
                opened.power_setpoint_w = watts
            assert opened.power_setpoint_w == pytest.approx(high / 2)

    def test_measured_power_follows_emission(self, opened: Laser) -> None:
        high = opened.power_limits_w[1]
        opened.power_setpoint_w = high / 2
        assert opened.power_w == pytest.approx(0, abs=0.01 * high)
        opened.emission_on()
        opened.clock.sleep(min(opened.warm_up_time_s, 5.0))
        assert opened.power_w == pytest.approx(high / 2, rel=0.1)
        assert opened.interlock_closed
        assert opened.faults == ()

    def test_a_closed_laser_refuses_everything(self, device: Laser) -> None:
        for use in (
            device.emission_on,
            device.emission_off,
            lambda: device.emission,
            lambda: device.power_w,
            lambda: device.power_setpoint_w,
            lambda: device.interlock_closed,
            lambda: device.faults,
            lambda: setattr(device, "power_setpoint_w", 0.001),
        ):
            with pytest.raises(DeviceNotOpenError):
                use()
