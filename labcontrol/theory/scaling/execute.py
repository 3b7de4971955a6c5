"""Doing a study: jobs on all cores or on a Dask cluster; what is finished is on disk at once and not done again."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from labcontrol.config import LearningConfig
from labcontrol.errors import UserError
from labcontrol.records import RunReader
from labcontrol.tasks import make_task
from labcontrol.theory.mean_field_law import MEAN_FIELD_SELECTIONS, mean_field
from labcontrol.theory.measured import MeasuredStates, table_states
from labcontrol.theory.modes import modes_of_states
from labcontrol.theory.scaling.cells import Cell, CellResult, Floats, grid, judged
from labcontrol.theory.scaling.plan import StudyPlan
from labcontrol.theory.scaling.storage import STUDY_FILE, load_study, merged, save_study
from labcontrol.theory.scaling.study import Study
from labcontrol.theory.states import States, incoherent_states, optical_states, planted_states, recorded_states
from labcontrol.theory.twin import run_twin

_LARGEST_LAW3 = 1024  # neurons: its modes take seconds beyond
_SAVE_INTERVAL_S = 2.0
_CONNECT_S = 10


@dataclass(frozen=True)
class Job:
    """Cells that share their states. directory: of the study, for files of their own."""

    plan: StudyPlan
    cells: tuple[Cell, ...]
    directory: Path

    @property
    def cost(self) -> float:
        """Relative time it takes: samples of all epochs."""
        neurons = self.cells[0].neurons
        return float(len(self.cells) * self.plan.epochs_of(neurons) * self.plan.steps_of(neurons))


JobRunner = Callable[[Job], list[CellResult]]


@dataclass(frozen=True)
class Progress:
    """How far a study is.

    study: all cells so far. cost, total_cost: done and in all, of the cells that were missing, in arbitrary units.
    """

    study: Study
    cost: float
    total_cost: float


def run_study(
    plan: StudyPlan,
    directory: Path,
    *,
    run_job: JobRunner | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Study:
    """Compute the cells that the folder does not hold yet.

    run_job: what computes cells, by default `run_twin_job`; a function of a module, so that other processes find it.
    workers: processes, by default one a core; 1 computes here. scheduler: address of a Dask scheduler instead.
    on_progress: told at the beginning and after every job. An exception, Ctrl-C included, leaves all finished cells in
    the folder. Raises UserError.
    """
    done = Study(plan.settings, grid(plan.sweeps), ())
    if (directory / STUDY_FILE).exists():
        done = merged(load_study(directory), done, directory)
    done = save_study(done, directory)  # what cannot be written should be known before anything is computed
    jobs = _jobs(plan, done, directory)
    total, finished, saved_s = sum(job.cost for job in jobs), 0.0, time.monotonic()
    on_progress(Progress(done, finished, total))
    try:
        for job, results in _completed(jobs, run_job or run_twin_job, workers, scheduler):
            done = merged(done, Study(plan.settings, done.grid, tuple(results)), directory)
            finished += job.cost
            if time.monotonic() - saved_s > _SAVE_INTERVAL_S:
                done, saved_s = save_study(done, directory), time.monotonic()
            on_progress(Progress(done, finished, total))
    finally:
        done = save_study(done, directory)
    return done


def _jobs(plan: StudyPlan, done: Study, directory: Path) -> list[Job]:
    """Small sizes first. Whole runs are a job each, all others share their states."""
    together: dict[Any, list[Cell]] = {}
    for cell in plan.cells:
        if cell not in done.cells:
            together.setdefault(cell if plan.states == "table" else cell[:2], []).append(cell)
    return [Job(plan, tuple(cells), directory) for cells in together.values()]


def _completed(
    jobs: list[Job], run_job: JobRunner, workers: int | None, scheduler: str | None
) -> Iterator[tuple[Job, list[CellResult]]]:
    """Jobs as they are finished."""
    workers = min(workers or os.cpu_count() or 1, max(len(jobs), 1))
    if scheduler is None and workers == 1:
        for job in jobs:
            yield job, run_job(job)
        return
    others = set(multiprocessing.active_children())
    with _executor(workers, scheduler) as executor:
        futures = {executor.submit(run_job, job): job for job in jobs}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BaseException:
            for future in futures:
                future.cancel()
            if scheduler is None:  # nobody waits for what they are still at
                for process in set(multiprocessing.active_children()) - others:
                    process.terminate()
            raise


@contextmanager
def _executor(workers: int, scheduler: str | None) -> Iterator[Executor]:
    if scheduler is None:
        context = multiprocessing.get_context("spawn")  # the same everywhere, and no forked threads
        with ProcessPoolExecutor(workers, context, initializer=follow_the_parent) as executor:
            yield executor
        return
    try:
        from distributed import Client
        from distributed.comm.addressing import get_address_host_port
    except ImportError:
        raise UserError("--scheduler needs Dask's scheduler library.", "pip install 'labcontrol[cluster]'") from None
    try:
        # A client of an impossible address waits in its destructor.
        get_address_host_port(scheduler if "://" in scheduler else f"tcp://{scheduler}", strict=True)
    except (ValueError, NotImplementedError):
        raise UserError(
            f"--scheduler {scheduler!r} is no address of a Dask scheduler.", "Like tcp://10.0.0.1:8786."
        ) from None
    try:
        client = Client(scheduler, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise UserError(
            f"No Dask scheduler answers at {scheduler} within {_CONNECT_S} s ({type(error).__name__}).",
            "Start one with 'dask scheduler', workers with 'dask worker ADDRESS', and give the address it prints.",
        ) from None
    with client, client.get_executor(pure=False) as executor:
        yield executor


def follow_the_parent() -> None:
    """In a process of the pool: Ctrl-C is the parent's business, and the end of the parent, even killed, ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def leave() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=leave, daemon=True).start()


def run_twin_job(job: Job) -> list[CellResult]:
    """Cells by descent in software."""
    measured = _states(job.plan, job.cells[0].neurons, job.cells[0].seed)
    return [_twin_cell(job.plan, cell, measured) for cell in job.cells]


def _twin_cell(plan: StudyPlan, cell: Cell, measured: MeasuredStates) -> CellResult:
    learning = LearningConfig(options={"selection": cell.selection}, loss=cell.loss)
    epochs = plan.epochs_of(cell.neurons)
    run = run_twin(measured.states, learning, epochs=epochs, seed=cell.seed, noise_std=measured.noise_std)
    law3: Floats | None = None
    if cell.seed == 1 and cell.neurons <= _LARGEST_LAW3 and cell.selection in MEAN_FIELD_SELECTIONS:
        modes = modes_of_states(measured.states, cell.loss)
        predicted = mean_field(modes, learning, epochs=epochs, noise_std=measured.noise_std)
        law3 = predicted.at(grid(plan.sweeps) * cell.neurons)
    return judged(cell, run.incumbent_errors, plan.sweeps, law3)


def _states(plan: StudyPlan, neurons: int, seed: int) -> MeasuredStates:
    rng = np.random.default_rng([seed, neurons])
    if plan.states == "planted":
        return MeasuredStates(planted_states(neurons, plan.steps_of(neurons), rng), 0.0)
    if plan.run_file is not None:
        return MeasuredStates(_subset(plan.run_file, neurons, rng), 0.0)
    experiment = plan.experiment_of(neurons, seed)
    if plan.states == "measured":
        return table_states(experiment)
    task = make_task(experiment.task, seed)
    states = optical_states(
        neurons, task.training_sequence, len(task.washout_input), task.train_target, rng, experiment.reservoir
    )
    return MeasuredStates(states, 0.0)


def _subset(run_file: Path, neurons: int, rng: np.random.Generator) -> States:
    """Of the neurons of a record, as if the others did not reach the detector."""
    with RunReader(run_file) as run:
        states = recorded_states(run.epochs.masks(), run.epochs.outputs(), run.target)
    chosen = np.sort(rng.permutation(states.neurons)[:neurons])
    return incoherent_states(states.responses[chosen], states.target)
