"""Annealing and descent over masks on a coherent readout: a visit costs O(T), and only single flips are tried."""

from __future__ import annotations

from typing import Any, NamedTuple

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


class FieldReadout(NamedTuple):
    """y = |f0 + sum_i w_i f_i|^2 + y1, and what it is to be.

    Attributes
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
    """

    fields: NDArray[Any]
    background: NDArray[Any]
    correction: Floats
    target: Floats
    load: float
    gain: float


@compiled
def _moments(readout: FieldReadout, field: NDArray[Any], step: NDArray[Any], delta: float) -> tuple[float, float]:
    """Variance of |field + delta step|^2 + correction over time and its covariance with the target."""
    correction, target = readout.correction, readout.target
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
    readout: FieldReadout,
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
    flips, fields = 0, readout.fields
    for k in range(len(fields)):
        i = int(rng.random() * len(fields)) if temperature > 0.0 else k
        delta = -1.0 if mask[i] else 1.0
        variance, overlap = _moments(readout, field, fields[i], delta)
        error = error_of(variance + readout.load * (totals[0] + delta), overlap, readout.gain)
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
def _field_of(readout: FieldReadout, mask: NDArray[np.bool_]) -> NDArray[Any]:
    field = readout.background.copy()
    for i in range(len(mask)):
        if mask[i]:
            field += readout.fields[i]
    return field


@compiled
def _anneal_fields(
    readout: FieldReadout, start: NDArray[np.bool_], schedule: Schedule, rng: np.random.Generator
) -> tuple[NDArray[np.bool_], float]:
    """One start of `search_fields`."""
    mask, best = start.copy(), start.copy()
    field, load, gain = _field_of(readout, mask), readout.load, readout.gain
    on = float(np.sum(mask))
    variance, overlap = _moments(readout, field, readout.background, 0.0)
    error = error_of(variance + load * on, overlap, gain)
    totals = np.array([on, error, error])
    change = 0.0
    for i in range(len(mask)):
        delta = -1.0 if mask[i] else 1.0
        variance, overlap = _moments(readout, field, readout.fields[i], delta)
        change += abs(error_of(variance + load * (on + delta), overlap, gain) - error) / len(mask)
    for sweep in range(schedule.sweeps + MOST_DESCENTS):
        if sweep == schedule.sweeps:
            mask[:] = best
            field = _field_of(readout, mask)
            totals[0], totals[1] = float(np.sum(mask)), totals[2]
        temperature = temperature_of(schedule, change, sweep)
        flips = _sweep_fields(readout, temperature, mask, field, totals, best, rng)
        if temperature == 0.0 and flips == 0:
            break
    return best, totals[2]


def search_fields(
    readout: FieldReadout, start: NDArray[np.bool_], effort: Effort, rng: np.random.Generator
) -> tuple[NDArray[np.bool_], Floats]:
    """The best masks found on a coherent readout, and their errors. No single flip lowers them further.

    Parameters
    ----------
    readout : FieldReadout
        What a mask gives, and what it is to give.
    start, effort, rng
        As for `search_linear`, and so is what is returned.
    """
    schedule, starts = effort.fields_schedule(*readout.fields.shape)
    found = []
    for k in range(starts):
        first = start if k == 0 else rng.random(len(start)) < 0.5
        found.append(_anneal_fields(readout, first, schedule, rng))
        if effort.progress is not None:
            effort.progress((k + 1) / starts)
    return by_error(found)
