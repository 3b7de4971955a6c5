"""`labcontrol law`: does this table learn as predicted?"""

from __future__ import annotations

from pathlib import Path

import typer
from rich.table import Table

from labcontrol.analysis.prediction_table import Compared, prediction_table
from labcontrol.analysis.run_models import record_models
from labcontrol.bench import bench_for
from labcontrol.cli.experiment_options import (
    ALLOW_STALE,
    ARM,
    BENCH,
    EPOCHS,
    NEURONS,
    OUTPUT,
    SEED,
    STEPS,
    experiment_from,
    stale_allowed,
)
from labcontrol.cli.terminal_run import ARMED, run_in_terminal
from labcontrol.cli.terminal_text import AsJson, wide_console
from labcontrol.host.jobs.run import RunJob, RunSettings
from labcontrol.records import reading


def law(
    experiment: Path | None = typer.Argument(
        None, help="Experiment file; without one, the default experiment.", show_default=False
    ),
    bench: str | None = BENCH,
    neurons: int | None = NEURONS,
    steps: int | None = STEPS,
    epochs: int | None = EPOCHS,
    seed: int | None = SEED,
    output: Path = OUTPUT,
    arm: bool = ARM,
    allow_stale: bool = ALLOW_STALE,
    as_json: AsJson = False,
) -> None:
    """Test the law on a table: identify every mirror, predict the learning curve, descend, and compare.

    Learning is that of 'labcontrol run --preset law': any mirror at any time, judged at a fixed gain. At the end there
    is a figure with the predicted band, and a table of what was predicted and measured.

    Example: labcontrol law --bench laboratory --neurons 144
    """
    config = experiment_from(
        experiment,
        {"bench": bench, "neurons": neurons, "seed": seed, "task.steps": steps, "stop.epochs": epochs},
        preset="law",
    )
    bench_config = bench_for(config)
    settings = RunSettings(
        experiment=config,
        bench=stale_allowed(bench_config) if allow_stale else bench_config,
        folder=str(output.absolute()),
        armed_by=ARMED if arm else "",
    )
    job = RunJob.make(settings)
    run_in_terminal(job, as_json=as_json)
    if as_json:
        return
    with reading(job.run.record) as record:
        rows = prediction_table(record_models(record), record.neurons, config.stop.target_error)
    wide_console().print(_shown(rows))


def _shown(rows: list[Compared]) -> Table:
    table = Table("", "predicted (nine of ten runs)", "measured", box=None)
    for row in rows:
        table.add_row(row.what, row.predicted_text, row.measured_text)
    return table
