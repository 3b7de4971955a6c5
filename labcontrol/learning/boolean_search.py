"""The Boolean problem in software, on a known readout: what annealing and descent over masks have in common.

Both errors depend on an output only through its variance v over time and its covariance c with the target: mse =
v/g^2 - 2c/g + 1, nmse = 2 (1 - c/sqrt(v)). `linear_search` and `field_search` try to lower them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from labcontrol.compiled import compiled

Floats = NDArray[np.float64]


class Schedule(NamedTuple):
    """Temperature falls geometrically by `cooling` over `sweeps` visits to every mirror.

    heat: first temperature. For single flips in mean changes of the error that one flip of the start mask makes: about
    1 forgets the start, 0.03 stays near it. For pairs in mean C_ii/g^2.
    """

    heat: float
    sweeps: int
    cooling: float


class Effort(NamedTuple):
    """How long a search tries.

    starts: the first from the mask given, the others from random ones. local: stay near the start. length: factor on
    the sweeps. seconds: of computing, at most. Counted in operations of a usual processor instead of on a clock, so
    that a search can be repeated bit for bit. progress: called with the share that is done.
    """

    starts: int = 2
    local: bool = False
    length: float = 1.0
    seconds: float = 60.0
    progress: Callable[[float], None] | None = None

    def schedules(self, neurons: int) -> tuple[Schedule, Schedule, int]:
        """Of single flips and of pairs on a linear readout, and the starts there is time for."""
        singles, pairs = (0 if self.local else _SINGLES.sweeps) * self.length, _PAIRS.sweeps * self.length
        share, starts = self._limited((singles * _SINGLE_S + pairs * _PAIR_S) * neurons**2)
        return (
            _SINGLES._replace(sweeps=round(singles * share)),
            _PAIRS._replace(sweeps=max(1, round(pairs * share))),
            starts,
        )

    def fields_schedule(self, neurons: int, steps: int) -> tuple[Schedule, int]:
        """Of single flips on a coherent readout, and the starts there is time for."""
        schedule = _FIELDS_LOCAL if self.local else _FIELDS
        sweeps = schedule.sweeps * self.length
        share, starts = self._limited(sweeps * neurons * steps * _STEP_S)
        return schedule._replace(sweeps=max(1, round(sweeps * share))), starts

    def _limited(self, start_s: float) -> tuple[float, int]:
        """The share of the sweeps and the starts, each of which would take so long, that there is time for."""
        return min(1.0, self.seconds / start_s), max(1, min(self.starts, int(self.seconds / start_s)))


GLOBAL = Effort()
LOCAL = Effort(starts=1, local=True)

_SINGLES = Schedule(heat=1.0, sweeps=40, cooling=3e-4)
_PAIRS = Schedule(heat=0.03, sweeps=25, cooling=1e-2)
_FIELDS, _FIELDS_LOCAL = Schedule(1.0, 200, 3e-4), Schedule(0.03, 60, 3e-4)  # coherent readout
# Computing time on a usual processor: of a sweep, over N^2, with the covariance in main memory; of one step of a field.
_SINGLE_S, _PAIR_S, _STEP_S = 1e-9, 2e-9, 2e-9

MOST_DESCENTS = 1000  # sweeps without temperature; a local minimum is reached in a handful


@compiled
def error_of(variance: float, covariance: float, gain: float) -> float:
    """gain: of the fixed-gain error; 0 for nmse."""
    if gain > 0:
        return variance / gain**2 - 2.0 * covariance / gain + 1.0
    return 2.0 * (1.0 - covariance / np.sqrt(variance)) if variance > 0.0 else 2.0


@compiled
def keeps(rise: float, temperature: float, rng: np.random.Generator) -> bool:
    return rise < 0.0 or (temperature > 0.0 and rng.random() < np.exp(-rise / temperature))


@compiled
def temperature_of(schedule: Schedule, change: float, sweep: int) -> float:
    """Of one sweep; 0 for those of the descent at the end."""
    if sweep >= schedule.sweeps:
        return 0.0
    return float(schedule.heat * change * schedule.cooling ** (sweep / schedule.sweeps))


def by_error(found: list[tuple[NDArray[np.bool_], float]]) -> tuple[NDArray[np.bool_], Floats]:
    """Masks (S, N) and errors (S,), the lowest first."""
    order = sorted(found, key=lambda one: one[1])
    return np.array([mask for mask, _ in order]), np.array([error for _, error in order])
