"""Which operating point makes the default table a good experiment?

For each feedback, injection and phase offset: the states are measured through the table (every neuron alone, all of
them in one multiplexed replay), greedy coordinate descent is run on them in software, and the mask is judged on the
training part, on the test part, and on the training part replayed. Printed too is the consistency: the mean correlation
of a neuron's response between the two replays, which is 1 where the reservoir forgets how it started and noise is weak.

    python benchmarks/operating_points.py --neurons 400 --tables 2
"""

from __future__ import annotations

import argparse
import itertools

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from labcontrol.bench import Bench, simulated_bench
from labcontrol.config import LearningConfig, ReservoirConfig, TaskConfig
from labcontrol.learning import Problem, initial_mask, make_strategy
from labcontrol.reservoir import Reservoir
from labcontrol.tasks import ErrorMeasure, Task, make_task, nmse

FEEDBACK = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3)
INJECTION = (0.25, 0.5, 0.75)
OFFSET = (0.25, 0.44)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--neurons", type=int, default=400, help="a square number (default 400)")
    parser.add_argument("--tables", type=int, default=2, help="seeds to average over (default 2)")
    parser.add_argument("--epochs-per-neuron", type=int, default=3, help="length of the descent (default 3)")
    parser.add_argument("--task", default="mackey-glass", help="task (default mackey-glass)")
    options = parser.parse_args()

    table = Table("feedback", "injection", "offset", "train nmse", "replayed", "test nmse", "consistency")
    points = list(itertools.product(FEEDBACK, INJECTION, OFFSET))
    for feedback, injection, offset in track(points, "operating points", console=Console(stderr=True)):
        config = ReservoirConfig(feedback=feedback, injection=injection, phase_offset=offset)
        figures = [_judge(config, options, seed) for seed in range(1, options.tables + 1)]
        table.add_row(f"{feedback:g}", f"{injection:g}", f"{offset:g}", *[f"{x:.4f}" for x in np.mean(figures, axis=0)])
    Console().print(table)


def _judge(config: ReservoirConfig, options: argparse.Namespace, seed: int) -> tuple[float, float, float, float]:
    neurons = options.neurons
    task = make_task(TaskConfig(name=options.task), seed)
    with Bench(simulated_bench(neurons, seed)) as bench:
        reservoir = Reservoir(bench, config, round(neurons**0.5), np.random.default_rng([seed, 1]))
        reservoir.prepare()
        alone = np.eye(neurons, dtype=bool)
        washout = len(task.washout_input)
        states, again = (
            reservoir.replay(alone, task.whole_sequence, washout).outputs.T.astype(np.float64) for _ in range(2)
        )
    steps = len(task.train_target)
    mask = _descend(states[:steps], task, options.epochs_per_neuron * neurons, seed)
    consistency = np.mean([np.corrcoef(states[:, i], again[:, i])[0, 1] for i in range(neurons)])
    outputs = [(part @ mask).astype(np.float32) for part in (states[:steps], again[:steps], states[steps:])]
    train, replayed = (nmse(output, task.train_target) for output in outputs[:2])
    return train, replayed, nmse(outputs[2], task.test_target), float(consistency)


def _descend(states: np.ndarray, task: Task, epochs: int, seed: int) -> np.ndarray:
    """The mask greedy coordinate descent ends with on these states."""
    rng = np.random.default_rng(seed)
    learning = LearningConfig()
    neurons = states.shape[1]
    start = initial_mask(learning, neurons, rng)
    strategy = make_strategy(learning, Problem(start, rng, np.ones(neurons), ErrorMeasure(task.train_target, gain=1.0)))
    for _ in range(epochs):
        proposal = strategy.ask()
        outputs = (proposal.masks @ states.T).astype(np.float32)
        strategy.tell(proposal, outputs, np.array([nmse(output, task.train_target) for output in outputs]))
    return strategy.incumbent


if __name__ == "__main__":
    main()
