"""Predictions as a test wants them."""

from __future__ import annotations

import numpy as np

from labcontrol.engine.pilot import PilotResult
from labcontrol.theory.run_prediction import PilotFacts, RunPrediction

NEURONS = 16
TAU = 8.0


def exponential(epochs: np.ndarray) -> np.ndarray:
    return 0.01 + 0.99 * np.exp(-epochs / TAU)


def pilot_result(*, predicted: bool = True, loss: str = "mse", last: int = 99, unexplained: float = 0.0) -> PilotResult:
    """A time constant of 8 epochs, and a band of 30 % to both sides."""
    facts = PilotFacts(masks=39, replays=4, noise_within=1e-3, noise_between=2e-3, unexplained=unexplained)
    epochs = np.arange(last + 1)
    curve = exponential(epochs)
    width = np.where(epochs > 0, 1.3, 1.0)
    told = RunPrediction(
        loss=loss,
        epochs=epochs,
        median=curve,
        low=curve / width,
        high=curve * width,
        start=1.0,
        floor=0.01,
        tau=(TAU, 6.0, 11.0),
        r_squared=0.999,
        astray=(-1.5, 1.5),
        pilot=facts,
    )
    return PilotResult(2.0, np.ones(NEURONS), facts, told if predicted else None)
