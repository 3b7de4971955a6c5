"""`labcontrol init`: files to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from labcontrol.bench import driver_classes, hidden_bench, simulated_bench
from labcontrol.cli.experiment_options import experiment_from
from labcontrol.config import BenchConfig, ExperimentConfig
from labcontrol.config.toml_text import commented_toml
from labcontrol.errors import UserError
from labcontrol.learning import strategy_settings

EXPERIMENT_FILE = "experiment.toml"
BENCH_FILE = "bench.toml"


def init(
    directory: Path = typer.Argument(Path(), help="Folder to write to; made if it is not there.", show_default="."),
    bench: str = typer.Option("simulated", help="The bench to describe; so far 'simulated'."),
    neurons: int | None = typer.Option(
        None, help="Number of neurons, a square number.", show_default=str(ExperimentConfig().neurons)
    ),
    force: bool = typer.Option(False, "--force", help="Replace files that are there."),
    hidden_table: Annotated[
        int | None,
        typer.Option(
            help="The simulated table hides where everything lies and how the SLM answers, by this seed: it has to be "
            "calibrated first, as a real one.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write an example experiment and bench, with every key explained, to start your own from."""
    experiment = experiment_from(None, {"neurons": neurons})
    texts = {
        directory / EXPERIMENT_FILE: commented_toml(experiment, {"learning": strategy_settings(experiment.learning)}),
        directory / BENCH_FILE: bench_text(example_bench(bench, experiment, hidden_table)),
    }
    _write(texts, force=force)
    for path in texts:
        typer.echo(f"wrote {path}")
    experiment_file, bench_file = texts
    typer.echo(f"check:      labcontrol check {experiment_file}")
    if hidden_table is not None:
        typer.echo(f"calibrate:  labcontrol calibrate --bench {bench_file}")
    typer.echo(f"run:        labcontrol run {experiment_file} --bench {bench_file}")


def example_bench(name: str, experiment: ExperimentConfig, hidden_table: int | None = None) -> BenchConfig:
    """The bench of this name, with room for the experiment; one to calibrate with `hidden_table`. Raises UserError."""
    if name != "simulated":
        raise UserError(
            f"There is no example of a bench {name!r}.",
            "The only one is 'simulated'; edit it to name your own devices ('labcontrol drivers' lists what fits).",
        )
    if hidden_table is not None:
        return hidden_bench(experiment.neurons, experiment.seed, hidden_table)
    return simulated_bench(experiment.neurons, experiment.seed)


def bench_text(bench: BenchConfig) -> str:
    """The bench file with the options of every driver it names explained."""
    return commented_toml(bench, {role: options for role, (_, options) in driver_classes(bench).items()})


def _write(texts: dict[Path, str], *, force: bool) -> None:
    """Write all files or none: what could go wrong is looked at before the first is touched."""
    present = [str(path) for path in texts if path.exists()]
    if present and not force:
        raise UserError(
            f"{' and '.join(present)} would be overwritten.", "Name another folder, or add --force to replace."
        )
    try:
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise UserError(
            f"The example files cannot be written: {error}.", "Name a folder that you may write to."
        ) from None
