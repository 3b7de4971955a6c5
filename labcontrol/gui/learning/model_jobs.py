"""Models that take longer to compute than a frame takes to draw, from a record alone; for a process of their own."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labcontrol.analysis.plots.mean_field import mean_field_of_run
from labcontrol.config import ExperimentConfig
from labcontrol.errors import UserError
from labcontrol.gui.learning.model_curves import MODEL_NAMES, ModelCurve, epochs_per_flip, sampled_curve
from labcontrol.records import RunReader
from labcontrol.theory import (
    States,
    noise_from_repeats,
    optical_states,
    recorded_states,
)

Floats = NDArray[np.float64]

_CURVE_POINTS = 2000
_MOST_RECORDED = 2500  # neurons: least squares cost the cube of them
_EPOCHS_PER_NEURON = 4  # used to find the states; more tell nothing new
_TWIN_VISITS = 20_000_000  # of mirrors, in all runs of the twin together, times steps of a hundred
_TWIN_RUNS = (8, 60)
_TWIN_SHARE = 0.9


@dataclass(frozen=True)
class SampledModel:
    """A model at epochs (K,), fit to be sent between processes: errors (K,), and the ends of an interval (K,)."""

    key: str
    name: str
    help: str
    loss: str
    epochs: Floats
    errors: Floats
    band: tuple[Floats, Floats] | None = None

    def curve(self) -> ModelCurve:
        """For the views."""
        return sampled_curve(self.key, self.name, self.help, self.loss, self.epochs, self.errors, self.band)


def mean_field_model(record: Path) -> SampledModel | None:
    """Law 3 from the pilot; None where the law does not speak of the run. Takes some hundredths of a second."""
    with RunReader(record) as run:
        law = mean_field_of_run(run)
        loss = run.loss
    if law is None:
        return None
    return SampledModel(
        key="mean-field",
        name=MODEL_NAMES["mean-field"],
        help=f"The whole curve and its floor without a free parameter, from the modes of the {law.responses} responses "
        f"measured in the pilot before learning; the others are taken to be like them.",
        loss=loss,
        epochs=law.epochs,
        errors=law.errors,
    )


def twin_model(record: Path) -> SampledModel:
    """Median and band of simulated runs with other random choices. Raises UserError; takes seconds."""
    from labcontrol.theory import twin_ensemble  # the compiler takes a second to import

    with RunReader(record) as run:
        experiment = ExperimentConfig.model_validate(run.experiment)
        learning = experiment.learning
        each = epochs_per_flip(learning)
        if each is None:
            raise UserError(f"The twin descends coordinate by coordinate; this run's strategy is {learning.strategy}.")
        states, origin, kind = _states(run, experiment)
        pilot = run.pilot
        noise_std = 0.0
        if pilot is not None:
            repeats = np.concatenate([pilot.outputs[:1], pilot.outputs[1:][pilot.mirrors < 0]])
            noise_std = noise_from_repeats(repeats) / (run.gain or 1.0) * states.gain
    epochs = max((experiment.epochs - 1) // each, 1)
    affordable = _TWIN_VISITS * 100 // (epochs * states.steps)
    runs = min(max(affordable, _TWIN_RUNS[0]), _TWIN_RUNS[1])
    seeds = [experiment.seed + 1 + n for n in range(runs)]
    ensemble = twin_ensemble(states, learning, epochs=epochs, seeds=seeds, noise_std=noise_std)
    shown = np.unique(np.round(np.geomspace(1, epochs + 1, _CURVE_POINTS)).astype(np.int64)) - 1
    low, high = ensemble.band(_TWIN_SHARE)
    return SampledModel(
        key="twin",
        name=f"{MODEL_NAMES['twin']} on {kind}",
        help=f"{runs} runs in software on {origin}, which differ from this one in their random choices: their median, "
        "and the band that holds nine of ten.",
        loss=learning.loss,
        epochs=each * shown.astype(np.float64),
        errors=ensemble.median[shown],
        band=(low[shown], high[shown]),
    )


def _states(run: RunReader, experiment: ExperimentConfig) -> tuple[States, str, str]:
    """Measured where the run has told all neurons apart, otherwise modelled; where they come from, and in short."""
    gain = run.gain
    if gain is not None and run.neurons <= _MOST_RECORDED:
        rows = _EPOCHS_PER_NEURON * run.neurons
        try:
            states = recorded_states(run.epochs.masks(0, rows), run.epochs.outputs(0, rows), run.target)
        except UserError:  # too few epochs so far
            pass
        else:
            return replace(states, gain=gain), "the states this run has measured", "measured states"
    side = math.isqrt(run.neurons)
    if side * side != run.neurons:
        raise UserError("The run has not flipped every mirror yet, so its states are not known.", "Let it go on.")
    inputs = np.concatenate([run.washout_input, run.input])
    rng = np.random.default_rng([experiment.seed, 3])
    states = optical_states(run.neurons, inputs, len(run.washout_input), run.target, rng, experiment.reservoir)
    return states, "a model of the table, because this run has not flipped every mirror yet", "modelled states"
