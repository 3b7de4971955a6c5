"""What the axes of the learning curve count, and where they begin and end."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labcontrol.analysis.model_curve import ModelCurve
from labcontrol.gui.learning.data import LearningData

Floats = NDArray[np.float64]

_NICE = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
_LEAST_POSITIVE = 1e-12
_LEAST_DECADES = 1.0
_BELOW_MEASURED = 10.0
_MOST_EXPONENT = 30.0  # the range of a linear axis may be on show for a moment after it became logarithmic


@dataclass(frozen=True)
class Horizontal:
    """What the horizontal axis counts. to_x: epochs (K,) of a run to its unit, rising; to_epochs: its inverse."""

    label: str
    to_x: Callable[[LearningData, Floats], Floats]
    to_epochs: Callable[[LearningData, Floats], Floats]


HORIZONTALS = {
    "epochs": Horizontal("Epoch", lambda _run, k: k, lambda _run, x: x),
    "epochs / N": Horizontal(
        "Epochs per neuron, k / N", lambda run, k: k / run.neurons, lambda run, x: x * run.neurons
    ),
    "replays": Horizontal(
        "Replay of the sequence, which many masks can share", LearningData.replays_at, LearningData.epochs_of_replays
    ),
    "time": Horizontal("Wall time (s)", LearningData.seconds_at, LearningData.epochs_at),
}


@dataclass(frozen=True)
class Scales:
    """From epochs and errors to the numbers that the plot draws, and back."""

    horizontal: Horizontal = HORIZONTALS["epochs"]
    log_x: bool = False
    log_y: bool = False

    def x(self, run: LearningData, epochs: Floats) -> Floats:
        """(K,) drawn for epochs of a run."""
        return logarithm(self.horizontal.to_x(run, epochs)) if self.log_x else self.horizontal.to_x(run, epochs)

    def epochs(self, run: LearningData, x: Floats) -> Floats:
        """(K,) epochs of a run drawn at x; negative ones become zero."""
        counted = 10.0 ** np.clip(x, -_MOST_EXPONENT, _MOST_EXPONENT) if self.log_x else np.maximum(x, 0.0)
        return self.horizontal.to_epochs(run, counted)

    def y(self, errors: Floats) -> Floats:
        """(K,) drawn for errors."""
        return logarithm(errors) if self.log_y else errors

    def against(self, errors: Floats, expected: Floats) -> Floats:
        """(K,) residual: a difference, or on a logarithmic axis a ratio."""
        return self.y(errors) - self.y(expected)


@dataclass(frozen=True)
class Course:
    """What the axes should hold. planned: epochs the run may take. others: runs laid over it."""

    run: LearningData
    loss: str
    planned: float
    models: Sequence[ModelCurve]
    others: Sequence[LearningData] = ()

    def x_range(self, scales: Scales) -> tuple[float, float]:
        """From the first epoch to the course ahead, ending at a round number."""
        run, to_x = self.run, scales.horizontal.to_x
        last = float(run.index[-1]) if run.rows else 0.0
        exponential = next((model for model in self.models if model.key == "exponential"), None)
        ahead = 3 * exponential.tau[0] if exponential and exponential.tau else self.planned
        end = max(min(max(last, ahead), max(self.planned, last)), 1.0)
        ends = [to_x(run, np.array([end])), *(to_x(other, other.index[-1:]) for other in self.others)]
        x_end = round_up(max(float(x[0]) for x in ends))
        if not scales.log_x:
            return 0.0, max(x_end, _LEAST_POSITIVE)
        first = max(float(to_x(run, np.array([1.0]))[0]), _LEAST_POSITIVE)
        return math.log10(first), math.log10(max(x_end, 2 * first))

    def y_range(self, scales: Scales) -> tuple[float, float]:
        """What is measured and fitted; changes in rare, even steps."""
        measured = self.run.incumbent(self.loss)
        k = np.linspace(0, max(self.planned, 1.0), 50)
        lowest, highest = [1e-1], [1.0]
        if self.run.rows:
            lowest += _finite([np.fmin.reduce(measured)])
            highest = _finite([np.fmax.reduce(measured[:10])]) or highest
        for model in self.models:
            values = model.values(k[k <= model.until])
            highest += _finite([values.max()])
            lowest += _finite([values.min()])
        if self.run.rows:
            # No model takes the axis far from what is measured.
            lowest = [max(min(lowest), float(np.fmin.reduce(measured)) / _BELOW_MEASURED)]
        lowest += _finite(np.fmin.reduce(other.incumbent(self.loss)) for other in self.others)
        top = max(highest) * 1.08
        if not scales.log_y:
            return 0.0, round_up(top, fine=True)
        bottom = max(min(lowest) / 1.6, _LEAST_POSITIVE)
        # a fifth of a decade: the axis moves seldom
        low, high = math.floor(5 * math.log10(bottom)) / 5, math.log10(top) + 0.05
        return min(low, high - _LEAST_DECADES), high


def logarithm(values: Floats) -> Floats:
    """To base ten; what has none is drawn far below."""
    return np.asarray(np.log10(np.maximum(values, _LEAST_POSITIVE)))


def round_up(value: float, fine: bool = False) -> float:
    """The next round number."""
    power = 10.0 ** math.floor(math.log10(value)) if value > 0 else 1.0
    choices: Iterable[float] = np.arange(1.0, 10.01, 0.2) if fine else _NICE
    return next((float(c) * power for c in choices if c * power >= value * (1 - 1e-9)), 10 * power)


def _finite(values: Iterable[float]) -> list[float]:
    return [float(value) for value in values if math.isfinite(value)]
