"""What Law 3 needs to know of a reservoir: the modes of its covariance, from states, from C and b, or from a pilot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from labcontrol.theory.amplitude import FlipResponses
from labcontrol.theory.states import States

Floats = NDArray[np.float64]

# Modes weaker than this share of the strongest change no error that is measured; they count as null modes.
_WEAKEST_MODE = 1e-7


@dataclass(frozen=True)
class Start:
    """Where a descent starts.

    mask: (P,) probability that each mirror is on; certain where 0 or 1. known: the output of the start mask is known,
    so there is nothing to average over. offset_overlaps: (P,) <x_i, d>/T with the part d of the start output that the
    probabilities do not explain; offset_square, offset_target: <d, d>/T and <d, t>/T. d fades as mirrors are visited.
    """

    mask: Floats
    known: bool
    offset_overlaps: Floats
    offset_square: float = 0.0
    offset_target: float = 0.0


@dataclass(frozen=True)
class Modes:
    """Covariance C = sum_m lambda_m V_m V_m^T of N mirrors, known through P of them that stand for N/P each.

    neurons: N. steps: T. gain: of the fixed-gain error. projected: C is that of the responses without their part along
    the target, which decides the normalised error. strengths: (K,) lambda of all N mirrors, falling. vectors: (P, K)
    orthonormal. variances: (P,) C_ii. overlaps: (P,) b_i.
    """

    neurons: int
    steps: int
    gain: float
    projected: bool
    strengths: Floats
    vectors: Floats
    variances: Floats
    overlaps: Floats

    @property
    def copies(self) -> float:
        """Mirrors that each known one stands for."""
        return self.neurons / len(self.overlaps)

    def random_start(self, share: float) -> Start:
        """Any start mask with this share of mirrors on."""
        return Start(np.full(len(self.overlaps), share), False, np.zeros(len(self.overlaps)))

    def mask_start(self, mask: NDArray[np.bool_]) -> Start:
        """One start mask (N,). Raises ValueError if not all N mirrors are known."""
        if len(mask) != len(self.overlaps):
            raise ValueError(f"the modes are of {len(self.overlaps)} mirrors, the mask is of {len(mask)}")
        return Start(mask.astype(np.float64), True, np.zeros(len(mask)))


def modes_of_states(states: States, loss: str) -> Modes:
    """All modes of known states. loss: the error that decides."""
    responses = states.responses.astype(np.float64)
    projected = loss == "nmse"
    if projected:
        responses = responses - np.outer(states.overlaps, states.target)
    neurons, steps = responses.shape
    if neurons <= steps:
        strengths, vectors = _strongest(*eigh(responses @ responses.T / steps))
    else:  # the same modes from the smaller matrix
        strengths, waves = _strongest(*eigh(responses.T @ responses / steps))
        vectors = responses @ waves / np.sqrt(strengths * steps)
    variances = np.einsum("it,it->i", responses, responses) / steps
    return Modes(neurons, steps, states.gain, projected, strengths, vectors, variances, states.overlaps)


def modes_of_covariance(
    covariance: Floats, overlaps: Floats, gain: float, steps: int, loss: str, neurons: int | None = None
) -> Modes:
    """Modes from C (P, P) and b (P,) of P mirrors; neurons: N >= P that they stand for, default P."""
    neurons = len(overlaps) if neurons is None else neurons
    projected = loss == "nmse"
    if projected:
        covariance = covariance - np.outer(overlaps, overlaps)
    strengths, vectors = _strongest(*eigh(covariance))
    strengths = strengths * (neurons / len(overlaps))
    variances = np.maximum(np.diag(covariance), 0.0)
    return Modes(neurons, steps, gain, projected, strengths, vectors, variances, overlaps)


def modes_of_pilot(
    responses: FlipResponses,
    initial_output: NDArray[np.floating],
    target: Floats,
    gain: float,
    loss: str,
    share: float = 0.5,
) -> tuple[Modes, Start]:
    """A low-rank estimate from a pilot of P flips, and the start it measured.

    The measured mirrors stand for all, which is right in the mean because they were chosen at random; the output of the
    start mask is known exactly. initial_output: (T,). target: (T,) standardised. share: of the start mask's mirrors on.
    """
    x = responses.responses
    steps = x.shape[1]
    covariance = x @ x.T / steps - responses.noise_std**2 * np.eye(len(x))
    modes = modes_of_covariance(covariance, responses.overlaps(target), gain, steps, loss, responses.neurons)
    output = initial_output.astype(np.float64)
    offset = output - output.mean() - modes.copies * share * x.sum(axis=0)
    along_target = float(offset @ target) / steps
    if modes.projected:
        offset = offset - along_target * target
    start = Start(np.full(len(x), share), True, x @ offset / steps, float(offset @ offset) / steps, along_target)
    return modes, start


def _strongest(strengths: Floats, vectors: Floats) -> tuple[Floats, Floats]:
    """Strongest first, null modes left out."""
    kept = np.flatnonzero(strengths > _WEAKEST_MODE * strengths[-1])[::-1]
    return strengths[kept], np.ascontiguousarray(vectors[:, kept])
