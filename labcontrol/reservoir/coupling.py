"""From states to phases: how strongly input and feedback move each neuron, and what the modulator is told to show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from labcontrol.bench.response import PHASES, update_phases
from labcontrol.config import ReservoirConfig

Floats = NDArray[np.float64]

REFERENCE_INTENSITY = 0.5
"""What the mean intensity over random patterns stands for: that of cos^2 on an evenly lit table."""


@dataclass(frozen=True)
class Coupling:
    """phase_i(n+1) = pi (beta I_i(n) + gamma W_i u(n+1)) + theta_i.

    Attributes
    ----------
    input_weights : ndarray, shape (N,)
        W.
    drive_rad : ndarray, shape (N,)
        pi gamma W.
    offset_rad : ndarray, shape (N,)
        theta.
    feedback : float
        beta.
    """

    input_weights: Floats
    drive_rad: Floats
    offset_rad: Floats
    feedback: float

    @classmethod
    def drawn(cls, config: ReservoirConfig, neurons: int, rng: np.random.Generator) -> Self:
        """Input weights and offsets of an experiment; rng: as seeded for its reservoir."""
        weights = rng.random(neurons)
        second = (rng.permutation(neurons) < round(config.phase_share * neurons)).astype(np.float64)
        offset_rad = np.pi * (config.phase_offset + config.phase_step * second)
        return cls(weights, np.pi * config.injection * weights, offset_rad, config.feedback)

    def update(self, signals: Floats, reference_counts: float, u: float, index: NDArray[np.int64]) -> None:
        """Fill `index` (N,) with the next phases, from the last signals (N,) in counts. reference_counts: of them."""
        feedback_rad = np.pi * self.feedback * REFERENCE_INTENSITY / reference_counts
        update_phases(signals, feedback_rad, self.drive_rad, u, self.offset_rad, index)

    def phases_rad(self, reference_counts: float, inputs: Floats, states: NDArray[np.floating]) -> Floats:
        """(N, S) phases shown at every step of inputs (S,), from the states (S, N) that were seen after each."""
        signals, index = np.zeros(len(self.offset_rad)), np.empty(len(self.offset_rad), dtype=np.int64)
        phases = np.empty((len(signals), len(inputs)))
        for step, u in enumerate(inputs):
            self.update(signals, reference_counts, float(u), index)
            phases[:, step] = index * (2 * np.pi / PHASES)
            signals = states[step].astype(np.float64)
        return phases
