"""What is known when learning begins: a strategy is built from this and from its settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labcontrol.tasks import ErrorMeasure


@dataclass(frozen=True)
class Problem:
    """Start, target, and what a pilot told.

    start: (N,) initial mask. rng: the generator that drew it; it goes on from there. amplitudes: (N,) of the neurons.
    measure: both errors, with the standardised target (T,) and the gain. noise_std: of one output sample, from the
    pilot's repeats, in the unit of the output. phases_rad: (N, T) phase of every neuron at every step, as the modulator
    is told to show it; None where it is not known. progress: called now and then, with the fraction that is done, by
    what computes for long.
    """

    start: NDArray[np.bool_]
    rng: np.random.Generator
    amplitudes: NDArray[np.float64]
    measure: ErrorMeasure
    noise_std: float = 0.0
    phases_rad: NDArray[np.float64] | None = None
    progress: Callable[[float], None] | None = None

    @property
    def neurons(self) -> int:
        return len(self.start)

    @property
    def target(self) -> NDArray[np.float64]:
        """(T,) standardised."""
        return self.measure.target

    def errors(self, outputs: NDArray[np.float64], loss: str) -> NDArray[np.float64]:
        """(B,) the loss, mse or nmse, of outputs (B, T)."""
        kept = np.atleast_2d(outputs).astype(np.float32)
        return self.measure.errors(loss, kept)
