"""The pilot: single flips measured before learning. They set the fixed gain and predict the learning rate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labcontrol.reservoir import Reservoir
from labcontrol.tasks import Task


@dataclass(frozen=True)
class Pilot:
    """mirrors: (P,) flipped one at a time. outputs: (P + 1, T), first of the mask itself. Both as measured."""

    mirrors: NDArray[np.int64]
    outputs: NDArray[np.float32]


def measure_pilot(
    reservoir: Reservoir, task: Task, mask: NDArray[np.bool_], flips: int, rng: np.random.Generator
) -> Pilot:
    """Measure a mask and `flips` random single flips of it (all N when there are fewer)."""
    mirrors = rng.permutation(len(mask))[: min(flips, len(mask))]
    masks = np.repeat(mask[None], len(mirrors) + 1, axis=0)
    masks[np.arange(1, len(masks)), mirrors] ^= True
    readout = reservoir.replay(masks, task.training_sequence, len(task.washout_input))
    return Pilot(mirrors, readout.outputs)
