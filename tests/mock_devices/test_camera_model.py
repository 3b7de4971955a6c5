"""Frames of the simulated camera against what a camera's characterisation would find."""

from __future__ import annotations

import numpy as np
import pytest
from benchtop import Benchtop, benchtop

from drivers.interfaces import DeviceRefusedError, DeviceTimeoutError, Roi


def cell_centres(bench: Benchtop) -> np.ndarray:
    """(cells, 2) camera pixels of all cells, from the documented map."""
    options = bench.table.options
    cells = np.stack(np.divmod(np.arange(options.rows * options.columns), options.columns))
    return (np.asarray(options.camera_matrix) @ cells).T + np.asarray(options.camera_offset_px)


def test_documented_default_geometry_is_what_the_formulas_say() -> None:
    options = benchtop(rows=30, columns=20).table.options
    angle = np.radians(0.5)
    turn = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    np.testing.assert_allclose(options.camera_matrix, 4 * np.array(turn))
    np.testing.assert_allclose(options.camera_offset_px, (6 + 4 * np.sin(angle) * 19, 6))
    assert options.slm_shape == (120, 80)
    assert options.dmd_shape == (60, 40)


@pytest.mark.parametrize("cell", [(0, 0), (0, 11), (8, 3), (9, 11), (9, 0)])
def test_a_lit_cell_appears_where_the_geometry_says(cell: tuple[int, int]) -> None:
    bench = benchtop(rows=10, columns=12, noise=0, optics={"kernel_size": 1}, camera={"rotation_deg": 3.0})
    levels = np.full((10, 12), bench.level(np.pi / 2))
    levels[cell] = bench.level(np.pi)
    bench.settle(levels)
    image = bench.snap().data.astype(float) - bench.table.options.camera.dark_level
    image[image < 0.02 * image.max()] = 0
    rows, columns = np.indices(image.shape)
    centroid = np.array([(rows * image).sum(), (columns * image).sum()]) / image.sum()
    expected = np.asarray(bench.table.options.camera_matrix) @ cell + np.asarray(bench.table.options.camera_offset_px)
    np.testing.assert_allclose(centroid, expected, atol=0.06)


def test_the_image_carries_the_intensity_of_each_cell_at_its_centre() -> None:
    bench = benchtop(rows=20, columns=20, noise=0, camera={"blur_px": 0.5})
    bench.settle(np.random.default_rng(1).integers(0, 256, (20, 20)))
    intensity = bench.table.light.intensity(bench.table.clock.now_s(), None)[1:-1, 1:-1].ravel().copy()
    image = bench.snap().data.astype(float) - bench.table.options.camera.dark_level
    row, column = np.rint(cell_centres(bench)).astype(int).T
    assert np.corrcoef(image[row, column], intensity)[0, 1] > 0.995


def test_mirrored_swapped_and_distorted_sensors_are_possible() -> None:
    matrix = ((0.0, -4.0), (4.0, 0.0))
    camera = {"matrix": matrix, "offset_px": (50.0, 6.0), "sensor_shape": (60, 60), "distortion": 0.02}
    bench = benchtop(rows=10, columns=10, noise=0, optics={"kernel_size": 1}, camera=camera)
    levels = np.full((10, 10), bench.level(np.pi / 2))
    levels[2, 7] = bench.level(np.pi)
    bench.settle(levels)
    image = bench.snap().data.astype(float) - bench.table.options.camera.dark_level
    image[image < 0.02 * image.max()] = 0
    rows, columns = np.indices(image.shape)
    centroid = np.array([(rows * image).sum(), (columns * image).sum()]) / image.sum()
    middle = np.array([29.5, 29.5])
    ideal = np.asarray(matrix) @ (2, 7) + (50, 6) - middle
    expected = middle + ideal * (1 + 0.02 * (ideal @ ideal) / (middle @ middle))
    np.testing.assert_allclose(centroid, expected, atol=0.08)


def test_without_light_there_is_dark_level_and_read_noise() -> None:
    camera = {"bit_depth": 12, "full_well_e": 4000, "read_noise_e": 10.0, "dark_level": 50}
    bench = benchtop(emission=False, rows=30, columns=30, camera=camera)
    frames = np.stack([bench.snap().data for _ in range(10)]).astype(float)
    per_electron = (4095 - 50) / 4000
    sigma = np.sqrt((10 * per_electron) ** 2 + 1 / 12)
    assert frames.mean() == pytest.approx(50, abs=5 * sigma / np.sqrt(frames.size) + 0.01)
    assert frames.std() == pytest.approx(sigma, rel=5 / np.sqrt(2 * frames.size) + 0.002)


def test_photon_transfer_curve_has_the_slope_of_the_conversion_gain() -> None:
    camera = {"full_well_e": 10_000, "read_noise_e": 0.0, "electrons_per_joule": 4e7, "dark_level": 10}
    optics = {"kernel_size": 1, "beam_waist": 100}
    bench = benchtop(
        rows=24, columns=24, camera=camera, laser={"intensity_noise": 0}, slm={"flicker": 0}, optics=optics
    )
    bench.settle(bench.level(np.pi))
    means, variances = [], []
    for exposure_s in (0.5e-3, 1e-3, 2e-3, 4e-3, 6e-3):
        bench.camera.exposure_s = exposure_s
        pair = np.stack([bench.snap().data[12:-12, 12:-12] for _ in range(8)]).astype(float)
        means.append(pair.mean() - 10)
        variances.append(pair.var(axis=0, ddof=1).mean() - 1 / 12)
    per_electron = (4095 - 10) / 10_000
    slope = np.polyfit(means, variances, 1)[0]
    # 5 points, each a variance of 7 degrees of freedom at some thousand pixels.
    assert slope == pytest.approx(per_electron, rel=0.03)
    np.testing.assert_allclose(np.array(means) / means[2], [0.25, 0.5, 1, 2, 3], rtol=2e-3)
    electrons = means[2] / per_electron
    assert electrons == pytest.approx(0.02 * 2e-3 * 4e7, rel=1e-3)


def test_gain_multiplies_counts() -> None:
    bench = benchtop(rows=8, columns=8, noise=0, camera={"exposure_s": 2e-4})
    bench.settle(np.random.default_rng(2).integers(0, 256, (8, 8)))
    dark = bench.table.options.camera.dark_level
    plain = bench.snap().data.astype(float) - dark
    bench.camera.gain_db = 20.0
    amplified = bench.snap().data.astype(float) - dark
    np.testing.assert_allclose(amplified, 10 * plain, atol=11)


@pytest.mark.parametrize(("bits", "kind"), [(8, np.uint8), (10, np.uint16), (12, np.uint16)])
def test_bit_depth_sets_type_full_scale_and_saturation(bits: int, kind: type) -> None:
    bench = benchtop(rows=8, columns=8, camera={"bit_depth": bits})
    bench.settle(bench.level(np.pi))
    assert bench.snap().saturated_share == 0
    bench.camera.exposure_s = 0.5
    frame = bench.snap()
    assert frame.data.dtype == kind
    assert frame.data.max() == 2**bits - 1
    assert frame.saturated_share == pytest.approx(np.mean(frame.data == 2**bits - 1))
    assert 0.5 < frame.saturated_share < 1


def test_brightest_cell_of_random_patterns_uses_half_of_the_range_at_default_settings() -> None:
    bench = benchtop(rows=30, columns=30)
    random = np.random.default_rng(3)
    peaks = []
    for _ in range(20):
        bench.settle(random.integers(0, 232, (30, 30)))
        frame = bench.snap()
        assert frame.saturated_share == 0
        peaks.append(frame.data.max() / 4095)
    assert 0.4 < np.mean(peaks) < 0.65


def test_a_region_is_a_window_of_the_whole_image() -> None:
    bench = benchtop(rows=12, columns=12, noise=0)
    bench.settle(np.random.default_rng(4).integers(0, 256, (12, 12)))
    whole = bench.snap().data
    bench.camera.roi = Roi(10, 7, 20, 31)
    np.testing.assert_array_equal(bench.snap().data, whole[10:30, 7:38])


def test_a_frame_sees_the_table_in_the_middle_of_its_exposure() -> None:
    bench = benchtop(rows=2, columns=2, noise=0, slm={"response_time_s": 0, "latency_s": 0, "refresh_hz": 1000})
    dark, bright = bench.level(np.pi / 2), bench.level(np.pi)
    clock = bench.table.clock

    def count(show_after_s: float) -> int:
        bench.settle(dark)
        clock.sleep(np.ceil(clock.now_s() * 1000) / 1000 - clock.now_s() + 1e-6)
        bench.camera.exposure_s = 0.01
        bench.camera.trigger()
        clock.sleep(show_after_s)
        bench.slm.show(np.full(bench.slm.shape, bright, dtype=np.uint8))
        return int(bench.camera.read().data.max())

    assert count(0.002) > 500  # changed before the middle
    assert count(0.007) < 50  # changed after it


def test_reading_takes_exposure_and_readout_and_counts_frames() -> None:
    bench = benchtop(rows=4, columns=4)
    start_s = bench.table.clock.now_s()
    frames = [bench.snap() for _ in range(3)]
    assert [frame.counter for frame in frames] == [1, 2, 3]
    assert frames[0].time_s == start_s
    each = bench.camera.exposure_s + bench.camera.readout_time_s
    assert bench.table.clock.now_s() - start_s == pytest.approx(3 * each)


def test_triggering_during_an_exposure_is_refused_but_allowed_during_readout() -> None:
    bench = benchtop(rows=4, columns=4)
    bench.camera.trigger()
    bench.table.clock.sleep(0.6 * bench.camera.exposure_s)
    with pytest.raises(DeviceRefusedError, match="before the last exposure had ended"):
        bench.camera.trigger()
    bench.table.clock.sleep(0.41 * bench.camera.exposure_s)
    bench.camera.trigger()
    assert [bench.camera.read().counter for _ in range(2)] == [1, 2]


def test_reading_without_a_trigger_times_out_after_the_stated_time() -> None:
    bench = benchtop(rows=4, columns=4)
    start_s = bench.table.clock.now_s()
    with pytest.raises(DeviceTimeoutError):
        bench.camera.read(timeout_s=0.5)
    assert bench.table.clock.now_s() - start_s == pytest.approx(0.5)


def test_lost_frames_leave_a_gap_in_the_counter() -> None:
    bench = benchtop(rows=4, columns=4, camera={"buffer_frames": 2})
    for _ in range(4):
        bench.camera.trigger()
        bench.table.clock.sleep(0.1)
    assert [bench.camera.read().counter for _ in range(2)] == [1, 2]
    assert bench.snap().counter == 5
    share = benchtop(rows=4, columns=4, camera={"drop_share": 0.3})
    lost = 0
    for _ in range(300):
        share.camera.trigger()
        share.table.clock.sleep(0.01)
        lost += 1 - share.camera.discard_frames()
    assert lost == pytest.approx(90, abs=5 * np.sqrt(300 * 0.3 * 0.7))
