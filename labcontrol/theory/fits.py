"""What a measured learning curve looks like: exponential, straight ramp or power law, with honest intervals.

All three are fitted as error = floor + height f(k; shape): for a given shape, floor and height are a linear problem, so
only the shape is searched for, and no starting values are needed. The floor is not allowed below zero.

The error of the incumbent is a process, not independent points: after a lucky flip the whole rest of the curve lies
lower. Intervals are made for residuals that stay correlated as the excess itself does and are new where flips are
accepted; autocorrelation lowers the number of points that count in the Akaike information criterion by which the forms
are compared.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import stdtrit

Floats = NDArray[np.float64]
Interval = tuple[float, float, float]

_POINTS = 200  # a longer curve is averaged in as many bins
_FEWEST_POINTS = 8
_SHORTEST, _LONGEST, _CONSTANTS = 1e-3, 1e2, 200  # time constants tried for many curves, in lengths of the curve


@dataclass(frozen=True)
class _Form:
    """f(k; shape) with shape = exp(parameters); f(0) = 1 and f falls."""

    name: str
    shapes: tuple[str, ...]
    has_floor: bool
    value: Callable[[Floats, Floats], Floats]


FORMS: dict[str, str] = {
    "exponential": "floor + height exp(-k / tau)",
    "ramp": "floor + height max(0, 1 - k / tau)",
    "power law": "height (1 + k / tau)^-power",
}

_FORMS = (
    _Form("exponential", ("tau",), True, lambda k, shape: np.exp(-k / shape[0])),
    _Form("ramp", ("tau",), True, lambda k, shape: np.maximum(0.0, 1 - k / shape[0])),
    _Form("power law", ("tau", "power"), False, lambda k, shape: (1 + k / shape[0]) ** -shape[1]),
)


@dataclass(frozen=True)
class LearningFit:
    """One form fitted to a learning curve.

    form: a name in FORMS. parameters: value, low and high end of the 95 % interval by name (tau in epochs, height,
    floor, power). r_squared: of the fitted points. aic: Akaike's criterion; only differences between fits of the same
    curve mean something. points: fitted.
    """

    form: str
    parameters: dict[str, Interval]
    r_squared: float
    aic: float
    points: int
    estimate: Floats  # logarithms of the shape, height, floor
    uncertainty: Floats  # their covariance

    @property
    def tau(self) -> Interval:
        """Time constant in epochs with its 95 % interval."""
        return self.parameters["tau"]

    def curve(self, epochs: NDArray[np.integer] | Floats) -> Floats:
        """Fitted error after `epochs` (K,)."""
        return _curve(_form(self.form), self.estimate, np.asarray(epochs, dtype=np.float64))


@dataclass(frozen=True)
class FitComparison:
    """Forms fitted to the same curve, best first by AIC."""

    fits: tuple[LearningFit, ...]

    @property
    def best(self) -> LearningFit:
        return self.fits[0]

    def __getitem__(self, form: str) -> LearningFit:
        return next(fit for fit in self.fits if fit.form == form)

    @property
    def weights(self) -> dict[str, float]:
        """Akaike weight of each form: its probability of being the best of the three for new data."""
        relative = [math.exp(-(fit.aic - self.best.aic) / 2) for fit in self.fits]
        return {fit.form: weight / sum(relative) for fit, weight in zip(self.fits, relative, strict=True)}


def fit_learning_curve(
    epochs: NDArray[np.integer] | Floats, errors: Floats, forms: Iterable[str] = FORMS
) -> FitComparison | None:
    """Fit forms, by default all, to the error of the incumbent.

    epochs: (K,) rising. errors: (K,). forms: names in FORMS.
    Returns None while there is nothing to fit: fewer than 8 epochs, or a curve that
    has not fallen. Takes a few milliseconds at any length.
    """
    if len(epochs) < _FEWEST_POINTS or not errors[-1] < errors[0]:
        return None
    k, y = _binned(np.asarray(epochs, dtype=np.float64), errors)
    chosen = [_form(name) for name in forms]
    estimates = [_estimate(form, k, y) for form in chosen]
    residuals = [y - _curve(form, estimate, k) for form, estimate in zip(chosen, estimates, strict=True)]
    # One count of independent points for all forms: that of the best description found.
    best = min(residuals, key=lambda r: float(r @ r))
    independent = _independent_points(best)
    fits = [
        _fit(form, estimate, k, y, residual, independent)
        for form, estimate, residual in zip(chosen, estimates, residuals, strict=True)
    ]
    return FitComparison(tuple(sorted(fits, key=lambda fit: fit.aic)))


def _binned(k: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Means over equal stretches of epochs; a curve whose later epochs are thinned counts them no less."""
    if len(k) <= _POINTS:
        return k, np.asarray(y, dtype=np.float64)
    edges = np.floor(np.linspace(k[0], k[-1] + 1, _POINTS + 1)[:-1])
    starts = np.unique(np.searchsorted(k, edges))
    counts = np.diff(np.append(starts, len(k)))
    return np.add.reduceat(k, starts) / counts, np.add.reduceat(y, starts) / counts


def _estimate(form: _Form, k: Floats, y: Floats) -> Floats:
    """Least squares: (logarithms of the shape, height, floor)."""
    span = max(float(k[-1] - k[0]), 1.0)
    low, high = math.log(span / 1000), math.log(span * 100)

    def misfit(shape: Floats) -> float:
        residual = y - _linear(form, np.clip(shape, -30, 30), k, y)[1]
        return float(residual @ residual)

    # The misfit can have a local minimum: bracket the lowest of a coarse scan first.
    scan = np.linspace(low, high, 24)
    if len(form.shapes) == 1:
        lowest = int(np.argmin([misfit(np.array([x])) for x in scan]))
        bounds = (scan[max(lowest - 1, 0)], scan[min(lowest + 1, len(scan) - 1)])
        found = minimize_scalar(
            lambda x: misfit(np.array([x])), bounds=bounds, method="bounded", options={"xatol": 1e-4}
        )
        shape = np.array([float(found.x)])
    else:
        starts = [np.array([x, 0.0]) for x in scan[::3]]
        start = min(starts, key=misfit)
        shape = minimize(misfit, start, method="Nelder-Mead", options={"xatol": 1e-3, "fatol": 1e-12, "maxfev": 80}).x
        shape = np.clip(shape, [low, math.log(0.01)], [high, math.log(100)])
    (height, floor), _ = _linear(form, shape, k, y)
    return np.array([*shape, height, floor])


def _linear(form: _Form, shape: Floats, k: Floats, y: Floats) -> tuple[tuple[float, float], Floats]:
    """Best height and floor for a shape, and the curve."""
    f = form.value(k, np.exp(shape))
    mean_f, mean_y = (float(f.mean()), float(y.mean())) if form.has_floor else (0.0, 0.0)
    centred = f - mean_f
    spread = float(centred @ centred)
    height = float(centred @ (y - mean_y)) / spread if spread > 0 else 0.0
    floor = mean_y - height * mean_f
    if floor < 0:
        height, floor = float(f @ y) / max(float(f @ f), 1e-300), 0.0
    return (height, floor), floor + height * f


def _fit(form: _Form, estimate: Floats, k: Floats, y: Floats, residual: Floats, independent: float) -> LearningFit:
    free = np.ones(len(estimate), dtype=np.bool_)
    free[-1] = form.has_floor and estimate[-1] > 0  # a floor held at zero has no uncertainty of its own
    f = form.value(k, np.exp(estimate[: len(form.shapes)]))
    uncertainty = np.zeros((len(estimate), len(estimate)))
    uncertainty[np.ix_(free, free)] = _uncertainty(_jacobian(form, estimate, k)[:, free], residual, f)
    freedom = max(_independent_points(residual) - int(free.sum()), 1.0)
    variances = np.maximum(np.diag(uncertainty), 0)  # rounding can make that of an exactly known one negative
    half_widths = float(stdtrit(freedom, 0.975)) * np.sqrt(variances)
    values, low, high = estimate.copy(), estimate - half_widths, estimate + half_widths
    shapes = len(form.shapes)
    for array in (values, low, high):
        array[:shapes] = np.exp(np.clip(array[:shapes], -700, 700))
    names = (*form.shapes, "height", "floor")
    intervals = {name: (float(values[j]), float(low[j]), float(high[j])) for j, name in enumerate(names)}
    square = float(residual @ residual)
    total = float(np.sum((y - y.mean()) ** 2))
    return LearningFit(
        form=form.name,
        parameters=intervals,
        r_squared=1 - square / total,
        aic=independent * math.log(max(square / len(k), 1e-300)) + 2 * int(free.sum()),
        points=len(k),
        estimate=estimate,
        uncertainty=uncertainty,
    )


def _jacobian(form: _Form, estimate: Floats, k: Floats) -> Floats:
    """(K, parameters) by central differences."""
    columns = []
    for j in range(len(estimate)):
        step = 1e-5 * max(1.0, abs(estimate[j]))
        offset = np.zeros(len(estimate))
        offset[j] = step
        columns.append((_curve(form, estimate + offset, k) - _curve(form, estimate - offset, k)) / (2 * step))
    return np.stack(columns, axis=1)


def _uncertainty(jacobian: Floats, residual: Floats, f: Floats) -> Floats:
    """Covariance of the estimates, (J'J)^-1 J'SJ (J'J)^-1, S the covariance of the residuals r.

    A run that is ahead stays ahead: of a residual, the share f_j / f_(j-1) is left at the next point, as of the excess
    itself. What is new at each point, u_j = r_j - r_(j-1) f_j / f_(j-1), is independent and has a size of its own, so
    S_ij = sum over n <= i, j of (f_i / f_n) u_n^2 (f_j / f_n).
    """
    f = np.maximum(f, 1e-150)
    surprise = residual - np.concatenate([[0.0], f[1:] / f[:-1] * residual[:-1]])
    summed = np.cumsum((f[:, None] * jacobian)[::-1], axis=0)[::-1] / f[:, None]
    weighted = summed * surprise[:, None]
    # Few large surprises carry most of the information; the fit has taken some of them up.
    effective = float(np.sum(surprise**2)) ** 2 / max(float(np.sum(surprise**4)), 1e-300)
    parameters = jacobian.shape[1]
    inverse = np.linalg.pinv(jacobian.T @ jacobian)
    correction = effective / max(effective - parameters, 1.0)
    return np.asarray(correction * inverse @ (weighted.T @ weighted) @ inverse)


def _autocorrelation(residual: Floats) -> float:
    """Of neighbours, corrected for its bias towards zero in short series (Kendall, Biometrika 41, 403, 1954)."""
    square = float(residual @ residual)
    raw = float(residual[1:] @ residual[:-1]) / square if square > 0 else 0.0
    return min(max(raw + (1 + 3 * raw) / len(residual), 0.0), 1 - 1 / len(residual))


def _independent_points(residual: Floats) -> float:
    correlation = _autocorrelation(residual)
    return max(len(residual) * (1 - correlation) / (1 + correlation), 2.0)


def _curve(form: _Form, estimate: Floats, k: Floats) -> Floats:
    shapes = len(form.shapes)
    shape = np.exp(np.clip(estimate[:shapes], -700, 700))
    return np.asarray(estimate[shapes + 1] + estimate[shapes] * form.value(k, shape))


def _form(name: str) -> _Form:
    return next(form for form in _FORMS if form.name == name)


def time_constants(epochs: Floats, curves: Floats) -> Floats:
    """Time constants of the exponentials that fit many curves best, as `fit_learning_curve` finds them one by one.

    Parameters
    ----------
    epochs : ndarray, shape (K,)
        Evenly spaced.
    curves : ndarray, shape (S, K)
        Errors after these epochs.

    Returns
    -------
    ndarray, shape (S,)
        In epochs; infinite where a curve does not fall. To about one in a thousand.
    """
    length = float(epochs[-1] - epochs[0]) or 1.0
    grid = length * np.geomspace(_SHORTEST, _LONGEST, _CONSTANTS)
    shapes = np.exp(-epochs / grid[:, None])  # (G, K)
    mean_shape, mean_curve = shapes.mean(axis=1), curves.mean(axis=1)
    products, squares = curves @ shapes.T / len(epochs), np.mean(shapes**2, axis=1)  # (S, G), (G,)
    heights = (products - mean_curve[:, None] * mean_shape) / np.maximum(squares - mean_shape**2, 1e-300)
    floors = mean_curve[:, None] - heights * mean_shape
    # A floor below zero is not allowed: the best fit then has none.
    heights = np.where(floors < 0, products / squares, heights)
    floors = np.maximum(floors, 0.0)
    left = (
        np.mean(curves**2, axis=1)[:, None]
        + floors**2
        + heights**2 * squares
        + 2 * (floors * heights * mean_shape - floors * mean_curve[:, None] - heights * products)
    )
    best = np.clip(np.argmin(left, axis=1), 1, _CONSTANTS - 2)
    rows = np.arange(len(curves))
    before, at, after = (left[rows, best + step] for step in (-1, 0, 1))
    curvature = np.maximum(before - 2 * at + after, 1e-300)
    shift = np.clip(0.5 * (before - after) / curvature, -1, 1)
    constants = grid[best] * (grid[1] / grid[0]) ** shift
    falls = (curves[:, -1] < curves[:, 0]) & (heights[rows, best] > 0)
    return np.where(falls, constants, math.inf)
