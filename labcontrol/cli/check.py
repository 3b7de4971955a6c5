"""`labcontrol check`: is a file right, and what would it do?"""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from labcontrol.bench import PhaseTable, bench_for, driver_classes
from labcontrol.calibration import statuses
from labcontrol.cli.connect import connect_and_report
from labcontrol.cli.terminal_text import AsJson
from labcontrol.config import BenchConfig, ExperimentConfig, load_bench, load_experiment
from labcontrol.learning import check_learning, strategy_facts
from labcontrol.records.json_text import to_json
from labcontrol.tasks import make_task
from labcontrol.whole_files import read_text


def check(
    file: Path = typer.Argument(help="Experiment or bench file."),
    connect: bool = typer.Option(
        False,
        "--connect",
        help="Open every device, dark, and report who it is, its state, limits and how fast it answers. SLM and DMD "
        "show a dark pattern meanwhile.",
    ),
    as_json: AsJson = False,
) -> None:
    """Validate an experiment or bench file and say what it would do. Nothing is written, no light is switched on.

    The exit code is 0 when all is well, 2 when the file is wrong, 1 when a device is not ready.
    """
    # What is said for people goes beside the result, where that is for a program.
    console = Console(stderr=as_json)
    steps, experiment = None, None
    if _is_bench(file):
        bench = load_bench(file)
    else:
        experiment = load_experiment(file)
        bench = bench_for(experiment)
        steps = _describe_experiment(console, experiment)
    _describe_bench(console, bench)
    console.print(f"[green]{escape(str(file))} is right.[/]", soft_wrap=True)
    examination = connect_and_report(console, bench, steps) if connect else None
    if as_json:
        typer.echo(to_json({"experiment": _plain(experiment), "bench": _plain(bench), "devices": examination}))
    if examination is not None and not examination.passed:
        raise typer.Exit(1)


def _plain(config: BenchConfig | ExperimentConfig | None) -> dict[str, Any] | None:
    return None if config is None else config.model_dump(mode="json")


def _is_bench(file: Path) -> bool:
    """Benches have a geometry. What cannot be read is left to the loader, which explains it."""
    try:
        return "geometry" in tomllib.loads(read_text(file))
    except (OSError, ValueError, RecursionError):
        return False


def _describe_experiment(console: Console, experiment: ExperimentConfig) -> int:
    """Say what it would do; returns the steps of one replay."""
    check_learning(experiment.learning)
    task = make_task(experiment.task, experiment.seed)
    learning = experiment.learning
    steps = len(task.training_sequence)
    facts = _facts()
    facts.add_row("neurons", f"{experiment.neurons} ({experiment.side} x {experiment.side})")
    facts.add_row(
        "task",
        f"{escape(task.name)}: washout {len(task.washout_input)}, training {len(task.train_input)}, "
        f"test {len(task.test_input)} steps",
    )
    about = strategy_facts(learning)
    how = f"{about.selection} selection, {'re-measured' if about.remeasured else 'stored'} error"
    if about.many_masks:
        how = f"up to {learning.masks_per_replay} masks in one replay"
    if task.understood:
        facts.add_row("read as", escape(task.understood))
    facts.add_row("learning", f"{learning.strategy}, {how}, loss {learning.loss}")
    facts.add_row("pilot", "masks that tell what every mirror does: they set the gain and predict the curve")
    facts.add_row(
        "stops after",
        f"{experiment.epochs} epochs at most; that is {experiment.epochs * steps:,} steps of {steps} an epoch",
    )
    if experiment.stop.replays is not None:
        facts.add_row("or after", f"{experiment.stop.replays} replays")
    if experiment.stop.target_error is not None:
        facts.add_row("stops at", f"an error of {experiment.stop.target_error:g}")
    if experiment.stop.plateau_epochs is not None:
        facts.add_row("stops when", f"no progress over {experiment.stop.plateau_epochs} epochs")
    console.print(facts)
    return steps


def _describe_bench(console: Console, bench: BenchConfig) -> None:
    facts = _facts()
    facts.add_row("bench", f"{escape(bench.name)}, grid of {bench.geometry.rows} x {bench.geometry.columns} neurons")
    for role, (driver, _) in driver_classes(bench).items():
        entry = getattr(bench, role)
        address = getattr(entry, "address", "")
        facts.add_row(role, escape(f"{entry.driver} ({driver.__name__})" + (f" at {address}" if address else "")))
    error = PhaseTable(bench.response).largest_error_rad
    facts.add_row("SLM response", f"every phase is reached within {error:.3f} rad")
    if bench.calibration is not None:
        states = Counter(status.state for status in statuses(bench))
        facts.add_row("calibrations", ", ".join(f"{number} {state}" for state, number in states.items()))
    console.print(facts)


def _facts() -> Table:
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="bold")
    facts.add_column()
    return facts
