"""A table whose every mirror was measured: outputs of any mask at the cost of one matrix product."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labcontrol.analysis.compare.noisy_benches import ReadoutKind, quiet_bench
from labcontrol.bench import Bench
from labcontrol.config import ExperimentConfig
from labcontrol.reservoir import Reservoir
from labcontrol.tasks import make_task

Floats = NDArray[np.float64]

_SPREAD_MASKS = 64


@dataclass(frozen=True)
class KnownTable:
    """Responses over training and test part.

    responses: (N, T + S) light of each mirror alone, or its field for a coherent readout (all mirrors in phase).
    background: (T + S,) with all mirrors off, in the same unit. train_target: (T,), test_target: (S,) standardised.
    spread: standard deviation over time of the output of random masks, root mean square; noise is stated as a share.
    phases_rad: (N, T) phases shown over the training part, where they are known.
    """

    responses: NDArray[np.float32]
    background: NDArray[np.float32]
    coherent: bool
    train_target: Floats
    test_target: Floats
    spread: float
    phases_rad: Floats | None = None

    @property
    def neurons(self) -> int:
        return len(self.responses)

    @property
    def steps(self) -> int:
        return len(self.train_target)

    def outputs(self, masks: NDArray[np.bool_], *, test: bool = False) -> NDArray[np.float32]:
        """(B, T) noiseless outputs of masks (B, N) over the training part, or (B, S) over the test part."""
        part = slice(self.steps, None) if test else slice(self.steps)
        return _outputs(masks, self.background[part], self.responses[:, part], coherent=self.coherent)


def measured_table(experiment: ExperimentConfig, readout: ReadoutKind) -> KnownTable:
    """Measure every mirror alone on the simulated table, in one multiplexed replay with the table's noise off.

    The reservoir's own randomness (coupling, input weights) is that of the experiment's seed. A readout with path
    phases cannot be known in this way: powers of single mirrors do not tell their phases.
    """
    assert readout != "path-phases"
    neurons = experiment.neurons
    task = make_task(experiment.task, experiment.seed)
    masks = np.concatenate([np.zeros((1, neurons), dtype=np.bool_), np.eye(neurons, dtype=np.bool_)])
    light, phases_rad = _quiet_replay(experiment, readout, masks)
    coherent = readout == "coherent"
    values = np.sqrt(np.maximum(light, 0.0)) if coherent else light
    background, responses = values[0], np.ascontiguousarray(values[1:] - values[0])
    steps = len(task.train_target)
    random = _outputs(spread_masks(neurons), background[:steps], responses[:, :steps], coherent=coherent)
    return KnownTable(
        responses, background, coherent, task.train_target, task.test_target, spread(random), phases_rad[:, :steps]
    )


def quiet_outputs(experiment: ExperimentConfig, readout: ReadoutKind, masks: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(B, T + S) outputs of masks (B, N) over training and test part, on the table without noise."""
    return _quiet_replay(experiment, readout, masks)[0]


def _quiet_replay(
    experiment: ExperimentConfig, readout: ReadoutKind, masks: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], Floats]:
    """Outputs (B, T + S), and the phases (N, T + S) that were shown meanwhile."""
    task = make_task(experiment.task, experiment.seed)
    states = np.empty((len(task.whole_sequence), experiment.neurons), dtype=np.float32)

    def keep(step: int, signals: Floats) -> None:
        states[step] = signals

    with Bench(quiet_bench(experiment.neurons, experiment.seed, readout)) as bench:
        rng = np.random.default_rng([experiment.seed, 1])
        reservoir = Reservoir(bench, experiment.reservoir, experiment.side, rng)
        reservoir.prepare()
        reservoir.on_signals = keep
        washout = len(task.washout_input)
        outputs = reservoir.replay(masks, task.whole_sequence, washout).outputs
        return outputs, reservoir.phases_rad(task.whole_sequence, states)[:, washout:]


def spread_masks(neurons: int) -> NDArray[np.bool_]:
    """Random masks (64, N) whose outputs noise is compared with."""
    return np.random.default_rng(0).random((_SPREAD_MASKS, neurons)) < 0.5


def spread(outputs: NDArray[np.float32]) -> float:
    """Standard deviation of outputs (B, T) over time, root mean square over masks."""
    return float(np.sqrt(np.mean(np.var(outputs, axis=1, dtype=np.float64))))


def _outputs(
    masks: NDArray[np.bool_], background: NDArray[np.float32], responses: NDArray[np.float32], *, coherent: bool
) -> NDArray[np.float32]:
    total: NDArray[np.float32] = background + masks.astype(np.float32) @ responses
    return total**2 if coherent else total
