"""The twin: coordinate descent in software, on known states, with the selection rules and decisions of the bench.

The loops are compiled and cost O(T) an epoch; see `descent`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from labcontrol.config import LearningConfig
from labcontrol.learning import initial_mask, strategy_facts
from labcontrol.learning.selection import AMPLITUDE_SELECTIONS, SelectionRule, selection_rule
from labcontrol.theory.descent import Record, Settings, descend_incoherent
from labcontrol.theory.states import States

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TwinRun:
    """One descent of K epochs; index 0 is the start mask.

    mirrors: (K + 1,) flipped, -1 for the start and for several. errors: (K + 1,) measured of each epoch's mask.
    accepted: (K + 1,). incumbent_errors: (K + 1,) error the incumbent is held to have after the epoch; true_errors:
    the same without noise. mask: (N,) at the end.
    """

    mirrors: NDArray[np.int64]
    errors: Floats
    accepted: NDArray[np.bool_]
    incumbent_errors: Floats
    true_errors: Floats
    mask: NDArray[np.bool_]


@dataclass(frozen=True)
class Ensemble:
    """Errors of several runs: (S, K + 1), as the incumbent is held to have them, and without noise."""

    incumbent_errors: Floats
    true_errors: Floats

    @property
    def median(self) -> Floats:
        """(K + 1,)."""
        return np.median(self.incumbent_errors, axis=0)

    @property
    def mean(self) -> Floats:
        """(K + 1,)."""
        return np.asarray(np.mean(self.incumbent_errors, axis=0))

    def band(self, share: float = 0.9) -> tuple[Floats, Floats]:
        """(K + 1,) each: bounds that hold a share of the runs."""
        low, high = np.quantile(self.incumbent_errors, [(1 - share) / 2, (1 + share) / 2], axis=0)
        return low, high


def run_twin(
    states: States,
    learning: LearningConfig,
    *,
    epochs: int,
    seed: int,
    noise_std: float = 0.0,
    rule: Callable[[np.random.Generator], SelectionRule] | None = None,
) -> TwinRun:
    """Descend for `epochs` epochs after the start mask, as a run on the bench with this seed would.

    noise_std: of one output sample, in the unit of the output. rule: makes the selection rule where it is not the one
    `learning` names with default settings; amplitude rules are given the true amplitudes. With re-measured acceptance
    an epoch is two measurements.
    """
    rng = np.random.default_rng(seed)
    mask = initial_mask(learning, states.neurons, rng)
    selection = _default_rule(states, learning, rng) if rule is None else rule(rng)
    run = TwinRun(
        np.full(epochs + 1, -1, dtype=np.int64),
        np.empty(epochs + 1),
        np.zeros(epochs + 1, dtype=np.bool_),
        np.empty(epochs + 1),
        np.empty(epochs + 1),
        mask,
    )
    settings = Settings(
        gain=states.gain,
        normalised=learning.loss == "nmse",
        remeasure=strategy_facts(learning).remeasured,
        noise_std=noise_std,
    )
    # Noise has a generator of its own: with and without it, the same mirrors are drawn.
    noise_rng = np.random.default_rng([seed, 1])
    record = Record(run.mirrors, run.errors, run.accepted, run.incumbent_errors, run.true_errors)
    background = states.background if states.background is not None else np.zeros(states.steps)
    descend_incoherent(
        states.responses, background, states.target, states.variances, states.overlaps,
        settings, mask, selection.arrays, rng, noise_rng, record,
    )  # fmt: skip
    return run


def twin_ensemble(
    states: States, learning: LearningConfig, *, epochs: int, seeds: Sequence[int], noise_std: float = 0.0
) -> Ensemble:
    """Runs that differ in their seed only, on all cores."""
    _ = states.variances, states.overlaps  # computed once, before the threads share them
    with ThreadPoolExecutor(min(len(seeds), os.cpu_count() or 1)) as pool:
        one = partial(_errors_of, states, learning, epochs, noise_std)
        runs = list(pool.map(one, seeds))
    return Ensemble(np.stack([held for held, _ in runs]), np.stack([true for _, true in runs]))


def _errors_of(
    states: States, learning: LearningConfig, epochs: int, noise_std: float, seed: int
) -> tuple[Floats, Floats]:
    run = run_twin(states, learning, epochs=epochs, seed=seed, noise_std=noise_std)
    return run.incumbent_errors, run.true_errors


def _default_rule(states: States, learning: LearningConfig, rng: np.random.Generator) -> SelectionRule:
    selection = strategy_facts(learning).selection
    amplitudes = np.sqrt(states.variances) if selection in AMPLITUDE_SELECTIONS else None
    return selection_rule(selection, states.neurons, rng, amplitudes=amplitudes)
