"""Do amplitude-weighted selection or annealed blocks learn faster than the greedy rule of the experiments?

For each seed, the states of the default table are measured neuron by neuron and all rules learn on them from the same
start mask in the twin. The goal is the error that the greedy rule has after 2 N epochs, or a multiple of it. Printed is
the ratio of the epochs a rule needs for it to those the greedy rule needed (when it first had that error): the
geometric mean over the seeds with its 95 % bootstrap interval, and how many runs came there at all within 8 N epochs
(the others count as 8 N).

Blocks flip several mirrors an epoch, fewer and fewer until it is one; each row names the largest block and the length
of the annealing. Amplitudes are the true ones: a pilot of all mirrors tells them.

    python benchmarks/faster_selection.py --neurons 400 --seeds 20
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from labcontrol.config import ExperimentConfig, LearningConfig
from labcontrol.learning.selection import SelectionRule, selection_rule
from labcontrol.theory import run_twin
from labcontrol.theory.measured import MeasuredStates, table_states

SWEEPS = 8
Maker = Callable[[np.random.Generator], SelectionRule]


def rules(measured: MeasuredStates) -> dict[str, Maker]:
    """All that are compared, by name."""
    n = measured.states.neurons
    amplitudes = np.sqrt(measured.states.variances)
    made: dict[str, Maker] = {
        name: partial(_rule, name, n, amplitudes=amplitudes)
        for name in ("greedy", "uniform", "cyclic", "amplitude", "amplitude-greedy")
    }
    for largest, anneal in ((4, n // 8), (8, n // 8), (16, n // 8), (max(1, n // 16), n // 2)):
        made[f"blocks of {largest}, {anneal / n:.3g} N"] = partial(
            _rule, "blocks", n, largest_block=largest, anneal_epochs=anneal
        )
    return made


def _rule(name: str, neurons: int, rng: np.random.Generator, **settings: object) -> SelectionRule:
    return selection_rule(name, neurons, rng, **settings)  # type: ignore[arg-type]


def main(
    neurons: Annotated[int, typer.Option(help="Number of neurons, a square number.")] = 400,
    seeds: Annotated[int, typer.Option(help="Tables and starts.")] = 20,
    slack: Annotated[float, typer.Option(help="The goal as a multiple of the greedy rule's error after 2 N.")] = 1.0,
    noise: Annotated[bool, typer.Option(help="With the detector noise of the table.")] = True,
) -> None:
    """Print the ratios for both losses."""
    table = Table("loss", "selection", "epochs / greedy's", "95 % interval", "reached", "error at 2 N / greedy's")
    for loss in ("nmse", "mse"):
        learning = LearningConfig(loss=loss)
        needed: dict[str, list[float]] = {}
        finals: dict[str, list[float]] = {}
        for seed in track(range(1, seeds + 1), loss, console=Console(stderr=True)):
            measured = table_states(ExperimentConfig(neurons=neurons, seed=seed))
            noise_std = measured.noise_std if noise else 0.0
            curves = {
                name: run_twin(
                    measured.states, learning, epochs=SWEEPS * neurons, seed=seed, noise_std=noise_std, rule=rule
                ).true_errors
                for name, rule in rules(measured).items()
            }
            final = float(curves["greedy"][2 * neurons])
            goal = slack * final
            first = max(int(np.argmax(curves["greedy"] <= goal)), 1)
            for name, errors in curves.items():
                reached = np.flatnonzero(errors <= goal)
                needed.setdefault(name, []).append(reached[0] / first if len(reached) else np.inf)
                finals.setdefault(name, []).append(float(errors[2 * neurons]) / final)
        for name, ratios in needed.items():
            table.add_row(loss, name, *_summary(np.array(ratios)), f"{np.exp(np.mean(np.log(finals[name]))):.2f}")
    Console().print(table)


def _summary(ratios: np.ndarray) -> tuple[str, str, str]:
    reached = np.isfinite(ratios)
    logs = np.log(np.maximum(np.where(reached, ratios, SWEEPS / 2), 1e-3))
    drawn = np.random.default_rng(0).choice(logs, (2000, len(logs))).mean(axis=1)
    low, high = np.exp(np.quantile(drawn, [0.025, 0.975]))
    return f"{np.exp(logs.mean()):.2f}", f"{low:.2f} ... {high:.2f}", f"{reached.sum()} of {len(ratios)}"


if __name__ == "__main__":
    typer.run(main)
