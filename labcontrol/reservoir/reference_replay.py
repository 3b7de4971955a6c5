"""A reservoir's states are the same in every replay, whatever the mask: each is compared with a reference replay.

The mask lies behind the loop of SLM and camera. So the camera must see at every step what it saw at this step before;
a pattern that the SLM skipped, or that had not settled, is noticed by small traces.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labcontrol.compiled import compiled

Floats = NDArray[np.float64]

MOST_VALUES = 16_000_000
"""Steps times neurons that are kept; larger reservoirs are judged from step to step only."""
_SURELY = 2.2  # all neurons together: their noise averages out
_TOWARDS_SURELY = 4.5  # one number, how much of the step before is left: were it normal, 7 in a million steps
_MEMORY = 0.97  # of the spreads, from one replay to the next
_AT_FIRST = 1.4  # times the typical spread: some steps are noisier than others
_MEDIAN_SIZE = 0.674  # of a normal number of variance 1


@dataclass(frozen=True)
class Spread:
    """How far replays of a step usually differ, rms in counts: over neurons, and along the way from the step before.

    What all neurons have in common, as the laser's noise, is much larger along the way.
    """

    neurons: float
    towards: float


class ReferenceReplay:
    """States of one input sequence, and how far they differ from replay to replay.

    inputs: (S,). signals: (S, N) counts, dark subtracted. spread: at first. least: below which it never falls, a
    share of the noise of a picture in counts.
    """

    def __init__(self, inputs: Floats, signals: NDArray[np.float32], spread: Spread, least: float) -> None:
        self.inputs, self.signals = inputs, signals
        self.typical, self._least = spread, least
        # Of each step. Lists, because one number of each is read and written at a time.
        self._spread = [_AT_FIRST * max(spread.neurons, least)] * len(inputs)
        self._towards = [_AT_FIRST * max(spread.towards, least)] * len(inputs)

    def covers(self, inputs: Floats) -> bool:
        """Whether a sequence begins like the recorded one, and ends within it."""
        return np.array_equal(self.inputs[: len(inputs)], inputs)

    def agrees(self, again: NDArray[np.float32]) -> bool:
        """Whether another reference replay (S, N) is the same, by 1.5 times what a replay may differ."""
        steps = enumerate(again.astype(np.float64))
        return not any(self.is_suspect(step, self.deviations(step, seen), 1.5) for step, seen in steps)

    def deviations(self, step: int, signals: Floats) -> tuple[float, float]:
        """From the reference: rms over all neurons; and along the way from the step before, equal for white noise."""
        return _deviations(self.signals[max(step - 1, 0)], self.signals[step], signals)

    def is_suspect(self, step: int, deviations: tuple[float, float], factor: float = 1.0) -> bool:
        """Whether a picture may not be that of the reference replay, or have something left of the step before."""
        neurons, towards = deviations
        return (
            neurons > factor * _SURELY * self._spread[step]
            or abs(towards) > factor * _TOWARDS_SURELY * self._towards[step]
        )

    def learn(self, step: int, deviations: tuple[float, float]) -> None:
        """Take a verified state into account: a slow drift of the table is no fault of a pattern."""
        for spreads, now in zip((self._spread, self._towards), deviations, strict=True):
            spreads[step] = max(math.sqrt(_MEMORY * spreads[step] ** 2 + (1 - _MEMORY) * now**2), self._least)

    def state(self) -> dict[str, Any]:
        return {"spread": np.array(self._spread), "towards": np.array(self._towards)}

    def restore(self, state: dict[str, Any]) -> None:
        self._spread, self._towards = state["spread"].tolist(), state["towards"].tolist()


def spread_between(a: NDArray[np.float32], b: NDArray[np.float32]) -> Spread:
    """Typical difference of two replays (S, N); a fault in a few of their steps does not count."""
    seen = b.astype(np.float64)
    differences = np.array([_deviations(a[max(step - 1, 0)], a[step], seen[step]) for step in range(len(a))])
    neurons, towards = np.median(np.abs(differences), axis=0)
    return Spread(float(neurons), float(towards) / _MEDIAN_SIZE)


@compiled
def _deviations(before: NDArray[np.float32], known: NDArray[np.float32], seen: Floats) -> tuple[float, float]:
    total = along = way = 0.0
    for i in range(seen.size):
        difference = seen[i] - known[i]
        back = float(before[i]) - float(known[i])
        total += difference * difference
        along += difference * back
        way += back * back
    return math.sqrt(total / seen.size), along / math.sqrt(way) if way > 0.0 else 0.0
