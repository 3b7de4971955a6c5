"""The pilot: single flips measured before learning. They set the fixed gain and predict the learning rate."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from labcontrol.learning import Problem, completed_amplitudes
from labcontrol.records.reader import Pilot
from labcontrol.reservoir import Reservoir
from labcontrol.tasks import ErrorMeasure, Task
from labcontrol.theory import AmplitudeLaw, noise_from_repeats, pilot_law, spread_mirrors

__all__ = ["Pilot", "measure_pilot", "posed_problem", "predict"]

_Array = tuple[bytes, str]  # content and type: what a cache can compare
_REPEATS = 4  # of the initial mask: enough to tell the noise from the responses


def measure_pilot(
    reservoir: Reservoir, task: Task, mask: NDArray[np.bool_], flips: int, rng: np.random.Generator
) -> Pilot:
    """Measure a mask a few times and `flips` single flips of it (all N when there are fewer).

    The flipped mirrors are drawn so that they represent all neurons, see `spread_mirrors`.

    The repeats follow the first output, with mirror -1.
    """
    mirrors = spread_mirrors(reservoir.input_weights, reservoir.offset_rad, flips, rng)
    mirrors = np.concatenate([np.full(_REPEATS - 1, -1), mirrors])
    masks = np.repeat(mask[None], len(mirrors) + 1, axis=0)
    flipped = np.flatnonzero(mirrors >= 0)
    masks[flipped + 1, mirrors[flipped]] ^= True
    readout = reservoir.replay(masks, task.training_sequence, len(task.washout_input))
    return Pilot(mirrors, readout.outputs)


def predict(pilot: Pilot, mask: NDArray[np.bool_], target: NDArray[np.float64], loss: str) -> AmplitudeLaw:
    """Gain and amplitude law from a pilot of a mask (N,); target: (T,) standardised.

    Computed once for the same pilot: a run, its figure and the window ask for it one after the other.
    Raises UserError when the mirrors do not change the output.
    """
    repeats, flipped = _repeats(pilot), pilot.mirrors >= 0
    start = repeats.mean(axis=0, dtype=np.float64)
    outputs = np.concatenate([start[None], pilot.outputs[1:][flipped]])
    arrays = outputs, pilot.mirrors[flipped], mask, np.asarray(target)
    return _predicted(*((array.tobytes(), array.dtype.str) for array in arrays), loss, noise_from_repeats(repeats))


@lru_cache(maxsize=8)
def _predicted(
    outputs: _Array, mirrors: _Array, mask: _Array, target: _Array, loss: str, noise_std: float
) -> AmplitudeLaw:
    flips, start, wanted = (np.frombuffer(*array) for array in (mirrors, mask, target))
    measured = np.frombuffer(*outputs).reshape(len(flips) + 1, -1)
    return pilot_law(measured, flips, start, wanted, loss=loss, noise_std=noise_std)


def posed_problem(
    pilot: Pilot,
    law: AmplitudeLaw,
    mask: NDArray[np.bool_],
    rng: np.random.Generator,
    target: NDArray[np.float64],
    phases_rad: NDArray[np.float64] | None = None,
    progress: Callable[[float], None] | None = None,
) -> Problem:
    """What a strategy gets to know from a pilot of a mask (N,) and the law that came of it.

    rng: the generator that drew the mask. target: (T,) standardised. phases_rad: (N, T) of the neurons, where known.
    progress: called by what computes for long.
    """
    amplitudes = completed_amplitudes(len(mask), law.mirrors, law.amplitudes)
    noise_std = noise_from_repeats(_repeats(pilot))
    return Problem(mask, rng, amplitudes, ErrorMeasure(target, law.gain), noise_std, phases_rad, progress)


def _repeats(pilot: Pilot) -> NDArray[np.float32]:
    """(R, T) outputs of the initial mask."""
    return np.concatenate([pilot.outputs[:1], pilot.outputs[1:][pilot.mirrors < 0]])
