"""What calibration says of a hidden table is what the table hides."""

from __future__ import annotations

import numpy as np
import pytest
from hidden_tables import ground_truth

from labcontrol.bench import NeuronMap
from labcontrol.calibration import Calibration, calibrated
from labcontrol.calibration.session import with_settings
from labcontrol.config import BenchConfig
from mock_devices.ground_truth import true_phase, true_pixels, true_settings

Table = tuple[BenchConfig, dict[str, Calibration]]


def test_every_step_passes(calibrated_table: Table) -> None:
    assert {kind: c.outcome.failures for kind, c in calibrated_table[1].items() if not c.passed} == {}


def test_neurons_are_found_within_a_fraction_of_a_pixel(calibrated_table: Table) -> None:
    config, found = calibrated_table
    arrays = found["registration"].outcome.arrays
    off = arrays["pixels"] - true_pixels(ground_truth(config), arrays["cells"])
    assert np.sqrt(np.mean(np.sum(off**2, axis=1))) < 0.02
    # Five standard errors for the worst of 288 correlated coordinates.
    assert np.all(np.abs(off) < 5 * arrays["error_px"])


def test_phase_response_is_found_within_a_hundredth_of_a_wavelength(calibrated_table: Table) -> None:
    config, found = calibrated_table
    off = found["phase-response"].outcome.arrays["phase_rad"] - true_phase(ground_truth(config))
    assert np.sqrt(np.mean(off**2)) < 2 * np.pi / 100 / 10


def test_grid_is_found_on_the_slm(calibrated_table: Table) -> None:
    config, found = calibrated_table
    q = found["window"].outcome.quantities
    assert (q["origin_row_px"].value, q["origin_column_px"].value) == ground_truth(config).slm.origin_px


def test_every_mirror_shows_the_neuron_whose_light_it_gets(calibrated_table: Table) -> None:
    config, _ = calibrated_table
    true = ground_truth(config)
    known = with_settings(config, true_settings(true))
    masks = np.random.default_rng(1).random((20, 144)) < 0.5
    shapes = (true.slm_shape, true.dmd_shape, true.sensor_shape)
    ours, theirs = (NeuronMap(c.geometry, 12, *shapes).dmd_patterns(masks) for c in (calibrated(config), known))
    assert np.mean(ours != theirs) < 0.01


@pytest.mark.parametrize(
    ("kind", "name"),
    [("camera", "gain_counts_per_e"), ("camera", "dark_counts"), ("detector", "trigger_delay_s"),
     ("detector", "bandwidth_hz"), ("detector", "offset_w")],
)  # fmt: skip
def test_quantity_is_right_within_twice_its_interval(calibrated_table: Table, kind: str, name: str) -> None:
    config, found = calibrated_table
    true = ground_truth(config)
    expected = {
        "gain_counts_per_e": (4095 - true.camera.dark_level) / true.camera.full_well_e,
        "dark_counts": true.camera.dark_level,
        "trigger_delay_s": true.detector.trigger_delay_s,
        "bandwidth_hz": true.detector.bandwidth_hz,
        "offset_w": true.detector.offset_w,
    }[name]
    quantity = found[kind].outcome.quantities[name]
    assert abs(quantity.value - expected) < quantity.high - quantity.low
