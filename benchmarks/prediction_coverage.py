"""How often single runs stay in the band that was predicted for them.

    python benchmarks/prediction_coverage.py --neurons 64 --tables 8 --runs 24

On each simulated table a pilot is measured with the table's noise, and the band predicted from it. The runs that it is
held against descend on what the mirrors really do there, measured one by one without noise, with the noise between
replays.
With --live they are runs of the program itself, each with a pilot and a prediction of its own.
"""

from __future__ import annotations

import itertools
import tempfile
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from labcontrol.bench import BUILT_IN_BENCHES, Bench
from labcontrol.config import ExperimentConfig
from labcontrol.engine import Run
from labcontrol.engine.pilot import PilotFindings, PilotResult, measure_pilot, pilot_findings, pilot_masks, run_rules
from labcontrol.learning import initial_mask
from labcontrol.records import RunReader
from labcontrol.reservoir import Reservoir
from labcontrol.tasks import make_task
from labcontrol.theory.measured import table_states
from labcontrol.theory.run_prediction import RunPrediction, predict_run
from labcontrol.theory.run_twins import run_twins

LOSSES = ("mse", "nmse")
RULES: dict[str, dict[str, Any]] = {
    f"{selection}, {loss}, {acceptance}": {"loss": loss, "options": {"selection": selection, "acceptance": acceptance}}
    for selection, loss, acceptance in itertools.product(
        ("uniform", "cyclic", "greedy"), LOSSES, ("stored", "re-measured")
    )
}
RULES |= {
    f"{selection}, {loss}": {"loss": loss, "options": {"selection": selection}}
    for selection, loss in itertools.product(("blocks", "amplitude-greedy"), LOSSES)
}
RULES |= {f"noise-aware, {loss}": {"strategy": "noise-aware", "loss": loss} for loss in LOSSES}
EPOCHS_PER_NEURON = 4
Figures = tuple[float, float, float, float, float]


def main(
    neurons: Annotated[int, typer.Option(help="A square number.")] = 64,
    tables: Annotated[int, typer.Option(help="Simulated tables, seeds 1 and up.")] = 8,
    runs: Annotated[int, typer.Option(help="Runs on each.")] = 24,
    bench: Annotated[str, typer.Option(help="simulated or laboratory; live runs only.")] = "simulated",
    few_masks: Annotated[bool, typer.Option("--few-masks", help="64 masks and the known phases.")] = False,
    noise: Annotated[
        float, typer.Option(help="Times the noise between replays, in the runs and in what is told of it.")
    ] = 1.0,
    live: Annotated[bool, typer.Option("--live", help="Runs of the program itself.")] = False,
    rule: Annotated[list[str] | None, typer.Option(help="Only this, as the table names it; several times.")] = None,
) -> None:
    """Print the fraction of epochs inside a nominal 90 % band, for every rule, loss and acceptance."""
    shown = Table(
        "rule", "inside", "late (k ≥ N)", "least of a table", "rms ln median", "high / low", "unexplained", box=None
    )
    for name, learning in RULES.items():
        found: list[Figures] = []
        if rule and name not in rule:
            continue
        for seed in range(1, tables + 1):
            experiment = ExperimentConfig.model_validate(
                {
                    "bench": bench,
                    "neurons": neurons,
                    "seed": seed,
                    "learning": learning,
                    "faults": {"give_up_after_s": 30.0},
                    "stop": {"epochs": EPOCHS_PER_NEURON * neurons + 1},
                }
            )
            found.append(
                live_runs(experiment, runs) if live else descents(experiment, runs, noise, few_masks=few_masks)
            )
        inside, late, median, width, unexplained = (np.array(column) for column in zip(*found, strict=True))
        shown.add_row(
            name,
            *(f"{value:.3f}" for value in (inside.mean(), late.mean(), inside.min(), median.mean(), width.mean())),
            f"{unexplained.mean():.2%}",
        )
    Console(width=120).print(shown)


def descents(experiment: ExperimentConfig, runs: int, noise: float, *, few_masks: bool) -> Figures:
    """Runs in software on what the mirrors of the table really do."""
    findings, start, target = measured(experiment, few_masks=few_masks)
    truth = table_states(experiment).states
    rules = run_rules(experiment.learning, findings.gain, noise * findings.facts.noise_between)
    assert rules is not None
    epochs, responses = EPOCHS_PER_NEURON * experiment.neurons, truth.responses.astype(np.float64)
    known, facts = findings.samples or findings.responses, findings.facts
    told = predict_run(known, findings.start_output, start, target, rules, epochs, facts, seed=1)
    background = 0.0 if truth.background is None else truth.background
    output = background + responses[start].sum(axis=0)
    points = np.unique(np.geomspace(1, epochs, 50).round().astype(np.int64))
    curves = run_twins(responses, output, start, truth.target, rules, points, seed=2, twins=runs)
    return figures(told, points, curves, experiment.neurons)


def measured(experiment: ExperimentConfig, *, few_masks: bool) -> tuple[PilotFindings, np.ndarray, np.ndarray]:
    """What the pilot of an experiment tells, its start mask and its target."""
    task = make_task(experiment.task, experiment.seed)
    start = initial_mask(experiment.learning, experiment.neurons, np.random.default_rng(experiment.seed))
    rng = np.random.default_rng([experiment.seed, 2])
    if few_masks:  # as for a strategy of which nothing is predicted
        learning = experiment.learning.model_copy(update={"strategy": "multiplexed-identification", "options": {}})
        experiment = experiment.model_copy(update={"learning": learning})
    with Bench(BUILT_IN_BENCHES[experiment.bench](experiment.neurons, experiment.seed)) as bench:
        reservoir = Reservoir(bench, experiment.reservoir, experiment.side, np.random.default_rng([experiment.seed, 1]))
        reservoir.prepare()
        pilot, phases = measure_pilot(
            reservoir, task, pilot_masks(experiment, start, reservoir.masks_per_replay, rng)
        )  # fmt: skip
    return pilot_findings(pilot, start, task.train_target, phases, rng), start, task.train_target


def live_runs(experiment: ExperimentConfig, runs: int) -> Figures:
    """Runs of the program on tables of their own, each beside its own prediction; a "table" is one seed of many."""
    found = []
    for number in range(runs):
        one = experiment.model_copy(update={"seed": 1000 * experiment.seed + number})
        with tempfile.TemporaryDirectory() as folder:
            run = Run(one, directory=folder)
            run.execute()
            with RunReader(run.record) as record:
                told, errors = PilotResult.recorded(record), record.incumbent_errors()
        assert told is not None
        if told.prediction is None:  # this table does not repeat itself well enough, and the program says so
            Console(stderr=True).print(f"seed {one.seed}: {told.facts.unexplained:.1%} unexplained, nothing predicted")
            continue
        points = np.unique(np.geomspace(1, len(errors) - 1, 50).round().astype(np.int64))
        found.append(figures(told.prediction, points, errors[points][None], one.neurons))
    inside, late, median, width, unexplained = np.mean(found, axis=0)
    return inside, late, median, width, unexplained


def figures(told: RunPrediction, points: np.ndarray, curves: np.ndarray, neurons: int) -> Figures:
    """As the columns of the table."""
    median, low, high = told.at(points)
    inside, late = (curves >= low) & (curves <= high), points >= neurons
    deviation = np.log(median / np.median(curves, axis=0))
    return (
        float(inside.mean()),
        float(inside[:, late].mean()),
        float(np.sqrt(np.mean(deviation**2))),
        float(np.exp(np.mean(np.log(high / low)))),
        told.pilot.unexplained,
    )


if __name__ == "__main__":
    typer.run(main)
