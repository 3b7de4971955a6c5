"""What is predicted of one run before it learns, and whether it then does what was predicted.

The prediction is the band of the run's twins (`run_twins`) and one exponential, fitted to their mean: the analytical
curve of the paper's claim, for the rule and the loss of this very run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from labcontrol.theory.fits import fit_learning_curve, time_constants
from labcontrol.theory.run_twins import TWINS, RunRules, band_of, run_twins

Floats = NDArray[np.float64]
Interval = tuple[float, float, float]

_FIRST, _LOG_POINTS, _LINEAR_POINTS = 20, 100, 100
_SHARE_OF_FITS = 0.9
_FEWEST_ACCEPTED = 5
_TWINS_ASTRAY = 0.01
"""Fraction of runs that follow their prediction and are called slower at some time; and of those called faster."""


@dataclass(frozen=True)
class PilotFacts:
    """What a prediction was made from.

    Attributes
    ----------
    masks, replays : int
        Of the pilot.
    noise_within, noise_between : float
        Of one output sample, within a replay and between replays, in the unit of the output.
    unexplained : float
        Fraction of the measured variance that the responses do not account for, beside noise.
    all_mirrors : bool
        Whether every mirror was measured, or a model of the phases tells most of them.
    """

    masks: int
    replays: int
    noise_within: float
    noise_between: float
    unexplained: float = 0.0
    all_mirrors: bool = True


@dataclass(frozen=True)
class RunPrediction:
    """The predicted learning curve of one run.

    Attributes
    ----------
    loss : str
        The error it speaks of, mse or nmse: that of the incumbent, as the run holds it.
    epochs : ndarray of int, shape (E,)
        From 0 to the end of the run.
    median, low, high : ndarray, shape (E,)
        Of single runs; nine of ten lie between low and high.
    start, floor : float
        Of the predicted exponential.
    tau : tuple of float
        Its time constant in epochs, and the interval of the time constant fitted to a single run (nine of ten).
    r_squared : float
        Of the exponential on the mean of the twins.
    astray : tuple of float
        Deviations (see `judge`) below and above which a run does not follow the prediction.
    pilot : PilotFacts
        What it was made from.
    """

    loss: str
    epochs: NDArray[np.int64]
    median: Floats
    low: Floats
    high: Floats
    start: float
    floor: float
    tau: Interval
    r_squared: float
    astray: tuple[float, float]
    pilot: PilotFacts

    def exponential(self, epochs: NDArray[np.integer] | Floats) -> Floats:
        """The predicted exponential after `epochs` (K,)."""
        return np.asarray(self.floor + (self.start - self.floor) * np.exp(-np.asarray(epochs) / self.tau[0]))

    def at(self, epochs: NDArray[np.integer] | Floats) -> tuple[Floats, Floats, Floats]:
        """Median, low and high after `epochs` (K,), between the epochs of the twins by their logarithms."""
        median, low, high = (
            np.exp(np.interp(epochs, self.epochs, np.log(np.maximum(curve, np.finfo(float).tiny))))
            for curve in (self.median, self.low, self.high)
        )
        return median, low, high

    def as_json(self) -> dict[str, Any]:
        """JSON types, but for numbers that are infinite; see `from_json`."""
        return {
            "loss": self.loss,
            "epochs": self.epochs.tolist(),
            "median": self.median.tolist(),
            "low": self.low.tolist(),
            "high": self.high.tolist(),
            "start": self.start,
            "floor": self.floor,
            "tau": self.tau[0],
            "tau_low": self.tau[1],
            "tau_high": self.tau[2],
            "r_squared": self.r_squared,
            "astray_low": self.astray[0],
            "astray_high": self.astray[1],
        }

    @classmethod
    def from_json(cls, known: Mapping[str, Any], pilot: PilotFacts) -> Self:
        """The prediction that `as_json` described; where it says nothing the number was infinite."""

        def number(key: str, otherwise: float) -> float:
            return otherwise if known[key] is None else float(known[key])

        return cls(
            loss=known["loss"],
            epochs=np.array(known["epochs"], dtype=np.int64),
            median=np.array(known["median"], dtype=np.float64),
            low=np.array(known["low"], dtype=np.float64),
            high=np.array(known["high"], dtype=np.float64),
            start=known["start"],
            floor=known["floor"],
            tau=(number("tau", math.inf), number("tau_low", 0.0), number("tau_high", math.inf)),
            r_squared=number("r_squared", math.nan),
            astray=(number("astray_low", -math.inf), number("astray_high", math.inf)),
            pilot=pilot,
        )

    def epochs_to(self, error: float) -> Interval:
        """Epochs until `error` is reached in the median, and the interval of single runs; infinite where never."""
        return _first(self.epochs, self.median, error), _first(self.epochs, self.low, error), _first(
            self.epochs, self.high, error
        )  # fmt: skip


def epochs_of_twins(epochs: int) -> NDArray[np.int64]:
    """Where the twins of a run of so many epochs are kept: dense at first, as the curve is steep there."""
    logarithmic = np.geomspace(_FIRST, max(epochs, _FIRST + 1), _LOG_POINTS)
    points = np.concatenate([np.arange(_FIRST + 1), logarithmic, _linear(epochs)])
    return np.unique(np.minimum(points.round().astype(np.int64), epochs))


def predict_run(
    responses: Floats | Sequence[Floats],
    start_output: Floats,
    start: NDArray[np.bool_],
    target: Floats,
    rules: RunRules,
    epochs: int,
    pilot: PilotFacts,
    *,
    seed: int,
    twins: int = TWINS,
) -> RunPrediction:
    """Predict the learning curve of a run from the responses of its mirrors.

    Parameters
    ----------
    responses, start_output, start, target, rules, seed, twins
        As for `run_twins`.
    epochs : int
        Of the run, after its start mask.
    pilot : PilotFacts
        What the responses were measured with.
    """
    points = epochs_of_twins(epochs)
    curves = run_twins(responses, start_output, start, target, rules, points, seed=seed, twins=twins)
    band = band_of(curves)
    # A run's own curve is fitted at all of its epochs, so these are spaced evenly as well.
    even = np.searchsorted(points, _linear(epochs).round().astype(np.int64))
    fitted = fit_learning_curve(points[even], curves.mean(axis=0)[even], forms=("exponential",))
    floor, height, tau = float(band[0][0]), 0.0, math.inf  # too short, or nothing to be learned
    if fitted is not None:
        floor, height, tau = (fitted.best.parameters[name][0] for name in ("floor", "height", "tau"))
    tail = (1 - _SHARE_OF_FITS) / 2
    constants = time_constants(points[even].astype(np.float64), curves[:, even])
    shortest, longest = np.quantile(constants, [tail, 1 - tail], method="inverted_cdf")
    return RunPrediction(
        rules.loss,
        points,
        *band,
        start=floor + height,
        floor=floor,
        tau=(tau, float(shortest), float(longest)),
        r_squared=math.nan if fitted is None else fitted.best.r_squared,
        astray=_astray(points, curves, band, tau),
        pilot=pilot,
    )


def _astray(
    points: NDArray[np.int64], curves: Floats, band: tuple[Floats, Floats, Floats], tau: float
) -> tuple[float, float]:
    """How far twins ever deviate once there is a verdict, all but one in a hundred on either side."""
    checked = np.flatnonzero(points >= max(tau, 2))
    if not len(checked):
        return -math.inf, math.inf
    distances = _distances(curves, *band)
    mean = np.stack([distances[:, (points > points[k] // 2) & (points <= points[k])].mean(axis=1) for k in checked])
    low = np.quantile(mean.min(axis=0), _TWINS_ASTRAY, method="weibull")
    high = np.quantile(mean.max(axis=0), 1 - _TWINS_ASTRAY, method="weibull")
    return float(min(low, -1.0)), float(max(high, 1.0))


def _distances(errors: Floats, median: Floats, low: Floats, high: Floats) -> Floats:
    """How far errors lie from the median, in the logarithm: 1 on the upper bound of the band, -1 on the lower."""
    above = np.log(np.maximum(errors, np.finfo(float).tiny) / median)
    smallest = 1e-9  # where the band has no width
    return np.where(
        above > 0,
        above / np.maximum(np.log(high / median), smallest),
        above / np.maximum(np.log(median / low), smallest),
    )


class Verdict(StrEnum):
    """Whether a run does what was predicted of it."""

    CANNOT_TELL = "cannot-tell"
    AS_PREDICTED = "as-predicted"
    SLOWER = "slower"
    FASTER = "faster"


@dataclass(frozen=True)
class Judgement:
    """A verdict and its evidence.

    Attributes
    ----------
    verdict : Verdict
    inside : float
        Fraction of the epochs so far whose error lies in the band; nan before the first.
    """

    verdict: Verdict
    inside: float


def judge(prediction: RunPrediction, errors: Floats, accepted: int) -> Judgement:
    """Compare a run so far with its prediction.

    Parameters
    ----------
    prediction : RunPrediction
        Made before the run.
    errors : ndarray, shape (K + 1,)
        Deciding error of the incumbent after each epoch, epoch 0 being the start mask.
    accepted : int
        Flips accepted so far.

    Notes
    -----
    There is no verdict before one predicted time constant and five accepted flips. Then the mean distance from the
    median over the later half of the epochs so far decides, in units of the band's half width, beside how far twins
    ever stray. As it looks back over ever more epochs, it changes only when the run does.
    """
    last = len(errors) - 1
    if last < 1:
        return Judgement(Verdict.CANNOT_TELL, math.nan)
    band = prediction.at(np.arange(1, last + 1))
    distances = _distances(np.asarray(errors[1:]), *band)
    inside = float(np.mean(np.abs(distances) <= 1))
    if not last >= prediction.tau[0] or accepted < _FEWEST_ACCEPTED:
        return Judgement(Verdict.CANNOT_TELL, inside)
    deviation, (below, above) = float(np.mean(distances[last // 2 :])), prediction.astray
    if deviation > above:
        return Judgement(Verdict.SLOWER, inside)
    return Judgement(Verdict.FASTER if deviation < below else Verdict.AS_PREDICTED, inside)


def _linear(epochs: int) -> Floats:
    return np.linspace(0, epochs, min(epochs, _LINEAR_POINTS) + 1)


def _first(epochs: NDArray[np.int64], curve: Floats, error: float) -> float:
    reached = np.flatnonzero(curve <= error)
    return float(epochs[reached[0]]) if len(reached) else math.inf
