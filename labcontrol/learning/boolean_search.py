"""The Boolean problem in software: annealing and descent over masks on a known readout.

Both errors depend on an output only through its variance v over time and its covariance c with the target: mse =
v/g^2 - 2c/g + 1, nmse = 2 (1 - c/sqrt(v)). For a linear readout one visit to a mirror costs O(1) and one accepted flip
O(N); for a coherent one a visit costs O(T).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from labcontrol.compiled import compiled

Floats = NDArray[np.float64]


class Schedule(NamedTuple):
    """Temperature falls geometrically by `cooling` over `sweeps` visits to every mirror, then no rise is accepted.

    heat: first temperature, in mean changes of the error that one flip of the start mask makes. About 1 forgets the
    start; 0.03 stays near it.
    """

    heat: float = 1.0
    sweeps: int = 200
    cooling: float = 3e-4


GLOBAL = Schedule()
LOCAL = Schedule(heat=0.03, sweeps=60)

_MOST_DESCENTS = 100  # sweeps without temperature; a local minimum is reached in a handful


@compiled
def _error(variance: float, covariance: float, gain: float) -> float:
    """gain: of the fixed-gain error; 0 for nmse."""
    if gain > 0:
        return variance / gain**2 - 2.0 * covariance / gain + 1.0
    return 2.0 * (1.0 - covariance / np.sqrt(variance)) if variance > 0.0 else 2.0


@compiled
def _keeps(rise: float, temperature: float, rng: np.random.Generator) -> bool:
    return rise < 0.0 or (temperature > 0.0 and rng.random() < np.exp(-rise / temperature))


@compiled
def _temperature(schedule: Schedule, change: float, sweep: int) -> float:
    """Of one sweep; 0 for those of the descent at the end."""
    if sweep >= schedule.sweeps:
        return 0.0
    return float(schedule.heat * change * schedule.cooling ** (sweep / schedule.sweeps))


@compiled
def _sweep_linear(
    covariance: Floats,
    overlaps: Floats,
    gain: float,
    temperature: float,
    mask: NDArray[np.bool_],
    field: Floats,
    totals: Floats,
    best: NDArray[np.bool_],
    rng: np.random.Generator,
) -> int:
    """Visit as many mirrors as there are; returns how many were flipped.

    field: (N,) covariance of every response with the output. totals: [variance, overlap, error, error of the best].
    """
    flips = 0
    for k in range(len(overlaps)):
        i = int(rng.random() * len(overlaps)) if temperature > 0.0 else k
        delta = -1.0 if mask[i] else 1.0
        variance = totals[0] + 2.0 * delta * field[i] + covariance[i, i]
        overlap = totals[1] + delta * overlaps[i]
        error = _error(variance, overlap, gain)
        if _keeps(error - totals[2], temperature, rng):
            mask[i] = not mask[i]
            field += delta * covariance[i]
            totals[0], totals[1], totals[2] = variance, overlap, error
            flips += 1
            if error < totals[3]:
                totals[3] = error
                best[:] = mask
    return flips


@compiled
def _place_linear(
    covariance: Floats,
    overlaps: Floats,
    gain: float,
    target_mask: NDArray[np.bool_],
    mask: NDArray[np.bool_],
    field: Floats,
    totals: Floats,
) -> None:
    """Make the mask another one, with everything that depends on it."""
    for i in range(len(mask)):
        if mask[i] != target_mask[i]:
            delta = -1.0 if mask[i] else 1.0
            totals[0] += 2.0 * delta * field[i] + covariance[i, i]
            totals[1] += delta * overlaps[i]
            field += delta * covariance[i]
            mask[i] = target_mask[i]
    totals[2] = _error(totals[0], totals[1], gain)


@compiled
def search_linear(
    covariance: Floats,
    cross: Floats,
    overlaps: Floats,
    offset_variance: float,
    offset_overlap: float,
    gain: float,
    start: NDArray[np.bool_],
    schedule: Schedule,
    rng: np.random.Generator,
) -> tuple[NDArray[np.bool_], float]:
    """Anneal a mask on y = y0 + sum_i w_i x_i. Returns the best one found and its error.

    covariance: (N, N) of the responses. cross: (N,) of the responses with y0. overlaps: (N,) of the responses with the
    target. offset_variance, offset_overlap: of y0. gain: 0 for nmse. start: (N,).
    """
    neurons = len(overlaps)
    mask, best, field = np.zeros(neurons, dtype=np.bool_), start.copy(), cross.copy()
    totals = np.array([offset_variance, offset_overlap, 0.0, 0.0])
    _place_linear(covariance, overlaps, gain, start, mask, field, totals)
    totals[3] = totals[2]
    change = 0.0
    for i in range(neurons):
        delta = -1.0 if mask[i] else 1.0
        flipped = _error(totals[0] + 2.0 * delta * field[i] + covariance[i, i], totals[1] + delta * overlaps[i], gain)
        change += abs(flipped - totals[2]) / neurons
    for sweep in range(schedule.sweeps + _MOST_DESCENTS):
        if sweep == schedule.sweeps:
            _place_linear(covariance, overlaps, gain, best, mask, field, totals)
        temperature = _temperature(schedule, change, sweep)
        flips = _sweep_linear(covariance, overlaps, gain, temperature, mask, field, totals, best, rng)
        if temperature == 0.0 and flips == 0:
            break
    return best, totals[3]


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
    """As `_sweep_linear`. field: (T,) of the mask. totals: [mirrors on, unused, error, error of the best]."""
    flips = 0
    for k in range(len(fields)):
        i = int(rng.random() * len(fields)) if temperature > 0.0 else k
        delta = -1.0 if mask[i] else 1.0
        variance, overlap = _moments(field, fields[i], delta, correction, target)
        error = _error(variance + load * (totals[0] + delta), overlap, gain)
        if _keeps(error - totals[2], temperature, rng):
            mask[i] = not mask[i]
            field += delta * fields[i]
            totals[0] += delta
            totals[2] = error
            flips += 1
            if error < totals[3]:
                totals[3] = error
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
def search_fields(
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
    """Anneal a mask on y = |f0 + sum_i w_i f_i|^2 + y1. Returns the best one found and its error.

    fields: (N, T) real or complex. background: (T,) f0, same type. correction: (T,) y1. target: (T,) without mean.
    load: variance that every mirror that is on adds, as regularisation. gain: 0 for nmse. start: (N,).
    """
    mask, best = start.copy(), start.copy()
    field = _field_of(fields, background, mask)
    on = float(np.sum(mask))
    variance, overlap = _moments(field, background, 0.0, correction, target)
    error = _error(variance + load * on, overlap, gain)
    totals = np.array([on, 0.0, error, error])
    change = 0.0
    for i in range(len(mask)):
        delta = -1.0 if mask[i] else 1.0
        variance, overlap = _moments(field, fields[i], delta, correction, target)
        change += abs(_error(variance + load * (on + delta), overlap, gain) - error) / len(mask)
    for sweep in range(schedule.sweeps + _MOST_DESCENTS):
        if sweep == schedule.sweeps:
            mask[:] = best
            field = _field_of(fields, background, mask)
            totals[0], totals[2] = float(np.sum(mask)), totals[3]
        temperature = _temperature(schedule, change, sweep)
        flips = _sweep_fields(fields, correction, target, load, gain, temperature, mask, field, totals, best, rng)
        if temperature == 0.0 and flips == 0:
            break
    return best, totals[3]
