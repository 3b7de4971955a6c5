"""`labcontrol window`: the window, without a run."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from labcontrol.bench import bench_for
from labcontrol.cli.experiment_options import BENCH, experiment_from
from labcontrol.errors import UserError
from labcontrol.gui.availability import why_not


def window(
    experiment: Path | None = typer.Argument(
        None, help="Experiment file to put into the form; without one, the default experiment.", show_default=False
    ),
    bench: str | None = BENCH,
    folder: Path = typer.Option(Path("runs"), "--folder", "--output", help="Folder of the run files, old and new."),
) -> None:
    """Open the window without starting a run: set up experiments, look at devices, calibrate, browse
    earlier runs.

    'labcontrol run' opens the same window and starts at once.
    """
    config = experiment_from(experiment, {"bench": bench})
    obstacle = why_not()
    if obstacle is not None:
        raise UserError(obstacle, "'labcontrol run --headless' runs without a window; 'labcontrol runs' lists records.")
    from labcontrol.gui import run_window

    sys.exit(run_window(config, bench_for(config), folder, autostart=False))
