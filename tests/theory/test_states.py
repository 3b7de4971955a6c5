"""The neuron model of the table: its coupling, its symmetry of scale, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import convolve

from labcontrol.config import ReservoirConfig
from labcontrol.errors import UserError
from labcontrol.theory import optical_states
from labcontrol.theory.states import KERNEL_SIZE, _couple

INPUTS = 0.5 + 0.4 * np.sin(np.arange(60) / 3.0)
TARGET = np.roll(INPUTS, -1)[30:]


def test_coupled_light_is_the_squared_convolution_with_the_kernel() -> None:
    rng = np.random.default_rng(1)
    kernel = rng.standard_normal((KERNEL_SIZE,) * 2) + 1j * rng.standard_normal((KERNEL_SIZE,) * 2)
    field, intensity, border = rng.standard_normal((12, 12)), np.empty((12, 12)), KERNEL_SIZE // 2
    _couple(np.pad(field, border), np.ascontiguousarray(kernel[::-1, ::-1]), intensity)
    expected = np.abs(
        convolve(field, kernel.real, mode="constant") + 1j * convolve(field, kernel.imag, mode="constant")
    )
    assert np.allclose(intensity, expected**2, rtol=1e-12)


def test_without_feedback_and_with_one_offset_a_neuron_is_a_squared_cosine_of_its_input() -> None:
    config = ReservoirConfig(feedback=0.0, injection=0.5, phase_share=0.0, phase_offset=0.25)
    states = optical_states(25, INPUTS, 30, TARGET, np.random.default_rng(1), config)
    # cos^2(pi/4 + x) = (1 - sin 2x) / 2: a one-parameter family, so each response is found by searching its weight.
    u = INPUTS[30:]
    for response in states.responses.astype(float):
        shapes = [np.cos(np.pi * 0.5 * w * u + np.pi / 4) ** 2 for w in np.linspace(0.001, 1, 2000)]
        best = max(np.corrcoef(shape, response)[0, 1] for shape in shapes)
        assert best == pytest.approx(1.0, abs=1e-6)


def test_the_number_of_neurons_must_be_a_square() -> None:
    with pytest.raises(UserError, match="square number of neurons, found 26"):
        optical_states(26, INPUTS, 30, TARGET, np.random.default_rng(1))


def test_the_gain_is_a_quarter_of_what_all_mirrors_offer_along_the_target() -> None:
    states = optical_states(49, INPUTS, 30, TARGET, np.random.default_rng(2))
    assert states.gain == pytest.approx(0.25 * np.abs(states.overlaps).sum(), rel=1e-6)
