"""The curves a run's learning is compared with, computed from its record alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labcontrol.analysis.plots.mean_field import mean_field_of_run
from labcontrol.engine.pilot import predict
from labcontrol.errors import UserError
from labcontrol.learning import completed_amplitudes
from labcontrol.records import RunReader
from labcontrol.theory import AmplitudeLaw, FitComparison, LearningFit, coverage, fit_learning_curve

Floats = NDArray[np.float64]

# Coverage depends on k / N alone once N is large; simulating a rule costs N squared.
_MOST_SIMULATED = 2500
_NORMAL_95 = 1.96


@dataclass(frozen=True)
class PredictionCurves:
    """Learning of one run, beside what it is compared with.

    epochs: (K,). measured: (K,) loss of the incumbent after each. law: the amplitude law of the pilot, None without
    one. law1: (K,) coverage of the selection rule, with the start and the floor that the run had; law2, law2_low,
    law2_high: (K,) amplitude law with its 95 % interval; law3: (K,) mean field. All are None where they do not speak of
    the run's strategy. fits: of the measured curve, None while there is nothing to fit and for strategies that do not
    descend flip by flip. predicted_tau: time constant by the amplitude law in epochs, and its 95 % interval.
    """

    epochs: Floats
    measured: Floats
    law: AmplitudeLaw | None
    law1: Floats | None
    law2: Floats | None
    law2_low: Floats | None
    law2_high: Floats | None
    law3: Floats | None
    fits: FitComparison | None
    predicted_tau: tuple[float, float, float] | None

    @property
    def leave_residuals(self) -> bool:
        """Whether there is anything to subtract from the measured curve."""
        return self.law2 is not None or self.law3 is not None or self.fits is not None

    @property
    def fit(self) -> LearningFit | None:
        """The exponential."""
        return None if self.fits is None else self.fits["exponential"]


def prediction_curves(run: RunReader, *, whole: bool = True) -> PredictionCurves:
    """The curves for the loss of a run, finished or not.

    whole: with Laws 1 and 3, which take a moment; otherwise they are None.
    """
    measured = run.incumbent_errors()
    epochs = np.arange(len(measured), dtype=np.float64)
    law = pilot_law(run)
    flips = _flips(run, epochs)
    law2 = low = high = tau = None
    if law is not None and flips is not None:
        law2, (low, high) = law.curve(flips), law.band(flips)
        tau = _predicted_tau(law, _epochs_a_flip(run))
    law3 = mean_field_of_run(run) if whole else None
    return PredictionCurves(
        epochs=epochs,
        measured=measured,
        law=law,
        law1=_coverage(run, law, flips, measured) if flips is not None and whole else None,
        law2=law2,
        law2_low=low,
        law2_high=high,
        law3=law3.at(epochs) if law3 is not None else None,
        fits=fit_learning_curve(epochs, measured) if flips is not None and np.isfinite(measured).all() else None,
        predicted_tau=tau,
    )


def pilot_law(run: RunReader) -> AmplitudeLaw | None:
    """The amplitude law of a run's pilot; None before it, or when the pilot tells nothing."""
    if run.pilot is None:
        return None
    try:
        return predict(run.pilot, run.initial_mask, run.target, run.loss)
    except (UserError, ValueError, IndexError):
        return None


def _flips(run: RunReader, epochs: Floats) -> Floats | None:
    """(K,) single flips tried by each epoch; None for a strategy that does not go flip by flip."""
    learning = run.experiment.get("learning", {})
    if learning.get("strategy", "coordinate-descent") != "coordinate-descent":
        return None
    return epochs / _epochs_a_flip(run)


def _epochs_a_flip(run: RunReader) -> int:
    """Two where the incumbent is measured again beside each candidate."""
    return 2 if run.experiment.get("learning", {}).get("acceptance") == "re-measured" else 1


def _predicted_tau(law: AmplitudeLaw, epochs_a_flip: int) -> tuple[float, float, float]:
    half_width = _NORMAL_95 * law.kappa_error
    rates = law.kappa, law.kappa + half_width, law.kappa - half_width
    tau, fast, slow = (epochs_a_flip * law.neurons / rate if rate > 0 else math.inf for rate in rates)
    return tau, fast, slow


def _coverage(run: RunReader, law: AmplitudeLaw | None, flips: Floats, measured: Floats) -> Floats | None:
    known = measured[np.isfinite(measured)]
    if not known.size:
        return None
    neurons = run.neurons
    scale = min(1.0, _MOST_SIMULATED / neurons)
    # Of a long run only so many points are computed: amplitude rules cost N for each.
    points = flips[thinned(len(flips))]
    amplitudes = None
    if law is not None:
        amplitudes = completed_amplitudes(neurons, law.mirrors, law.amplitudes)[: round(neurons * scale)]
    try:
        unvisited = coverage(
            run.experiment["learning"]["selection"], round(neurons * scale), points * scale, amplitudes=amplitudes
        )
    except (UserError, KeyError):  # a rule that the law does not speak of
        return None
    # The law has no rate of its own to fit, only a start and a floor: those the run really had.
    return np.asarray(known[-1] + (known[0] - known[-1]) * np.interp(flips, points, unvisited))


def thinned(length: int, points: int = 2000) -> NDArray[np.int64]:
    """Indices of at most so many of `length` points, the first and the last among them."""
    return np.unique(np.linspace(0, max(length - 1, 0), min(length, points)).astype(np.int64))
