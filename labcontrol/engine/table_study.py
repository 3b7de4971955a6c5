"""Cells of a scaling study as whole runs on a bench, each with a record of its own in the study's folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from labcontrol.config import ExperimentConfig, StopConfig
from labcontrol.engine.run import Run
from labcontrol.records import RunReader
from labcontrol.theory.scaling import Cell, CellResult, Job, judged

RUNS_FOLDER = "runs"


def run_table_job(job: Job) -> list[CellResult]:
    """Run the cells of a job on the bench its experiment names; a record that was interrupted is continued."""
    return [_table_cell(job, cell) for cell in job.cells]


def _table_cell(job: Job, cell: Cell) -> CellResult:
    experiment = job.plan.experiment_of(cell.neurons, cell.seed)
    learning = experiment.learning.model_copy(update={"loss": cell.loss, "options": {"selection": cell.selection}})
    stop = StopConfig(epochs=job.plan.epochs_of(cell.neurons) + 1)  # the start mask is the first
    experiment = experiment.model_copy(update={"learning": learning, "stop": stop})
    folder = job.directory / RUNS_FOLDER / f"N{cell.neurons}-seed{cell.seed}-{cell.selection}-{cell.loss}"
    record = _finished(folder) or _run(experiment, folder)
    with RunReader(record) as run:
        errors = run.incumbent_errors()
    return judged(cell, np.asarray(errors, dtype=np.float64), job.plan.sweeps)


def _finished(folder: Path) -> Path | None:
    """The record of a run that reached its end."""
    return next((path for path in sorted(folder.glob("*.h5")) if _state(path) == "finished"), None)


def _state(record: Path) -> str:
    with RunReader(record) as run:
        return run.state.name


def _run(experiment: ExperimentConfig, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    interrupted = next(
        (path for path in sorted(folder.glob("*.h5")) if _state(path) in ("interrupted", "stopped")), None
    )
    run = Run.continued(interrupted) if interrupted is not None else Run(experiment, directory=folder)
    run.execute()
    return run.record
