"""What recording costs a run, and how fast a long record opens.

python benchmarks/record_cost.py
python benchmarks/record_cost.py --long-epochs 1000000
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from labcontrol.analysis.plots.run_figure import run_figure
from labcontrol.analysis.record_follower import RecordFollower
from labcontrol.cli.runs_tables import show_table
from labcontrol.config import ExperimentConfig
from labcontrol.records import Epoch, RunHeader, RunReader, RunWriter
from labcontrol.records.catalogue import summary
from labcontrol.tasks.errors import standardised

NEURONS = 900
BUDGET = 0.02
OPENS_WITHIN_S = 2.0
OPENING = ("open", "learning curve", "line in the list of runs", "runs show", "monitor, first look")


def new_record(path: Path, steps: int) -> RunWriter:
    """With a pilot of 64 flips, as a run has."""
    experiment = ExperimentConfig(neurons=NEURONS).model_dump(mode="json")
    rng, empty = np.random.default_rng(1), np.empty(0)
    mask = rng.random(NEURONS) < 0.5
    target = standardised(rng.standard_normal(steps))
    header = RunHeader(
        {"experiment": experiment, "bench": {"name": "none"}}, {}, np.zeros(steps), target, empty, empty, empty, mask
    )
    writer = RunWriter.create(path, header)
    mirrors = np.r_[-1, -1, -1, np.arange(64)]
    outputs = rng.standard_normal((len(mirrors) + 1, steps)).astype(np.float32) + 50
    outputs += target.astype(np.float32)
    writer.write_pilot(mirrors, outputs, 1.0)
    return writer


def epochs_of(first: int, masks: np.ndarray, outputs: np.ndarray, replay: int) -> list[Epoch]:
    return [
        Epoch(first + b, replay, 1, mask, output, 0.5, 0.5, (first + b) % 50 == 0, 1.7e9 + first, 0.1 * first)
        for b, (mask, output) in enumerate(zip(masks, outputs, strict=True))
    ]


def cost(folder: Path, steps: int, epoch_s: float, masks_per_replay: int, seconds: float) -> list[float]:
    """Epochs of a run, the median time of recording one, and the share of the run that recording takes.

    A replay is a wait of `epoch_s` for each of its masks, as for a table; then its epochs are recorded in one call.
    The share is told by wall time, and by the processor time of recording, which other programs do not lengthen.
    """
    rng = np.random.default_rng(2)
    masks = rng.random((masks_per_replay, NEURONS)) < 0.5
    outputs = rng.random((masks_per_replay, steps), dtype=np.float32)
    taken: list[float] = []
    worked_s = 0.0
    with new_record(folder / f"{epoch_s}_{masks_per_replay}.h5", steps) as writer:
        begun = time.perf_counter()
        while time.perf_counter() - begun < seconds:
            ready = time.perf_counter() + epoch_s * masks_per_replay
            while time.perf_counter() < ready:
                pass
            epochs = epochs_of(writer.epochs, masks, outputs, len(taken))
            before, worked_before_s = time.perf_counter(), time.thread_time()
            writer.append_many(epochs)
            worked_s += time.thread_time() - worked_before_s
            taken.append(time.perf_counter() - before)
        wall_s = time.perf_counter() - begun
    waited_s = writer.epochs * epoch_s
    shares = sum(taken) / wall_s, worked_s / (waited_s + worked_s)
    return [writer.epochs, float(np.median(taken)) / masks_per_replay, *shares]


def long_record(path: Path, epochs: int, steps: int) -> None:
    """Learning that goes on to the end; one change in fifty is kept."""
    rng = np.random.default_rng(3)
    with new_record(path, steps) as writer:
        for first in range(0, epochs, 1000):
            index = np.arange(first, min(first + 1000, epochs))
            masks = rng.random((len(index), NEURONS)) < 0.5
            outputs = rng.random((len(index), steps), dtype=np.float32)
            errors = (np.exp(-index / (0.3 * epochs)) + 0.01 * rng.random(len(index))).tolist()
            made = zip(epochs_of(first, masks, outputs, first), errors, strict=True)
            writer.append_many([replace(epoch, replay=epoch.index, mse=e, nmse=e) for epoch, e in made])
        writer.finish("finished", "all epochs done", result={"epochs": epochs})


def timed(action: Callable[[], object]) -> float:
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def looks(path: Path) -> Iterator[tuple[str, float]]:
    """What a person does to a long record, and how long it takes."""

    def opened(look: Callable[[RunReader], object]) -> float:
        with RunReader(path) as run:
            return timed(lambda: look(run))

    yield "open", timed(lambda: RunReader(path).close())
    yield "learning curve", opened(RunReader.incumbent_errors)
    yield "line in the list of runs", timed(lambda: summary(path))
    yield "runs show", opened(show_table)
    with RecordFollower(path) as follower:
        yield "monitor, first poll", timed(lambda: (follower.poll(), follower.models()))
        yield "monitor, next poll", timed(lambda: (follower.poll(), follower.models()))
    yield "figure", opened(run_figure)
    yield "seal checked", opened(RunReader.unsealed_datasets)


def main(
    steps: Annotated[int, typer.Option(help="Steps of the training part.")] = 500,
    seconds: Annotated[float, typer.Option(help="Length of each run.")] = 5.0,
    long_epochs: Annotated[int, typer.Option(help="Epochs of the long record.")] = 100_000,
) -> None:
    """Print both; the exit code is 1 when a long record does not open in time."""
    console = Console()
    table = Table("an epoch", "masks a replay", "epochs", "recording one", "of wall time", "of work", box=None)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for epoch_s, masks in ((steps * 1e-3, 1), (1e-3, 64), (1e-3, 16), (1e-3, 1)):
            epochs, median_s, *shares = cost(folder, steps, epoch_s, masks, seconds)
            marked = [f"[{'green' if share < BUDGET else 'yellow'}]{share:.2%}[/]" for share in shares]
            table.add_row(f"{epoch_s * 1e3:g} ms", f"{masks}", f"{epochs:.0f}", f"{median_s * 1e6:.0f} µs", *marked)
        console.print(table)
        table = Table(f"{long_epochs} epochs of {steps} steps", "seconds", box=None)
        path = folder / "long.h5"
        long_record(path, long_epochs, steps)
        slow = False
        for what, taken_s in looks(path):
            late = taken_s > OPENS_WITHIN_S and what in OPENING
            slow |= late
            table.add_row(what, f"[{'yellow' if late else 'green'}]{taken_s:.2f}[/]")
        console.print(table)
        console.print(f"The record has {path.stat().st_size / 1e6:.0f} MB.")
    if slow:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
