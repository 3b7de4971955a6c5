"""Repeatability, snapshots, clocks and settings of the simulated table."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest
from benchtop import Benchtop, benchtop
from pydantic import ValidationError

from drivers.interfaces import DeviceRefusedError, DriverContext, DriverOptions, Roi
from mock_devices.modulators import SimulatedSlm
from mock_devices.options import TableOptions

NOISY = {
    "rows": 8,
    "columns": 6,
    "node_noise": {"additive_uncorrelated": 0.01, "multiplicative_correlated": 0.01},
    "camera": {"drop_share": 0.05},
    "laser": {"drift_share": 0.01},
}


def one_step(bench: Benchtop, k: int) -> list[np.ndarray | float | int | bool]:
    """Every command that moves light, too fast for the crystal to settle; returns all that can be seen."""
    random = np.random.default_rng(k)
    bench.slm.show(random.integers(0, 256, bench.slm.shape, dtype=np.uint8))
    bench.table.clock.sleep(0.012)
    bench.camera.trigger()
    bench.detector.arm(12, 2e4)
    shown = bench.dmd.play(1e4)
    samples = bench.detector.fetch()
    direct = bench.detector.read(3, 1e5)
    bench.table.clock.sleep(0.01)
    seen: list[np.ndarray | float | int | bool] = [shown.id, shown.time_s, samples.data, samples.time_s, direct.data]
    seen += [samples.counter, direct.counter, samples.overload, bench.laser.power_w]
    while np.isfinite(bench.table.camera.next_s):
        frame = bench.camera.read()
        seen += [frame.data, frame.counter, frame.time_s, frame.saturated_share]
    return seen


def loaded(**options: object) -> Benchtop:
    bench = benchtop(**{**NOISY, **options})
    random = np.random.default_rng(99)
    bench.dmd.load_sequence(random.integers(0, 2, (6, *bench.dmd.shape), dtype=np.uint8))
    return bench


def assert_same(first: list, second: list) -> None:
    assert len(first) == len(second)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_same_seed_gives_the_same_light_bit_for_bit_and_another_seed_does_not() -> None:
    first, second, other = loaded(seed=5), loaded(seed=5), loaded(seed=6)
    runs = [[one_step(bench, k)[4] for k in range(10)] for bench in (first, second, other)]
    assert_same(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])


def test_looking_at_status_changes_nothing() -> None:
    quiet, watched = loaded(), loaded()
    for k in range(5):
        for device in (watched.laser, watched.slm, watched.camera, watched.dmd, watched.detector):
            assert device.status().ok
        assert_same(one_step(quiet, k), one_step(watched, k))


def test_another_thread_may_look_on() -> None:
    alone, watched = loaded(), loaded()
    done = threading.Event()
    failures: list[Exception] = []

    def look_on() -> None:
        try:
            while not done.is_set():
                for device in (watched.laser, watched.slm, watched.camera, watched.dmd, watched.detector):
                    device.status()
        except Exception as error:  # shown by the assertion below
            failures.append(error)

    watcher = threading.Thread(target=look_on)
    watcher.start()
    try:
        for k in range(30):
            assert_same(one_step(alone, k), one_step(watched, k))
    finally:
        done.set()
        watcher.join()
    assert not failures


def prepare_nothing(bench: Benchtop) -> None:
    pass


def prepare_pending_work(bench: Benchtop) -> None:
    """A pattern not yet refreshed, a frame being exposed, one unread, an armed detector, faults to come."""
    bench.snap()
    bench.camera.trigger()
    bench.table.clock.sleep(0.1)
    bench.camera.trigger()
    bench.slm.show(np.full(bench.slm.shape, 9, dtype=np.uint8))
    bench.detector.arm(5, 1e4)
    bench.camera.gain_db = 3.0
    bench.camera.exposure_s = 1e-3
    bench.laser.power_setpoint_w = 0.03
    bench.table.camera.faults.add("stale")
    bench.table.slm.faults.add("skip")
    bench.table.laser.droop = 0.1


def prepare_running_sequence(bench: Benchtop) -> None:
    bench.camera.roi = Roi(3, 4, 20, 18)
    bench.dmd.play(100.0)
    bench.table.clock.sleep(0.02)


@pytest.mark.parametrize("prepare", [prepare_nothing, prepare_pending_work, prepare_running_sequence])
def test_a_restored_table_continues_bit_for_bit(prepare: Callable[[Benchtop], None]) -> None:
    original = loaded()
    for k in range(5):
        one_step(original, k)
    prepare(original)
    state = original.table.snapshot()
    copy = benchtop(emission=False, **NOISY)
    copy.table.restore(state)
    assert copy.table.clock.now_s() == original.table.clock.now_s()
    assert copy.table.snapshot() == state
    for k in range(5, 12):
        assert_same(one_step(original, k), one_step(copy, k))


def test_taking_a_snapshot_changes_nothing() -> None:
    with_snapshots, without = loaded(), loaded()
    for k in range(5):
        with_snapshots.table.snapshot()
        assert_same(one_step(with_snapshots, k), one_step(without, k))


@pytest.mark.parametrize("garbage", [b"", b"nonsense", b"PK\x03\x04 not really a zip"])
def test_restoring_something_else_is_refused(garbage: bytes) -> None:
    with pytest.raises(ValueError, match="not the state of a simulated table"):
        benchtop(rows=2, columns=2).table.restore(garbage)


def test_the_state_of_another_table_is_refused() -> None:
    state = benchtop(rows=2, columns=2).table.snapshot()
    with pytest.raises(ValueError, match="other options"):
        benchtop(rows=3, columns=2).table.restore(state)


def test_with_the_real_clock_devices_take_as_long_as_real_ones() -> None:
    bench = benchtop(emission=False, rows=4, columns=4, clock="real", camera={"exposure_s": 0.02})
    bench.snap()  # compiled by now
    start_s = time.perf_counter()
    frame = bench.snap()
    bench.detector.read(100, 5e3)
    took_s = time.perf_counter() - start_s
    assert took_s >= 0.02 + bench.camera.readout_time_s + 0.02
    assert bench.table.clock.now_s() >= frame.time_s + took_s - 1e-3


def test_a_real_clock_goes_on_from_a_snapshot() -> None:
    first = benchtop(emission=False, rows=4, columns=4, clock="real")
    first.table._clock.set(1234.5)
    state = first.table.snapshot()
    second = benchtop(emission=False, rows=4, columns=4, clock="real")
    second.table.restore(state)
    assert second.table.clock.now_s() >= 1234.5
    assert second.snap().time_s >= 1234.5


def test_a_simulated_device_needs_its_table() -> None:
    with pytest.raises(DeviceRefusedError, match="needs a simulated table"):
        SimulatedSlm.from_bench("", SimulatedSlm.Options(), DriverContext(device="slm"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rows": 0}, "rows"),
        ({"colums": 3}, "colums"),
        ({"optics": {"kernel_size": 4}}, "odd"),
        ({"camera": {"blur_px": 3.0}}, "half a cell"),
        ({"laser": {"power_w": 0.5}}, "laser.power_w"),
        ({"slm": {"shape": (10, 10)}}, "slm.shape"),
    ],
)
def test_impossible_settings_are_refused_with_their_name(options: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TableOptions(**options)


def test_every_setting_says_what_it_is() -> None:
    kinds = (field.annotation for field in TableOptions.model_fields.values())
    groups = [TableOptions, *(kind for kind in kinds if isinstance(kind, type) and issubclass(kind, DriverOptions))]
    assert len(groups) == 8
    for group in groups:
        for name, field in group.model_fields.items():
            assert field.description or field.annotation in groups, f"{group.__name__}.{name}"


def test_a_misaligned_table_is_repeatable_hidden_and_keeps_all_cells_on_its_devices() -> None:
    for seed in range(20):
        bench = benchtop(emission=False, rows=10, columns=8, misalignment_seed=seed)
        ground_truth, stated = bench.table.ground_truth, bench.table.options
        assert ground_truth == benchtop(emission=False, rows=10, columns=8, misalignment_seed=seed).table.ground_truth
        assert ground_truth.camera_matrix != stated.camera_matrix
        assert ground_truth.slm.origin_px != stated.slm.origin_px or ground_truth.slm.bow != stated.slm.bow
        cells = np.stack(np.divmod(np.arange(80), 8))
        centres = (np.asarray(ground_truth.camera_matrix) @ cells).T + ground_truth.camera_offset_px
        assert np.all(centres > ground_truth.camera.margin_px)
        assert np.all(centres < np.array(ground_truth.sensor_shape) - ground_truth.camera.margin_px)
        assert np.all(bench.table.dmd.mirrors >= 1)
        assert np.all(np.diff(bench.response) > 0)
        assert bench.response[-1] > 2 * np.pi
    assert benchtop(emission=False, misalignment_seed=1).table.ground_truth != ground_truth


def test_a_misaligned_table_gives_light_through_its_true_geometry() -> None:
    bench = benchtop(rows=10, columns=10, noise=0, misalignment_seed=4, optics={"kernel_size": 1})
    ground_truth = bench.table.ground_truth
    pattern = np.full(bench.slm.shape, bench.level(np.pi / 2), dtype=np.uint8)
    row, column = np.array(ground_truth.slm.origin_px) + 4 * np.array([3, 7])
    pattern[row : row + 4, column : column + 4] = bench.level(np.pi)
    bench.slm.show(pattern)
    bench.table.clock.sleep(1.0)
    image = bench.snap().data
    peak = np.unravel_index(np.argmax(image), image.shape)
    expected = np.asarray(ground_truth.camera_matrix) @ (3, 7) + ground_truth.camera_offset_px
    np.testing.assert_allclose(peak, expected, atol=2.0)
