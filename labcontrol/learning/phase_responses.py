"""Responses of all mirrors from a few masks: what the program knows of the phases, and a smooth beam.

The program itself has chosen every neuron's phase phi_i(t) at every step. Between polarisers a neuron's light goes as
cos^2 phi, so mirror i adds

    x_i(t) = A(place_i) cos 2 s phi_i(t) + B(place_i) sin 2 s phi_i(t)

to the output (without its mean over time), with a profile A that changes slowly from place to place, and two
corrections for a calibration that is a little off: the scale s of the phases, and B. A few polynomial coefficients
stand for N responses, so some tens of masks tell them all. How much of what was measured the model leaves unexplained
says whether it may be trusted. Our own derivation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.polynomial.legendre import legvander2d
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

Floats = NDArray[np.float64]

PROFILE_ORDER = 4
"""Total order of the polynomial for A: a Gaussian beam twice as wide as the neurons is one to some 1e-6."""
_SINE_ORDER = 1
_SCALES = (0.9, 1.1)
_SCALE_TOLERANCE = 1e-5
_STEPS_FOR_SCALE = 100  # of the sequence: the scale is known from these well enough


@dataclass(frozen=True)
class _Model:
    """Profiles of cosine and sine by their polynomials, at one scale of the phases.

    waves: cosine and sine (N, T) each, without means over time. polynomials: (P, N). parts: (P,) which wave each
    polynomial multiplies.
    """

    waves: tuple[Floats, Floats]
    polynomials: Floats
    parts: NDArray[np.int64]

    @classmethod
    def at(cls, phase_rad: Floats, scale: float) -> _Model:
        side = math.isqrt(len(phase_rad))
        place = np.linspace(-1, 1, side) if side > 1 else np.zeros(1)
        row, column = (grid.ravel() for grid in np.meshgrid(place, place, indexing="ij"))
        cosine, sine = (_polynomials(row, column, order) for order in (PROFILE_ORDER, _SINE_ORDER))
        angle = 2 * scale * phase_rad
        waves = tuple(wave - wave.mean(axis=1, keepdims=True) for wave in (np.cos(angle), np.sin(angle)))
        parts = np.repeat([0, 1], [len(cosine), len(sine)])
        return cls((waves[0], waves[1]), np.concatenate([cosine, sine]), parts)

    def predictors(self, signed_flips: Floats) -> Floats:
        """(M, P, T) what each coefficient adds to what each mask changes."""
        rows = zip(self.polynomials, self.parts, strict=True)
        return np.stack([(signed_flips * polynomial) @ self.waves[part] for polynomial, part in rows], axis=1)

    def responses(self, coefficients: Floats) -> Floats:
        """(N, T)."""
        profiles = [(coefficients * (self.parts == part)) @ self.polynomials for part in (0, 1)]
        return np.asarray(profiles[0][:, None] * self.waves[0] + profiles[1][:, None] * self.waves[1])


@dataclass(frozen=True)
class PhaseResponses:
    """All responses, by the model.

    Attributes
    ----------
    responses : ndarray, shape (N, T)
        What each mirror adds to the output, without its mean over time.
    unexplained : float
        Fraction of the variance of what was measured that neither model nor noise accounts for.
    phase_scale : float
        The factor s of the phases.
    """

    responses: Floats
    unexplained: float
    phase_scale: float
    _model: _Model
    _moments: Floats  # (M, P, P) of each mask's predictors
    _products: Floats  # (M, P) of them with what it changed

    def sample(self, rng: np.random.Generator) -> Floats:
        """Responses (N, T) as another choice of masks could have told them (Bayesian bootstrap over the masks)."""
        weights = rng.standard_exponential(len(self._moments))
        return self._model.responses(_solved(np.tensordot(weights, self._moments, 1), weights @ self._products))


def fit_phase_responses(
    phase_rad: Floats, signed_flips: Floats, changes: Floats, noise_std: float = 0.0
) -> PhaseResponses:
    """Fit the model to what masks changed.

    Parameters
    ----------
    phase_rad : ndarray, shape (N, T)
        Phase of each neuron at each step, as shown; N a square number, neurons row by row.
    signed_flips : ndarray, shape (M, N)
        +1 where a mask has a mirror on that the reference mask has off, -1 the other way round, 0 elsewhere.
    changes : ndarray, shape (M, T)
        Output of each mask, less that of the reference mask in the same replay.
    noise_std : float
        Of one sample of the changes.

    Raises
    ------
    ValueError
        If there are fewer values than coefficients, or the shapes do not fit.
    """
    masks, neurons = signed_flips.shape
    if phase_rad.shape != (neurons, changes.shape[1]) or len(changes) != masks:
        raise ValueError(
            f"phases {phase_rad.shape}, flips {signed_flips.shape} and changes {changes.shape} do not belong together"
        )
    some = slice(None, None, -(-changes.shape[1] // _STEPS_FOR_SCALE))
    found = minimize_scalar(
        lambda scale: _least_squares(_Model.at(phase_rad[:, some], scale), signed_flips, changes[:, some])[0],
        bounds=_SCALES,
        method="bounded",
        options={"xatol": _SCALE_TOLERANCE},
    )
    model = _Model.at(phase_rad, float(found.x))
    squares, coefficients, moments, products = _least_squares(model, signed_flips, changes)
    freedom = masks * (changes.shape[1] - 1) - len(coefficients) - 1
    if freedom <= 0:
        raise ValueError(f"{masks} masks of {changes.shape[1]} steps do not tell {len(coefficients)} coefficients")
    variance = float(np.mean(_centred(changes) ** 2))
    unexplained = max(0.0, squares / freedom - noise_std**2) / variance if variance > 0 else math.nan
    return PhaseResponses(
        model.responses(coefficients), unexplained, float(found.x), model, moments, products
    )  # fmt: skip


def _least_squares(model: _Model, signed_flips: Floats, changes: Floats) -> tuple[float, Floats, Floats, Floats]:
    """Sum of squares that is left, coefficients, and each mask's part of the normal equations."""
    predictors, measured = model.predictors(signed_flips), _centred(changes)
    moments = predictors @ predictors.transpose(0, 2, 1)
    products = np.einsum("mpt,mt->mp", predictors, measured)
    coefficients = _solved(moments.sum(axis=0), products.sum(axis=0))
    left = measured - np.tensordot(coefficients, predictors, (0, 1))
    return float(np.sum(left**2)), coefficients, moments, products


def _centred(values: Floats) -> Floats:
    return np.asarray(values - values.mean(axis=1, keepdims=True))


def _polynomials(row: Floats, column: Floats, order: int) -> Floats:
    """(P, N) products of Legendre polynomials of at most this total order."""
    table = legvander2d(row, column, [order, order]).reshape(-1, order + 1, order + 1)
    chosen = [(i, j) for i in range(order + 1) for j in range(order + 1 - i)]
    return np.array([table[:, i, j] for i, j in chosen])


def _solved(moments: Floats, products: Floats) -> Floats:
    return np.asarray(np.linalg.lstsq(moments, products, rcond=1e-12)[0])
