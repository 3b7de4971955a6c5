"""The twin of a recorded run: simulated runs on its states, which take seconds to compute.

As a program, ``python -m labcontrol.analysis.twin_model RECORD`` prints one as JSON, so that a window can have it
computed beside itself and end it at any moment.
"""

from __future__ import annotations

import json
import math
import os
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from labcontrol.analysis.curve_facts import MODELS
from labcontrol.analysis.model_curve import ModelCurve, sampled_curve
from labcontrol.config import ExperimentConfig
from labcontrol.errors import UserError
from labcontrol.learning import strategy_facts
from labcontrol.records import RunReader
from labcontrol.theory import States, noise_from_repeats, optical_states, recorded_states

_CURVE_POINTS = 2000
_MOST_RECORDED = 2500  # neurons: least squares cost the cube of them
_EPOCHS_PER_NEURON = 4  # used to find the states; more add nothing
_TWIN_VISITS = 20_000_000  # of mirrors, in all runs of the twin together, times steps of a hundred
_TWIN_RUNS = (8, 60)
_TWIN_FRACTION = 0.9


@dataclass(frozen=True)
class TwinModel:
    """Median and band of simulated runs with other random choices.

    Attributes
    ----------
    kind, origin : str
        Of the states, in short and in words.
    runs : int
        How many.
    loss : str
        The error that decides, mse or nmse.
    epochs, errors, low, high : list of float
        Epochs, the median of the errors after each, and the ends of the band.
    """

    kind: str
    origin: str
    runs: int
    loss: str
    epochs: list[float]
    errors: list[float]
    low: list[float]
    high: list[float]

    def curve(self) -> ModelCurve:
        """Make a model for the views.

        Returns
        -------
        ModelCurve
        """
        epochs, errors, low, high = map(np.array, (self.epochs, self.errors, self.low, self.high))
        facts = MODELS["twin"]
        explanation = f"{facts.help} {self.runs} runs on {self.origin}."
        name = f"{facts.name} on {self.kind}"
        return sampled_curve("twin", self.loss, epochs, errors, (low, high), name=name, explanation=explanation)


def twin_model(record: Path) -> TwinModel:
    """Simulate a recorded run many times over; takes seconds.

    Parameters
    ----------
    record : Path
        The run file.

    Returns
    -------
    TwinModel

    Raises
    ------
    UserError
        For a strategy that does not judge flips one by one, and for what is no run file.
    """
    from labcontrol.theory import twin_ensemble  # the compiler takes a second to import

    with RunReader(record) as run:
        experiment = ExperimentConfig.model_validate(run.experiment)
        learning = experiment.learning
        each = strategy_facts(learning).epochs_per_flip
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
    low, high = ensemble.band(_TWIN_FRACTION)
    curves = [(each * shown).tolist(), *(curve[shown].tolist() for curve in (ensemble.median, low, high))]
    return TwinModel(kind, origin, runs, learning.loss, *curves)


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


def main(record: str) -> int:
    """Print the twin of a record as JSON, or why there is none.

    Parameters
    ----------
    record : str
        Path of the run file.

    Returns
    -------
    int
        The exit code.
    """
    if hasattr(os, "nice"):
        os.nice(10)  # the run goes first
    try:
        sys.stdout.write(json.dumps(asdict(twin_model(Path(record)))))
    except UserError as error:
        sys.stdout.write(json.dumps({"message": error.message, "remedy": error.remedy}))
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
