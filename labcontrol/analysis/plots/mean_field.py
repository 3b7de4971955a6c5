"""Law 3 of a recorded run: the whole curve and its floor, from the pilot alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from labcontrol.config import ExperimentConfig
from labcontrol.engine.pilot import predict
from labcontrol.errors import UserError
from labcontrol.records import RunReader
from labcontrol.theory import MEAN_FIELD_SELECTIONS, flip_responses, mean_field, modes_of_pilot, noise_from_repeats

Floats = NDArray[np.float64]

_SWEEPS = 40  # the floor is reached long before; a run may be planned for a thousand times as long


@dataclass(frozen=True)
class MeanFieldOfRun:
    """epochs, errors: (K,) of the loss that decides. responses: flips of the pilot that it was computed from."""

    epochs: Floats
    errors: Floats
    responses: int

    def at(self, epochs: Floats) -> Floats:
        """Errors at other epochs; at its last value beyond its end."""
        return np.asarray(np.interp(epochs, self.epochs, self.errors))


def mean_field_of_run(run: RunReader) -> MeanFieldOfRun | None:
    """None where the law does not speak of the run, or before its pilot. Takes some hundredths of a second."""
    try:
        experiment = ExperimentConfig.model_validate(run.experiment)
    except ValidationError:  # written by another version of the program
        return None
    pilot, mask, learning = run.pilot, run.initial_mask, experiment.learning
    by_flips = learning.strategy == "coordinate-descent" and learning.selection in MEAN_FIELD_SELECTIONS
    if pilot is None or not by_flips:
        return None
    each = 2 if learning.acceptance == "re-measured" else 1
    flipped = pilot.mirrors >= 0
    repeats = np.concatenate([pilot.outputs[:1], pilot.outputs[1:][~flipped]])
    start, noise_std = repeats.mean(axis=0, dtype=np.float64), noise_from_repeats(repeats)
    try:
        gain = predict(pilot, mask, run.target, learning.loss).gain
    except (UserError, ValueError, IndexError):  # a pilot that tells nothing
        return None
    responses = flip_responses(start, pilot.outputs[1:][flipped], pilot.mirrors[flipped], mask, noise_std)
    modes, begin = modes_of_pilot(responses, start, run.target, gain, learning.loss, float(mask.mean()))
    flips = min(-(-experiment.epochs // each), _SWEEPS * experiment.neurons)
    law = mean_field(modes, learning, epochs=flips, start=begin, noise_std=noise_std)
    return MeanFieldOfRun(each * law.epochs, law.errors, int(flipped.sum()))
