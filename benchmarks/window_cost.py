"""What an open window costs a run: the same run without one and with one, in turns.

python benchmarks/window_cost.py
python benchmarks/window_cost.py --pairs 3 --epochs 60 --clock virtual

Needs a display (xvfb-run will do). The time of a run is that from its first epoch to its last, as its record has it.
The order within a pair alternates, so that a computer that slows down or speeds up favours nobody.

In virtual time the simulated table computes as fast as it can, so run and window compete for the processor's shared
parts; in real time devices take as long as real ones, as on a bench.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from PyQt5.QtCore import QSettings
from rich.console import Console

from labcontrol.bench import simulated_bench
from labcontrol.config import BenchConfig, ExperimentConfig
from labcontrol.engine import Run
from labcontrol.gui.app import make_application
from labcontrol.gui.desktop import Appearance
from labcontrol.gui.main_window import MainWindow
from labcontrol.gui.run_process import ProcessRuns
from labcontrol.records import RunReader

CLOCKS = ("virtual", "real")
BAR = 0.02


def setting(neurons: int, epochs: int, steps: int, clock: str) -> tuple[ExperimentConfig, BenchConfig]:
    experiment = ExperimentConfig.model_validate(
        {"neurons": neurons, "task": {"steps": steps}, "stop": {"epochs": epochs}, "learning": {"selection": "uniform"}}
    )
    bench = simulated_bench(neurons, experiment.seed)
    assert bench.table is not None
    bench.table.options["clock"] = clock
    return experiment, bench


def learning_s(record: Path) -> float:
    """From the first epoch to the last."""
    with RunReader(record) as run:
        unix_s = run.epochs.unix_s
    return float(unix_s[-1] - unix_s[0])


def headless(experiment: ExperimentConfig, bench: BenchConfig, folder: Path) -> float:
    """In a process of its own, as with the window."""
    process = multiprocessing.get_context("spawn").Process(target=_execute, args=(experiment, bench, folder))
    process.start()
    process.join()
    return learning_s(_newest(folder))


def _execute(experiment: ExperimentConfig, bench: BenchConfig, folder: Path) -> None:
    Run(experiment, bench, folder).execute()


def with_window(experiment: ExperimentConfig, bench: BenchConfig, folder: Path) -> float:
    """Followed by the whole window, on its live page."""
    app = make_application()
    settings = QSettings(str(folder / "settings.ini"), QSettings.IniFormat)
    window = MainWindow(experiment, bench, ProcessRuns(folder), Appearance(app, settings), settings)
    window.resize(1280, 800)
    window.show()
    window.show_page(window.live)
    window.start_run()
    begun_s = time.monotonic()
    while window.controller.run is None or not window.controller.run.status.state.is_final:
        app.processEvents()
        time.sleep(0.001)
        if window.controller.run is None and time.monotonic() - begun_s > 60:
            raise RuntimeError("the run did not start")
    if window.controller.run.error is not None:
        raise window.controller.run.error
    window.close()
    window.deleteLater()
    app.processEvents()
    return learning_s(_newest(folder))


def _newest(folder: Path) -> Path:
    return max(folder.glob("*.h5"), key=lambda path: path.stat().st_mtime)


def main(
    neurons: Annotated[int, typer.Option(help="Neurons of the run.")] = 400,
    steps: Annotated[int, typer.Option(help="Steps of its training part.")] = 200,
    epochs: Annotated[int, typer.Option(help="Epochs in virtual time; a quarter of them in real time.")] = 400,
    pairs: Annotated[int, typer.Option(help="Runs without and with a window, of each clock.")] = 5,
    clock: Annotated[str, typer.Option(help="virtual, real, or both.")] = "both",
) -> None:
    """Print the times of both, and the median ratio of the pairs with its spread."""
    out = Console()
    for name in CLOCKS if clock == "both" else (clock,):
        experiment, bench = setting(neurons, epochs if name == "virtual" else max(epochs // 4, 2), steps, name)
        alone, watched = [], []
        for pair in range(pairs):
            with tempfile.TemporaryDirectory() as folder:
                places = [Path(folder) / "alone", Path(folder) / "watched"]
                for place in places:
                    place.mkdir()
                tasks = [(headless, alone, places[0]), (with_window, watched, places[1])]
                for measure, taken, place in tasks if pair % 2 == 0 else reversed(tasks):
                    taken.append(measure(experiment, bench, place))
            out.print(f"{name} time, pair {pair + 1}: alone {alone[-1]:.2f} s, with the window {watched[-1]:.2f} s")
        ratios = np.array(watched) / np.array(alone) - 1
        low, median, high = 100 * np.quantile(ratios, [0, 0.5, 1])
        out.print(
            f"{name} time: the window costs {median:+.1f} % (pairs {low:+.1f} to {high:+.1f} %); "
            f"at most {100 * BAR:.0f} % is {'met' if median <= 100 * BAR else 'missed'}"
        )


if __name__ == "__main__":
    typer.run(main)
