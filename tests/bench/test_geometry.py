"""Where neurons lie on the devices, and which grey level makes which phase."""

import math

import numpy as np
import pytest

from labcontrol.bench import NeuronMap, PhaseTable, simulated_bench
from labcontrol.bench.response import PHASES, update_phases
from labcontrol.config import GeometryConfig, GridOnCamera, GridOnDmd, GridOnModulator, PhaseResponseConfig
from labcontrol.errors import UserError

GEOMETRY = GeometryConfig(
    rows=4,
    columns=6,
    slm=GridOnModulator(origin_px=(1, 2), pitch_px=3),
    dmd=GridOnDmd(pitch_px=2),
    camera=GridOnCamera(matrix=((5.0, 0.0), (0.0, 5.0)), offset_px=(4.0, 4.0), window_px=3),
)


def neuron_map(side: int = 4, sensor: tuple[int, int] = (30, 40)) -> NeuronMap:
    return NeuronMap(GEOMETRY, side, slm_shape=(14, 22), dmd_shape=(8, 12), sensor_shape=sensor)


def test_neurons_fill_the_middle_columns_of_a_wider_grid() -> None:
    levels = np.arange(17, dtype=np.uint8)[None]
    pattern = neuron_map().slm_pattern(np.arange(16) + 1, levels, background=99)
    # Neuron 0 is grid cell (0, 1): rows 1..3, columns 2 + 3 .. 2 + 5.
    assert (pattern[1:4, 5:8] == 1).all()
    assert (pattern[10:13, 14:17] == 16).all()
    assert (pattern != 99).sum() == 16 * 9


@pytest.mark.parametrize("given", [1, 2, 4, 9, 12])
@pytest.mark.parametrize("seed", range(4))
def test_each_pixel_of_a_neuron_shows_its_own_level(given: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    levels, values = rng.integers(0, 2 + seed, (given, 6), dtype=np.uint8), rng.integers(0, 6, 16)
    pattern = neuron_map().slm_pattern(values, levels, background=99)
    for neuron, value in enumerate(values):
        row, column = 1 + 3 * (neuron // 4), 5 + 3 * (neuron % 4)
        cell = levels[np.arange(9) % given, value].reshape(3, 3)
        np.testing.assert_array_equal(pattern[row : row + 3, column : column + 3], cell)
    assert (pattern == 99).sum() == pattern.size - 16 * 9


def test_a_mask_becomes_mirrors_that_are_on() -> None:
    mask = np.zeros(16, dtype=bool)
    mask[[0, 5]] = True
    patterns = neuron_map().dmd_patterns(np.stack([mask, ~mask]))
    assert patterns.shape == (2, 8, 12)
    assert patterns[0].sum() == 2 * 4
    assert (patterns[0, 2:4, 4:6] == 1).all()
    assert patterns[1].sum() == 14 * 4


def test_signals_are_summed_over_each_window() -> None:
    frame = np.zeros((30, 40), dtype=np.uint16)
    frame[4, 9] = 7  # centre of neuron 0, grid cell (0, 1)
    frame[20, 25] = 5  # one pixel off the centre of neuron 15, grid cell (3, 4): (19, 24)
    signals = neuron_map().signals(frame)
    assert signals[0] == 7
    assert signals[15] == 5
    assert signals.sum() == 12


@pytest.mark.parametrize(
    ("side", "sensor", "expected"),
    [(5, (30, 40), "grid of 5 x 5"), (4, (19, 40), "outside the 19 x 40 frame")],
)
def test_what_does_not_fit_is_refused(side: int, sensor: tuple[int, int], expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        neuron_map(side, sensor)


def test_a_grid_beyond_the_modulator_is_refused() -> None:
    with pytest.raises(UserError, match=r"Correct geometry\.slm"):
        NeuronMap(GEOMETRY, 4, slm_shape=(12, 22), dmd_shape=(8, 12), sensor_shape=(30, 40))


def reached_phases(response: PhaseResponseConfig, pixels: int, wanted: np.ndarray) -> np.ndarray:
    """Phase (pixels, wanted) that each pixel of a neuron really has, as a distance from the wanted one."""
    table = PhaseTable(response, pixels)
    reached = np.interp(table.levels[:, table.index(wanted)], response.levels, response.phase_rad)
    return (reached - wanted + np.pi) % (2 * np.pi) - np.pi


RESPONSE = PhaseResponseConfig(levels=(0, 100, 255), phase_rad=(0.0, 2.5, 2.2 * math.pi))
LARGEST_STEP_RAD = (2.2 * math.pi - 2.5) / 155


def test_every_phase_is_reached_to_half_a_grey_step() -> None:
    error = np.abs(reached_phases(RESPONSE, 1, np.linspace(-10, 10, 1001)))
    assert error.max() <= LARGEST_STEP_RAD / 2 + 2 * math.pi / PHASES
    assert PhaseTable(RESPONSE).largest_error_rad <= LARGEST_STEP_RAD / 2 + 1e-9


def test_the_pixels_of_a_neuron_together_are_finer_than_a_grey_step() -> None:
    # Away from the end of the response and from its kink, where a grey step has no one size.
    wanted = np.linspace(0.1, 2.3, 500)
    error = reached_phases(RESPONSE, 16, wanted)
    step = 2.5 / 100
    assert np.abs(error).max() <= step + 2 * math.pi / PHASES
    assert np.sqrt(np.mean(error.mean(axis=0) ** 2)) < 0.2 * np.sqrt(np.mean(reached_phases(RESPONSE, 1, wanted) ** 2))


def test_the_fused_update_equals_the_table() -> None:
    table = PhaseTable(simulated_bench(16, 1).response)
    rng = np.random.default_rng(0)
    signal, drive, offset = rng.random(50) * 300, rng.random(50) * 3, rng.random(50) * 6
    index = np.empty(50, np.int64)
    update_phases(signal, 0.02, drive, 0.7, offset, index)
    assert np.array_equal(index, table.index(0.02 * signal + drive * 0.7 + offset))


@pytest.mark.parametrize("seed", range(20))
def test_the_level_of_a_phase_is_the_nearest_of_all_on_the_circle(seed: int) -> None:
    rng = np.random.default_rng(seed)
    levels = tuple(range(int(rng.integers(2, 257))))
    measured = np.round(rng.uniform(-1, 1) + np.cumsum(rng.uniform(-0.01, 0.06, len(levels))), 4)
    table = PhaseTable(PhaseResponseConfig(levels=levels, phase_rad=tuple(map(float, measured))))
    wanted = np.linspace(0, 2 * np.pi, PHASES, endpoint=False)
    distance = np.abs((measured - wanted[:, None] + np.pi) % (2 * np.pi) - np.pi)
    np.testing.assert_array_equal(table.levels[0], np.argmin(distance, axis=1))
