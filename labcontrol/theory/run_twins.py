"""Twins of one run: its own descent, in software, from its own start mask, many times over.

A run is one draw of chance: which mirrors it tries, and what noise adds to what it measures. Its twins make the same
choices by the same rule on the measured responses, with the measured noise; their quantiles are the band that the run
is expected to stay in. Nothing here is particular to a selection rule, an acceptance or a loss.

The first output of every twin is the measured one: what the responses do not explain of it stays as a background.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labcontrol.learning.selection import AMPLITUDE_SELECTIONS, SelectionRule, selection_rule
from labcontrol.theory.descent import Record, Settings, descend_incoherent
from labcontrol.theory.descent_noise_aware import SequentialTest, descend_noise_aware

Floats = NDArray[np.float64]

TWINS = 200
SHARE = 0.9
"""Of single runs that the band is to hold, after any epoch."""


@dataclass(frozen=True)
class RunRules:
    """What decides a descent.

    Attributes
    ----------
    selection : str
        Name of the selection rule.
    loss : str
        The deciding error, mse or nmse.
    gain : float
        Of the fixed-gain error, in the unit of the output.
    noise_std : float
        Of one output sample, between replays.
    remeasured : bool
        Whether the incumbent is measured again beside each candidate: an attempt then takes two epochs.
    test : SequentialTest or None
        Of noise-aware acceptance, where an epoch is one measurement of either mask.
    """

    selection: str
    loss: str
    gain: float
    noise_std: float
    remeasured: bool = False
    test: SequentialTest | None = None


def run_twins(
    responses: Floats | Sequence[Floats],
    start_output: Floats,
    start: NDArray[np.bool_],
    target: Floats,
    rules: RunRules,
    epochs: NDArray[np.int64],
    *,
    seed: int,
    twins: int = TWINS,
) -> Floats:
    """Deciding error of the incumbent of each twin.

    Parameters
    ----------
    responses : ndarray, shape (N, T), or a sequence of such arrays
        What each mirror adds to the output, without its mean over time; several where they are known with an
        uncertainty: the twins then take turns.
    start_output : ndarray, shape (T,)
        Measured output of the start mask, without its mean over time.
    start : ndarray of bool, shape (N,)
        Start mask.
    target : ndarray, shape (T,)
        Standardised.
    rules : RunRules
        What decides the descent.
    epochs : ndarray of int, shape (E,)
        Rising; epoch 0 is the start mask.
    seed : int
        Of every draw.
    twins : int
        Number of descents, S.

    Returns
    -------
    ndarray, shape (S, E)
    """
    tables = [_Table.of(one, start_output, start, target) for one in _several(responses)]

    def twin(number: int) -> Floats:
        table = tables[number % len(tables)]
        return _descended(table, target, start, rules, int(epochs[-1]), (seed, number))[_attempts(epochs, rules)]

    # The loops hold no interpreter lock.
    with ThreadPoolExecutor(min(twins, os.cpu_count() or 1)) as pool:
        return np.stack(list(pool.map(twin, range(twins))))


def band_of(curves: Floats, share: float = SHARE) -> tuple[Floats, Floats, Floats]:
    """Median and bounds of single runs.

    Parameters
    ----------
    curves : ndarray, shape (S, E)
        Of twins.
    share : float
        Of runs between the bounds.

    Returns
    -------
    median, low, high : ndarray, shape (E,)

    Notes
    -----
    Quantiles at ranks i / (S + 1): the usual ones of a small sample lie too close together, of 32 twins at 0.85 in
    place of 0.90.
    """
    low, median, high = np.quantile(curves, [(1 - share) / 2, 0.5, (1 + share) / 2], axis=0, method="weibull")
    return median, low, high


@dataclass(frozen=True)
class _Table:
    responses: Floats
    background: Floats
    variances: Floats
    overlaps: Floats

    @classmethod
    def of(cls, responses: Floats, start_output: Floats, start: NDArray[np.bool_], target: Floats) -> _Table:
        x = np.ascontiguousarray(responses)
        steps = x.shape[1]
        background = start_output - x[start].sum(axis=0)
        return cls(x, background, np.einsum("it,it->i", x, x) / steps, x @ target / steps)


def _several(responses: Floats | Sequence[Floats]) -> Sequence[Floats]:
    return [responses] if isinstance(responses, np.ndarray) else responses


def _attempts(epochs: NDArray[np.int64], rules: RunRules) -> NDArray[np.int64]:
    """Place in what a twin recorded after each of the epochs.

    With the incumbent measured again an attempt is two epochs, of which the first, the incumbent's, changes nothing
    but the error that it is held to have.
    """
    return (epochs + 1) // 2 if rules.remeasured and rules.test is None else epochs


def _descended(
    table: _Table, target: Floats, start: NDArray[np.bool_], rules: RunRules, epochs: int, seed: tuple[int, int]
) -> Floats:
    rng, noise_rng = np.random.default_rng(seed), np.random.default_rng([*seed, 1])
    rule = _rule(table, rules, rng)
    attempts = int(_attempts(np.array([epochs]), rules)[0])
    errors = np.empty(attempts + 1)
    settings = Settings(rules.gain, rules.loss == "nmse", rules.remeasured, rules.noise_std)
    mask = start.copy()
    if rules.test is not None:
        descend_noise_aware(
            table.responses, table.background, target, settings, rules.test, mask, rule.arrays, rng, noise_rng, errors
        )
        return errors
    record = Record(
        np.empty(attempts + 1, np.int64), np.empty(attempts + 1), np.empty(attempts + 1, np.bool_), errors,
        np.empty(attempts + 1),
    )  # fmt: skip
    descend_incoherent(
        table.responses, table.background, target, table.variances, table.overlaps,
        settings, mask, rule.arrays, rng, noise_rng, record,
    )  # fmt: skip
    return errors


def _rule(table: _Table, rules: RunRules, rng: np.random.Generator) -> SelectionRule:
    amplitudes = np.sqrt(table.variances) if rules.selection in AMPLITUDE_SELECTIONS else None
    return selection_rule(rules.selection, len(table.variances), rng, amplitudes=amplitudes)
