"""`labcontrol init`: files to start from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from labcontrol.bench import driver_classes, hidden_bench, simulated_bench
from labcontrol.cli.experiment_options import experiment_from
from labcontrol.config import BenchConfig, ExperimentConfig
from labcontrol.config.example_benches import example_bench, example_bench_names
from labcontrol.config.toml_text import commented_toml
from labcontrol.errors import UserError
from labcontrol.learning import strategy_settings

EXPERIMENT_FILE = "experiment.toml"
BENCH_FILE = "bench.toml"
SIMULATED = "simulated"


def init(
    directory: Path = typer.Argument(Path(), help="Folder to write to; made if it is not there.", show_default="."),
    bench: str = typer.Option(
        SIMULATED, help=f"The bench to describe: {', '.join([SIMULATED, *example_bench_names()])}."
    ),
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
    """Write an example experiment and bench, with every key explained, to start your own from.

    The bench 'simulated' runs as it is. The others describe real tables, with notes on how to find every value and on
    laser safety; their addresses are examples, which 'labcontrol devices' replaces by yours.
    """
    real = bench != SIMULATED
    experiment = experiment_from(None, {"neurons": neurons, "bench": BENCH_FILE})
    text = real_bench_text(bench, experiment, hidden_table) if real else simulated_text(experiment, hidden_table)
    texts = {
        directory / EXPERIMENT_FILE: commented_toml(experiment, {"learning": strategy_settings(experiment.learning)}),
        directory / BENCH_FILE: text,
    }
    _write(texts, force=force)
    for path in texts:
        typer.echo(f"wrote {path}")
    experiment_file, bench_file = map(_word, texts)
    if real:
        typer.echo(f"find:       labcontrol devices --write {bench_file}")
    typer.echo(f"check:      labcontrol check {experiment_file}{' --connect' if real else ''}")
    if real or hidden_table is not None:
        typer.echo(f"calibrate:  labcontrol calibrate --bench {bench_file}{' --arm' if real else ''}")
    typer.echo(f"run:        labcontrol run {experiment_file}{' --arm' if real else ''}")


def _word(path: Path) -> str:
    """As a shell of any system reads it, also with blanks."""
    return f'"{path}"' if " " in str(path) else str(path)


def simulated_text(experiment: ExperimentConfig, hidden_table: int | None) -> str:
    """The simulated bench with room for the experiment; one to calibrate with `hidden_table`."""
    if hidden_table is None:
        return bench_text(simulated_bench(experiment.neurons, experiment.seed))
    return bench_text(hidden_bench(experiment.neurons, experiment.seed, hidden_table))


def real_bench_text(name: str, experiment: ExperimentConfig, hidden_table: int | None) -> str:
    """The example bench of this name, with its notes. Raises UserError."""
    try:
        example = example_bench(name)
    except KeyError:
        known = {SIMULATED: "The simulated optical table."}
        known |= {name: example_bench(name).summary for name in example_bench_names()}
        listed = "".join(f"\n  - {name}: {summary}" for name, summary in known.items())
        raise UserError(
            f"There is no example of a bench {name!r}. There are:{listed}\n",
            "Take the nearest to your table and change its devices; 'labcontrol drivers' lists what fits.",
        ) from None
    if hidden_table is not None:
        raise UserError("--hidden-table is for the simulated bench.", "A real table hides its truth by itself.")
    geometry = example.bench.geometry
    most = min(geometry.rows, geometry.columns) ** 2
    if experiment.neurons > most:
        raise UserError(
            f"The example {name!r} has a grid for {most} neurons, not {experiment.neurons}.",
            f"Ask for {most} at most; then enlarge the grid in the bench file.",
        )
    return bench_text(example.bench, example.notes)


def bench_text(bench: BenchConfig, notes: Mapping[str, list[str]] | None = None) -> str:
    """The bench file with the options of every driver it names explained. notes: as for `commented_toml`."""
    return commented_toml(bench, {role: options for role, (_, options) in driver_classes(bench).items()}, notes)


def _write(texts: dict[Path, str], *, force: bool) -> None:
    """Write all files or none: what could go wrong is checked before the first is touched."""
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
