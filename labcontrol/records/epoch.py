"""One epoch: one mask shown for one replay of the training sequence, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Epoch:
    """A row of the record.

    index: counts epochs from 0. replay: counts passes through the sequence; several masks can share one.
    mirror: the mirror flipped against the incumbent mask; -1 where none or several.
    mask: (N,) bool, as shown. output: (T,) float32, as measured.
    mse, nmse: both errors, whatever the loss in use. accepted: the mask became the incumbent.
    unix_s: wall clock at the end of the replay. bench_s: the bench's own (perhaps virtual) clock, from the run's start.
    """

    index: int
    replay: int
    mirror: int
    mask: NDArray[np.bool_]
    output: NDArray[np.float32]
    mse: float
    nmse: float
    accepted: bool
    unix_s: float
    bench_s: float
