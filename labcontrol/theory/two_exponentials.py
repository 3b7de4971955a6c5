"""A fast start and a slow rest: two exponentials, where one does not describe a predicted curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

Floats = NDArray[np.float64]

_FEWEST_POINTS = 8
_APART = 1.5  # ratio of two time constants; closer ones are one
_LEAST_PART = 1e-3  # of the height; what is smaller is no second exponential


@dataclass(frozen=True)
class TwoExponentials:
    """floor + fast exp(-k / tau) + slow exp(-k / slow_tau).

    Attributes
    ----------
    floor, fast, slow : float
        In the unit of the error.
    tau, slow_tau : float
        Time constants in epochs, the shorter one first.
    """

    floor: float
    fast: float
    slow: float
    tau: float
    slow_tau: float

    def curve(self, epochs: NDArray[np.integer] | Floats) -> Floats:
        """Error after `epochs` (K,)."""
        k = np.asarray(epochs, dtype=np.float64)
        return np.asarray(
            self.floor + self.fast * np.exp(-k / self.tau) + self.slow * np.exp(-k / self.slow_tau), dtype=np.float64
        )


def fit_two_exponentials(epochs: NDArray[np.integer] | Floats, errors: Floats) -> TwoExponentials | None:
    """Fit two exponentials to the logarithm of a smooth curve.

    Parameters
    ----------
    epochs : ndarray, shape (K,)
        Rising.
    errors : ndarray, shape (K,)
        Positive, of many runs together: a single one is too rough for five unknowns.

    Returns
    -------
    TwoExponentials or None
        None where there are too few points, the curve does not fall, or one exponential does as well.
    """
    k, goal = np.asarray(epochs, dtype=np.float64), np.log(np.maximum(errors, np.finfo(float).tiny))
    if len(k) < _FEWEST_POINTS or not errors[-1] < errors[0]:
        return None
    span, height = max(float(k[-1] - k[0]), 1.0), float(errors[0])

    def model(logarithms: Floats) -> TwoExponentials:
        return TwoExponentials(*np.exp(np.clip(logarithms, -60, 60)))

    def misfit(logarithms: Floats) -> Floats:
        return np.log(model(logarithms).curve(k)) - goal

    starts = [
        np.log([errors[-1] / 2, height, max(errors[-1], height / 20), span * share, span * share * ratio])
        for share in (0.01, 0.03, 0.1, 0.3)
        for ratio in (3.0, 10.0)
    ]
    found = min((least_squares(misfit, start, method="lm") for start in starts), key=lambda fit: float(fit.cost))
    best = model(found.x)
    if best.tau > best.slow_tau:
        best = TwoExponentials(best.floor, best.slow, best.fast, best.slow_tau, best.tau)
    are_two = best.slow_tau > _APART * best.tau and min(best.fast, best.slow) > _LEAST_PART * height
    return best if are_two and best.tau > 1 else None
