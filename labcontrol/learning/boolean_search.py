"""The Boolean problem in software: annealing and descent over masks on a known readout.

Both errors depend on an output only through its variance v over time and its covariance c with the target: mse =
v/g^2 - 2c/g + 1, nmse = 2 (1 - c/sqrt(v)).

Linear readout: near a good mask one flip changes the error by about C_ii/g^2, ten times the error itself; two flips
that compensate each other change it far less. So annealing goes on in pairs: a random mirror i, its best partner j
found in one pass over row i of the covariance, O(N), and the pair accepted by Metropolis' rule. Partners are compared
by v/g^2 - 2c/g at g = v/c: what lowers this lowers the nmse. A descent follows that ends only when no flip of one or
two mirrors lowers the error. Memory: 4 N^2 bytes for the covariance, in single precision (400 MB for 10 000 mirrors).

Coherent readout: a visit to a mirror costs O(T), and single flips are all that is tried.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from labcontrol.compiled import compiled

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]


class Schedule(NamedTuple):
    """Temperature falls geometrically by `cooling` over `sweeps` visits to every mirror.

    heat: first temperature. For single flips in mean changes of the error that one flip of the start mask makes: about
    1 forgets the start, 0.03 stays near it. For pairs in mean C_ii/g^2.
    """

    heat: float
    sweeps: int
    cooling: float


class Effort(NamedTuple):
    """How long a search tries.

    starts: the first from the mask given, the others from random ones. local: stay near the start. length: factor on
    the sweeps. seconds: of computing, at most. Counted in operations of a usual processor instead of on a clock, so
    that a search can be repeated bit for bit. progress: called with the share that is done.
    """

    starts: int = 2
    local: bool = False
    length: float = 1.0
    seconds: float = 60.0
    progress: Callable[[float], None] | None = None

    def schedules(self, neurons: int) -> tuple[Schedule, Schedule, int]:
        """Of single flips and of pairs on a linear readout, and the starts there is time for."""
        singles, pairs = (0 if self.local else _SINGLES.sweeps) * self.length, _PAIRS.sweeps * self.length
        share, starts = self._limited((singles * _SINGLE_S + pairs * _PAIR_S) * neurons**2)
        return (
            _SINGLES._replace(sweeps=round(singles * share)),
            _PAIRS._replace(sweeps=max(1, round(pairs * share))),
            starts,
        )

    def fields_schedule(self, neurons: int, steps: int) -> tuple[Schedule, int]:
        """Of single flips on a coherent readout, and the starts there is time for."""
        schedule = _FIELDS_LOCAL if self.local else _FIELDS
        sweeps = schedule.sweeps * self.length
        share, starts = self._limited(sweeps * neurons * steps * _STEP_S)
        return schedule._replace(sweeps=max(1, round(sweeps * share))), starts

    def _limited(self, start_s: float) -> tuple[float, int]:
        """The share of the sweeps and the starts, each of which would take so long, that there is time for."""
        return min(1.0, self.seconds / start_s), max(1, min(self.starts, int(self.seconds / start_s)))


GLOBAL = Effort()
LOCAL = Effort(starts=1, local=True)

_SINGLES = Schedule(heat=1.0, sweeps=40, cooling=3e-4)
_PAIRS = Schedule(heat=0.03, sweeps=25, cooling=1e-2)
_FIELDS, _FIELDS_LOCAL = Schedule(1.0, 200, 3e-4), Schedule(0.03, 60, 3e-4)  # coherent readout
# Computing time on a usual processor: of a sweep, over N^2, with the covariance in main memory; of one step of a field.
_SINGLE_S, _PAIR_S, _STEP_S = 1e-9, 2e-9, 2e-9

_MOST_DESCENTS = 1000  # sweeps without temperature; a local minimum is reached in a handful
_LEAST_GAIN = 1e-13  # relative; less is rounding
_BLOCK = 64  # mirrors among which a partner is looked for at once


@compiled
def _error(variance: float, covariance: float, gain: float) -> float:
    """gain: of the fixed-gain error; 0 for nmse."""
    if gain > 0:
        return variance / gain**2 - 2.0 * covariance / gain + 1.0
    return 2.0 * (1.0 - covariance / np.sqrt(variance)) if variance > 0.0 else 2.0


@compiled
def _merit(variance: float, covariance: float, gain: float) -> float:
    """Falls when the error rises, and is computed sooner."""
    if gain > 0:
        return 2.0 * covariance * gain - variance
    return covariance * abs(covariance) / variance if variance > 0.0 else 0.0


@compiled
def _keeps(rise: float, temperature: float, rng: np.random.Generator) -> bool:
    return rise < 0.0 or (temperature > 0.0 and rng.random() < np.exp(-rise / temperature))


@compiled
def _temperature(schedule: Schedule, change: float, sweep: int) -> float:
    """Of one sweep; 0 for those of the descent at the end."""
    if sweep >= schedule.sweeps:
        return 0.0
    return float(schedule.heat * change * schedule.cooling ** (sweep / schedule.sweeps))


# --- linear readout ---------------------------------------------------------------------------------------------
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
    state.totals[2] = _error(state.totals[0], state.totals[1], readout.gain)


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
        flipped = _error(variance, state.totals[1] + delta * readout.overlaps[i], readout.gain)
        change += abs(flipped - state.totals[2]) / len(state.mask)
    return change


@compiled
def _sweep_singles(readout: _Linear, state: _State, temperature: float, rng: np.random.Generator) -> None:
    """Visit as many mirrors as there are."""
    for _ in range(len(state.mask)):
        i = int(rng.random() * len(state.mask))
        delta = np.float64(state.step[i])
        variance = state.totals[0] + 2.0 * delta * state.field[i] + readout.diagonal[i]
        error = _error(variance, state.totals[1] + delta * readout.overlaps[i], readout.gain)
        if _keeps(error - state.totals[2], temperature, rng):
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
        error = _error(variance, overlap, readout.gain)
        if i != j and _keeps(error - state.totals[2], temperature, rng):
            state.totals[0], state.totals[1], state.totals[2] = variance, overlap, error
            _flip_pair(readout, state, i, j)
            _remember(state)


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
    state.totals[2] = _error(state.totals[0], state.totals[1], readout.gain)
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
    return _sorted(found)


def _sorted(found: list[tuple[NDArray[np.bool_], float]]) -> tuple[NDArray[np.bool_], Floats]:
    order = sorted(found, key=lambda one: one[1])
    return np.array([mask for mask, _ in order]), np.array([error for _, error in order])


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
        _sweep_singles(readout, state, _temperature(singles, change, sweep), rng)
        done += 1
        report()
    _place(readout, state, state.best)
    change = float(np.mean(readout.diagonal)) / _gain_of(readout, state) ** 2
    for sweep in range(pairs.sweeps):
        _sweep_pairs(readout, state, _temperature(pairs, change, sweep), rng)
        done += 1
        report()
    _place(readout, state, state.best)
    idle, size = 0, len(state.mask)
    for _ in range(_MOST_DESCENTS):
        idle = _descend(readout, state, 0, size, idle)
        report()
        if idle >= size:
            break
    _remember(state)


# --- coherent readout -------------------------------------------------------------------------------------------
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
    return _sorted(found)
