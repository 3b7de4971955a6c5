"""Faults that tests and fault scripts can make happen."""

from __future__ import annotations

import numpy as np
import pytest
from benchtop import benchtop

from drivers.interfaces import DeviceDisconnectedError, DeviceFaultError, DeviceTimeoutError


def test_a_dropped_frame_never_arrives_and_leaves_a_gap() -> None:
    bench = benchtop(rows=3, columns=3)
    bench.snap()
    bench.table.camera.faults.add("drop")
    with pytest.raises(DeviceTimeoutError):
        bench.snap()
    assert bench.snap().counter == 3


def test_a_stale_frame_is_the_last_one_again_and_the_new_one_waits() -> None:
    bench = benchtop(rows=3, columns=3)
    first = bench.snap()
    bench.table.camera.faults.add("stale")
    stale = bench.snap()
    assert (stale.counter, stale.time_s) == (first.counter, first.time_s)
    assert bench.camera.read().counter == 2


def test_a_failed_frame_is_an_error_once() -> None:
    bench = benchtop(rows=3, columns=3)
    bench.table.camera.faults.add("failed")
    with pytest.raises(DeviceFaultError, match="incomplete"):
        bench.snap()
    assert bench.snap().counter == 2


def test_a_skipped_pattern_is_acknowledged_but_not_shown() -> None:
    bench = benchtop(rows=3, columns=3, noise=0)
    bench.mask(np.ones((3, 3)))
    bench.settle(bench.level(np.pi))
    before = bench.power()
    bench.table.slm.faults.add("skip")
    bench.settle(bench.level(np.pi / 2))
    assert bench.power() == pytest.approx(before)
    bench.settle(bench.level(np.pi / 2))
    assert bench.power() < 0.01 * before
    bench.table.dmd.faults.add("skip")
    assert bench.dmd.show(np.zeros(bench.dmd.shape, dtype=np.uint8)).id == 2


def test_a_missed_trigger_times_out_once() -> None:
    bench = benchtop(rows=3, columns=3)
    bench.dmd.load_sequence(np.ones((4, *bench.dmd.shape), dtype=np.uint8))
    bench.table.detector.faults.add("no_trigger")
    bench.detector.arm(4, 1e4)
    bench.dmd.play(1e4)
    with pytest.raises(DeviceTimeoutError):
        bench.detector.fetch(0.1)
    bench.dmd.play(1e4)
    assert bench.detector.fetch(0.1).data.size == 4


def test_an_overload_is_flagged_once() -> None:
    bench = benchtop(rows=3, columns=3)
    bench.table.detector.faults.add("overload")
    assert bench.detector.read(3, 1e4).overload
    assert not bench.detector.read(3, 1e4).overload


@pytest.mark.parametrize("role", ["laser", "slm", "camera", "dmd", "detector"])
def test_timeouts_pass_and_disconnections_last_until_the_line_is_back(role: str) -> None:
    bench = benchtop(rows=3, columns=3)
    device, faults = getattr(bench, role), getattr(bench.table, role).faults
    faults.add("timeout", times=2)
    for _ in range(2):
        with pytest.raises(DeviceTimeoutError, match=device.name):
            device.status()
    device.status()
    faults.disconnected = True
    with pytest.raises(DeviceDisconnectedError, match=device.name):
        device.status()
    device.close()
    with pytest.raises(DeviceDisconnectedError):
        device.open()
    faults.clear()
    assert device.open().status().ok


def test_a_laser_that_was_disconnected_still_shines() -> None:
    bench = benchtop(rows=3, columns=3)
    bench.table.laser.faults.disconnected = True
    bench.laser.close()
    assert bench.table.laser.emission


def test_unknown_faults_are_refused() -> None:
    with pytest.raises(ValueError, match="stale"):
        benchtop(rows=2, columns=2).table.camera.faults.add("explode")
