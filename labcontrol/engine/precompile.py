"""Precompiling in the dark: what a run computes while there is light is imported and compiled before.

See `labcontrol.reservoir.precompile` for the reason.
"""

from __future__ import annotations

import numpy as np

from labcontrol.bench import NeuronMap
from labcontrol.config import ExperimentConfig
from labcontrol.engine.pilot import Pilot, posed_problem, predict
from labcontrol.learning import initial_mask, make_strategy
from labcontrol.reservoir.precompile import precompile_pictures

_NEURONS, _STEPS, _FLIPS, _MASKS = 16, 64, 4, 200


def precompile(experiment: ExperimentConfig, neuron_map: NeuronMap) -> None:
    """Draw patterns, judge pictures and learn on numbers, as a run of this experiment will on light."""
    precompile_pictures(neuron_map)
    _learn(experiment, np.random.default_rng(0))


def _learn(experiment: ExperimentConfig, rng: np.random.Generator) -> None:
    """A pilot and the first masks of the experiment's strategy, where the states are random numbers."""
    learning = experiment.learning
    states, target = rng.random((_NEURONS, _STEPS)), rng.standard_normal(_STEPS)
    start = initial_mask(learning, _NEURONS, rng)
    mirrors = np.arange(-1, _FLIPS)
    flipped = np.repeat(start[None], len(mirrors) + 1, axis=0)
    flipped[mirrors[1:] + 2, mirrors[1:]] ^= True
    noise = 0.001 * rng.standard_normal((len(flipped), _STEPS))
    pilot = Pilot(mirrors, (flipped @ states + noise).astype(np.float32))
    law = predict(pilot, start, target, learning.loss)
    problem = posed_problem(pilot, law, start, rng, target)
    strategy = make_strategy(learning, problem)
    measured = 0
    while measured < _MASKS and strategy.finished is None:
        proposal = strategy.ask()
        outputs = (proposal.masks @ states).astype(np.float32)
        strategy.tell(proposal, outputs, problem.measure.errors(learning.loss, outputs))
        measured += len(proposal.masks)
