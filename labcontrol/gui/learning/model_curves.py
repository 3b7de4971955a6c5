"""The curves that learning is compared with, in one form whatever their origin."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from labcontrol.config import LearningConfig
from labcontrol.errors import UserError
from labcontrol.learning import completed_amplitudes
from labcontrol.theory import AmplitudeLaw, FitComparison, LearningFit, coverage, fit_learning_curve

Floats = NDArray[np.float64]
Interval = tuple[float, float, float]

_NORMAL_95 = 1.96
# Coverage depends on k / N alone once N is large; simulating a rule costs N squared.
_MOST_SIMULATED = 2500
_GOOD_FIT = 0.9
_FIT_SAMPLES = 200
_EARLY = 2.0  # time constants: later the floor decides, which Law 2 does not know
_FAR_BELOW = 0.3
_FAR_ENOUGH = 2.0  # time constants: a fit to less has seen little of the floor

MODEL_NAMES = {
    "prediction": "Law 2, predicted before learning",
    "mean-field": "Law 3, mean field",
    "fit": "Fit of an exponential",
    "twin": "Twin, 9 of 10 runs",
    "coverage": "Law 1, coverage",
}
"""Models by key, in the order in which they are listed."""


@dataclass(frozen=True)
class ModelCurve:
    """A model of the learning curve.

    key: in MODEL_NAMES. loss: the error it speaks of. values: epochs (K,) to expected error (K,). band: the same to an
    interval. tau: time constant in epochs with its interval, where the model has one. r_squared: where it was fitted.
    until: the last epoch it may speak of. condition: what it holds for, where this run is not of that kind.
    """

    key: str
    name: str
    help: str
    loss: str
    values: Callable[[Floats], Floats]
    band: Callable[[Floats], tuple[Floats, Floats]] | None = None
    tau: Interval | None = None
    r_squared: float | None = None
    until: float = math.inf
    condition: str = ""

    def at(self, epoch: float) -> float:
        """Expected error after one epoch."""
        return float(self.values(np.array([epoch]))[0])

    def interval_at(self, epoch: float) -> tuple[float, float] | None:
        """Interval after one epoch, where the model has one."""
        if self.band is None:
            return None
        low, high = self.band(np.array([epoch]))
        return float(low[0]), float(high[0])


def goes_flip_by_flip(learning: LearningConfig) -> bool:
    """Whether learning descends from one epoch to the next, so that a curve can be fitted to it."""
    return learning.strategy in ("coordinate-descent", "noise-aware")


def speak_the_laws(learning: LearningConfig) -> bool:
    """Whether Laws 1 and 2, which judge one flip at a time, speak of this run."""
    return epochs_per_flip(learning) is not None and learning.selection != "blocks"


def why_no_law(learning: LearningConfig) -> str:
    """Why there is no predicted curve, in a few words; empty where there is one."""
    if speak_the_laws(learning):
        return ""
    if goes_flip_by_flip(learning):
        return "The laws speak of one flip an epoch; this run repeats measurements or flips several mirrors."
    return "The laws speak of descents flip by flip; this strategy measures many masks, then decides."


def epochs_per_flip(learning: LearningConfig) -> int | None:
    """Epochs in which one flip is judged; None for strategies that do not go mirror by mirror."""
    if learning.strategy != "coordinate-descent":
        return None
    return 2 if learning.acceptance == "re-measured" else 1


def prediction_curve(law: AmplitudeLaw, learning: LearningConfig) -> ModelCurve | None:
    """Law 2, known before the first epoch; None for strategies it does not speak of."""
    each = epochs_per_flip(learning)
    if each is None or not speak_the_laws(learning):
        return None
    half_width = _NORMAL_95 * law.kappa_error
    slowest = law.neurons / (law.kappa - half_width) if law.kappa > half_width else math.inf
    restriction = condition = ""
    if learning.selection != "uniform":
        condition = "for uniform selection"
        restriction = f" It holds {condition}; this run selects {learning.selection}."
    return ModelCurve(
        key="prediction",
        name=f"{MODEL_NAMES['prediction']}{condition and f', {condition}'}",
        help=f"Exponential whose rate was measured with a pilot of {len(law.mirrors)} single flips before the run; the "
        f"shade is the 95 % interval of a single run.{restriction}",
        loss=learning.loss,
        values=lambda epochs: law.curve(epochs / each),
        band=lambda epochs: law.band(epochs / each),
        tau=(each * law.tau, each * law.neurons / (law.kappa + half_width), each * slowest),
        condition=condition,
    )


@dataclass(frozen=True)
class MeasuredCurve:
    """What models of a run in progress are made from.

    epochs, incumbent: (K,) not changed by anybody, so that they may be used in another thread. law: Law 2 of the run.
    """

    epochs: Floats
    incumbent: Floats
    law: AmplitudeLaw
    learning: LearningConfig

    def models(self) -> list[ModelCurve]:
        """Law 1 and, once there is something to fit, the fit. Takes milliseconds; seconds for a new rule and N."""
        fits = fit_learning_curve(self.epochs, self.incumbent) if goes_flip_by_flip(self.learning) else None
        models = [] if fits is None else [self._fit(fits)]
        floor = self.law.floor if fits is None else fits["exponential"].parameters["floor"][0]
        try:
            models.append(self._coverage(floor))
        except UserError:  # a rule that the law does not speak of
            return models
        return models

    def _fit(self, fits: FitComparison) -> ModelCurve:
        fit = fits["exponential"]
        better = "" if fits.best is fit else f" ({fits.best.form} fits better)"
        weights = ", ".join(f"{form} {weight:.0%}" for form, weight in fits.weights.items())
        return ModelCurve(
            key="fit",
            name=MODEL_NAMES["fit"] + better,
            help="Least squares to the best error so far: floor + height exp(-k / tau), with 95 % intervals. Weight of "
            f"evidence (Akaike) of the forms compared: {weights}.",
            loss=self.learning.loss,
            values=fit.curve,
            band=_fit_band(fit),
            tau=fit.tau,
            r_squared=fit.r_squared,
            until=math.inf if self._tells_the_end(fit) else self._last_described(fit),
        )

    def _tells_the_end(self, fit: LearningFit) -> bool:
        """Whether the fitted exponential may be drawn on: it describes the curve, and has come near its floor."""
        far = self.epochs[-1] >= _FAR_ENOUGH * fit.tau[0]
        return bool(far and fit.r_squared >= _GOOD_FIT and fit.parameters["floor"][0] > 0)

    def _last_described(self, fit: LearningFit) -> float:
        """The last epoch at which the fit is of the size of what was measured; least squares hardly see a tail."""
        far_below = fit.curve(self.epochs) < _FAR_BELOW * self.incumbent
        return float(self.epochs[-1] if not far_below.any() else self.epochs[max(int(far_below.argmax()) - 1, 0)])

    def _coverage(self, floor: float) -> ModelCurve:
        neurons, start, selection = self.law.neurons, self.law.start, self.learning.selection
        each = epochs_per_flip(self.learning)
        if each is None or not speak_the_laws(self.learning):
            raise UserError("The coverage law speaks of single flips.")
        scale = min(1.0, _MOST_SIMULATED / neurons)
        amplitudes = completed_amplitudes(neurons, self.law.mirrors, self.law.amplitudes)[: round(neurons * scale)]

        def values(epochs: Floats) -> Floats:
            return floor + (start - floor) * coverage(
                selection, len(amplitudes), epochs / each * scale, amplitudes=amplitudes
            )

        values(np.zeros(1))  # what must be simulated is simulated here
        return ModelCurve(
            key="coverage",
            name=f"Law 1, coverage by {selection} selection",
            help="What independent neurons would give: a mirror is put right at its first visit. Start as predicted, "
            "floor as fitted; the rate has no free parameter.",
            loss=self.learning.loss,
            values=values,
            tau=(float(each * neurons),) * 3 if selection == "uniform" else None,
        )


def sampled_curve(
    key: str,
    name: str,
    explanation: str,
    loss: str,
    epochs: Floats,
    errors: Floats,
    band: tuple[Floats, Floats] | None = None,
) -> ModelCurve:
    """A model known at epochs (K,): errors (K,), and an interval of two (K,)."""

    def values(k: Floats) -> Floats:
        return np.interp(k, epochs, errors)

    def interval(k: Floats) -> tuple[Floats, Floats]:
        assert band is not None
        return np.interp(k, epochs, band[0]), np.interp(k, epochs, band[1])

    return ModelCurve(key, name, explanation, loss, values, None if band is None else interval)


def _fit_band(fit: LearningFit) -> Callable[[Floats], tuple[Floats, Floats]]:
    """95 % interval of the fitted curve, by its uncertain parameters."""
    random = np.random.default_rng(0)
    samples = random.multivariate_normal(fit.estimate, fit.uncertainty, _FIT_SAMPLES, method="eigh")
    curves = [replace(fit, estimate=sample) for sample in samples]

    def band(epochs: Floats) -> tuple[Floats, Floats]:
        low, high = np.quantile([curve.curve(epochs) for curve in curves], [0.025, 0.975], axis=0)
        return low, high

    return band


def verdict(measured: float, epoch: float, models: Mapping[str, ModelCurve]) -> tuple[str, str]:
    """How learning compares with its prediction: kind of mark, and words.

    By the time constants where there is a good fit, because the law does not know the floor; before, by the error,
    which is not called slow where the floor may be what holds it.
    """
    prediction, fit = models.get("prediction"), models.get("fit")
    if prediction is None or prediction.band is None or prediction.tau is None:
        return "idle", ""
    predicted, within = "predicted", ", within 95 %"
    if prediction.condition:
        predicted, within = f"predicted {prediction.condition}", ""
    if fit is not None and fit.tau is not None and (fit.r_squared or 0.0) >= _GOOD_FIT:
        tau, low, high = fit.tau
        ratio = tau / prediction.tau[0]
        if low > prediction.tau[2]:
            return "caution", f"▲ {ratio:.2g} times as slow as {predicted}"
        if high < prediction.tau[1]:
            return "good", f"▼ {1 / ratio:.2g} times as fast as {predicted}"
        return "good", f"● rate as {predicted}{within}"
    low, high = (float(edge[0]) for edge in prediction.band(np.array([epoch])))
    if measured > high:
        if epoch > _EARLY * prediction.tau[0]:
            return "idle", "no exponential, so no rate to compare"
        return "caution", f"▲ slower than {predicted}"
    if measured < low:
        return "good", f"▼ faster than {predicted}"
    return "good", f"● as {predicted}{within}"
