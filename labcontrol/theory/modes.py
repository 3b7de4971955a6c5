"""What Law 3 needs to know of a reservoir: the modes of its covariance, from its states."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from labcontrol.theory.states import States

Floats = NDArray[np.float64]

# Modes weaker than this share of the strongest change no error that is measured; they count as null modes.
_WEAKEST_MODE = 1e-7


@dataclass(frozen=True)
class Start:
    """Where a descent starts.

    mask: (N,) probability that each mirror is on; certain where 0 or 1. known: whether it is one mask, so that there is
    nothing to average over.
    """

    mask: Floats
    known: bool


@dataclass(frozen=True)
class Modes:
    """Covariance C = sum_m lambda_m V_m V_m^T of N mirrors.

    steps: T. gain: of the fixed-gain error. projected: C is that of the responses without their part along the target,
    which decides the normalised error. strengths: (K,) lambda, falling. vectors: (N, K) orthonormal. variances: (N,)
    C_ii. overlaps: (N,) b_i.
    """

    steps: int
    gain: float
    projected: bool
    strengths: Floats
    vectors: Floats
    variances: Floats
    overlaps: Floats

    @property
    def neurons(self) -> int:
        return len(self.overlaps)

    def random_start(self, share: float) -> Start:
        """Any start mask with this share of mirrors on."""
        return Start(np.full(self.neurons, share), False)

    def mask_start(self, mask: NDArray[np.bool_]) -> Start:
        """One start mask (N,)."""
        return Start(mask.astype(np.float64), True)


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
    return Modes(steps, states.gain, projected, strengths, vectors, variances, states.overlaps)


def _strongest(strengths: Floats, vectors: Floats) -> tuple[Floats, Floats]:
    """Strongest first, null modes left out."""
    kept = np.flatnonzero(strengths > _WEAKEST_MODE * strengths[-1])[::-1]
    return strengths[kept], np.ascontiguousarray(vectors[:, kept])
