"""`labcontrol check`: is a file right, and what would it do?"""

from __future__ import annotations

import tomllib
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from labcontrol.bench import Bench, NeuronMap, PhaseTable, bench_for, driver_classes
from labcontrol.config import BenchConfig, ExperimentConfig, load_bench, load_experiment
from labcontrol.learning import check_learning
from labcontrol.tasks import make_task


def check(
    file: Path = typer.Argument(help="Experiment or bench file."),
    connect: bool = typer.Option(False, "--connect", help="Open every device (dark) and report on it."),
) -> None:
    """Validate an experiment or bench file and say what it would do. Nothing is written, no light is switched on."""
    console = Console()
    if _is_bench(file):
        bench = load_bench(file)
        _describe_bench(console, bench)
    else:
        experiment = load_experiment(file)
        bench = bench_for(experiment)
        _describe_experiment(console, experiment)
        _describe_bench(console, bench)
    if connect:
        _connect(console, bench)
    console.print(f"[green]{file} is right.[/]")


def _is_bench(file: Path) -> bool:
    """Benches have a geometry. What cannot be read is left to the loader, which explains it."""
    try:
        return "geometry" in tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False


def _describe_experiment(console: Console, experiment: ExperimentConfig) -> None:
    check_learning(experiment.learning)
    task = make_task(experiment.task, experiment.seed)
    learning = experiment.learning
    steps = len(task.training_sequence)
    facts = _facts()
    facts.add_row("neurons", f"{experiment.neurons} ({experiment.side} x {experiment.side})")
    facts.add_row(
        "task",
        f"{task.name}: washout {len(task.washout_input)}, training {len(task.train_input)}, "
        f"test {len(task.test_input)} steps",
    )
    how = f"{learning.selection} selection, {learning.acceptance} error"
    if learning.strategy != "coordinate-descent":
        how = f"up to {learning.masks_per_replay} masks in one replay"
    facts.add_row("learning", f"{learning.strategy}, {how}, loss {learning.loss}")
    facts.add_row("pilot", f"{experiment.prediction.pilot_flips} single flips set gain and predicted rate")
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


def _describe_bench(console: Console, bench: BenchConfig) -> None:
    facts = _facts()
    facts.add_row("bench", f"{bench.name}, grid of {bench.geometry.rows} x {bench.geometry.columns} neurons")
    for role, (driver, _) in driver_classes(bench).items():
        entry = getattr(bench, role)
        address = getattr(entry, "address", "")
        facts.add_row(role, f"{entry.driver} ({driver.__name__})" + (f" at {address}" if address else ""))
    error = PhaseTable(bench.response).largest_error_rad
    facts.add_row("SLM response", f"every phase is reached within {error:.3f} rad")
    console.print(facts)


def _connect(console: Console, config: BenchConfig) -> None:
    table = Table("role", "device", "state", box=None, header_style="bold")
    with Bench(config) as bench:
        for role, device in bench.devices.items():
            identity, status = device.identity, device.status()
            name = f"{identity.vendor} {identity.model}, serial {identity.serial_number}, firmware {identity.firmware}"
            table.add_row(role, name, f"{'[green]ready[/]' if status.ok else '[red]not ready[/]'}: {status.summary}")
        side = min(config.geometry.rows, config.geometry.columns)
        roi = bench.camera.roi
        NeuronMap(config.geometry, side, bench.slm.shape, bench.dmd.shape, (roi.rows, roi.columns))
        step_s = bench.slm.settle_time_s + bench.camera.exposure_s + bench.camera.readout_time_s
    console.print(table)
    console.print(f"a step takes about {step_s * 1e3:.1f} ms on these devices")


def _facts() -> Table:
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="bold")
    facts.add_column()
    return facts
