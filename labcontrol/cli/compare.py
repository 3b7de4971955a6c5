"""`labcontrol compare`: which strategy learns with the fewest measurements?"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Column, Table

from labcontrol.analysis.compare import (
    DEFAULT_CONTENDERS,
    READOUTS,
    Study,
    StudyProgress,
    StudySettings,
    median_ceilings,
    summary,
    table_summary,
    write_csv,
)
from labcontrol.cli.experiment_options import NEURONS, STEPS, experiment_from, setting
from labcontrol.cli.terminal_text import AsJson
from labcontrol.config import settings_from_text, user_error
from labcontrol.errors import UserError
from labcontrol.reservoir.timing import TimingProfile

_PLAIN_INTERVAL_S = 10.0
_READOUTS = "; ".join(f"{name}: {what}" for name, what in READOUTS.items()) + "."


def compare(
    experiment: Path | None = typer.Argument(
        None, help="Experiment file; what is the same for all.", show_default=False
    ),
    strategies: str = typer.Option(
        ",".join(DEFAULT_CONTENDERS),
        help="Names, with commas between; NAME:KEY=VALUE changes a setting, for example "
        "noise-aware:largest_repeats=4:selection=uniform.",
    ),
    neurons: int | None = NEURONS,
    steps: int | None = STEPS,
    test_steps: int | None = setting("task.test_steps", "Steps of the test part."),
    seeds: int = typer.Option(10, min=1, help="Tables and random starts: seeds 1 to this number."),
    noise: str = typer.Option("0,0.02,0.1", help="Detector noise, shares of the output's standard deviation."),
    masks_per_neuron: float = typer.Option(6.0, help="Masks each strategy may show, over neurons."),
    masks_per_replay: int | None = setting(
        "learning.masks_per_replay", "Masks that share a replay; 1 for devices without sequences or trigger."
    ),
    target: float = typer.Option(0.02, help="The nmse to which the time is compared."),
    readout: str = typer.Option("incoherent", help=_READOUTS),
    timing: list[str] | None = typer.Option(
        None,
        "--timing",
        help=f"A rate of the set-up that time is modelled for, as KEY=VALUE: {', '.join(TimingProfile.model_fields)}.",
        show_default="SLM 60 Hz, DMD 10 kHz, detector 1 MS/s",
    ),
    on_table: int = typer.Option(
        0, min=0, help="Also run this many seeds of everything on the full table, with all its noise: slow."
    ),
    output: Path = typer.Option(Path("compare"), help="Folder for trials, table and figure; goes on if it is there."),
    as_json: AsJson = False,
) -> None:
    """Compare strategies on the simulated table, at equal replays and at equal time on a stated set-up.

    Every mirror is measured once on the table with its noise off; strategies then learn on these responses with the
    stated detector noise. Training error against replays and against seconds goes into a figure, medians into a table.
    Ctrl-C loses nothing but the trial it interrupts: the same command goes on, also with more seeds, strategies or
    noise.
    """
    overrides = {
        "neurons": neurons,
        "task.steps": steps,
        "task.test_steps": test_steps,
        "learning.masks_per_replay": masks_per_replay,
    }
    rates = settings_from_text(timing or (), "--timing", f"The keys are {', '.join(TimingProfile.model_fields)}.")
    settings = _settings(
        {
            "experiment": experiment_from(experiment, overrides, None if experiment else "experiments").model_dump(),
            "contenders": tuple(dict.fromkeys(name.strip() for name in strategies.split(",") if name.strip())),
            "seeds": tuple(range(1, seeds + 1)),
            "noise": _shares(noise),
            "masks_per_neuron": masks_per_neuron,
            "target": target,
            "readout": readout,
            "timing": rates,
            "on_table": tuple(range(1, on_table + 1)),
        }
    )
    study = Study(settings, output)
    _run(study, output)
    result = _result(study, _save(study, output))
    if as_json:
        typer.echo(json.dumps(result))
    else:
        _print(result, settings)


def _settings(values: dict[str, Any]) -> StudySettings:
    try:
        return StudySettings.model_validate(values)
    except ValidationError as error:
        raise user_error(error, StudySettings, "the options") from None


def _shares(text: str) -> tuple[float, ...]:
    try:
        shares = tuple(dict.fromkeys(float(part) for part in text.split(",")))
    except ValueError:
        shares = ()
    if not shares or not all(0 <= share < 10 for share in shares):
        raise UserError(
            f"--noise {text!r} should be numbers from 0 on, with commas between.", "For example: --noise 0,0.02,0.1."
        )
    return shares


# --- running ----------------------------------------------------------------------------------------------------
def _run(study: Study, folder: Path) -> None:
    """Raises typer.Exit after Ctrl-C, when everything that was done is on disk."""
    last: list[StudyProgress] = []
    with _shown() as show:

        def progress(state: StudyProgress) -> None:
            last[:] = [state]
            show(state)

        try:
            study.run(progress)
        except KeyboardInterrupt:
            done = f"{last[0].done} of {last[0].total}" if last else "None"
            Console(stderr=True).print(
                f"Interrupted. {done} trials are done and kept in {folder}; the same command goes on.",
                highlight=False,
                soft_wrap=True,
            )
            raise typer.Exit(130) from None


@contextmanager
def _shown() -> Iterator[Callable[[StudyProgress], None]]:
    """Where progress goes: one live line, or a line now and then where nothing can be redrawn."""
    console = Console(stderr=True)
    if console.is_terminal:
        columns = (BarColumn(24), MofNCompleteColumn(), TextColumn("{task.description}"))
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task("")
            yield lambda state: bar.update(
                task, total=state.total, completed=state.done, description=_facts(state), refresh=True
            )
        return
    shown_s = -float("inf")

    def show(state: StudyProgress) -> None:
        nonlocal shown_s
        if time.monotonic() - shown_s >= _PLAIN_INTERVAL_S:
            shown_s = time.monotonic()
            console.print(f"{state.done}/{state.total}  {_facts(state)}", highlight=False, soft_wrap=True)

    yield show


def _facts(state: StudyProgress) -> str:
    left = "" if state.left_s is None else f"  {timedelta(seconds=round(state.left_s))} left"
    return f"{state.next or 'done'}{left}"


# --- results ----------------------------------------------------------------------------------------------------
def _save(study: Study, folder: Path) -> list[str]:
    """Table and figure; returns their paths."""
    files = []
    if study.settings.readout != "path-phases":
        from labcontrol.analysis.plots.strategy_study_figure import (
            save_study_figure,  # Matplotlib, only when there is something to draw
        )

        files = [write_csv(summary(study), folder / "compare.csv"), save_study_figure(study, folder / "compare.png")]
    if study.settings.on_table:
        files.append(write_csv(table_summary(study), folder / "on-table.csv"))
    return [str(path) for path in files]


def _result(study: Study, files: list[str]) -> dict[str, Any]:
    settings = study.settings
    known = settings.readout != "path-phases"
    return {
        "neurons": settings.experiment.neurons,
        "steps": settings.experiment.task.steps,
        "readout": settings.readout,
        "seeds": list(settings.seeds),
        "target": settings.target,
        "timing": settings.timing.model_dump(),
        "medians": summary(study) if known else [],
        "ceilings": median_ceilings(study),
        "on_table": table_summary(study),
        "files": files,
    }


def _print(result: dict[str, Any], settings: StudySettings) -> None:
    console = Console()
    for noise in settings.noise:
        rows = [row for row in result["medians"] if row["noise"] == noise]
        if rows:
            console.print(_table(rows, f"noise {100 * noise:g} %, {len(settings.seeds)} seeds", settings.target))
        rows = [row for row in result["on_table"] if row["noise"] == noise]
        if rows:
            console.print(_table(rows, f"on the full table, noise {100 * noise:g} %, {rows[0]['seeds']} seeds"))
    limits = result["ceilings"]
    if limits:
        console.print(
            f"ceilings, train / test nmse: best mask found {limits['mask_train']:.4g} / {limits['mask_test']:.4g}, "
            f"the same as strong as random masks {limits['strong_train']:.4g} / {limits['strong_test']:.4g}, "
            f"real-valued weights {limits['ridge_train']:.4g} / {limits['ridge_test']:.4g}"
        )
        gap = limits.get("gap")
        console.print(
            "no bound says how far the best mask found is from the best possible one"
            if gap is None
            else f"with a ridge of 0.001 the best mask found is at most {100 * gap:.0f} % above the best possible one"
        )
    for path in result["files"]:
        console.print(f"saved {path}", markup=False, highlight=False, soft_wrap=True)


def _table(rows: list[dict[str, Any]], title: str, target: float | None = None) -> Table:
    """target: the nmse to which rows know the time; None where they do not."""
    heads = ["masks", "replays", "train nmse", "test nmse", *([f"time to {target:g}"] if target else [])]
    table = Table(
        Column("strategy", overflow="fold"), *(Column(head, justify="right") for head in heads),
        title=title, box=None, header_style="bold", title_justify="left",
    )  # fmt: skip
    for row in rows:
        cells = [f"{row['masks']:.0f}", f"{row['replays']:.0f}", f"{row['train_nmse']:.4g}", f"{row['test_nmse']:.4g}"]
        if target:
            cells.append(_duration(row["seconds_to_target"]))
        table.add_row(row["strategy"], *cells)
    return table


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "never"
    for unit, length_s in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length_s:
            return f"{seconds / length_s:.3g} {unit}"
    return f"{seconds:.3g} s"
