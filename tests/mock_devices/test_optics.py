"""Light behind the SLM: Malus' law, coupling, settling."""

from __future__ import annotations

import numpy as np
import pytest
from benchtop import benchtop

from mock_devices.options import OpticsOptions, SlmOptions
from mock_devices.physics.beam import Beam, couple, coupling_kernel
from mock_devices.physics.liquid_crystal import slm_response

RNG = np.random.default_rng(11)


def test_every_grey_level_gives_the_light_of_its_phase_through_the_polariser() -> None:
    bench = benchtop(rows=16, columns=16, noise=0)
    levels = np.arange(256).reshape(16, 16)
    bench.settle(levels)
    field = bench.table.light.field(bench.table.clock.now_s(), None)
    expected = bench.table.light.beam.amplitude(0) * np.cos(bench.response)[levels]
    np.testing.assert_allclose(field, expected, atol=3e-6)


def test_detector_power_follows_malus_law() -> None:
    bench = benchtop(rows=4, columns=4, noise=0)
    bench.mask(np.ones((4, 4)))
    powers = []
    for level in range(0, 256, 5):
        bench.settle(level)
        powers.append(bench.power())
    cos2 = np.cos(bench.response[::5]) ** 2
    factor = max(powers) / cos2[np.argmax(powers)]
    np.testing.assert_allclose(powers, factor * cos2, atol=1e-5 * factor)


def test_a_cell_is_the_mean_field_of_its_own_pixels() -> None:
    bench = benchtop(rows=3, columns=5, noise=0, slm={"origin_px": (2, 3), "shape": (20, 30)})
    pattern = RNG.integers(0, 256, bench.slm.shape, dtype=np.uint8)
    bench.slm.show(pattern)
    bench.table.clock.sleep(1.0)
    field = bench.table.light.field(bench.table.clock.now_s(), None)
    pixels = np.cos(bench.response)[pattern[2:14, 3:23]].reshape(3, 4, 5, 4).mean(axis=(1, 3))
    np.testing.assert_allclose(field, bench.table.light.beam.amplitude(0) * pixels, atol=3e-6)


def test_response_is_monotonic_reaches_the_stated_stroke_and_scales_with_wavelength() -> None:
    options = SlmOptions()
    red, infrared = slm_response(options, 661.0), slm_response(options, 1064.0)
    assert np.all(np.diff(red) > 0)
    assert red[-1] == pytest.approx(2.2 * np.pi, rel=1e-3)
    plain = SlmOptions(ripple_rad=0)
    np.testing.assert_allclose(slm_response(plain, 661.0) / 1064.0, slm_response(plain, 1064.0) / 661.0)
    assert infrared[-1] < red[-1]


@pytest.mark.parametrize("size", [1, 3, 7, 9])
def test_kernel_has_unit_energy_and_falls_with_distance(size: int) -> None:
    kernel = coupling_kernel(size, 1.5, np.random.default_rng(1))
    power = np.abs(kernel) ** 2
    assert power.sum() == pytest.approx(1, rel=1e-6)
    middle = size // 2
    assert np.all(np.diff(power[middle, middle:]) < 0)


def test_coupling_equals_the_dense_sum_over_all_cells() -> None:
    rows, columns, size = 6, 9, 5
    kernel = coupling_kernel(size, 2.0, np.random.default_rng(2))
    field = RNG.normal(size=(rows, columns)).astype(np.float32)
    intensity = np.zeros((rows + 2, columns + 2), dtype=np.float32)
    couple(np.pad(field, size // 2), kernel.real.copy(), kernel.imag.copy(), intensity)
    expected = np.zeros((rows, columns), dtype=complex)
    for r in range(rows):
        for c in range(columns):
            for a in range(max(0, r - 2), min(rows, r + 3)):
                for b in range(max(0, c - 2), min(columns, c + 3)):
                    expected[r, c] += kernel[a - r + 2, b - c + 2] * field[a, b]
    np.testing.assert_allclose(intensity[1:-1, 1:-1], np.abs(expected) ** 2, rtol=1e-4, atol=1e-6)
    assert not intensity[[0, -1]].any()
    assert not intensity[:, [0, -1]].any()


def test_mean_intensity_of_random_phases_is_half_the_illumination() -> None:
    bench = benchtop(rows=40, columns=40, noise=0, optics={"beam_waist": 100})
    intensities = []
    for _ in range(5):
        bench.settle(RNG.integers(0, 232, (40, 40)))  # one turn of phase
        intensities.append(bench.table.light.intensity(bench.table.clock.now_s(), None)[5:-5, 5:-5].mean())
    # 5 x 32^2 cells, correlated over about the 10 cells that carry most of the kernel.
    assert np.mean(intensities) == pytest.approx(0.5, rel=5 * np.sqrt(10 / (5 * 32**2)))


def test_the_crystal_approaches_its_phase_exponentially() -> None:
    tau_s = 5e-3
    bench = benchtop(rows=2, columns=2, noise=0, slm={"response_time_s": tau_s, "latency_s": 0, "refresh_hz": 1000})
    bench.settle(0)
    before_s = bench.table.clock.now_s()
    bench.slm.show(np.full(bench.slm.shape, 60, dtype=np.uint8))
    refreshed_s = np.ceil(before_s * 1000) / 1000
    step = bench.response[60] - bench.response[0]
    light = bench.table.light.beam.amplitude(0)[0, 0]
    for wait_s in np.linspace(0, 6 * tau_s, 25):
        field = bench.table.light.field(refreshed_s + wait_s, None)[0, 0]
        phase = np.arccos(np.clip(field / light, -1, 1))
        expected = bench.response[60] - step * np.exp(-wait_s / tau_s)
        assert phase == pytest.approx(abs(expected), abs=2e-3)


def test_a_pattern_shown_too_briefly_stays_incomplete() -> None:
    tau_s = 5e-3
    bench = benchtop(rows=2, columns=2, noise=0, slm={"response_time_s": tau_s, "latency_s": 0, "refresh_hz": 1000})
    bench.settle(0)
    clock, shape = bench.table.clock, bench.slm.shape
    clock.sleep(np.ceil(clock.now_s() * 1000) / 1000 - clock.now_s() + 1e-9)
    bench.slm.show(np.full(shape, 60, dtype=np.uint8))
    clock.sleep(2e-3)  # two refreshes later the crystal is called back
    bench.slm.show(np.full(shape, 0, dtype=np.uint8))
    field = bench.table.light.field(clock.now_s() + 1e-3, None)[0, 0] / bench.table.light.beam.amplitude(0)[0, 0]
    step = bench.response[60] - bench.response[0]
    reached = step * (1 - np.exp(-2e-3 / tau_s))
    assert np.arccos(field) == pytest.approx(reached * np.exp(-(clock.now_s() % 1e-3) / tau_s), rel=0.02)


def test_the_stated_settle_time_leaves_the_stated_residual_at_every_phase_of_the_refresh() -> None:
    bench = benchtop(rows=2, columns=2, noise=0)
    limit = bench.table.ground_truth.slm.settled_residual
    step = bench.response[60] - bench.response[0]
    worst = 0.0
    for wait_s in RNG.uniform(0, 1 / 60, 40):
        bench.settle(0)
        bench.table.clock.sleep(float(wait_s))
        bench.slm.show(np.full(bench.slm.shape, 60, dtype=np.uint8))
        now_s = bench.table.clock.now_s() + bench.slm.settle_time_s
        cosine = bench.table.light.field(now_s, None)[0, 0] / bench.table.light.beam.amplitude(0)[0, 0]
        worst = max(worst, (bench.response[60] - np.arccos(np.clip(cosine, -1, 1))) / step)
    assert 0.3 * limit < worst < 1.1 * limit


def test_a_pattern_that_is_overtaken_before_the_refresh_is_never_seen() -> None:
    bench = benchtop(rows=2, columns=2, noise=0)
    bench.settle(0)
    for level in (200, 100):
        bench.slm.show(np.full(bench.slm.shape, level, dtype=np.uint8))
    bench.table.clock.sleep(bench.slm.settle_time_s)
    field = bench.table.light.field(bench.table.clock.now_s() + 1, None)
    np.testing.assert_allclose(field, bench.table.light.beam.amplitude(0) * np.cos(bench.response[100]), atol=1e-5)


def test_beam_is_gaussian_around_its_centre() -> None:
    options = OpticsOptions(beam_waist=0.5, beam_centre=(2.0, -3.0))
    amplitude = Beam(options, (21, 31), np.random.default_rng(0)).amplitude(0.0)
    assert np.unravel_index(np.argmax(amplitude), amplitude.shape) == (12, 12)
    assert amplitude.max() == 1
    waist = 0.5 * np.hypot(20, 30) / 2
    assert amplitude[12, 20] == pytest.approx(np.exp(-((8 / waist) ** 2)), rel=1e-5)


def test_pointing_drift_moves_the_beam_and_returns() -> None:
    options = OpticsOptions(beam_waist=0.5, pointing_drift_cells=2.0, pointing_period_s=100.0)
    beam = Beam(options, (20, 20), np.random.default_rng(0))
    start, half, full = (beam.amplitude(time_s) for time_s in (0.0, 50.0, 100.0))
    assert np.abs(half - start).max() > 0.05
    np.testing.assert_allclose(full, start, atol=1e-6)


def test_node_noise_has_the_stated_size_and_correlation() -> None:
    sizes = {
        "additive_uncorrelated": 0.01,
        "additive_correlated": 0.02,
        "multiplicative_uncorrelated": 0.03,
        "multiplicative_correlated": 0.04,
    }
    bench = benchtop(rows=20, columns=20, slm={"flicker": 0}, node_noise=sizes, optics={"beam_waist": 100})
    light, generator = bench.table.light, np.random.default_rng(3)
    draws = 400
    for phase_rad, common, single in ((np.pi / 2, 0.02, 0.01), (np.pi, np.hypot(0.02, 0.04), np.hypot(0.01, 0.03))):
        bench.settle(bench.level(phase_rad))
        now_s = bench.table.clock.now_s()
        quiet = light.field(now_s, None).copy()
        noise = np.stack([light.field(now_s, light.fluctuation(generator)) - quiet for _ in range(draws)])
        assert noise.mean(axis=(1, 2)).std() == pytest.approx(common, rel=5 / np.sqrt(2 * draws))
        rest = noise - noise.mean(axis=(1, 2), keepdims=True)
        assert rest.std() == pytest.approx(single, rel=0.02)
