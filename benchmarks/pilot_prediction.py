"""How well a pilot of a few flips predicts the rate of learning on the default table, before learning starts.

For each seed: the states of a table are measured neuron by neuron, a start mask is drawn, P mirrors are flipped as a
run's pilot does, and kappa is predicted. Then the run with that start mask is made, and further runs with other seeds.
Compared are kappa and the rate of the exponential fitted to the run; to the mean curve of all runs of the table; and,
as what no prediction of a single run can beat, the geometric mean of the other runs' rates with the run's.

    python benchmarks/pilot_prediction.py --neurons 64,144,324,900,2025
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from labcontrol.config import ExperimentConfig, LearningConfig
from labcontrol.theory import States, amplitude_law, fit_learning_curve, pilot_law, run_twin, spread_mirrors
from labcontrol.theory.measured import table_states

SWEEPS = 4
WITHIN = 0.3


@dataclass(frozen=True)
class Outcome:
    """Rates of one table: predicted (with blind choice, initial only, as built), of the run, of others, of the mean."""

    blind: float
    initial: float
    predicted: float
    low: float
    high: float
    run: float
    others: float
    mean: float


def outcome(neurons: int, seed: int, flips: int, runs: int, loss: str) -> Outcome:
    """One table."""
    experiment = ExperimentConfig(neurons=neurons, seed=seed)
    states = table_states(experiment).states
    mask = np.random.default_rng(seed).random(neurons) < 0.5
    known = np.random.default_rng([seed, 1])  # as the reservoir draws them
    weights = known.random(neurons)
    second = known.permutation(neurons) < round(experiment.reservoir.phase_share * neurons)
    chosen = spread_mirrors(weights, second.astype(float), flips, np.random.default_rng([seed, 2]))
    blindly = np.random.default_rng([seed, 3]).permutation(neurons)[:flips]
    law = pilot_law(_pilot(states, mask, chosen), chosen, mask, states.target, loss=loss)
    initial = amplitude_law(_pilot(states, mask, chosen), chosen, mask, states.target, loss=loss)
    blind = pilot_law(_pilot(states, mask, blindly), blindly, mask, states.target, loss=loss)
    learning = LearningConfig(options={"selection": "uniform"}, loss=loss)
    twin = replace(states, gain=law.gain)
    curves = [
        run_twin(twin, learning, epochs=SWEEPS * neurons, seed=one).incumbent_errors
        for one in (seed, *range(1000, 1000 + runs))
    ]
    rates = [_rate(curve, neurons) for curve in curves]
    low, high = law.run_kappa
    return Outcome(
        blind.kappa, initial.kappa, law.kappa, low, high, rates[0],
        float(np.exp(np.mean(np.log(rates[1:])))), _rate(np.mean(curves, axis=0), neurons),
    )  # fmt: skip


def _pilot(states: States, mask: np.ndarray, mirrors: np.ndarray) -> np.ndarray:
    background = 0.0 if states.background is None else states.background
    start = background + states.responses.T @ mask
    return np.stack([start, *(start + (1 - 2.0 * mask[i]) * states.responses[i] for i in mirrors)])


def _rate(curve: np.ndarray, neurons: int) -> float:
    fits = fit_learning_curve(np.arange(len(curve)), curve, ("exponential",))
    return neurons / fits.best.tau[0] if fits is not None else np.nan


def main(
    neurons: Annotated[str, typer.Option(help="Sizes, separated by commas.")] = "64,144,324,900,2025",
    tables: Annotated[int, typer.Option(help="Tables of each size.")] = 20,
    flips: Annotated[int, typer.Option(help="Flips of the pilot.")] = 50,
    runs: Annotated[int, typer.Option(help="Further runs on each table.")] = 11,
    loss: Annotated[str, typer.Option(help="mse or nmse.")] = "mse",
) -> None:
    """Print how often predictions are within 30 %."""
    table = Table(
        "neurons", "kappa", "single run", "blind pilot", "initial rate", "other runs",
        "mean curve", "scatter about it", "95 % interval holds",
        title=f"{loss}: of {tables} tables, within 30 % of the fitted rate",
    )  # fmt: skip
    for size in map(int, neurons.split(",")):
        seeds = track(range(1, tables + 1), f"N = {size}", console=Console(stderr=True))
        found = [outcome(size, seed, flips, runs, loss) for seed in seeds]

        def within(a: str, b: str, found: list[Outcome] = found) -> str:
            return str(sum(abs(getattr(one, a) / getattr(one, b) - 1) < WITHIN for one in found))

        logs = np.log([one.predicted / one.mean for one in found])
        held = sum(one.low < one.run < one.high for one in found)
        table.add_row(
            str(size), f"{np.median([one.predicted for one in found]):.2f}",
            within("predicted", "run"), within("blind", "run"), within("initial", "run"), within("others", "run"),
            within("predicted", "mean"), f"{100 * logs.mean():+.0f} ± {100 * logs.std():.0f} %", f"{held} of {tables}",
        )  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
