"""Precompiling in the dark: what a run computes while there is light is imported and compiled before.

See `labcontrol.reservoir.precompile` for the reason.
"""

from __future__ import annotations

import numpy as np

from labcontrol.bench import NeuronMap
from labcontrol.config import ExperimentConfig, StopConfig
from labcontrol.engine.pilot import Pilot, PilotResult, pilot_findings
from labcontrol.learning import initial_mask, make_strategy
from labcontrol.reservoir.precompile import precompile_pictures
from labcontrol.tasks import standardised
from labcontrol.theory.pilot_design import pilot_flips, pilot_replays

_NEURONS, _STEPS, _MASKS = 16, 64, 200


def precompile(experiment: ExperimentConfig, neuron_map: NeuronMap) -> None:
    """Draw patterns, judge pictures and learn on numbers, as a run of this experiment will on light."""
    precompile_pictures(neuron_map)
    _learn(experiment, np.random.default_rng(0))


def _learn(experiment: ExperimentConfig, rng: np.random.Generator) -> None:
    """A pilot and the first masks of the experiment's strategy, where the states are random numbers."""
    learning = experiment.learning
    states, target = rng.random((_NEURONS, _STEPS)), standardised(rng.standard_normal(_STEPS))
    start = initial_mask(learning, _NEURONS, rng)
    replays = pilot_replays(start, pilot_flips(_NEURONS, rng), _MASKS)
    masks, numbers = np.concatenate(replays), np.repeat(np.arange(len(replays)), [len(part) for part in replays])
    noise = 0.001 * rng.standard_normal((len(masks), _STEPS))
    pilot = Pilot(masks, (masks @ states + noise).astype(np.float32), numbers)
    findings = pilot_findings(pilot, start, target, np.zeros((_NEURONS, _STEPS)), rng)
    small = experiment.model_copy(update={"neurons": _NEURONS, "stop": StopConfig(epochs=_MASKS)})
    problem = PilotResult.of(small, findings, start, target).problem(start, rng, target)
    strategy = make_strategy(learning, problem)
    measured = 0
    while measured < _MASKS and strategy.finished is None:
        proposal = strategy.ask()
        outputs = (proposal.masks @ states).astype(np.float32)
        strategy.tell(proposal, outputs, problem.measure.errors(learning.loss, outputs))
        measured += len(proposal.masks)
