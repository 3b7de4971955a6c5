"""What a reservoir does at an operating point: the response of many neurons, seen twice.

Every neuron alone is a mask of its own; where the devices can, all of them share one replay.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labcontrol.bench import Bench
from labcontrol.config import ReservoirConfig
from labcontrol.reservoir import Reservoir

Floats = NDArray[np.float64]

# Neurons measured where each costs a replay of its own.
_FEW = 24
_MANY = 1024


@dataclass(frozen=True)
class Responses:
    """Responses measured at one operating point.

    neurons: (M,) those measured. states: (2, M, T) response of each alone, in two replays, all dark taken off.
    halves: (2, T) outputs of one random half of all mirrors in the same replays. step_s: bench time of a step.
    peak_share: brightest camera pixel as a share of full scale. side: neurons along an edge of the whole reservoir.
    one_by_one: whether each neuron cost replays of its own.
    """

    neurons: NDArray[np.int64]
    states: Floats
    halves: Floats
    step_s: float
    peak_share: float
    side: int
    one_by_one: bool

    @property
    def total(self) -> int:
        """Neurons of the whole reservoir."""
        return self.side * self.side

    @property
    def is_complete(self) -> bool:
        """Whether every neuron was measured."""
        return len(self.neurons) == self.total


def measure_responses(
    bench: Bench, config: ReservoirConfig, side: int, inputs: Floats, washout: int, seed: int, replays: int = 2
) -> Responses:
    """Prepare the reservoir, then replay a sequence. The laser is off in the end: what is seen takes time to judge.

    inputs: (washout + T,) in about [0, 1]. Raises UserError where the camera saturates or sees nothing, DeviceError
    where the laser does not give its light from beginning to end.
    """
    reservoir = Reservoir(bench, config, side, np.random.default_rng([seed, 1]))
    preparation = reservoir.prepare()
    total = side * side
    rng = np.random.default_rng([seed, 7])
    room = reservoir.masks_per_replay
    count = min(total, _MANY) if room > 1 else min(total, _FEW)
    neurons = np.sort(rng.choice(total, count, replace=False))
    masks = np.zeros((count + 2, total), dtype=bool)
    masks[np.arange(count), neurons] = True
    masks[count] = rng.random(total) < 0.5
    with bench.good_light():
        seen = [reservoir.replay(masks, inputs, washout).outputs for _ in range(replays)]
    bench.light_off("the states are seen")
    outputs = np.stack(seen).astype(np.float64)
    dark = outputs[:, -1:]  # all mirrors off: what leaks past them is no neuron's
    return Responses(
        neurons,
        outputs[:, :count] - dark,
        outputs[:, count],
        preparation.step_s,
        preparation.peak_share,
        side,
        room == 1,
    )
