"""The curves that learning is compared with, in one form whatever their origin."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labcontrol.theory import AmplitudeLaw

Floats = NDArray[np.float64]
Interval = tuple[float, float, float]

_NORMAL_95 = 1.96


@dataclass(frozen=True)
class ModelCurve:
    """A model of the learning curve.

    key: `prediction` (Law 2), `coverage` (Law 1) or `fit`. loss: the error it speaks of. values: epochs (K,) to
    expected error (K,). band: the same to a 95 % interval. tau: time constant in epochs with its interval, where the
    model has one. r_squared: where it was fitted.
    """

    key: str
    name: str
    help: str
    loss: str
    values: Callable[[Floats], Floats]
    band: Callable[[Floats], tuple[Floats, Floats]] | None = None
    tau: Interval | None = None
    r_squared: float | None = None


def prediction_curve(law: AmplitudeLaw, loss: str, selection: str) -> ModelCurve:
    """Law 2, known before the first epoch."""
    half_width = _NORMAL_95 * law.kappa_error
    slowest = law.neurons / (law.kappa - half_width) if law.kappa > half_width else math.inf
    tau = (law.tau, law.neurons / (law.kappa + half_width), slowest)
    restriction = "" if selection == "uniform" else f" It holds for uniform selection; this run selects {selection}."
    return ModelCurve(
        key="prediction",
        name="Law 2, predicted before learning",
        help="Exponential whose rate was measured with a pilot of single flips before the run; the shade is the 95 % "
        f"interval of a single run.{restriction}",
        loss=loss,
        values=law.curve,
        band=law.band,
        tau=tau,
    )


def verdict(measured: float, epoch: float, prediction: ModelCurve) -> tuple[str, str]:
    """How the incumbent's error compares with the prediction: kind of mark, and words."""
    k = np.array([epoch])
    if prediction.band is None:
        return "idle", ""
    low, high = (float(edge[0]) for edge in prediction.band(k))
    if measured > high:
        return "caution", "▲ slower than predicted"
    if measured < low:
        return "good", "▼ faster than predicted"
    return "good", "● as predicted, within 95 %"
