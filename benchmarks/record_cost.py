"""What recording costs a run, and how fast a long record opens.

python benchmarks/record_cost.py
python benchmarks/record_cost.py --long-epochs 1000000
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from labcontrol.config import ExperimentConfig
from labcontrol.records import Epoch, RunHeader, RunReader, RunWriter
from labcontrol.records.catalogue import summary

NEURONS = 900
BUDGET = 0.02
OPENS_WITHIN_S = 2.0


def new_record(path: Path, steps: int) -> RunWriter:
    experiment = ExperimentConfig(neurons=NEURONS).model_dump(mode="json")
    empty = np.empty(0)
    mask = np.random.default_rng(1).random(NEURONS) < 0.5
    sequence = np.zeros(steps)
    header = RunHeader({"experiment": experiment, "bench": {}}, {}, sequence, sequence, empty, empty, empty, mask)
    return RunWriter.create(path, header)


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
    rng = np.random.default_rng(3)
    with new_record(path, steps) as writer:
        for replay in range(epochs // 1000):
            masks = rng.random((1000, NEURONS)) < 0.5
            outputs = rng.random((1000, steps), dtype=np.float32)
            writer.append_many(epochs_of(writer.epochs, masks, outputs, replay))


def timed(action: object) -> float:
    begun = time.perf_counter()
    action()  # type: ignore[operator]
    return time.perf_counter() - begun


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
        path = folder / "long.h5"
        long_record(path, long_epochs, 200)
        opened_s = timed(lambda: RunReader(path).close())
        with RunReader(path) as run:
            curve_s = timed(run.incumbent_errors)
        listed_s = timed(lambda: summary(path))
        console.print(
            f"a record of {long_epochs} epochs ({path.stat().st_size / 1e6:.0f} MB) opens in {opened_s:.3f} s, gives "
            f"its learning curve in {curve_s:.3f} s, its line in the list in {listed_s:.3f} s"
        )
    if opened_s + curve_s > OPENS_WITHIN_S:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
