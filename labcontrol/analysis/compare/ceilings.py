"""What could be reached at best: real-valued weights, and the best Boolean mask found with every response known."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labcontrol.analysis.compare.known_table import KnownTable
from labcontrol.learning.boolean_search import Effort
from labcontrol.learning.mask_bound import mask_bound
from labcontrol.learning.readout_models import FieldModel, LinearModel
from labcontrol.tasks.errors import nmse, standardised

_RIDGES = tuple(10.0**power for power in range(-9, 1))
_KEPT_BACK = 0.2
_GAP_RIDGE = 1e-3
_EFFORT = Effort(starts=4, length=4.0, seconds=600.0)


@dataclass(frozen=True)
class Ceilings:
    """nmse without noise on the training and the test part.

    ridge: real-valued weights of the light of each mirror. mask: the best Boolean mask found on the training part.
    strong: the best one found whose output varies as much as that of random masks, so that noise does not hide it.
    gap: how far the best mask found at a ridge of 1e-3 is above a certified lower bound for all masks, as a share of
    it; NaN where the bound says nothing or the readout is not linear.
    """

    ridge_train: float
    ridge_test: float
    mask_train: float
    mask_test: float
    strong_train: float
    strong_test: float
    gap: float = math.nan


def ceilings(table: KnownTable, seed: int) -> Ceilings:
    """All ceilings of a table; seed: of the searches."""
    light = table.outputs(np.eye(table.neurons, dtype=np.bool_)).astype(np.float64)
    test_light = table.outputs(np.eye(table.neurons, dtype=np.bool_), test=True).astype(np.float64)
    weights = _ridge(light, table.train_target)
    rng = np.random.default_rng(seed)
    return Ceilings(
        _nmse(weights @ light, table.train_target),
        _nmse(weights @ test_light, table.test_target),
        *_errors(table, _best_mask(table, 0.0, rng)),
        *_errors(table, _best_mask(table, table.spread, rng)),
        _gap(table, rng),
    )


def _gap(table: KnownTable, rng: np.random.Generator) -> float:
    if table.coherent:
        return math.nan
    responses = table.responses[:, : table.steps].astype(np.float64)
    background = table.background[: table.steps].astype(np.float64)
    model = LinearModel(background, responses)
    start = rng.random(table.neurons) < 0.5
    masks, _ = model.search(start, table.train_target, 0.0, _GAP_RIDGE, _EFFORT, rng)
    gap = mask_bound(responses, background, table.train_target, masks[0], ridge=_GAP_RIDGE).gap
    return math.nan if gap is None else gap


def _errors(table: KnownTable, mask: NDArray[np.bool_]) -> tuple[float, float]:
    """Error on the training and on the test part."""
    train, test = table.outputs(mask[None])[0], table.outputs(mask[None], test=True)[0]
    return float(nmse(train, table.train_target)), float(nmse(test, table.test_target))


def _ridge(light: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) weights of light (N, T); the ridge is chosen on the last fifth of the steps."""
    fitted = round((1 - _KEPT_BACK) * len(target))
    errors = [
        _nmse(_weights(light[:, :fitted], target[:fitted], ridge) @ light[:, fitted:], standardised(target[fitted:]))
        for ridge in _RIDGES
    ]
    return _weights(light, target, _RIDGES[int(np.argmin(errors))])


def _weights(light: NDArray[np.float64], target: NDArray[np.float64], ridge: float) -> NDArray[np.float64]:
    """Dual form: T is smaller than N as often as not, and the weights are the same."""
    centred = light - light.mean(axis=1, keepdims=True)
    gram = centred.T @ centred
    shrunk = gram + ridge * float(np.trace(gram)) / len(gram) * np.eye(len(gram))
    weights: NDArray[np.float64] = centred @ np.linalg.solve(shrunk, standardised(target))
    return weights


def _best_mask(table: KnownTable, gain: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """The best mask found; gain: of the fixed-gain error, which asks for an output that strong; 0 for nmse."""
    responses = table.responses[:, : table.steps].astype(np.float64)
    background = table.background[: table.steps].astype(np.float64)
    model = (
        FieldModel(background, responses, np.zeros(table.steps))
        if table.coherent
        else LinearModel(background, responses)
    )
    masks, _ = model.search(rng.random(table.neurons) < 0.5, table.train_target, gain, 0.0, _EFFORT, rng)
    best: NDArray[np.bool_] = masks[0]
    return best


def _nmse(output: NDArray[np.float64], target: NDArray[np.float64]) -> float:
    return float(nmse(output.astype(np.float32), target))
