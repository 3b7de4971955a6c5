"""Models of the readout, fitted to measured masks: what any other mask would give, and which mask is best."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from labcontrol.learning.boolean_search import Effort
from labcontrol.learning.field_search import FieldReadout, search_fields
from labcontrol.learning.linear_search import search_linear
from labcontrol.learning.measurements import Measurements
from labcontrol.learning.phase_retrieval import retrieve_fields
from labcontrol.learning.strategy import Mask

Floats = NDArray[np.float64]

# Keeps the normal equations solvable where the masks do not tell all mirrors apart.
_SMALLEST_RIDGE = 1e-9
_ROWS_AT_ONCE = 512


class ReadoutModel(ABC):
    """Output of any mask, up to a constant."""

    @abstractmethod
    def predict(self, masks: NDArray[np.bool_]) -> Floats:
        """(B, T) outputs of masks (B, N); their mean over time has no meaning."""

    @abstractmethod
    def search(
        self, start: Mask, target: Floats, gain: float, ridge: float, effort: Effort, rng: np.random.Generator
    ) -> tuple[NDArray[np.bool_], Floats]:
        """The best masks (S, N) found from each start of the effort and their errors (S,) by the model, best first.

        target: (T,) standardised, or of the first steps only: the others then play no part. gain: of the fixed-gain
        error, 0 for nmse. ridge: variance that every mirror that is on is made to add, as a share of the mean variance
        of a response. It stands for what does not repeat, and keeps the search from fitting it.
        """


@dataclass(frozen=True)
class LinearModel(ReadoutModel):
    """y = y0 + sum_i w_i x_i, all without their mean over time.

    background: (T,) y0. responses: (N, T) x_i.
    """

    background: Floats
    responses: Floats

    def predict(self, masks: NDArray[np.bool_]) -> Floats:
        predicted: Floats = self.background + masks.astype(np.float64) @ self.responses
        return predicted

    def search(
        self, start: Mask, target: Floats, gain: float, ridge: float, effort: Effort, rng: np.random.Generator
    ) -> tuple[NDArray[np.bool_], Floats]:
        steps = len(target)
        responses, background = _centred(self.responses[:, :steps]), _centred(self.background[None, :steps])[0]
        scale = float(np.sqrt(np.mean(responses**2))) or 1.0  # numbers near 1, whatever the unit of the output
        responses, background = responses / scale, background / scale
        covariance = covariance_of(responses)
        covariance[np.diag_indices_from(covariance)] += ridge * float(np.mean(np.diag(covariance)))
        return search_linear(
            covariance,
            responses @ background / steps,
            responses @ target / steps,
            float(background @ background) / steps,
            float(background @ target) / steps,
            gain / scale,
            start,
            effort,
            rng,
        )


@dataclass(frozen=True)
class FieldModel(ReadoutModel):
    """y = |f0 + sum_i w_i f_i|^2 + y1.

    background: (T,) f0. fields: (N, T) f_i; real where all mirrors are in phase, else complex with a phase of its own
    at every step that no output depends on. correction: (T,) y1, what a measurement of a mask found missing there.
    """

    background: NDArray[Any]
    fields: NDArray[Any]
    correction: Floats

    def corrected(self, mask: Mask, output: Floats) -> FieldModel:
        """The model with the correction that makes it right about one mask; output: (T,) as measured."""
        uncorrected = replace(self, correction=np.zeros_like(self.correction))
        return replace(self, correction=_centred((output - uncorrected.predict(mask[None])[0])[None])[0])

    def predict(self, masks: NDArray[np.bool_]) -> Floats:
        field = self.background + masks.astype(np.float64) @ self.fields
        predicted: Floats = np.abs(field) ** 2 + self.correction
        return predicted

    def search(
        self, start: Mask, target: Floats, gain: float, ridge: float, effort: Effort, rng: np.random.Generator
    ) -> tuple[NDArray[np.bool_], Floats]:
        steps = len(target)
        half = self.background[:steps] + 0.5 * self.fields[:, :steps].sum(axis=0)
        scale = float(np.sqrt(np.std(np.abs(half) ** 2))) or 1.0
        fields, background = self.fields[:, :steps] / scale, self.background[:steps] / scale
        correction = self.correction[:steps] / scale**2
        single = np.std(2 * np.real(np.conj(half / scale) * fields), axis=1)
        load = ridge * float(np.mean(single**2))
        readout = FieldReadout(np.ascontiguousarray(fields), background, correction, target, load, gain / scale**2)
        return search_fields(readout, start, effort, rng)


def fit_linear(measured: Measurements, ridge: float) -> LinearModel:
    """Least squares on all outputs; ridge: noise variance of one output over the variance of one response."""
    background, responses = _solve(measured, _centred(measured.outputs), ridge)
    return LinearModel(background, responses)


def fit_in_phase(measured: Measurements) -> FieldModel:
    """Least squares on the square roots of all outputs, which are linear where all fields are in phase."""
    background, fields = _solve(measured, np.sqrt(np.maximum(measured.outputs, 0.0)), 0.0)
    return FieldModel(background, fields, np.zeros(len(background)))


def fit_fields(measured: Measurements, tolerance: float, rng: np.random.Generator) -> tuple[FieldModel, float]:
    """Phase retrieval from all outputs; needs about 3 N masks. Returns also the share of steps left unsolved.

    tolerance: relative mismatch of the amplitudes that counts as solved.
    """
    found = retrieve_fields(measured.masks, measured.outputs, tolerance, rng)
    unsolved = float(np.mean(found.mismatch > tolerance))
    return FieldModel(found.background, found.fields, np.zeros(len(found.background))), unsolved


def residual(model: ReadoutModel, masks: NDArray[np.bool_], outputs: Floats) -> float:
    """What a model gets wrong about masks it was not fitted to, as a share of the outputs' standard deviation."""
    wrong = _centred(model.predict(masks) - outputs)
    return float(np.sqrt(np.mean(wrong**2) / np.mean(_centred(outputs) ** 2)))


def _solve(measured: Measurements, outputs: Floats, ridge: float) -> tuple[Floats, Floats]:
    """Weighted ridge regression of outputs (K, T) on masks with a constant; the constant is not shrunk."""
    design = np.column_stack([np.ones(len(measured)), measured.masks])
    weighted = design * measured.counts[:, None]
    normal = weighted.T @ design
    diagonal = np.full(len(normal), ridge + _SMALLEST_RIDGE * len(measured))
    diagonal[0] = _SMALLEST_RIDGE * len(measured)
    normal[np.diag_indices_from(normal)] += diagonal
    solution: Floats = cho_solve(cho_factor(normal), weighted.T @ outputs)
    return solution[0], solution[1:]


def covariance_of(responses: Floats) -> NDArray[np.float32]:
    """(N, N) of centred responses (N, T), in single precision: summed in double precision, some rows at a time."""
    neurons, steps = responses.shape
    covariance = np.empty((neurons, neurons), dtype=np.float32)
    for first in range(0, neurons, _ROWS_AT_ONCE):
        rows = slice(first, first + _ROWS_AT_ONCE)
        covariance[rows] = responses[rows] @ responses.T / steps
    return covariance


def _centred(values: Floats) -> Floats:
    centred: Floats = values - values.mean(axis=-1, keepdims=True)
    return centred
