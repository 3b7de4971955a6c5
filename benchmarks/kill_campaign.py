"""Runs killed at random moments, continued, and compared bit for bit with the run that nobody disturbed.

python benchmarks/kill_campaign.py
python benchmarks/kill_campaign.py --kills 5 --neurons 16 --epochs 120

Each run has a process of its own, which gets SIGKILL (on Windows, TerminateProcess) at a moment drawn evenly from the
time such a run takes. It is then continued by `Run.continued`, and killed again up to twice. Exit code 1 if anything
differs.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table as Print

from labcontrol.bench import simulated_bench
from labcontrol.config import ExperimentConfig
from labcontrol.engine import Run
from labcontrol.records import RunReader

_COLUMNS = ("mirror", "replay", "mse", "nmse", "accepted", "bench_s")
_TIMEOUT_S = 120.0
_MOST_KILLS = 3


@dataclass(frozen=True)
class Killed:
    """A run that was killed and continued. kills: epochs on disk at each kill. difference: empty when there is none."""

    kills: list[int]
    difference: str


def experiment(neurons: int, epochs: int) -> ExperimentConfig:
    """A run of about a second, small enough to be made often; checkpoints still come several times."""
    return ExperimentConfig.model_validate(
        {
            "neurons": neurons,
            "task": {"steps": 20, "test_steps": 10, "washout": 5},
            "reservoir": {"reference_patterns": 2},
            "prediction": {"pilot_flips": 8},
            "stop": {"epochs": epochs},
        }
    )


def new_run(config: ExperimentConfig, folder: Path) -> Run:
    return Run(config, simulated_bench(config.neurons, config.seed), folder)


def run_here(config: ExperimentConfig, folder: Path) -> Path:
    run = new_run(config, folder)
    run.execute()
    return run.record


def child(line: Connection, config: ExperimentConfig, folder: Path, record: Path | None) -> None:
    """A run, or its continuation, in a process of its own; says when it begins."""
    run = new_run(config, folder) if record is None else Run.continued(record)
    line.send("beginning")
    run.execute()


def kill_once(context: Any, config: ExperimentConfig, folder: Path, record: Path | None, delay_s: float) -> bool:
    """Start a run or its continuation and kill it after a while; False when it was over before."""
    ours, theirs = context.Pipe()
    process = context.Process(target=child, args=(theirs, config, folder, record))
    process.start()
    theirs.close()
    if not ours.poll(_TIMEOUT_S):
        process.kill()
        raise TimeoutError("a run did not begin")
    ours.recv()
    process.join(delay_s)
    in_time = process.is_alive()
    process.kill()
    process.join()
    return in_time


def only_record(folder: Path) -> Path | None:
    return next(iter(folder.glob("*.h5")), None)


def difference(found: Path, expected: Path) -> str:
    """In what two records differ; wall times, logs and the history of states do not count."""
    with RunReader(found) as a, RunReader(expected) as b:
        ours, theirs = a.epochs, b.epochs
        if a.state.name != "finished":
            return f"the run is {a.state.name}: {a.state.reason}"
        if len(ours) != len(theirs):
            return f"{len(ours)} epochs instead of {len(theirs)}"
        if not np.array_equal(ours.packed_masks(), theirs.packed_masks()):
            return "masks"
        if not np.array_equal(ours.outputs(), theirs.outputs()):
            return "outputs"
        for name in _COLUMNS:
            if not np.array_equal(getattr(ours, name), getattr(theirs, name)):
                return name
        if not np.array_equal(a.final_mask, b.final_mask) or not np.array_equal(a.test_output, b.test_output):
            return "the ending"
        return "" if a.result == b.result else "the result"


def campaign(kills: int, neurons: int, epochs: int, seed: int, folder: Path) -> list[Killed]:
    """Kill so many runs at least once each."""
    config = experiment(neurons, epochs)
    expected = run_here(config, folder / "undisturbed")
    started_s = time.perf_counter()
    run_here(config, folder / "timed")  # the first one compiled
    duration_s = time.perf_counter() - started_s
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("fork" if "fork" in methods else "spawn")  # what is compiled here stays so
    random = np.random.default_rng(seed)
    done: list[Killed] = []
    while len(done) < kills:
        place = folder / str(len(done))
        at: list[int] = []
        while len(at) < _MOST_KILLS and kill_once(
            context, config, place, only_record(place), random.uniform(0, duration_s)
        ):
            epochs_on_disk, over = look(only_record(place))
            if over:
                break
            at.append(epochs_on_disk)
        record = only_record(place)
        if record is None:
            record = run_here(config, place)
        elif not look(record)[1]:
            Run.continued(record).execute()
        if at:
            done.append(Killed(at, difference(record, expected)))
        else:
            record.unlink()  # it was faster than its killer
    return done


def look(record: Path | None) -> tuple[int, bool]:
    """Epochs on disk, and whether the run has ended; a run may be killed before it has a record."""
    if record is None:
        return 0, False
    with RunReader(record) as run:
        return len(run.epochs), run.state.name == "finished"


def main(
    kills: Annotated[int, typer.Option(help="Runs to kill.")] = 50,
    neurons: Annotated[int, typer.Option(help="Size of each run.")] = 16,
    epochs: Annotated[int, typer.Option(help="Length of each run.")] = 300,
    seed: Annotated[int, typer.Option(help="Decides the moments, as shares of a run's duration.")] = 1,
) -> None:
    """Print where runs were killed, and whether their records differ from the undisturbed one's."""
    with tempfile.TemporaryDirectory() as folder:
        done = campaign(kills, neurons, epochs, seed, Path(folder))
    moments = [epoch for run in done for epoch in run.kills]
    table = Print("runs", "kills", "before the first epoch", "epochs at a kill", "records that differ")
    wrong = Counter(run.difference for run in done if run.difference)
    table.add_row(
        str(len(done)),
        str(len(moments)),
        str(sum(epoch == 0 for epoch in moments)),
        f"{min(moments)} to {max(moments)} of {epochs}",
        str(sum(wrong.values())),
    )
    console = Console()
    console.print(table)
    for words, count in wrong.items():
        console.print(f"{count} x {words}")
    if wrong:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
