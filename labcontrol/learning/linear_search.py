"""Annealing and descent over masks on a linear readout.

Near a good mask one flip changes the error by about C_ii/g^2, ten times the error itself; two flips that compensate
each other change it far less. So annealing goes on in pairs: a random mirror i, its best partner j found in one pass
over row i of the covariance, O(N), and the pair accepted by Metropolis' rule. Partners are compared by v/g^2 - 2c/g at
g = v/c: what lowers this lowers the nmse. A descent follows that ends only when no flip of one or two mirrors lowers
the error. Memory: 4 N^2 bytes for the covariance, in single precision (400 MB for 10 000 mirrors).
"""

from __future__ import annotations

from typing import NamedTuple

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

Singles = NDArray[np.float32]

_LEAST_GAIN = 1e-13  # relative; less is rounding
_BLOCK = 64  # mirrors among which a partner is looked for at once


class _Linear(NamedTuple):
    """y = y0 + sum_i w_i x_i by its moments.

    covariance: (N, N) of the responses. diagonal: (N,) of it. overlaps: (N,) of the responses with the target. gain: 0
    for nmse.
    """

    covariance: Singles
    diagonal: Floats
    overlaps: Floats
    gain: float


class _State(NamedTuple):
    """A mask, with what depends on it.

    step: (N,) 1 for a mirror that is off, else -1. field: (N,) covariance of every response with the output. single:
    (N,) change of v - 2 g c that one flip makes. totals: [v, c, error, error of the best]. best: (N,) the best mask.
    """

    mask: NDArray[np.bool_]
    step: Singles
    field: Floats
    single: Singles
    totals: Floats
    best: NDArray[np.bool_]


@compiled
def _flip(readout: _Linear, state: _State, mirror: int) -> None:
    """Flip one mirror; `single` is not kept up."""
    delta, row = np.float64(state.step[mirror]), readout.covariance[mirror]
    state.totals[0] += 2.0 * delta * state.field[mirror] + readout.diagonal[mirror]
    state.totals[1] += delta * readout.overlaps[mirror]
    field = state.field
    for k in range(len(field)):
        field[k] += delta * row[k]
    state.mask[mirror] = not state.mask[mirror]
    state.step[mirror] = -state.step[mirror]


@compiled
def _place(readout: _Linear, state: _State, mask: NDArray[np.bool_]) -> None:
    """Make the mask another one."""
    for mirror in range(len(mask)):
        if state.mask[mirror] != mask[mirror]:
            _flip(readout, state, mirror)
    state.totals[2] = error_of(state.totals[0], state.totals[1], readout.gain)


@compiled
def _remember(state: _State) -> None:
    if state.totals[2] < state.totals[3]:
        state.totals[3] = state.totals[2]
        state.best[:] = state.mask


@compiled
def _mean_change(readout: _Linear, state: _State) -> float:
    """Of the error, by one flip."""
    change = 0.0
    for i in range(len(state.mask)):
        delta = np.float64(state.step[i])
        variance = state.totals[0] + 2.0 * delta * state.field[i] + readout.diagonal[i]
        flipped = error_of(variance, state.totals[1] + delta * readout.overlaps[i], readout.gain)
        change += abs(flipped - state.totals[2]) / len(state.mask)
    return change


@compiled
def _sweep_singles(readout: _Linear, state: _State, temperature: float, rng: np.random.Generator) -> None:
    """Visit as many mirrors as there are."""
    for _ in range(len(state.mask)):
        i = int(rng.random() * len(state.mask))
        delta = np.float64(state.step[i])
        variance = state.totals[0] + 2.0 * delta * state.field[i] + readout.diagonal[i]
        error = error_of(variance, state.totals[1] + delta * readout.overlaps[i], readout.gain)
        if keeps(error - state.totals[2], temperature, rng):
            _flip(readout, state, i)
            state.totals[2] = error
            _remember(state)


@compiled
def _gain_of(readout: _Linear, state: _State) -> float:
    """Of the output; without any correlation with the target so large that only overlaps count."""
    if readout.gain > 0.0:
        return readout.gain
    return state.totals[0] / state.totals[1] if state.totals[1] > 0.0 else 1e30


@compiled
def _update_single(readout: _Linear, state: _State) -> None:
    gain, field, overlaps, diagonal = _gain_of(readout, state), state.field, readout.overlaps, readout.diagonal
    step, single = state.step, state.single
    for j in range(len(field)):
        single[j] = np.float32(2.0 * step[j] * (field[j] - gain * overlaps[j]) + diagonal[j])


@compiled
def _flip_pair(readout: _Linear, state: _State, i: int, j: int) -> None:
    """Flip two mirrors, whose totals are known already, with everything else in one pass."""
    first, second = np.float64(state.step[i]), np.float64(state.step[j])
    for mirror in (i, j):
        state.mask[mirror] = not state.mask[mirror]
        state.step[mirror] = -state.step[mirror]
    gain, field, overlaps, diagonal = _gain_of(readout, state), state.field, readout.overlaps, readout.diagonal
    step, single, row, other = state.step, state.single, readout.covariance[i], readout.covariance[j]
    for k in range(len(field)):
        value = field[k] + first * row[k] + second * other[k]
        field[k] = value
        single[k] = np.float32(2.0 * step[k] * (value - gain * overlaps[k]) + diagonal[k])


@compiled
def _key(value: np.float32) -> np.int32:
    """An integer in the order of the values: least integers are found in vector registers, least floats are not."""
    bits = np.float32(value).view(np.int32)
    return bits ^ ((bits >> np.int32(31)) & np.int32(0x7FFFFFFF))


@compiled
def _lowest(row: Singles, factor: np.float32, single: Singles, step: Singles) -> np.int32:
    lowest = np.int32(0x7FFFFFFF)
    for j in range(len(row)):
        lowest = min(lowest, _key(single[j] + factor * step[j] * row[j]))
    return lowest


@compiled
def _partner(readout: _Linear, state: _State, i: int) -> int:
    """The mirror whose flip, together with that of mirror i, lowers v - 2 g c the most."""
    row, single, step = readout.covariance[i], state.single, state.step
    factor, size = np.float32(2.0) * step[i], len(row)
    kept, single[i] = single[i], np.float32(np.inf)
    lowest, first = np.int32(0x7FFFFFFF), 0
    for start in range(0, size, _BLOCK):
        end = min(start + _BLOCK, size)
        found = _lowest(row[start:end], factor, single[start:end], step[start:end])
        if found < lowest:
            lowest, first = found, start
    while first < size - 1 and _key(single[first] + factor * step[first] * row[first]) != lowest:
        first += 1
    single[i] = kept
    return first


@compiled
def _sweep_pairs(readout: _Linear, state: _State, temperature: float, rng: np.random.Generator) -> None:
    """Visit as many mirrors as there are, each with its best partner."""
    _update_single(readout, state)
    for _ in range(len(state.mask)):
        i = int(rng.random() * len(state.mask))
        j = _partner(readout, state, i)
        first, second = np.float64(state.step[i]), np.float64(state.step[j])
        variance = (
            state.totals[0]
            + 2.0 * (first * state.field[i] + second * state.field[j] + first * second * readout.covariance[i, j])
            + readout.diagonal[i]
            + readout.diagonal[j]
        )
        overlap = state.totals[1] + first * readout.overlaps[i] + second * readout.overlaps[j]
        error = error_of(variance, overlap, readout.gain)
        if i != j and keeps(error - state.totals[2], temperature, rng):
            state.totals[0], state.totals[1], state.totals[2] = variance, overlap, error
            _flip_pair(readout, state, i, j)
            _remember(state)


@compiled
def _merit(variance: float, covariance: float, gain: float) -> float:
    """Falls when the error rises, and is computed sooner."""
    if gain > 0:
        return 2.0 * covariance * gain - variance
    return covariance * abs(covariance) / variance if variance > 0.0 else 0.0


@compiled
def _descend_row(readout: _Linear, state: _State, i: int) -> bool:
    """Flip mirror i, alone or with its best partner, if that lowers the error; the error itself decides."""
    row, field, step = readout.covariance[i], state.field, state.step
    first = np.float64(step[i])
    variance = state.totals[0] + 2.0 * first * field[i] + readout.diagonal[i]
    overlap = state.totals[1] + first * readout.overlaps[i]
    best, partner = _merit(variance, overlap, readout.gain), i
    for j in range(len(row)):
        second = np.float64(step[j])
        both = variance + 2.0 * second * (field[j] + first * row[j]) + readout.diagonal[j]
        merit = _merit(both, overlap + second * readout.overlaps[j], readout.gain)
        if merit > best and j != i:
            best, partner = merit, j
    now = _merit(state.totals[0], state.totals[1], readout.gain)
    if not best > now + _LEAST_GAIN * abs(now):
        return False
    _flip(readout, state, i)
    if partner != i:
        _flip(readout, state, partner)
    state.totals[2] = error_of(state.totals[0], state.totals[1], readout.gain)
    return True


@compiled
def _descend(readout: _Linear, state: _State, first: int, rows: int, idle: int) -> int:
    """Visit so many mirrors from one on; idle: visits without a gain so far. Returns it; N of them prove an optimum."""
    size = len(state.mask)
    for k in range(rows):
        if idle >= size:
            break
        idle = 0 if _descend_row(readout, state, (first + k) % size) else idle + 1
    return idle


def search_linear(
    covariance: NDArray[np.floating],
    cross: Floats,
    overlaps: Floats,
    offset_variance: float,
    offset_overlap: float,
    gain: float,
    start: NDArray[np.bool_],
    effort: Effort,
    rng: np.random.Generator,
) -> tuple[NDArray[np.bool_], Floats]:
    """The best masks found on y = y0 + sum_i w_i x_i, and their errors.

    No flip of one or two mirrors lowers the error of any of them further.

    Parameters
    ----------
    covariance : ndarray, shape (N, N)
        Of the responses.
    cross, overlaps : ndarray, shape (N,)
        Covariance of the responses with y0, and with the target.
    offset_variance, offset_overlap : float
        Variance of y0, and its covariance with the target.
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
    single = np.ascontiguousarray(covariance, dtype=np.float32)
    readout = _Linear(single, np.diag(single).astype(np.float64), overlaps, gain)
    off = np.zeros(len(start), dtype=np.bool_)
    singles, pairs, starts = effort.schedules(len(start))
    found = []
    for k in range(starts):
        state = _State(
            off.copy(),
            np.ones(len(off), dtype=np.float32),
            cross.astype(np.float64),
            np.empty(len(off), dtype=np.float32),
            np.array([offset_variance, offset_overlap, 0.0, np.inf]),
            off.copy(),
        )
        _place(readout, state, start if k == 0 else rng.random(len(start)) < 0.5)
        _remember(state)
        _anneal(readout, state, singles, pairs, effort, (k, starts), rng)
        found.append((state.best, float(state.totals[3])))
    return by_error(found)


def _anneal(
    readout: _Linear,
    state: _State,
    singles: Schedule,
    pairs: Schedule,
    effort: Effort,
    start: tuple[int, int],
    rng: np.random.Generator,
) -> None:
    """From the mask of a state to a pair optimum. start: which of how many, for the progress."""
    done, total = 0, singles.sweeps + pairs.sweeps

    def report() -> None:
        if effort.progress is not None:
            effort.progress((start[0] + min(done / total, 1.0)) / start[1])

    change = _mean_change(readout, state)
    for sweep in range(singles.sweeps):
        _sweep_singles(readout, state, temperature_of(singles, change, sweep), rng)
        done += 1
        report()
    _place(readout, state, state.best)
    change = float(np.mean(readout.diagonal)) / _gain_of(readout, state) ** 2
    for sweep in range(pairs.sweeps):
        _sweep_pairs(readout, state, temperature_of(pairs, change, sweep), rng)
        done += 1
        report()
    _place(readout, state, state.best)
    idle, size = 0, len(state.mask)
    for _ in range(MOST_DESCENTS):
        idle = _descend(readout, state, 0, size, idle)
        report()
        if idle >= size:
            break
    _remember(state)
