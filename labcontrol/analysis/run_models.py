"""What a run is compared with: laws, fit and verdict, from live events or from a record by the same code.

Before learning there is a `Prediction`, made once from the pilot. While learning goes on, `run_models` sets it beside
what was measured so far: the fit, the verdict. Terminal, window, figure, report and monitor draw what they get from
here and compute nothing themselves.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from labcontrol.analysis.curve_facts import MODELS
from labcontrol.analysis.model_curve import ModelCurve
from labcontrol.analysis.verdict import GOOD_FIT, NO_VERDICT, Verdict, verdict
from labcontrol.config import ExperimentConfig, LearningConfig
from labcontrol.engine.pilot import predict
from labcontrol.errors import UserError
from labcontrol.learning import StrategyFacts, completed_amplitudes, strategy_facts
from labcontrol.records import RunReader
from labcontrol.theory import (
    MEAN_FIELD_SELECTIONS,
    AmplitudeLaw,
    FitComparison,
    LearningFit,
    coverage,
    fit_learning_curve,
    flip_responses,
    mean_field,
    modes_of_pilot,
    noise_from_repeats,
)
from labcontrol.theory.fits import FORMS

Floats = NDArray[np.float64]

# Coverage depends on k / N alone once N is large; simulating a rule costs N squared.
_MOST_SIMULATED = 2500
_MEAN_FIELD_SWEEPS = 40  # the floor is reached long before; a run may be planned for a thousand times as long
_FIT_SAMPLES = 200
_FAR_BELOW = 0.3
_FAR_ENOUGH = 2.0  # time constants: a fit to less has seen little of the floor


def laws_speak(facts: StrategyFacts) -> bool:
    """Tell whether Laws 1 and 2, which judge one flip at a time, speak of a strategy.

    Parameters
    ----------
    facts : StrategyFacts
        Of the strategy with its settings.

    Returns
    -------
    bool
    """
    return facts.epochs_per_flip is not None and facts.single_flips


def why_no_law(facts: StrategyFacts) -> str:
    """Say why there is no predicted curve.

    Parameters
    ----------
    facts : StrategyFacts
        Of the strategy with its settings.

    Returns
    -------
    str
        Empty where there is one.
    """
    if laws_speak(facts):
        return ""
    if facts.flip_by_flip:
        return "The laws speak of one flip an epoch; this run repeats measurements or flips several mirrors."
    return "The laws speak of descents flip by flip; this strategy measures many masks, then decides."


# --- before learning -------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Prediction:
    """What was said of a run before its first epoch.

    Attributes
    ----------
    law : AmplitudeLaw
        Of the pilot.
    curves : tuple of ModelCurve
        Models that speak of the run.
    """

    law: AmplitudeLaw
    curves: tuple[ModelCurve, ...]


def law_prediction(law: AmplitudeLaw, learning: LearningConfig) -> Prediction:
    """Predict what the amplitude law alone can: Laws 2 and 1, where they speak of the run.

    Parameters
    ----------
    law : AmplitudeLaw
        Of the pilot.
    learning : LearningConfig
        Of the run.

    Returns
    -------
    Prediction
    """
    return Prediction(law, (*_law_2(law, learning), *_law_1(law, learning)))


def record_prediction(run: RunReader, law: AmplitudeLaw | None = None) -> Prediction | None:
    """Predict all there is of a run from the pilot on its record: Laws 1, 2 and 3, where they speak of it.

    Parameters
    ----------
    run : RunReader
        Its record.
    law : AmplitudeLaw
        Of the pilot, where it is known already.

    Returns
    -------
    Prediction or None
        None before the pilot, for one that says nothing, and for an experiment of another version of the program.

    Notes
    -----
    Takes some tenths of a second; Laws 1 and 3 take some more when they are first asked for a value, Law 1 a few
    seconds for a new rule at large N.
    """
    experiment, pilot = _experiment(run), run.pilot
    if experiment is None or pilot is None:
        return None
    learning = experiment.learning
    try:
        law = predict(pilot, run.initial_mask, run.target, run.loss) if law is None else law
    except (UserError, ValueError, IndexError):  # a pilot that says nothing
        return None
    return Prediction(law, (*law_prediction(law, learning).curves, *_law_3(run, law, experiment)))


def _law_2(law: AmplitudeLaw, learning: LearningConfig) -> list[ModelCurve]:
    strategy = strategy_facts(learning)
    each = strategy.epochs_per_flip
    if each is None or not laws_speak(strategy):
        return []
    facts = MODELS["prediction"]
    slow, fast = (each * law.neurons / rate if rate > 0 else math.inf for rate in law.run_kappa)
    condition = "" if strategy.selection == "uniform" else "for uniform selection"
    restriction = f" It holds {condition}; this run selects {strategy.selection}." if condition else ""
    return [
        ModelCurve(
            key="prediction",
            name=facts.name + (condition and f", {condition}"),
            help=f"{facts.help} The pilot had {len(law.mirrors)} flips.{restriction}",
            loss=learning.loss,
            values=lambda epochs: law.curve(epochs / each),
            band=lambda epochs: law.band(epochs / each),
            tau=(each * law.tau, fast, slow),
            condition=condition,
        )
    ]


def _law_3(run: RunReader, law: AmplitudeLaw, experiment: ExperimentConfig) -> list[ModelCurve]:
    learning, pilot, mask, target = experiment.learning, run.pilot, run.initial_mask, run.target
    strategy = strategy_facts(learning)
    each = strategy.epochs_per_flip
    if pilot is None or each is None or strategy.selection not in MEAN_FIELD_SELECTIONS:
        return []

    @cache
    def found() -> tuple[Floats, Floats]:
        flipped = pilot.mirrors >= 0
        repeats = np.concatenate([pilot.outputs[:1], pilot.outputs[1:][~flipped]])
        start, noise_std = repeats.mean(axis=0, dtype=np.float64), noise_from_repeats(repeats)
        responses = flip_responses(start, pilot.outputs[1:][flipped], pilot.mirrors[flipped], mask, noise_std)
        modes, begin = modes_of_pilot(responses, start, target, law.gain, learning.loss, float(mask.mean()))
        flips = min(-(-experiment.epochs // each), _MEAN_FIELD_SWEEPS * experiment.neurons)
        curve = mean_field(modes, learning, epochs=flips, start=begin, noise_std=noise_std)
        return each * curve.epochs, curve.errors

    facts = MODELS["mean-field"]
    return [ModelCurve("mean-field", facts.name, facts.help, learning.loss, lambda epochs: np.interp(epochs, *found()))]


def _law_1(law: AmplitudeLaw, learning: LearningConfig) -> list[ModelCurve]:
    strategy = strategy_facts(learning)
    each, selection = strategy.epochs_per_flip, strategy.selection
    if each is None or not laws_speak(strategy):
        return []
    scale = min(1.0, _MOST_SIMULATED / law.neurons)
    amplitudes = completed_amplitudes(law.neurons, law.mirrors, law.amplitudes)[: round(law.neurons * scale)]

    def values(epochs: Floats) -> Floats:
        left = coverage(selection, len(amplitudes), epochs / each * scale, amplitudes=amplitudes)
        return law.floor + (law.start - law.floor) * left

    facts = MODELS["coverage"]
    tau = (float(each * law.neurons),) * 3 if selection == "uniform" else None
    name = f"{facts.name} by {selection} selection"
    return [ModelCurve("coverage", name, facts.help, learning.loss, values, tau=tau)]


# --- while learning and after ----------------------------------------------------------------------------------------
@dataclass(frozen=True)
class RunModels:
    """A run so far, and everything it is compared with.

    Attributes
    ----------
    epochs, incumbent : ndarray, shape (K,)
        Error of the incumbent after each epoch.
    accepted : int
        Changes of the mask kept, the initial mask not counted.
    law : AmplitudeLaw or None
        Of the pilot.
    curves : dict of str to ModelCurve
        Models by key, in the order of `MODELS`.
    fits : FitComparison or None
        Of the measured curve; None while there is nothing to fit and for strategies that do not descend flip by flip.
    remark : str
        Why no law speaks of it, if none does.
    """

    epochs: Floats
    incumbent: Floats
    accepted: int
    law: AmplitudeLaw | None
    curves: dict[str, ModelCurve]
    fits: FitComparison | None
    remark: str

    @property
    def verdict(self) -> Verdict:
        """How learning compares with its prediction after the last epoch."""
        if not len(self.epochs):
            return NO_VERDICT
        return verdict(self.curves, float(self.epochs[-1]), float(self.incumbent[-1]), self.accepted)


def run_models(
    learning: LearningConfig, prediction: Prediction | None, epochs: Floats, incumbent: Floats, accepted: int
) -> RunModels:
    """Set everything there is beside a curve measured so far; takes milliseconds.

    Parameters
    ----------
    learning : LearningConfig
        Of the run.
    prediction : Prediction or None
        None before the pilot.
    epochs : ndarray, shape (K,)
        Not changed by anybody, as the next, so that they may be used in another thread.
    incumbent : ndarray, shape (K,)
        Loss of the incumbent after each epoch, NaN before there is one.
    accepted : int
        Changes of the mask kept, the initial mask not counted.

    Returns
    -------
    RunModels
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
        law=None if prediction is None else prediction.law,
        curves={key: by_key[key] for key in MODELS if key in by_key},
        fits=fits,
        remark=why_no_law(strategy_facts(learning)),
    )


def fits_of(
    learning: LearningConfig, epochs: Floats, incumbent: Floats, forms: Iterable[str] = FORMS
) -> FitComparison | None:
    """Fit forms to a measured curve.

    Parameters
    ----------
    learning : LearningConfig
        Of the run.
    epochs : ndarray, shape (K,)
        Rising.
    incumbent : ndarray, shape (K,)
        Finite losses of the incumbent.
    forms : iterable of str
        By default all.

    Returns
    -------
    FitComparison or None
        None for strategies whose curve is no descent flip by flip, and while there is nothing to fit.
    """
    if not strategy_facts(learning).flip_by_flip or not len(epochs):
        return None
    return fit_learning_curve(epochs, incumbent, forms)


def record_models(run: RunReader, prediction: Prediction | None = None) -> RunModels:
    """Do the same for a record, finished or being written.

    Parameters
    ----------
    run : RunReader
        Its record.
    prediction : Prediction
        Where it is known already.

    Returns
    -------
    RunModels
    """
    experiment, accepted = _experiment(run), int(np.count_nonzero(run.epochs.accepted[1:]))
    incumbent = run.incumbent_errors()
    epochs = np.arange(len(incumbent), dtype=np.float64)
    if experiment is None:
        return RunModels(epochs, incumbent, accepted, None, {}, None, "")
    prediction = record_prediction(run) if prediction is None else prediction
    return run_models(experiment.learning, prediction, epochs, incumbent, accepted)


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
