"""How good a Boolean mask could be at best: a certified lower bound of the error on a known linear readout.

With weights between 0 and 1 instead of 0 or 1 the problem is convex, once the gain is fixed: in u = w s with s = 1/g

    error(u, s) = |X^T u + s y0 - t|^2 / T + r s sum(u),  0 <= u <= s,

where r is the variance that every mirror that is on is made to add. For a mask w = w^2, so that this term may be
linear, which makes fractions of a mirror dear: that is what lets the bound come close. For an error with the gain
fitted, intervals of s are bounded one by one (u <= the largest s, r times the smallest) and the lowest one split, until
the bound hardly rises. Every interval is solved by a primal-dual interior point method, and its bound is certified
whatever became of that: for a convex error, error(u) + the least of gradient (u' - u) over the box is below all of it.

Without r, and with more mirrors than steps, weights between 0 and 1 reach any target: the bound is 0 and says nothing.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from threadpoolctl import threadpool_limits

Floats = NDArray[np.float64]

_ITERATIONS = 60  # of the interior point method; 20 to 40 suffice
_TOLERANCE = 2e-3  # of the bound, relative, at which an interval is solved
_FIRST_FACTORS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.35, 2.0, 4.0, math.inf)  # first intervals, in units of the mask's s
_NARROW = 1.02  # interval of s that is not split further
_FAR = 1e3  # times s, where it has no end
_CENTRING = 0.1
_GRAM_SHARE = 2.4  # mirrors over steps, up to which a matrix of mirrors is solved sooner than one of steps
_SECONDS_AN_INTERVAL = 4e-10  # of a cube of mirrors
_LEAST_SHARE = 0.02  # of the error found, below which a bound says nothing


@dataclass(frozen=True)
class MaskBound:
    """What is known of the best mask.

    Attributes
    ----------
    error : float
        The error of the mask found, ridge included.
    bound : float
        No mask has a lower one, ridge included.
    """

    error: float
    bound: float

    @property
    def gap(self) -> float | None:
        """How far the error found is above the bound, as a share of the bound; None where the bound says nothing."""
        return self.error / self.bound - 1 if self.bound > _LEAST_SHARE * self.error else None

    def __str__(self) -> str:
        if self.gap is None:
            return "the bound says nothing of how good a mask could be"
        return f"at most {100 * self.gap:.0f} % above the best possible mask of these responses"


def mask_bound(
    responses: Floats,
    background: Floats,
    target: Floats,
    mask: NDArray[np.bool_],
    *,
    ridge: float,
    gain: float = 0.0,
    splits: int = 24,
    progress: Callable[[float], None] | None = None,
) -> MaskBound:
    """Bound the error of all masks on y = y0 + sum_i w_i x_i.

    Parameters
    ----------
    responses : ndarray, shape (N, T)
        x_i.
    background : ndarray, shape (T,)
        y0.
    target : ndarray, shape (T,)
        Standardised.
    mask : ndarray of bool, shape (N,)
        The best one known, to compare with.
    ridge : float
        Variance that every mirror that is on adds, as a share of the mean variance of a response.
    gain : float
        Of the fixed-gain error; 0 for nmse.
    splits : int
        Of intervals of the gain, at most; more bring the bound closer.
    progress : callable, optional
        Called now and then with the fraction that is done, at most.

    Returns
    -------
    MaskBound
    """
    steps = len(target)
    centred = (responses - responses.mean(axis=1, keepdims=True)) / math.sqrt(steps)
    scale = float(np.sqrt(np.mean(np.sum(centred**2, axis=1)))) or 1.0
    centred = centred / scale
    offset = (background - background.mean()) / (scale * math.sqrt(steps))
    wanted = target / math.sqrt(steps)
    output = mask.astype(np.float64) @ centred + offset
    variance = float(output @ output) + ridge * float(mask.sum())
    overlap = float(output @ wanted)
    problem = _Relaxed(centred, offset, wanted, ridge)
    if gain > 0:
        s = scale / gain
        error = s**2 * variance - 2 * s * overlap + 1
        with threadpool_limits(1, user_api="blas"):
            return MaskBound(error, problem.bound(s, s, error))
    if not overlap > 0:
        return MaskBound(2 * (1 - overlap / math.sqrt(variance)), 0.0)
    error = 1 - overlap**2 / variance
    # Threads that wait for each other in thousands of small factorisations take longer than one alone.
    with threadpool_limits(1, user_api="blas"):
        lowest = _lowest_of_all_gains(problem, overlap / variance, error, splits, progress)
    return MaskBound(_nmse(error), _nmse(max(lowest, 0.0)))


def _nmse(unexplained: float) -> float:
    """2 (1 - correlation) of 1 - correlation^2."""
    return 2 * (1 - math.sqrt(1 - unexplained))


def seconds_of_bound(neurons: int, steps: int, splits: int) -> float:
    """Computing time of a bound for nmse on a usual computer."""
    return _SECONDS_AN_INTERVAL * (len(_FIRST_FACTORS) + 2 * splits) * neurons**2 * min(neurons, _GRAM_SHARE * steps)


def _lowest_of_all_gains(
    problem: _Relaxed, mask_s: float, error: float, splits: int, progress: Callable[[float], None] | None
) -> float:
    """Branch and bound over s: the lowest bound of all intervals, which are split until it hardly rises."""
    edges = [factor * mask_s for factor in _FIRST_FACTORS]
    intervals: list[tuple[float, float, float]] = []

    def add(low: float, high: float) -> None:
        heapq.heappush(intervals, (problem.bound(low, high, error), low, high))

    for low, high in pairwise(edges):
        add(low, high)
    for split in range(splits):
        if progress is not None:
            progress(split / splits)
        bound, low, high = intervals[0]
        if bound >= error or high <= low * _NARROW:
            break
        heapq.heappop(intervals)
        middle = math.sqrt(low * high) if low > 0 and math.isfinite(high) else (2 * low if low > 0 else high / 2)
        add(low, middle)
        add(middle, high)
    return min(error, intervals[0][0])


class _Relaxed:
    """The relaxed problem: mirrors, and s as one more variable, whose response is the background."""

    def __init__(self, responses: Floats, background: Floats, target: Floats, ridge: float) -> None:
        self._rows = np.vstack([responses, background[None]])
        self._target, self._ridge = target, ridge
        few = len(self._rows) <= _GRAM_SHARE * len(target)
        self._gram = 2 * self._rows @ self._rows.T if few else None

    def bound(self, low: float, high: float, enough: float) -> float:
        """Certified lower bound for s between two values; the search for the largest one ends when it is enough.

        enough: error of the mask known.

        Primal-dual: gradient = z - v, with z (u - least) and v (most - u) falling to 0 together.
        """
        rows, count = self._rows, len(self._rows)
        linear = np.full(count, self._ridge * low)
        linear[-1] = 0.0
        # An s without end: what mirrors add is bounded by the ridge alone, that of s by nothing worth having.
        most = np.full(count, high if math.isfinite(high) else _FAR * low)
        least = np.zeros(count)
        least[-1] = low
        if low == high:
            least[-1], most[-1] = low * (1 - 1e-9), high * (1 + 1e-9)
        over = 0.5 * np.minimum(most - least, 2 * np.median(most - least))
        u = least + over
        z = v = np.full(count, 0.01 * float(np.mean(np.abs(2 * rows @ self._target))) + 1e-12)
        best = 0.0
        for _ in range(_ITERATIONS):
            over, under = u - least, most - u
            left = rows.T @ u - self._target
            gradient = 2 * rows @ left + linear
            error = float(left @ left) + float(linear @ u)
            best = max(best, error - float(np.sum(np.where(gradient > 0, gradient * over, -gradient * under))))
            if best >= enough or error - best <= _TOLERANCE * best or error < _LEAST_SHARE * enough:
                break
            barrier = _CENTRING * float(z @ over + v @ under) / (2 * count)
            try:
                step = self._solved(z / over + v / under, barrier / over - barrier / under - gradient)
            except LinAlgError:  # at the end of double precision
                break
            step_z = barrier / over - z - z * step / over
            step_v = barrier / under - v + v * step / under
            primal = 0.99 * min(1.0, _largest(over, step), _largest(under, -step))
            dual = 0.99 * min(1.0, _largest(z, step_z), _largest(v, step_v))
            u, z, v = u + primal * step, z + dual * step_z, v + dual * step_v
        return best

    def _solved(self, diagonal: Floats, wish: Floats) -> Floats:
        """(2 rows rows^T + diagonal)^-1 wish, by the smaller side of the rows."""
        if self._gram is not None:
            matrix = self._gram.copy()
            matrix[np.diag_indices_from(matrix)] += diagonal
            return np.asarray(cho_solve(cho_factor(matrix, overwrite_a=True, check_finite=False), wish))
        weighted = self._rows / diagonal[:, None]
        inner = self._rows.T @ weighted
        inner[np.diag_indices_from(inner)] += 0.5
        solution = cho_solve(cho_factor(inner, overwrite_a=True, check_finite=False), weighted.T @ wish)
        return np.asarray(wish / diagonal - weighted @ solution)


def _largest(values: Floats, step: Floats) -> float:
    """The longest step along which positive values stay positive."""
    falling = step < 0
    return float(np.min(-values[falling] / step[falling], initial=math.inf))
