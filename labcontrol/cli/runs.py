"""`labcontrol runs`: the runs of a folder, listed, shown, compared, exported, annotated, thrown away."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import click
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import track

from labcontrol.analysis.plots.run_figures import RUN_FIGURES, save_run_figure
from labcontrol.cli import completion
from labcontrol.cli.runs_tables import comparison_column, comparison_table, list_table, show_table
from labcontrol.cli.terminal_text import AsJson, wide_console
from labcontrol.config import ExperimentConfig
from labcontrol.config.toml_text import commented_toml
from labcontrol.errors import UserError
from labcontrol.records import RunReader, reading
from labcontrol.records.catalogue import find_run, read_note, run_files, summary, trash_run, write_note
from labcontrol.records.export import TABLES, export_epochs
from labcontrol.records.json_text import to_json
from labcontrol.records.run_filter import FIELDS, chosen, in_order
from labcontrol.records.trash import files_of_run, leftovers, remove_leftover

Folder = Annotated[Path, typer.Option("--folder", help="Folder of the run files.")]
RunName = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A path, the name of a run, a part of it that no other has, or 'latest'.",
        autocompletion=completion.runs,
    ),
]
RunNames = Annotated[
    list[str],
    typer.Argument(metavar="RUN...", help="Runs, named as in 'labcontrol runs show'.", autocompletion=completion.runs),
]

FOLDER = Path("runs")
FIGURES = (".png", ".svg", ".pdf")

app = typer.Typer(
    invoke_without_command=True,
    rich_markup_mode=None,
)


@app.callback()
def _runs(context: typer.Context) -> None:
    """List, show, compare, export, annotate or throw away runs. Without a command: list them, newest last.

    All of this also works while a run is being written.
    """
    if context.invoked_subcommand is None:
        list_(None, FOLDER)


@app.command("list")
def list_(
    conditions: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CONDITION]...",
            help="Words that a run's line contains, or comparisons such as neurons=900, 'error<0.01', state=failed, "
            "'started>=2026-11-20'. All must hold.",
        ),
    ] = None,
    folder: Folder = FOLDER,
    sort: Annotated[str, typer.Option(help=f"Order by {', '.join(FIELDS)}; with a '-' before it, falling.")] = (
        "started"
    ),
    last: Annotated[int | None, typer.Option(min=1, help="Only the last so many.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the runs of a folder, newest last; files that cannot be read are named with the reason.

    Example: labcontrol runs list mackey state=finished 'error<0.01' --sort test_error
    """
    paths = run_files(folder)
    runs = [summary(path) for path in _tracked(paths)]
    runs = in_order(chosen(runs, conditions or []), sort)[-(last or 0) :]
    if as_json:
        typer.echo(to_json(runs))
        return
    console = wide_console()
    readable = [run for run in runs if not run.problem]
    if readable:
        console.print(list_table(readable))
    elif not runs:
        console.print(f"No run in {folder.absolute()} is like that." if paths else _none_yet(folder), markup=False)
    for run in runs:
        if run.problem:
            console.print(f"[red]unreadable[/] {escape(run.path.name)}: {escape(run.problem)}", soft_wrap=True)


@app.command()
def show(
    run: RunName = "latest",
    folder: Folder = FOLDER,
    experiment: Annotated[
        bool, typer.Option("--experiment", help="Print its experiment file instead, to run it again.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what a run was and what it came to.

    Example: labcontrol runs show latest --experiment > again.toml
    """
    with reading(find_run(run, folder), warn=True) as record:
        if experiment:
            typer.echo(commented_toml(ExperimentConfig.model_validate(record.experiment)), nl=False)
        elif as_json:
            from labcontrol.analysis.run_models import prediction_json, record_models

            typer.echo(
                to_json(
                    {
                        "summary": summary(record.path),
                        "states": record.states,
                        "config": record.config,
                        "metadata": record.metadata,
                        "preparations": record.preparations,
                        "result": record.result,
                        "prediction": prediction_json(record_models(record)),
                        "faults": record.faults,
                        "log": record.log,
                    }
                )
            )
        else:
            wide_console().print(show_table(record), soft_wrap=True)


@app.command()
def compare(
    runs: RunNames,
    folder: Folder = FOLDER,
    figure: Annotated[
        Path | None, typer.Option(help="Draw the learning curves over each other: .png, .svg or .pdf.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Put runs beside each other: the settings in which they differ, and what they came to.

    Example: labcontrol runs compare greedy_nmse_seed1 uniform_nmse_seed1 --figure both.png
    """
    paths = [find_run(name, folder) for name in runs]
    columns = []
    for path in paths:
        with reading(path) as record:
            columns.append(comparison_column(record))
    if as_json:
        typer.echo(to_json(dict(zip((path.stem for path in paths), columns, strict=True))))
    else:
        wide_console().print(comparison_table(paths, columns))
    if figure is not None:
        from labcontrol.analysis.plots.overlaid_runs_figure import save_comparison_figure

        save_comparison_figure(paths, figure)
        Console(stderr=True).print(f"saved {escape(str(figure))}", highlight=False, soft_wrap=True)


@app.command()
def export(
    runs: RunNames,
    folder: Folder = FOLDER,
    to: Annotated[
        str, typer.Option(help=f"Formats, with commas between: {', '.join(s[1:] for s in (*TABLES, *FIGURES))}.")
    ] = "csv",
    figure: Annotated[
        str, typer.Option(help=f"Which figure of the run: {', '.join(RUN_FIGURES)}.", metavar="NAME")
    ] = "run",
    output: Annotated[Path | None, typer.Option(help="Folder to write to.", show_default="beside the record")] = None,
) -> None:
    """Write the epochs as a table (csv, json, parquet) or the run as a figure (png, svg, pdf).

    Tables hold a row an epoch: replay, mirror, decision, both errors of the mask and of the incumbent, times; where
    drift was watched, also the fixed-gain error with the drift of the gain taken out. What was measured at each step
    stays in the record, which any HDF5 program reads.
    """
    suffixes = [_known_suffix(name) for name in to.split(",")]
    if output is not None:
        _make_folder(output)
    kind = "" if figure == "run" else f".{figure}"
    for path in [find_run(name, folder) for name in runs]:
        place = (output or path.parent) / path.stem
        tables = [place.with_name(place.name + suffix) for suffix in suffixes if suffix in TABLES]
        figures = [place.with_name(place.name + kind + suffix) for suffix in suffixes if suffix in FIGURES]
        with reading(path, warn=True) as record:
            for table in tables:
                _write_table(record, table)
            if figures:
                save_run_figure(record, figures, figure)
        for target in (*tables, *figures):
            typer.echo(target)


@app.command()
def note(
    run: RunName,
    text: Annotated[str | None, typer.Argument(help="Added as a new line with the date.", show_default=False)] = None,
    folder: Folder = FOLDER,
    edit: Annotated[bool, typer.Option("--edit", help="Open the note in your editor.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the note.")] = False,
) -> None:
    """Show the note of a run, or add a line to it, also while it runs. The record itself is not touched."""
    path = find_run(run, folder)
    if remove:
        write_note(path, "")
    elif edit:
        edited = click.edit(read_note(path), extension=".txt")
        if edited is not None:
            write_note(path, edited)
    elif text is not None:
        write_note(path, f"{read_note(path)}\n{time.strftime('%Y-%m-%d %H:%M')} {text}")
    else:
        typer.echo(read_note(path) or "(no note)")


@app.command()
def delete(
    runs: RunNames,
    folder: Folder = FOLDER,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Move runs to the trash, with figures, report and note of the same name. The desktop can bring them back."""
    paths = [find_run(name, folder) for name in runs]
    files = [path for record in paths for path in files_of_run(record)]
    if not yes:
        for path in files:
            typer.echo(path)
        typer.confirm(f"Move these {len(files)} files to the trash?", abort=True)
    for record in paths:
        moved = trash_run(record)
        typer.echo(f"moved to the trash: {record.stem} ({len(moved)} file{'s' if len(moved) > 1 else ''})")


@app.command()
def tidy(
    folder: Folder = FOLDER,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete what killed runs left beside their records: locks and half-written copies. Records stay as they are."""
    found = leftovers(folder)
    for path in found:
        typer.echo(path)
    if not found:
        typer.echo(f"There is nothing to tidy in {folder.absolute()}.")
    elif yes or typer.confirm(f"Delete these {len(found)} files?", abort=True):
        for path in found:
            remove_leftover(path)


def _write_table(record: RunReader, target: Path) -> None:
    from labcontrol.engine.drift_correction import drift_normalised_mse

    more = {"mse_drift_normalised": drift_normalised_mse(record)} if record.drift else None
    export_epochs(record, target, more)


def _known_suffix(name: str) -> str:
    suffix = f".{name.strip().lower().removeprefix('.')}"
    if suffix not in (*TABLES, *FIGURES):
        known = ", ".join(known[1:] for known in (*TABLES, *FIGURES))
        raise UserError(f"There is no export to {name.strip()!r}.", f"Known: {known}.")
    return suffix


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder} cannot be made: {error.strerror or error}.", "Choose another place.") from error


def _tracked(paths: list[Path]) -> Any:
    """Shows progress where many files are read and somebody looks."""
    console = Console(stderr=True)
    few = len(paths) < 200 or not console.is_terminal
    return paths if few else track(paths, "reading", console=console, transient=True)


def _none_yet(folder: Path) -> str:
    return f"There is no run in {folder.absolute()} yet. 'labcontrol run' makes one."
