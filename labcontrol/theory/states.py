"""Reservoir states: what the twin descends on and what the laws are computed from.

They come from a planted problem with a known answer, from a model of the optical table at the level of neurons, or
from the masks and outputs of a recorded run.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lstsq
from scipy.ndimage import convolve

from labcontrol.compiled import compiled
from labcontrol.config import ReservoirConfig
from labcontrol.errors import UserError
from labcontrol.tasks import standardised

Floats = NDArray[np.float64]

# The optics of the default simulated table.
BEAM_WAIST = 1.5
KERNEL_SIZE = 7
KERNEL_DECAY_CELLS = 2.0


@dataclass(frozen=True)
class States:
    """Responses of all neurons to one sequence, and the target.

    responses: (N, T), row i what mirror i adds to the output, y = background + sum_i w_i x_i, without its mean over
    time. target: (T,) standardised. gain: of the fixed-gain error. background: (T,) output of all mirrors off, without
    its mean; None for none.
    """

    responses: NDArray[Any]
    target: Floats
    gain: float
    background: Floats | None = None

    @property
    def neurons(self) -> int:
        return int(self.responses.shape[0])

    @property
    def steps(self) -> int:
        return int(self.responses.shape[1])

    @cached_property
    def variances(self) -> Floats:
        """(N,) C_ii."""
        squares: Floats = np.einsum("it,it->i", self.responses, self.responses, dtype=np.float64)
        return squares / self.steps

    @cached_property
    def overlaps(self) -> Floats:
        """(N,) b_i: mean over time of response times target."""
        return np.asarray(self.responses @ self.target / self.steps, dtype=np.float64)

    @cached_property
    def covariance(self) -> Floats:
        """(N, N) C."""
        responses = self.responses.astype(np.float64)
        return responses @ responses.T / self.steps


def incoherent_states(responses: NDArray[Any], target: Floats, background: Floats | None = None) -> States:
    """States of a linear readout with the default gain, a quarter of the sum of |b_i|.

    responses: (N, T) any mean. target: (T,) any scale.
    """
    centred = responses - responses.mean(axis=1, keepdims=True, dtype=np.float64).astype(responses.dtype)
    target = standardised(target)
    gain = 0.25 * float(np.sum(np.abs(centred @ target))) / len(target)
    if background is not None:
        background = background - background.mean()
    return States(np.ascontiguousarray(centred), target, gain, background=background)


def planted_states(neurons: int, steps: int, rng: np.random.Generator) -> States:
    """Independent Gaussian responses and a target that a hidden mask reaches exactly: the case with a known answer.

    The gain is that of the hidden mask, so the final error is zero. Raises UserError unless steps > neurons: with
    fewer, the responses are not independent over the sequence.
    """
    if steps <= neurons:
        raise UserError(
            f"Planted states of {neurons} neurons need more than {neurons} steps to be independent, found {steps}.",
            f"Use at least {8 * neurons} steps.",
        )
    responses = rng.standard_normal((neurons, steps))
    responses -= responses.mean(axis=1, keepdims=True)
    hidden = rng.random(neurons) < 0.5
    output = responses[hidden].sum(axis=0)
    gain = float(np.std(output))
    return States(responses, output / gain, gain)


def optical_states(
    neurons: int,
    inputs: Floats,
    washout: int,
    target: Floats,
    rng: np.random.Generator,
    reservoir: ReservoirConfig | None = None,
) -> States:
    """States of the neuron model of the optical table, without its devices and noise.

    E_i = E0_i cos(phase_i), I_i = |sum_j K_ij E_j|^2, phase_i(n+1) = pi (beta I_i(n) + gamma W_i u(n+1)) + theta_i,
    with a Gaussian beam and the coupling of the default simulated table. Intensities are scaled as before a run: their
    mean over random patterns counts as 1/2. Response: E_i^2.
    neurons: a square number. inputs: (washout + T,) in about [0, 1]. target: (T,). rng: draws coupling phases, input
    weights and phase offsets. Raises UserError if neurons is not a square.
    """
    side = round(neurons**0.5)
    if side * side != neurons:
        raise UserError(f"The optical model needs a square number of neurons, found {neurons}.")
    config = reservoir if reservoir is not None else ReservoirConfig()
    illumination, kernel = _illumination(side), _kernel(rng)
    weights = rng.random((side, side))
    second = (rng.permutation(neurons) < round(config.phase_share * neurons)).reshape(side, side)
    offset = np.pi * (config.phase_offset + config.phase_step * second)
    # Mean over random phases of |sum K E|^2 is sum |K|^2 E0^2 / 2: the reference that counts as 1/2.
    reference = float(np.mean(convolve(illumination**2, np.abs(kernel) ** 2, mode="constant")))

    responses = np.empty((len(inputs) - washout, neurons), dtype=np.float32)
    intensity = np.zeros((side, side))
    border = KERNEL_SIZE // 2
    dark_border = np.zeros((side + 2 * border, side + 2 * border))
    flipped = np.ascontiguousarray(kernel[::-1, ::-1])
    for n, u in enumerate(inputs):
        phase = np.pi * (config.feedback * intensity / reference + config.injection * weights * u) + offset
        field = illumination * np.cos(phase)
        dark_border[border : border + side, border : border + side] = field
        _couple(dark_border, flipped, intensity)
        if n >= washout:
            responses[n - washout] = (field**2).ravel()
    return incoherent_states(np.ascontiguousarray(responses.T), target)


def recorded_states(masks: NDArray[np.bool_], outputs: NDArray[np.floating], target: Floats) -> States:
    """States from the epochs of a run, by least squares over all of them.

    masks: (K, N) as shown. outputs: (K, T). target: (T,). Incoherent readout. Raises UserError if the masks do not
    tell the neurons apart: every mirror must have been flipped at least once.
    """
    epochs, neurons = masks.shape
    with_background = np.column_stack([np.ones(epochs), masks])
    solution, _, rank, _ = lstsq(with_background, outputs.astype(np.float64), check_finite=True)
    if rank <= neurons:
        raise UserError(
            f"{epochs} epochs tell only {rank - 1} of {neurons} neurons apart.",
            "States need a run that has flipped every mirror at least once: greedy or cyclic selection does in two N.",
        )
    return incoherent_states(solution[1:], target, background=solution[0])


@compiled
def _couple(field: Floats, flipped: NDArray[np.complex128], intensity: Floats) -> None:
    """Intensity (S, S) = |kernel * field|^2. field: (S + K - 1, S + K - 1), dark at its border."""
    # The order of the loops lets the innermost one use vector registers.
    size, side = len(flipped), len(intensity)
    real, imaginary = np.empty(side), np.empty(side)
    for i in range(side):
        real[:] = 0.0
        imaginary[:] = 0.0
        for a in range(size):
            for b in range(size):
                amplitude = flipped[a, b]
                for j in range(side):
                    real[j] += amplitude.real * field[i + a, j + b]
                    imaginary[j] += amplitude.imag * field[i + a, j + b]
        intensity[i] = real**2 + imaginary**2


def _illumination(side: int) -> Floats:
    """(side, side) Gaussian beam, 1 at the centre."""
    waist = BEAM_WAIST * max(0.5, (side - 1) / 2**0.5)
    profile = np.exp(-(((np.arange(side) - (side - 1) / 2) / waist) ** 2))
    return np.outer(profile, profile)


def _kernel(rng: np.random.Generator) -> NDArray[np.complex128]:
    """(size, size) amplitudes that fall exponentially with distance, random fixed phases, unit energy."""
    offset = np.arange(KERNEL_SIZE) - KERNEL_SIZE // 2
    amplitude = np.exp(-np.hypot(offset[:, None], offset) / KERNEL_DECAY_CELLS)
    kernel = amplitude * np.exp(2j * np.pi * rng.random(amplitude.shape))
    return np.asarray(kernel / np.sqrt(np.sum(amplitude**2)))
