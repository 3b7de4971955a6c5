"""Annealing and descent over masks on a coherent readout: a visit costs O(T), and only single flips are tried."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from labcontrol.compiled import compiled
from labcontrol.learning.boolean_search import (
    MOST_DESCENTS,
    Effort,
    Floats,
    Schedule,
    by_error,
    error_of,
    keeps,
    temperature_of,
)


@compiled
def _moments(
    field: NDArray[Any], step: NDArray[Any], delta: float, correction: Floats, target: Floats
) -> tuple[float, float]:
    """Variance of |field + delta step|^2 + correction over time and its covariance with the target."""
    value = field[0] + delta * step[0]
    first = value.real**2 + value.imag**2 + correction[0]
    total, squares, product = 0.0, 0.0, 0.0
    for t in range(len(target)):
        value = field[t] + delta * step[t]
        power = value.real**2 + value.imag**2 + correction[t] - first  # the mean is much larger than the variation
        total += power
        squares += power * power
        product += power * target[t]
    mean = total / len(target)
    return squares / len(target) - mean * mean, product / len(target)


@compiled
def _sweep_fields(
    fields: NDArray[Any],
    correction: Floats,
    target: Floats,
    load: float,
    gain: float,
    temperature: float,
    mask: NDArray[np.bool_],
    field: NDArray[Any],
    totals: Floats,
    best: NDArray[np.bool_],
    rng: np.random.Generator,
) -> int:
    """Visit as many mirrors as there are; returns the flips. field: (T,) of the mask.

    totals: [mirrors on, error, error of the best].
    """
    flips = 0
    for k in range(len(fields)):
        i = int(rng.random() * len(fields)) if temperature > 0.0 else k
        delta = -1.0 if mask[i] else 1.0
        variance, overlap = _moments(field, fields[i], delta, correction, target)
        error = error_of(variance + load * (totals[0] + delta), overlap, gain)
        if keeps(error - totals[1], temperature, rng):
            mask[i] = not mask[i]
            field += delta * fields[i]
            totals[0] += delta
            totals[1] = error
            flips += 1
            if error < totals[2]:
                totals[2] = error
                best[:] = mask
    return flips


@compiled
def _field_of(fields: NDArray[Any], background: NDArray[Any], mask: NDArray[np.bool_]) -> NDArray[Any]:
    field = background.copy()
    for i in range(len(mask)):
        if mask[i]:
            field += fields[i]
    return field


@compiled
def _anneal_fields(
    fields: NDArray[Any],
    background: NDArray[Any],
    correction: Floats,
    target: Floats,
    load: float,
    gain: float,
    start: NDArray[np.bool_],
    schedule: Schedule,
    rng: np.random.Generator,
) -> tuple[NDArray[np.bool_], float]:
    """One start of `search_fields`."""
    mask, best = start.copy(), start.copy()
    field = _field_of(fields, background, mask)
    on = float(np.sum(mask))
    variance, overlap = _moments(field, background, 0.0, correction, target)
    error = error_of(variance + load * on, overlap, gain)
    totals = np.array([on, error, error])
    change = 0.0
    for i in range(len(mask)):
        delta = -1.0 if mask[i] else 1.0
        variance, overlap = _moments(field, fields[i], delta, correction, target)
        change += abs(error_of(variance + load * (on + delta), overlap, gain) - error) / len(mask)
    for sweep in range(schedule.sweeps + MOST_DESCENTS):
        if sweep == schedule.sweeps:
            mask[:] = best
            field = _field_of(fields, background, mask)
            totals[0], totals[1] = float(np.sum(mask)), totals[2]
        temperature = temperature_of(schedule, change, sweep)
        flips = _sweep_fields(fields, correction, target, load, gain, temperature, mask, field, totals, best, rng)
        if temperature == 0.0 and flips == 0:
            break
    return best, totals[2]


def search_fields(
    fields: NDArray[Any],
    background: NDArray[Any],
    correction: Floats,
    target: Floats,
    load: float,
    gain: float,
    start: NDArray[np.bool_],
    effort: Effort,
    rng: np.random.Generator,
) -> tuple[NDArray[np.bool_], Floats]:
    """The best masks found on y = |f0 + sum_i w_i f_i|^2 + y1, and their errors. No single flip lowers them further.

    Parameters
    ----------
    fields : ndarray, shape (N, T)
        f_i, real or complex.
    background : ndarray, shape (T,)
        f0, of the same type.
    correction : ndarray, shape (T,)
        y1.
    target : ndarray, shape (T,)
        Without mean.
    load : float
        Variance that every mirror that is on adds, as regularisation.
    gain : float
        Of the fixed-gain error; 0 for nmse.
    start : ndarray of bool, shape (N,)
        The first mask.
    effort : Effort
        How long to try.
    rng : numpy.random.Generator
        Draws the other starts and decides in annealing.

    Returns
    -------
    tuple of ndarray of bool, shape (S, N), and ndarray, shape (S,)
        One mask of each start and their errors, the lowest first.
    """
    schedule, starts = effort.fields_schedule(*fields.shape)
    found = []
    for k in range(starts):
        first = start if k == 0 else rng.random(len(start)) < 0.5
        found.append(_anneal_fields(fields, background, correction, target, load, gain, first, schedule, rng))
        if effort.progress is not None:
            effort.progress((k + 1) / starts)
    return by_error(found)
