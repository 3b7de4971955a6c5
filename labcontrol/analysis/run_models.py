"""What a run is compared with: laws, fit and verdict, from live events or from a record by the same code.

Before learning there is a `Prediction`, made once from the pilot. While learning goes on, `run_models` sets it beside
what was measured so far: the fit, the verdict. Terminal, window, figure, report and monitor draw what they get from
here and compute nothing themselves.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from labcontrol.analysis.curve_facts import MODELS
from labcontrol.analysis.likely_cause import likely_cause
from labcontrol.analysis.model_curve import ModelCurve
from labcontrol.analysis.verdict import ASTRAY, GOOD_FIT, NO_VERDICT, Verdict, verdict_of
from labcontrol.config import ExperimentConfig, LearningConfig
from labcontrol.engine.pilot import PilotResult
from labcontrol.errors import UserError
from labcontrol.formatting import rounded
from labcontrol.learning import StrategyFacts, strategy_facts
from labcontrol.records import RunReader
from labcontrol.theory import (
    MEAN_FIELD_SELECTIONS,
    FitComparison,
    LearningFit,
    States,
    coverage,
    fit_learning_curve,
    fit_two_exponentials,
    mean_field,
    modes_of_states,
)
from labcontrol.theory.fits import FORMS
from labcontrol.theory.pilot_design import design_size
from labcontrol.theory.run_prediction import Judgement, RunPrediction, judge

Floats = NDArray[np.float64]

# Coverage depends on k / N alone once N is large; simulating a rule costs N squared.
_MOST_SIMULATED = 2500
_MEAN_FIELD_SWEEPS = 40  # the floor is reached long before; a run may be planned for a thousand times as long
_FIT_SAMPLES = 200
_FAR_BELOW = 0.3
_FAR_ENOUGH = 2.0  # time constants: a fit to less has seen little of the floor


def why_no_law(facts: StrategyFacts, pilot: PilotResult | None = None) -> str:
    """Why there is no predicted curve, in a few words; empty where there is one, or may be one."""
    if not facts.flip_by_flip:
        return "A curve is predicted of descents flip by flip; this strategy measures many masks, then decides."
    if pilot is not None and pilot.prediction is None:
        left = f"{pilot.facts.unexplained:.1%} of what masks changed is left unexplained"
        if pilot.facts.all_mirrors:
            return f"Outputs are no sums over mirrors, or replays differ too much ({left}), so no curve is predicted."
        return (
            f"The known phases do not tell what mirrors do ({left}), so no curve is predicted. Measuring every mirror "
            f"takes {design_size(len(pilot.amplitudes))} masks: prediction.mirrors = 'all'."
        )
    return ""


# --- before learning -------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Prediction:
    """What was said of a run before its first epoch. pilot: that it came from. curves: models that speak of the run."""

    pilot: PilotResult
    curves: tuple[ModelCurve, ...]


def pilot_prediction(pilot: PilotResult) -> Prediction:
    """The predicted curve, its band and its exponential."""
    told = pilot.prediction
    return Prediction(pilot, () if told is None else tuple(_predicted_curves(told)))


def record_prediction(run: RunReader) -> Prediction | None:
    """The same from a record, and the laws that speak of the run; they are computed when they are asked for a value.

    None before the pilot, and for records of another version of the program.
    """
    experiment, pilot = _experiment(run), PilotResult.recorded(run)
    if experiment is None or pilot is None:
        return None
    curves = pilot_prediction(pilot).curves if strategy_facts(experiment.learning).flip_by_flip else ()
    if pilot.prediction is None or not curves:
        return Prediction(pilot, ())
    return Prediction(pilot, (*curves, *_two_exponentials(pilot.prediction), *_laws(run, pilot, experiment)))


def _predicted_curves(told: RunPrediction) -> list[ModelCurve]:
    band, exponential = MODELS["prediction"], MODELS["exponential"]
    facts = told.pilot
    measured = f"{facts.masks} masks in {facts.replays} replays"
    how = f"all mirrors, by {measured}" if facts.all_mirrors else f"{measured}, and the known phases for the rest"
    unexplained = f"; {facts.unexplained:.1%} of what they changed is left unexplained" if facts.unexplained > 0 else ""
    curves = [
        ModelCurve(
            key="prediction",
            name=band.name,
            help=f"{band.help} Measured: {how}{unexplained}.",
            loss=told.loss,
            values=lambda epochs: told.at(epochs)[0],
            band=lambda epochs: told.at(epochs)[1:],
        )
    ]
    if math.isfinite(told.tau[0]):
        curves.append(
            ModelCurve(
                key="exponential",
                name=exponential.name,
                help=exponential.help,
                loss=told.loss,
                values=told.exponential,
                tau=told.tau,
                r_squared=told.r_squared,
            )
        )
    return curves


def _two_exponentials(told: RunPrediction) -> list[ModelCurve]:
    fit, facts = fit_two_exponentials(told.epochs, told.median), MODELS["two-exponentials"]
    if fit is None:
        return []
    name = f"{facts.name}: τ = {rounded(fit.tau)} and {rounded(fit.slow_tau)}"
    return [ModelCurve("two-exponentials", name, facts.help, told.loss, fit.curve)]


def _laws(run: RunReader, pilot: PilotResult, experiment: ExperimentConfig) -> list[ModelCurve]:
    """Laws 1 and 3, where they speak of the run."""
    learning, told = experiment.learning, pilot.prediction
    strategy = strategy_facts(learning)
    each, neurons = strategy.epochs_per_flip, run.neurons
    if each is None or not strategy.single_flips or told is None:
        return []
    scale = min(1.0, _MOST_SIMULATED / neurons)
    amplitudes = pilot.amplitudes[: round(neurons * scale)]
    start, floor = float(told.median[0]), float(told.median[-1])

    def coverage_law(epochs: Floats) -> Floats:
        left = coverage(strategy.selection, len(amplitudes), epochs / each * scale, amplitudes=amplitudes)
        return floor + (start - floor) * left

    facts = MODELS["coverage"]
    tau = (float(each * neurons),) * 3 if strategy.selection == "uniform" else None
    name = f"{facts.name} by {strategy.selection} selection"
    laws = [ModelCurve("coverage", name, facts.help, learning.loss, coverage_law, tau=tau)]
    responses, mask, target = run.responses, run.initial_mask, run.target
    if responses is None or strategy.selection not in MEAN_FIELD_SELECTIONS:
        return laws

    @cache
    def mean_field_law() -> tuple[Floats, Floats]:
        states = States(responses.astype(np.float64), target, pilot.gain)
        modes = modes_of_states(states, learning.loss)
        flips = min(-(-experiment.epochs // each), _MEAN_FIELD_SWEEPS * neurons)
        noise_std = pilot.facts.noise_between
        curve = mean_field(modes, learning, epochs=flips, start=modes.mask_start(mask), noise_std=noise_std)
        return each * curve.epochs, curve.errors

    facts = MODELS["mean-field"]
    law3 = ModelCurve(
        "mean-field", facts.name, facts.help, learning.loss, lambda epochs: np.interp(epochs, *mean_field_law())
    )
    return [*laws, law3]


# --- while learning and after ----------------------------------------------------------------------------------------
@dataclass(frozen=True)
class RunModels:
    """A run so far, and everything it is compared with.

    epochs, incumbent: (K,) error of the incumbent after each epoch. accepted: changes of the mask kept, the initial
    mask not counted. curves: models by key, in the order of `MODELS`. fits: of the measured curve, None while there is
    nothing to fit and for strategies that do not descend flip by flip. remark: why no law speaks of it, if none does.
    cause: why it may have strayed from its prediction, where it has.
    """

    epochs: Floats
    incumbent: Floats
    accepted: int
    pilot: PilotResult | None
    curves: dict[str, ModelCurve]
    fits: FitComparison | None
    remark: str
    cause: str = ""

    @cached_property
    def judgement(self) -> Judgement | None:
        """The run beside its prediction; None where there is none."""
        told = None if self.pilot is None else self.pilot.prediction
        if told is None or not len(self.epochs) or not np.isfinite(self.incumbent[0]):
            return None
        every = np.arange(int(self.epochs[-1]) + 1)
        errors = np.interp(every, self.epochs, self.incumbent) if len(every) > len(self.epochs) else self.incumbent
        return judge(told, errors, self.accepted)

    @property
    def shown(self) -> dict[str, ModelCurve]:
        """The curves that are drawn where nobody asks for others."""
        return {key: curve for key, curve in self.curves.items() if not MODELS[key].on_demand}

    @property
    def verdict(self) -> Verdict:
        """How learning compares with its prediction after the last epoch, in words."""
        return NO_VERDICT if self.judgement is None else verdict_of(self.judgement, self.cause)

    def with_cause(self, run: RunReader) -> RunModels:
        """The same, with what its record knows of why it strays, if it does."""
        if self.verdict.kind not in ASTRAY:
            return self
        return replace(self, cause=likely_cause(run, self.pilot))


def run_models(
    learning: LearningConfig, prediction: Prediction | None, epochs: Floats, incumbent: Floats, accepted: int
) -> RunModels:
    """Everything to set beside a curve measured so far; takes milliseconds.

    prediction: None before the pilot. epochs, incumbent: (K,) loss of the incumbent, NaN before there is one; not
    changed by anybody, so that they may be used in another thread. accepted: changes of the mask kept.
    """
    known = np.isfinite(incumbent)
    fits = fits_of(learning, epochs[known], incumbent[known])
    curves = list(() if prediction is None else prediction.curves)
    if fits is not None:
        curves.append(_fit_curve(fits, learning.loss, epochs[known], incumbent[known]))
    by_key = {curve.key: curve for curve in curves}
    return RunModels(
        epochs=epochs,
        incumbent=incumbent,
        accepted=accepted,
        pilot=None if prediction is None else prediction.pilot,
        curves={key: by_key[key] for key in MODELS if key in by_key},
        fits=fits,
        remark=why_no_law(strategy_facts(learning), None if prediction is None else prediction.pilot),
    )


def fits_of(
    learning: LearningConfig, epochs: Floats, incumbent: Floats, forms: Iterable[str] = FORMS
) -> FitComparison | None:
    """Forms fitted to a measured curve (K,); None for strategies whose curve is no descent flip by flip."""
    if not strategy_facts(learning).flip_by_flip or not len(epochs):
        return None
    return fit_learning_curve(epochs, incumbent, forms)


def record_models(run: RunReader, prediction: Prediction | None = None) -> RunModels:
    """The same of a record, finished or being written. prediction: where it is known already."""
    experiment, accepted = _experiment(run), int(np.count_nonzero(run.epochs.accepted[1:]))
    incumbent = run.incumbent_errors()
    epochs = np.arange(len(incumbent), dtype=np.float64)
    if experiment is None:
        return RunModels(epochs, incumbent, accepted, None, {}, None, "")
    prediction = record_prediction(run) if prediction is None else prediction
    return run_models(experiment.learning, prediction, epochs, incumbent, accepted).with_cause(run)


def prediction_json(models: RunModels) -> dict[str, Any] | None:
    """The prediction beside the run so far, for people's programs; None where nothing was predicted.

    JSON types, but numbers may be infinite: `epochs` with `median`, `low`, `high` (nine of ten runs) and `exponential`
    there; its `tau` with `tau_low`, `tau_high` of single runs; `inside`, the fraction of the run's epochs in the band;
    `verdict`; what the pilot took, and the fraction of it that responses leave unexplained.
    """
    judged, pilot = models.judgement, models.pilot
    if judged is None or pilot is None or pilot.prediction is None:
        return None
    told = pilot.prediction
    return told.as_json() | {
        "exponential": told.exponential(told.epochs).tolist(),
        "inside": judged.inside,
        "verdict": str(judged.verdict),
        "pilot_masks": pilot.facts.masks,
        "pilot_replays": pilot.facts.replays,
        "unexplained": pilot.facts.unexplained,
    }


def _experiment(run: RunReader) -> ExperimentConfig | None:
    try:
        experiment = ExperimentConfig.model_validate(run.experiment)
        strategy_facts(experiment.learning)
    except (ValidationError, UserError):  # written by another version of the program
        return None
    return experiment


def _fit_curve(fits: FitComparison, loss: str, epochs: Floats, incumbent: Floats) -> ModelCurve:
    fit, facts = fits["exponential"], MODELS["fit"]
    better = "" if fits.best is fit else f" ({fits.best.form} fits better)"
    weights = ", ".join(f"{form} {weight:.0%}" for form, weight in fits.weights.items())
    tells_the_end = (
        epochs[-1] >= _FAR_ENOUGH * fit.tau[0] and fit.r_squared >= GOOD_FIT and fit.parameters["floor"][0] > 0
    )
    return ModelCurve(
        key="fit",
        name=facts.name + better,
        help=f"{facts.help} Weight of evidence (Akaike) of the forms compared: {weights}.",
        loss=loss,
        values=fit.curve,
        band=_fit_band(fit),
        tau=fit.tau,
        r_squared=fit.r_squared,
        until=math.inf if tells_the_end else _last_described(fit, epochs, incumbent),
    )


def _last_described(fit: LearningFit, epochs: Floats, incumbent: Floats) -> float:
    """The last epoch at which the fit is of the size of what was measured; least squares hardly see a tail."""
    far_below = fit.curve(epochs) < _FAR_BELOW * incumbent
    return float(epochs[-1] if not far_below.any() else epochs[max(int(far_below.argmax()) - 1, 0)])


def _fit_band(fit: LearningFit) -> Callable[[Floats], tuple[Floats, Floats]]:
    """95 % interval of the fitted curve, by its uncertain parameters."""
    random = np.random.default_rng(0)
    # A few epochs leave parameters unknown by powers of ten: rounding then makes the smallest variances negative.
    samples = random.multivariate_normal(
        fit.estimate, fit.uncertainty, _FIT_SAMPLES, method="eigh", check_valid="ignore"
    )
    curves = [replace(fit, estimate=sample) for sample in samples]

    def band(epochs: Floats) -> tuple[Floats, Floats]:
        low, high = np.quantile([curve.curve(epochs) for curve in curves], [0.025, 0.975], axis=0)
        return low, high

    return band
