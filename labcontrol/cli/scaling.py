"""`labcontrol scaling`: learning time over the number of neurons."""

from __future__ import annotations

import json
from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from labcontrol.analysis.plots.scaling_figure import save_scaling_figure
from labcontrol.analysis.scaling_verdict import scaling_verdict
from labcontrol.bench import BUILT_IN_BENCHES
from labcontrol.cli.experiment_options import experiment_from
from labcontrol.cli.terminal_text import AsJson
from labcontrol.engine.table_study import run_table_job
from labcontrol.errors import UserError
from labcontrol.theory.scaling import STATES, Study, StudyPlan, run_study, run_twin_job
from labcontrol.theory.scaling import Progress as StudyProgress

FIGURE_FILE = "scaling.png"

_PLAIN_STEPS = 10  # lines of progress where there is no terminal


def scaling(
    states: str = typer.Option("optical", help=f"What learns: {', '.join(STATES)}; see above."),
    neurons: str = typer.Option("64,144,324,784", help="Sizes, separated by commas."),
    seeds: int = typer.Option(8, help="Runs of each size; a seed decides states, start mask and choices."),
    selection: str = typer.Option("uniform,greedy", help="Selection rules, separated by commas."),
    loss: str = typer.Option("mse,nmse", help="Errors that decide, separated by commas: mse, nmse."),
    sweeps: float = typer.Option(6.0, help="Length of each run, in N epochs."),
    steps: int | None = typer.Option(
        None, help="Steps of the training part.", show_default="8 a neuron for planted states, else 200"
    ),
    experiment: Path | None = typer.Option(
        None, help="Experiment file with task, operating point and bench.", show_default="the default experiment"
    ),
    run_file: Path | None = typer.Option(None, help="Run file, for recorded states.", show_default=False),
    output: Path = typer.Option(Path("scaling"), help="Folder of the study; an unfinished one there is continued."),
    workers: int | None = typer.Option(None, min=1, help="Processes.", show_default="one a core"),
    scheduler: str | None = typer.Option(
        None,
        help="Address of a Dask scheduler, for example tcp://10.0.0.1:8786: its workers do it.",
        show_default=False,
    ),
    as_json: AsJson = False,
) -> None:
    """Measure how learning time grows with the number of neurons.

    The theory says: linearly, with an exponent of 1. For each size, seed, selection rule and loss a run is made; its
    time constant tau (fitted exponential) and k5 (epochs until 5 % of the excess error are left) are drawn against N
    on logarithmic axes, with exponents, their 95 % bootstrap intervals, and all curves over k/N.

    States: planted, the case with a known answer; optical, a model of the table;
    measured, states of the simulated table, learning in software; table, whole runs on the
    simulated table or on the bench of --experiment, each with a record in OUTPUT/runs (slow);
    recorded, subsets of the neurons of --run-file.

    Writes study.h5, cells.csv and scaling.png to OUTPUT. Ctrl-C keeps all finished cells; the same command goes on
    from there, and sizes, seeds, rules or losses can be added in the same way.
    """
    base = experiment_from(experiment, {})
    if base.bench not in BUILT_IN_BENCHES:
        if scheduler is not None or (workers or 1) != 1:
            raise UserError("There is one bench, so its runs follow each other here.", "Leave out the other option.")
        workers = 1
    plan = StudyPlan(
        states, _sizes(neurons), seeds, _names(selection), _names(loss), sweeps, steps, base, run_file
    )  # fmt: skip
    study = _shown(plan, output, workers, scheduler)
    figure = save_scaling_figure(study, output / FIGURE_FILE)
    if as_json:
        typer.echo(json.dumps(study.as_json() | {"output": str(output)}))
    else:
        _print_exponents(study)
        typer.echo(f"saved {figure}, study.h5 and cells.csv in {output}", err=True)


def _shown(plan: StudyPlan, output: Path, workers: int | None, scheduler: str | None) -> Study:
    """Run with progress on standard error."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    said = 0
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting")

        def on_progress(progress: StudyProgress) -> None:
            nonlocal said
            done = f"{len(progress.study.cells & set(plan.cells))} of {len(plan.cells)} cells"
            bar.update(task, description=done, completed=progress.cost, total=max(progress.total_cost, 1))
            step = int(_PLAIN_STEPS * progress.cost / max(progress.total_cost, 1))
            if not console.is_terminal and (step > said or progress.cost == 0):
                said = step
                console.print(done, highlight=False)

        run_job = run_table_job if plan.states == "table" else run_twin_job
        try:
            return run_study(
                plan, output, run_job=run_job, workers=workers, scheduler=scheduler, on_progress=on_progress
            )
        except KeyboardInterrupt:
            console.print(
                f"stopped; finished cells are kept in {escape(str(output))}, the same command goes on from there"
            )
            raise


def _print_exponents(study: Study) -> None:
    table = Table("selection", "loss", "quantity", "exponent", "95 % interval", title=f"{study.states} states")
    for row in study.as_json()["exponents"]:
        interval = f"{row['low']:.3f} … {row['high']:.3f}"
        table.add_row(row["selection"], row["loss"], row["quantity"], f"{row['value']:.3f}", interval)
    console = Console()
    console.print(table)
    console.print(scaling_verdict([group.exponent("tau") for group in study.groups]).text, highlight=False)


def _sizes(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise UserError(
            f"--neurons {text!r} should be whole numbers separated by commas.", "Like 64,144,324."
        ) from None


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(","))
