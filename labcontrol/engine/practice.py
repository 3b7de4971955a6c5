"""Practice in the dark: what computes while there is light is imported and compiled before.

The first use of a compiled loop after an update of the program takes up to some seconds, and may keep all threads
waiting for longer than the guardian of a laser waits for a sign of life.
"""

from __future__ import annotations

import numpy as np

from labcontrol.bench import NeuronMap
from labcontrol.bench.response import update_phases
from labcontrol.config import ExperimentConfig
from labcontrol.engine.pilot import Pilot, posed_problem, predict
from labcontrol.learning import initial_mask, make_strategy
from labcontrol.reservoir.proofs import proof_gain
from labcontrol.reservoir.rehearsal import spread_between

_NEURONS, _STEPS, _FLIPS, _MASKS = 16, 64, 4, 200


def practise(experiment: ExperimentConfig, neuron_map: NeuronMap) -> None:
    """Draw patterns, judge pictures and learn on numbers, as a run of this experiment will on light."""
    rng = np.random.default_rng(0)
    neuron_map.dmd_pattern(np.zeros(neuron_map.side**2, dtype=bool))
    _judge_pictures(rng)
    _learn(experiment, rng)


def _judge_pictures(rng: np.random.Generator) -> None:
    signals = rng.random((3, _NEURONS))
    phases = np.zeros((3, _NEURONS), dtype=np.int64)
    for picture, index in zip(signals, phases, strict=True):
        update_phases(picture, 1.0, picture, 0.5, picture, index)
    proof_gain(phases, signals, 1.0, np.zeros(3))
    replay = signals.astype(np.float32)
    spread_between(replay, replay)


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
        errors = problem.measure.mse(outputs) if learning.loss == "mse" else problem.measure.nmse(outputs)
        strategy.tell(proposal, outputs, errors)
        measured += len(proposal.masks)
