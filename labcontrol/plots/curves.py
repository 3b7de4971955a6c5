"""The curves a run's learning is compared with, computed from its record alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labcontrol.engine.pilot import predict
from labcontrol.records import RunReader
from labcontrol.theory import AmplitudeLaw, LearningFit, coverage, fit_learning_curve

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PredictionCurves:
    """Errors (K,) that belong to `epochs` (K,).

    law1: coverage of the selection rule. law2, law2_low, law2_high: amplitude law with its 95 % interval. law: the
    amplitude law itself. fit: exponential fit of the incumbent's error; best_shape: the shape with the lowest AIC.
    """

    epochs: Floats
    law1: Floats
    law2: Floats
    law2_low: Floats
    law2_high: Floats
    law: AmplitudeLaw
    fit: LearningFit | None
    best_shape: str


def prediction_curves(run: RunReader) -> PredictionCurves | None:
    """The curves for the loss of a run; None before its pilot and first epochs."""
    measured = run.incumbent_errors()
    if run.pilot is None or len(measured) < 2:
        return None
    law = predict(run.pilot, run.initial_mask, run.target, run.loss)
    epochs = np.arange(len(measured), dtype=np.float64)
    law2_low, law2_high = law.band(epochs)
    fits = fit_learning_curve(epochs, measured)
    fit = fits["exponential"] if fits is not None else None
    # The coverage law has no rate of its own to fit, only a start and a floor: those the run really had.
    floor = float(measured[-1])
    unvisited = coverage(run.experiment["learning"]["selection"], run.neurons, epochs)
    return PredictionCurves(
        epochs=epochs,
        law1=floor + (float(measured[0]) - floor) * unvisited,
        law2=law.curve(epochs),
        law2_low=law2_low,
        law2_high=law2_high,
        law=law,
        fit=fit,
        best_shape=fits.best.form if fits is not None else "",
    )
