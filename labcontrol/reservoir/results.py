"""What the reservoir hands out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.interfaces import Frame, Pattern


@dataclass(frozen=True)
class Preparation:
    """What was measured before a run, once.

    dark_counts: (N,) counts of each neuron's window without light. reference_counts: mean over neurons and random
    patterns, dark subtracted; it stands for an intensity of 1/2. step_s: bench time one step takes.
    peak_share: brightest pixel seen, as a share of full scale. slm_gain, camera_noise: see `PatternCheck`. mirrors_off,
    mirrors_half, mirrors_noise: see `MirrorLevels`.
    """

    dark_counts: NDArray[np.float64]
    reference_counts: float
    peak_share: float
    step_s: float
    slm_gain: float = 0.0
    camera_noise: float = 0.0
    mirrors_off: float = 0.0
    mirrors_half: float = 0.0
    mirrors_noise: float = 0.0


@dataclass(frozen=True)
class Readout:
    """Outputs of one or more masks.

    outputs: (B, T) float32 in the detector's unit. replays: (B,) number of the replay each mask was shown in.
    retried: frames that failed their checks and were acquired again.
    """

    outputs: NDArray[np.float32]
    replays: NDArray[np.int64]
    retried: int


@dataclass(frozen=True)
class StepView:
    """One step as it happened, for display: the sequence index, the frame, the SLM pattern and the output."""

    step: int
    frame: Frame
    pattern: Pattern
    output: float
