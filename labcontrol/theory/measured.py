"""States of a bench, measured neuron by neuron: what a twin of that bench needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labcontrol.bench import BUILT_IN_BENCHES, Bench, simulated_bench
from labcontrol.config import BenchConfig, ExperimentConfig
from labcontrol.reservoir import Reservoir
from labcontrol.tasks import Task, make_task
from labcontrol.theory.amplitude import noise_from_repeats
from labcontrol.theory.states import States, incoherent_states

_REPEATS = 4


@dataclass(frozen=True)
class MeasuredStates:
    """States, and the noise of one output sample in their unit."""

    states: States
    noise_std: float


def table_states(experiment: ExperimentConfig) -> MeasuredStates:
    """States of the built-in table of an experiment, size and seed, without its noise; the noise is measured apart.

    Every mirror alone, all of them in one replay of the training sequence, and the same mask a few times.
    Incoherent readout. Raises UserError.
    """
    task = make_task(experiment.task, experiment.seed)
    table = BUILT_IN_BENCHES.get(experiment.bench, simulated_bench)(experiment.neurons, experiment.seed)
    alone = np.vstack([np.zeros((1, experiment.neurons), dtype=bool), np.eye(experiment.neurons, dtype=bool)])
    outputs = _replayed(experiment, task, _without_noise(table), alone)
    half = np.random.default_rng(experiment.seed).random(experiment.neurons) < 0.5
    repeats = np.concatenate([_replayed(experiment, task, table, half[None], _REPEATS)])
    states = incoherent_states(outputs[1:] - outputs[0], task.train_target, background=outputs[0])
    return MeasuredStates(states, noise_from_repeats(repeats))


def _replayed(
    experiment: ExperimentConfig, task: Task, table: BenchConfig, masks: np.ndarray, repeats: int = 1
) -> np.ndarray:
    """(repeats B, T) outputs of masks (B, N)."""
    with Bench(table) as bench:
        rng = np.random.default_rng([experiment.seed, 1])
        reservoir = Reservoir(bench, experiment.reservoir, experiment.side, rng)
        reservoir.prepare()
        replays = [
            reservoir.replay(masks, task.training_sequence, len(task.washout_input)).outputs for _ in range(repeats)
        ]
    return np.concatenate(replays).astype(np.float64)


def _without_noise(config: BenchConfig) -> BenchConfig:
    assert config.table is not None
    return config.model_copy(
        update={"table": config.table.model_copy(update={"options": config.table.options | {"noise": 0.0}})}
    )
