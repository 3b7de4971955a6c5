"""The laser diode: emission, interlock, faults, warm-up and drift."""

from __future__ import annotations

import numpy as np
import pytest
from benchtop import benchtop

from drivers.interfaces import DeviceFaultError, DeviceRefusedError


def test_emission_starts_only_on_command_and_ends_with_close() -> None:
    bench = benchtop(emission=False, rows=2, columns=2)
    assert not bench.laser.emission
    assert bench.laser.power_w == 0
    bench.laser.emission_on()
    bench.table.clock.sleep(100)
    assert bench.laser.power_w == pytest.approx(0.02, rel=1e-3)
    bench.laser.close()
    assert not bench.table.laser.emission


def test_an_open_interlock_ends_emission_and_must_be_closed_to_start_again() -> None:
    bench = benchtop(rows=2, columns=2)
    bench.table.laser.interlock_open = True
    assert not bench.laser.emission
    assert not bench.laser.status().ok
    with pytest.raises(DeviceRefusedError, match="interlock"):
        bench.laser.emission_on()
    bench.table.laser.interlock_open = False
    assert not bench.laser.emission
    bench.laser.emission_on()
    assert bench.laser.emission


def test_a_fault_ends_emission_and_is_reported() -> None:
    bench = benchtop(rows=2, columns=2)
    bench.table.laser.fault = "diode current too high"
    assert not bench.laser.emission
    assert bench.laser.faults == ("diode current too high",)
    with pytest.raises(DeviceFaultError, match="diode current"):
        bench.laser.emission_on()


def test_light_is_gone_from_camera_and_detector_without_emission() -> None:
    bench = benchtop(rows=6, columns=6, noise=0)
    bench.settle(bench.level(np.pi))
    bench.mask(np.ones((6, 6)))
    assert bench.snap().data.max() > 500
    bench.table.laser.interlock_open = True
    assert bench.snap().data.max() == bench.table.options.camera.dark_level
    assert bench.power() == 0


def test_warm_up_is_over_after_the_stated_time() -> None:
    bench = benchtop(emission=False, rows=2, columns=2, laser={"warm_up_share": 0.1, "warm_up_time_s": 60})
    start_s = bench.table.clock.now_s()
    bench.laser.emission_on()
    diode = bench.table.laser
    assert diode.power_w(start_s) == pytest.approx(0.9 * 0.02)
    assert diode.power_w(start_s + 10) == pytest.approx(0.02 * (1 - 0.1 / np.e))
    assert diode.power_w(start_s + bench.laser.warm_up_time_s) == pytest.approx(0.02, rel=3e-4)


def test_droop_and_drift_change_the_power() -> None:
    bench = benchtop(rows=2, columns=2, laser={"drift_share": 0.05, "drift_period_s": 200})
    times_s = bench.table.clock.now_s() + np.linspace(0, 200, 101)
    powers = np.array([bench.table.laser.power_w(time_s) for time_s in times_s])
    assert np.ptp(powers) == pytest.approx(2 * 0.05 * 0.02, rel=0.01)
    bench.table.laser.droop = 0.3
    assert bench.table.laser.power_w(times_s[0]) == pytest.approx(0.7 * powers[0])


def test_intensity_noise_moves_whole_frames() -> None:
    bench = benchtop(
        rows=12, columns=12, laser={"intensity_noise": 0.02}, camera={"shot_noise": False, "read_noise_e": 0}
    )
    bench.settle(bench.level(np.pi))
    dark = bench.table.options.camera.dark_level
    sums = np.array([bench.snap().data.astype(float).sum() for _ in range(400)]) - dark * np.prod(
        bench.snap().data.shape
    )
    assert sums.std() / sums.mean() == pytest.approx(0.02, rel=5 / np.sqrt(800))
