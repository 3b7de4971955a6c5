"""Law 1: how fast a selection rule covers the mirrors.

If neurons are uncorrelated, the excess error is a sum over wrong mirrors, and a mirror is put right at its first visit:

    error(k) = floor + (start - floor) U(k),

U(k) being the share of the excess that belongs to mirrors not visited in k epochs. The rate has no free parameter:

- uniform: U = (1 - 1/N)^k, an exponential with time constant N;
- amplitude: U = sum_i a_i (1 - p_i)^k, with the probability p_i and the share a_i of the excess of each mirror;
- cyclic: U = 1 - k/N, a straight ramp;
- greedy and the others: close to the ramp with a small tail, from simulation of the rule itself.

Derivation: our own; a_i is proportional to the variance C_ii of the response, so equal where none are given. For
`blocks` U counts visits: several mirrors flipped at once are not all put right.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from labcontrol.compiled import compiled
from labcontrol.learning.selection import (
    AMPLITUDE_SELECTIONS,
    RuleState,
    draw,
    selection_probabilities,
    selection_rule,
)

Floats = NDArray[np.float64]

_SIMULATED_VISITS = 40_000  # mirrors in all simulated runs together: U is known to about 0.002
_SIMULATED_SWEEPS = 8  # epochs simulated, in N; what is left then counts as covered


def coverage(
    selection: str, neurons: int, epochs: NDArray[np.integer] | Floats, *, amplitudes: Floats | None = None
) -> Floats:
    """U(k) after `epochs` (K,) visits.

    amplitudes: (N,) standard deviations of the responses: the weights of the amplitude rules, and their squares the
    shares of the excess. Raises UserError for an unknown rule or missing amplitudes.
    """
    k = np.asarray(epochs, dtype=np.float64)
    if selection == "uniform":
        return np.asarray((1 - 1 / neurons) ** k)
    if selection == "cyclic":
        return np.maximum(0.0, 1 - k / neurons)
    if selection == "amplitude" and amplitudes is not None:
        unvisited = (1 - selection_probabilities(amplitudes)) ** k[:, None]
        return np.asarray(unvisited @ (amplitudes**2 / np.sum(amplitudes**2)))
    known = tuple(amplitudes) if selection in AMPLITUDE_SELECTIONS and amplitudes is not None else None
    simulated = _simulated(selection, neurons, known)
    return np.interp(k, np.arange(len(simulated)), simulated, right=0.0)


@lru_cache(maxsize=32)
def _simulated(selection: str, neurons: int, amplitudes: tuple[float, ...] | None) -> Floats:
    """U(0 ... K) as the mean over runs of the rule."""
    known = None if amplitudes is None else np.array(amplitudes)
    shares = np.full(neurons, 1 / neurons) if known is None else known**2 / np.sum(known**2)
    runs = max(8, _SIMULATED_VISITS // neurons)
    covered = np.zeros(_SIMULATED_SWEEPS * neurons + 1)
    rng = np.random.default_rng(0)
    for _ in range(runs):
        _add_first_visits(selection_rule(selection, neurons, rng, amplitudes=known).arrays, rng, shares, covered)
    return np.maximum(0.0, 1 - np.cumsum(covered) / runs)


@compiled
def _add_first_visits(rule: RuleState, rng: np.random.Generator, shares: Floats, covered: Floats) -> None:
    """Add to `covered` (K + 1,) the share of the excess that is visited for the first time in each epoch."""
    neurons = len(shares)
    visited = np.zeros(neurons, dtype=np.bool_)
    mirrors = np.empty(neurons, dtype=np.int64)
    remaining = neurons
    for k in range(1, len(covered)):
        for i in mirrors[: draw(rule, rng, mirrors)]:
            if not visited[i]:
                visited[i] = True
                remaining -= 1
                covered[k] += shares[i]
        if remaining == 0:
            return
