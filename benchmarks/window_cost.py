"""What an open window costs a run: the same run without one and with one, in turns.

python benchmarks/window_cost.py
python benchmarks/window_cost.py --pairs 3 --epochs 60 --clock virtual

Needs a display (xvfb-run will do) and a quarter of an hour. Times are those from a run's first epoch to its last: by
the wall, and the processor time of the run's process. The window is in another process, so that it slows a run down in
two ways: what the run must do to tell it, which both times have, and what they take from each other's cores and memory,
which the wall has most of. The wall also measures whatever else the computer does, which is said beside it. The order
within a pair alternates, so that a computer that slows down or speeds up favours nobody.

In virtual time the simulated table computes as fast as it can; in real time devices take as long as real ones, as on a
bench, and most of the time is waiting.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import secrets
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import psutil
import typer
from PyQt5.QtCore import QSettings, QTimer
from rich.console import Console

from labcontrol.bench import simulated_bench
from labcontrol.config import BenchConfig, ExperimentConfig
from labcontrol.engine import EpochDone, Event, Finished, Run
from labcontrol.gui.app import make_application
from labcontrol.gui.session.table import TableSession
from labcontrol.gui.window.desktop import Appearance
from labcontrol.gui.window.main_window import MainWindow
from labcontrol.host import HostClient, hosts
from labcontrol.host.directory import HostPlace, hosts_folder
from labcontrol.host.jobs import run as run_job
from labcontrol.host.server import Host

CLOCKS = ("virtual", "real")
BAR = 0.02
_TIMES = "times.json"


@dataclass(frozen=True)
class Times:
    """From the first epoch to the last, in seconds. window_s: processor time of the window's process.

    others_s: processor time of everybody else on the computer.
    """

    wall_s: float
    run_s: float
    window_s: float
    others_s: float

    def words(self) -> str:
        window = f", window {self.window_s / self.wall_s:.0%} of a core" if self.window_s else ""
        others = f"others {self.others_s / self.wall_s:.0%}"
        return f"{self.wall_s:.2f} s wall, {self.run_s:.2f} s processor{window}, {others}"


class TimedRun(Run):
    """Writes the times of its first and its last epoch beside its record."""

    def _emit(self, event: Event) -> None:
        if isinstance(event, EpochDone):
            if event.epoch.index == 0:
                self._first = _readings()
            self._last = _readings()
        super()._emit(event)
        if isinstance(event, Finished):
            (self.record.parent / _TIMES).write_text(json.dumps([self._first, self._last]))


def _readings() -> list[float]:
    """Wall time, processor time of this process, of the one that started it, and of the whole computer."""
    parent, whole = psutil.Process(os.getppid()).cpu_times(), psutil.cpu_times()
    return [
        time.perf_counter(),
        time.process_time(),
        parent.user + parent.system,
        sum(whole) - whole.idle - getattr(whole, "iowait", 0.0),
    ]


def _times(folder: Path, *, windowed: bool) -> Times:
    first, last = json.loads((folder / _TIMES).read_text())
    wall_s, run_s, parent_s, whole_s = (end - begin for begin, end in zip(first, last, strict=True))
    return Times(wall_s, run_s, parent_s if windowed else 0.0, max(whole_s - run_s - parent_s, 0.0))


def start_timed_host() -> HostClient:
    """A host in a process of its own whose runs are timed."""
    name = secrets.token_hex(6)
    multiprocessing.get_context("spawn").Process(target=_serve, args=(name,)).start()
    while not (found := [host for host in hosts() if host.name == name]):
        time.sleep(0.05)
    return HostClient.connect(found[0], "window")


def _serve(name: str) -> None:
    run_job.Run = TimedRun  # type: ignore[misc]
    host = Host(HostPlace(hosts_folder(), name))
    host.start()
    host.wait()
    host.stop()


def setting(neurons: int, epochs: int, steps: int, clock: str) -> tuple[ExperimentConfig, BenchConfig]:
    experiment = ExperimentConfig.model_validate(
        {
            "neurons": neurons,
            "task": {"steps": steps},
            "stop": {"epochs": epochs},
            "learning": {"selection": "uniform"},
            # they are not timed
        }
    )
    bench = simulated_bench(neurons, experiment.seed)
    assert bench.table is not None
    bench.table.options["clock"] = clock
    return experiment, bench


def headless(experiment: ExperimentConfig, bench: BenchConfig, folder: Path) -> Times:
    """In a process of its own, as with the window."""
    process = multiprocessing.get_context("spawn").Process(target=_execute, args=(experiment, bench, folder))
    process.start()
    process.join()
    return _times(folder, windowed=False)


def _execute(experiment: ExperimentConfig, bench: BenchConfig, folder: Path) -> None:
    TimedRun(experiment, bench, folder).execute()


def with_window(experiment: ExperimentConfig, bench: BenchConfig, folder: Path) -> Times:
    """Followed by the whole window, on its live page."""
    app = make_application()
    settings = QSettings(str(folder / "settings.ini"), QSettings.IniFormat)
    table = TableSession(start_timed_host)
    window = MainWindow(experiment, bench, folder, Appearance(app, settings), settings, table=table)
    window.resize(1280, 800)
    window.show()
    table.run_over.connect(lambda _: QTimer.singleShot(0, app.quit))
    QTimer.singleShot(0, window.starter.start_form)
    app.exec_()
    assert table.run is not None
    error = table.run.error
    window.close()
    window.deleteLater()
    app.processEvents()
    if error is not None:
        raise error
    return _times(folder, windowed=True)


def pairs_of(
    experiment: ExperimentConfig, bench: BenchConfig, count: int, tell: Callable[[str], None]
) -> list[tuple[Times, Times]]:
    """So many pairs of times, without and with a window."""
    pairs = []
    for number in range(count):
        with tempfile.TemporaryDirectory() as folder:
            taken = {}
            measures = [headless, with_window]
            for measure in measures if number % 2 == 0 else reversed(measures):
                place = Path(folder) / measure.__name__
                place.mkdir()
                taken[measure] = measure(experiment, bench, place)
        pairs.append((taken[headless], taken[with_window]))
        tell(f"pair {number + 1}: alone {taken[headless].words()}; with the window {taken[with_window].words()}")
    return pairs


def spread(watched: list[float], alone: list[float]) -> str:
    """The median of what was added, and the lowest and highest."""
    low, median, high = 100 * (np.quantile(np.array(watched) / np.array(alone), [0, 0.5, 1]) - 1)
    return f"{median:+.1f} % (pairs {low:+.1f} to {high:+.1f} %)"


def main(
    neurons: Annotated[int, typer.Option(help="Neurons of the run.")] = 400,
    steps: Annotated[int, typer.Option(help="Steps of its training part; a tenth of them in real time.")] = 200,
    epochs: Annotated[int, typer.Option(help="Epochs in virtual time; a twentieth of them in real time.")] = 400,
    pairs: Annotated[int, typer.Option(help="Runs without and with a window, of each clock.")] = 5,
    clock: Annotated[str, typer.Option(help="virtual, real, or both.")] = "both",
) -> None:
    """Print the times of both, and the median ratio of the pairs with its spread."""
    out = Console(soft_wrap=True)
    for name in CLOCKS if clock == "both" else (clock,):
        if name == "real":
            epochs, steps = max(epochs // 20, 2), max(steps // 10, 10)
        experiment, bench = setting(neurons, epochs, steps, name)
        measured = pairs_of(experiment, bench, pairs, lambda words, name=name: out.print(f"{name} time, {words}"))
        walls = [[times.wall_s for times in side] for side in zip(*measured, strict=True)]
        works = [[times.run_s for times in side] for side in zip(*measured, strict=True)]
        median = float(np.median(np.array(walls[1]) / np.array(walls[0]))) - 1
        out.print(
            f"{name} time: the window adds {spread(walls[1], walls[0])} to a run's wall time and "
            f"{spread(works[1], works[0])} to its processor time; "
            f"at most {BAR:.0%} of the wall is {'met' if median <= BAR else 'missed'}"
        )


if __name__ == "__main__":
    typer.run(main)
