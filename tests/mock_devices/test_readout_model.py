"""DMD and detector of the simulated table."""

from __future__ import annotations

import numpy as np
import pytest
from benchtop import Benchtop, benchtop

from drivers.interfaces import DeviceTimeoutError

RNG = np.random.default_rng(21)


def random_masks(count: int, rows: int, columns: int) -> np.ndarray:
    return RNG.integers(0, 2, (count, rows, columns)).astype(bool)


def patterns(bench: Benchtop, masks: np.ndarray) -> np.ndarray:
    return np.stack([bench.dmd_pattern(mask) for mask in masks])


def random_scene(**options: object) -> Benchtop:
    bench = benchtop(rows=9, columns=7, **options)
    bench.settle(np.random.default_rng(5).integers(0, 232, (9, 7)))
    return bench


def test_incoherent_power_is_the_sum_of_the_powers_of_the_cells() -> None:
    bench = random_scene(noise=0)
    ground_truth = bench.table.ground_truth
    field = bench.table.light.field(bench.table.clock.now_s(), None).astype(float)
    light = bench.table.light.beam.amplitude(0).astype(float)
    scale = 0.02 * ground_truth.optics.throughput * ground_truth.dmd.reflectivity / np.sum(light**2)
    for mask in random_masks(8, 9, 7):
        bench.mask(mask)
        weights = np.where(mask, 1.0, 1 / ground_truth.dmd.contrast)
        assert bench.power() == pytest.approx(scale * np.sum(weights * field**2), rel=1e-5)


def test_contrast_is_the_ratio_of_all_on_to_all_off() -> None:
    bench = random_scene(noise=0, dmd={"contrast": 400.0})
    bench.mask(np.ones((9, 7)))
    on = bench.power()
    bench.mask(np.zeros((9, 7)))
    assert on / bench.power() == pytest.approx(400, rel=1e-6)


def test_a_cell_weighs_as_much_as_its_share_of_mirrors() -> None:
    bench = random_scene(noise=0, dmd={"contrast": 1e9})
    pattern = np.zeros(bench.dmd.shape, dtype=np.uint8)
    powers = []
    for row, column in ((6, 8), (6, 9), (7, 8), (7, 9)):
        pattern[row, column] = 1
        bench.dmd.show_settled(pattern)
        powers.append(bench.power())
    np.testing.assert_allclose(np.array(powers) / powers[-1], [0.25, 0.5, 0.75, 1], rtol=1e-4)


def test_root_of_in_phase_coherent_power_is_linear_in_the_mask() -> None:
    bench = random_scene(noise=0, readout="coherent", dmd={"contrast": 1e4})
    dark, whole = np.zeros((9, 7)), np.ones((9, 7))

    def root(mask: np.ndarray) -> float:
        bench.mask(mask)
        return float(np.sqrt(bench.power()))

    offset = root(dark)
    single = np.array([root(np.arange(63).reshape(9, 7) == k) for k in range(63)]) - offset
    assert np.all(single > -1e-12)
    assert root(whole) == pytest.approx(offset + single.sum(), rel=1e-6)
    mask = random_masks(1, 9, 7)[0]
    assert root(mask) == pytest.approx(offset + single[mask.ravel()].sum(), rel=1e-6)


def test_path_phases_make_the_coherent_power_a_full_quadratic_form() -> None:
    bench = random_scene(noise=0, readout="coherent", path_phases=True, dmd={"contrast": 1e9})

    def power(*cells: int) -> float:
        bench.mask(np.isin(np.arange(63), cells).reshape(9, 7))
        return bench.power()

    interference = [
        (power(a, b) - power(a) - power(b)) / (2 * np.sqrt(power(a) * power(b)))
        for a, b in ((0, 1), (10, 30), (22, 23), (40, 61), (5, 50), (33, 12))
    ]
    # Cosines of differences of fixed, random phases.
    assert np.all(np.abs(interference) <= 1 + 1e-3)
    assert np.std(interference) > 0.3


def test_power_is_proportional_to_the_laser() -> None:
    bench = random_scene(noise=0)
    bench.mask(np.ones((9, 7)))
    at_20_mw = bench.power()
    bench.laser.power_setpoint_w = 0.005
    assert bench.power() == pytest.approx(at_20_mw / 4, rel=1e-6)
    bench.laser.emission_off()
    assert bench.power() == 0


def test_detector_noise_has_the_stated_size() -> None:
    bench = random_scene(detector={"noise": 1e-3, "full_scale_w": 1e-3}, laser={"intensity_noise": 0})
    samples = bench.detector.read(40_000, 1e5).data
    assert samples.std() == pytest.approx(1e-6, rel=5 / np.sqrt(2 * samples.size))
    neighbours = np.corrcoef(samples[:-1], samples[1:])[0, 1]
    assert abs(neighbours) < 5 / np.sqrt(samples.size)


def test_noise_faster_than_the_bandwidth_is_correlated() -> None:
    bench = random_scene(detector={"noise": 1e-3, "bandwidth_hz": 1e5}, laser={"intensity_noise": 0})
    samples = bench.detector.read(100_000, 1e6).data
    expected = np.exp(-2 * np.pi * 1e5 / 1e6)
    assert np.corrcoef(samples[:-1], samples[1:])[0, 1] == pytest.approx(expected, abs=0.02)


def test_relative_intensity_noise_is_proportional_to_the_power() -> None:
    bench = random_scene(detector={"noise": 0}, laser={"intensity_noise": 2e-3})
    for mask in (np.ones((9, 7)), np.eye(9, 7)):
        bench.mask(mask)
        samples = bench.detector.read(20_000, 1e4).data
        assert samples.std() / samples.mean() == pytest.approx(2e-3, rel=5 / np.sqrt(2 * samples.size))


def test_default_readout_noise_is_far_below_one_percent_of_the_power() -> None:
    bench = random_scene()
    bench.mask(random_masks(1, 9, 7)[0])
    samples = bench.detector.read(1000, 1e4).data
    assert samples.std() / samples.mean() < 2e-4


def test_power_beyond_full_scale_is_flagged_and_clipped() -> None:
    bench = random_scene(detector={"full_scale_w": 1e-4})
    bench.mask(np.zeros((9, 7)))
    assert not bench.detector.read(10, 1e4).overload
    bench.mask(np.ones((9, 7)))
    samples = bench.detector.read(10, 1e4)
    assert samples.overload
    assert samples.data.max() == 1e-4


def test_each_sample_of_an_armed_detector_belongs_to_its_pattern_of_the_sequence() -> None:
    bench = random_scene(noise=0)
    masks = random_masks(64, 9, 7)
    one_by_one = []
    for mask in masks:
        bench.mask(mask)
        one_by_one.append(bench.power())
    bench.dmd.load_sequence(patterns(bench, masks))
    for per_mask in (1, 4):
        bench.detector.arm(64 * per_mask, 1e4 * per_mask)
        shown = bench.dmd.play(1e4)
        samples = bench.detector.fetch()
        assert samples.time_s == pytest.approx(shown.time_s + bench.dmd.settle_time_s)
        # 4e5 Hz of bandwidth leave less than 1e-13 of the pattern before at the sample.
        np.testing.assert_allclose(samples.data, np.repeat(one_by_one, per_mask), rtol=1e-9)


def test_the_last_pattern_of_a_sequence_stays() -> None:
    bench = random_scene(noise=0)
    masks = random_masks(5, 9, 7)
    bench.dmd.load_sequence(patterns(bench, masks))
    bench.dmd.play(1e3)
    bench.table.clock.sleep(1.0)
    after = bench.power()
    bench.mask(masks[-1])
    assert after == pytest.approx(bench.power(), rel=1e-12)


def test_a_slow_detector_follows_a_change_of_mask_exponentially() -> None:
    bandwidth_hz = 2e4
    bench = random_scene(noise=0, detector={"bandwidth_hz": bandwidth_hz})
    bench.mask(np.zeros((9, 7)))
    low = bench.power()
    bench.dmd.load_sequence(patterns(bench, np.ones((1, 9, 7))))
    bench.detector.arm(100, 1e6)
    bench.dmd.play(1e3)
    rise = bench.detector.fetch().data
    high = bench.power()
    times_s = (np.arange(100) + 0.5) / 1e6
    expected = high - (high - low) * np.exp(-2 * np.pi * bandwidth_hz * times_s)
    np.testing.assert_allclose(rise, expected, rtol=1e-6)


def test_trigger_delay_shifts_the_samples() -> None:
    delay_s = 2.5e-4
    bench = random_scene(noise=0, detector={"trigger_delay_s": delay_s})
    masks = random_masks(8, 9, 7)
    bench.dmd.load_sequence(patterns(bench, masks))
    results = []
    for samples, rate_hz in ((8, 1e4), (80, 1e5)):
        bench.detector.arm(samples, rate_hz)
        bench.dmd.play(1e4)
        results.append(bench.detector.fetch().data)
    # 2.5 periods late: in the middle of its interval sample k sees pattern k + 3, which stays at the end.
    coarse, fine = results
    np.testing.assert_allclose(coarse[:5], fine[4:54:10], rtol=1e-6)
    assert np.all(coarse[5:] == coarse[5])


def test_samples_follow_a_settling_slm() -> None:
    tau_s = 4e-3
    bench = benchtop(rows=3, columns=3, noise=0, slm={"response_time_s": tau_s, "latency_s": 0, "refresh_hz": 100})
    bench.mask(np.ones((3, 3)))
    bench.settle(0)
    clock = bench.table.clock
    clock.sleep(np.ceil(clock.now_s() * 100) / 100 - clock.now_s() + 1e-6)
    bench.slm.show(np.full(bench.slm.shape, 100, dtype=np.uint8))
    trace = bench.detector.read(400, 1e4).data
    times_s = (np.arange(400) + 0.5) / 1e4 - 0.01 + 1e-6
    left = np.where(times_s < 0, 1, np.exp(-np.maximum(times_s, 0) / tau_s))
    phase = bench.response[100] + (bench.response[0] - bench.response[100]) * left
    expected = trace[0] * np.cos(phase) ** 2 / np.cos(bench.response[0]) ** 2
    # Straight lines between looks every tau/8.
    np.testing.assert_allclose(trace, expected, atol=0.03 * trace[0])


def test_fetching_without_a_trigger_times_out() -> None:
    bench = random_scene()
    bench.detector.arm(4, 1e4)
    start_s = bench.table.clock.now_s()
    with pytest.raises(DeviceTimeoutError):
        bench.detector.fetch(timeout_s=0.25)
    assert bench.table.clock.now_s() - start_s == pytest.approx(0.25)


def test_loading_a_sequence_takes_its_time() -> None:
    bench = random_scene(dmd={"load_time_s": 1e-3})
    start_s = bench.table.clock.now_s()
    bench.dmd.load_sequence(patterns(bench, random_masks(20, 9, 7)))
    assert bench.table.clock.now_s() - start_s == pytest.approx(0.02)
