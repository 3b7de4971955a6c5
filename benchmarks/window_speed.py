"""How fast the window draws and answers with very many epochs loaded, and whether its memory stays flat.

python benchmarks/window_speed.py
python benchmarks/window_speed.py --epochs 100000 --clicks 100 --minutes 1

Needs a display (xvfb-run will do). Times are wall time; the processor time of the window's thread is given beside them,
because on a shared machine the wall also measures the others.
"""

from __future__ import annotations

import gc
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import psutil
import typer
from PyQt5.QtCore import QPoint, QSettings, Qt
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication, QWidget
from rich.console import Console

from drivers.interfaces import Frame
from labcontrol.bench import simulated_bench
from labcontrol.config import ExperimentConfig
from labcontrol.engine import EpochDone, Finished, Predicted, Prepared, RunState, RunStatus, Seen, StateChanged
from labcontrol.engine.pilot import PilotResult
from labcontrol.gui.app import make_application
from labcontrol.gui.live.page import LivePage
from labcontrol.gui.window.desktop import Appearance
from labcontrol.gui.window.main_window import MainWindow
from labcontrol.host import HostState, HostStatus
from labcontrol.host.errors import LostHostError
from labcontrol.host.jobs.run import RunDescription
from labcontrol.host.protocol import Request
from labcontrol.records import Epoch
from labcontrol.reservoir import StepView
from labcontrol.tasks import Task
from labcontrol.theory.run_prediction import PilotFacts, RunPrediction

NEURONS, STEPS = 900, 200
EPOCHS_A_SECOND = 100_000 / 60
FRAME_BAR_S, CLICK_BAR_S = 1 / 30, 0.050
LOOKS_S = 0.08  # from one look of the window at its run to the next


class PlayedRun:
    """A run whose events are played, and its host: the window cannot tell them from real ones."""

    def __init__(self, epochs: int, folder: Path) -> None:
        self.experiment = ExperimentConfig.model_validate(
            {
                "neurons": NEURONS,
                "stop": {"epochs": max(2 * epochs, 100_000)},
                "learning": {"loss": "mse", "selection": "uniform"},
            }
        )
        self.bench_config = simulated_bench(NEURONS, 1)
        self.status = HostStatus(host="played", pid=0, version="", state=HostState.RUN, unattended=True)
        self.lost: LostHostError | None = None
        self.told = 0
        self._folder = folder
        self._hearers: list[Callable[[Any], None]] = []
        rng = np.random.default_rng(1)
        self._masks = rng.random((64, NEURONS)) < 0.5
        self._outputs = rng.normal(size=(64, STEPS)).astype(np.float32)
        self._noise = 1 + 0.5 * rng.random(4096)
        self._frame = rng.integers(0, 800, (220, 220)).astype(np.uint16)
        self._pattern = rng.integers(0, 255, (120, 120), dtype=np.uint8)

    # --- as HostClient ------------------------------------------------------------------------------------------
    def hear(self, hearer: Callable[[Any], None]) -> None:
        self._hearers.append(hearer)

    def ask(self, request: Request, *_: object) -> None: ...
    def poll(self) -> None: ...
    def wait(self, timeout_s: float) -> None: ...
    def close(self) -> None: ...

    # --- what is played -----------------------------------------------------------------------------------------
    def emit(self, event: Any) -> None:
        for hearer in tuple(self._hearers):
            hearer(event)

    def begin(self) -> None:
        """From its description to its prediction."""
        rng = np.random.default_rng(2)
        target = rng.normal(size=STEPS)
        task = Task("played", rng.random(5), rng.random(STEPS), (target - target.mean()) / target.std(), target, target)
        rows, columns = np.divmod(np.arange(NEURONS), 30)
        centres = 5 + 7.0 * np.stack([rows, columns], axis=1)
        self.emit(RunDescription(self.experiment, self.bench_config, self._folder / "run.h5", False))
        self.emit(StateChanged(RunStatus(RunState.RUNNING, epochs=self.experiment.epochs, laser_on=True)))
        self.emit(Prepared(task, self._masks[0], centres, 1e-3))
        self.emit(Predicted(played_pilot(self.experiment.epochs)))

    def end(self) -> None:
        self.emit(Finished(RunStatus(RunState.ABORTED), {}))

    def tell(self, count: int, *, seen: bool = True) -> None:
        """So many epochs more, and the newest view."""
        for k in range(self.told, self.told + count):
            held = 0.01 + 0.99 / (1 + k / 300)
            tried = held * float(self._noise[k % 4096])
            row = k % 64
            accepted = row == 0
            status = RunStatus(
                state=RunState.RUNNING,
                epoch=k + 1,
                epochs=self.experiment.epochs,
                error=held,
                accepted=k // 64,
                laser_on=True,
                epoch_s=1 / EPOCHS_A_SECOND,
            )
            mask, output, time_s = self._masks[row], self._outputs[row], k / EPOCHS_A_SECOND
            epoch = Epoch(k, k, k % NEURONS, mask, output, tried, tried / 2, accepted, 1e9 + time_s, time_s)
            self.emit(EpochDone(epoch, held, status))
        self.told += count
        if seen:
            frame = Frame(np.roll(self._frame, self.told, axis=1), self.told, 0.0, 2e-3, 0.0)
            self.emit(Seen(StepView(self.told % STEPS, frame, np.roll(self._pattern, self.told), 1.0)))


def played_pilot(epochs: int) -> PilotResult:
    """A prediction of an exponential."""
    at = np.unique(np.geomspace(1, epochs, 100).astype(np.int64))
    curve = 0.001 + np.exp(-4 * at / NEURONS)
    facts = PilotFacts(masks=1031, replays=17, noise_within=1e-3, noise_between=1e-3)
    told = RunPrediction(
        "nmse", at, curve, 0.7 * curve, 1.4 * curve, 1.0, 0.001, (NEURONS / 4, 100.0, 400.0), 0.99, (-1.5, 1.5), facts
    )
    return PilotResult(2.0, np.ones(NEURONS), facts, told)


@dataclass
class Times:
    """Wall and processor times of something done again and again, in seconds."""

    wall_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)

    def measure(self, action: Callable[[], object]) -> None:
        wall_s, cpu_s = time.perf_counter(), time.thread_time()
        action()
        self.cpu_s.append(time.thread_time() - cpu_s)
        self.wall_s.append(time.perf_counter() - wall_s)

    def __str__(self) -> str:
        wall, cpu = 1e3 * np.array(self.wall_s), 1e3 * np.array(self.cpu_s)
        return (
            f"wall {np.mean(wall):.1f} ms mean, {np.quantile(wall, 0.99):.1f} ms p99; "
            f"processor {np.mean(cpu):.1f} ms mean, {np.quantile(cpu, 0.99):.1f} ms p99"
        )


@contextmanager
def playing_window(epochs: int, width: int = 1280, height: int = 800) -> Iterator[tuple[MainWindow, PlayedRun]]:
    """A window that follows a run of which so many epochs are already told."""
    app = make_application()
    with tempfile.TemporaryDirectory() as folder:
        settings = QSettings(str(Path(folder) / "settings.ini"), QSettings.IniFormat)
        run = PlayedRun(epochs, Path(folder))
        look = Appearance(app, settings)
        window = MainWindow(run.experiment, run.bench_config, Path(folder), look, settings)
        window.resize(width, height)
        window.show()
        window.table.host.use(run)  # type: ignore[arg-type]
        run.begin()
        while run.told < epochs:
            run.tell(min(20_000, epochs - run.told))
            window.table.host.tick()
        app.processEvents()
        if not window.table.is_running:
            raise RuntimeError("the window does not follow the run, so nothing would be measured")
        try:
            yield window, run
        finally:
            run.end()
            window.table.host.tick()
            window.close()
            window.deleteLater()
            app.processEvents()


def frame_times(window: MainWindow, run: PlayedRun, frames: int) -> Times:
    """Each frame takes in what happened in a thirtieth of a second and is painted completely."""
    times = Times()
    app = QApplication.instance()
    assert app is not None

    def frame() -> None:
        window.table.host.tick()
        app.processEvents()

    for _ in range(frames):
        run.tell(round(EPOCHS_A_SECOND * FRAME_BAR_S))
        times.measure(frame)
    return times


def click_times(window: MainWindow, run: PlayedRun, clicks: int) -> Times:
    """From a click until everything it changes is painted, at a random moment between two looks at the run."""
    live, app = window.page(LivePage), QApplication.instance()
    learning = live.learning
    assert app is not None
    switches = (learning.log_x, learning.log_y, learning.follow, live.camera.show_marks)
    targets: list[QWidget] = [*switches, *learning.table.controls]
    chance, times = random.Random(3), Times()
    for _ in range(clicks):
        target = chance.choice(targets)
        run.tell(round(EPOCHS_A_SECOND * LOOKS_S))
        wait_for_tick = chance.random() < frame_share(times)

        def click(target: QWidget = target, behind: bool = wait_for_tick) -> None:
            if behind:  # the click arrives while the window is taking in what happened
                window.table.host.tick()
            QTest.mouseClick(target, Qt.LeftButton, pos=QPoint(8, target.height() // 2))
            app.processEvents()

        times.measure(click)
        window.table.host.tick()
        app.processEvents()
    return times


def frame_share(times: Times) -> float:
    """The part of the time between two looks that a look takes: so often a click finds the window at work."""
    return min(1.0, (np.mean(times.wall_s) if times.wall_s else 0.02) / LOOKS_S)


def memory_course(window: MainWindow, run: PlayedRun, epochs: int, pieces: int = 20) -> list[float]:
    """Resident megabytes while so many epochs come, as fast as the window can take them."""
    process, course = psutil.Process(), []
    app = QApplication.instance()
    assert app is not None
    for _ in range(pieces):
        end = run.told + epochs // pieces
        while run.told < end:
            run.tell(min(2000, end - run.told))
            window.table.host.tick()
            app.processEvents()
        gc.collect()
        course.append(process.memory_info().rss / 2**20)
    return course


def main(
    epochs: Annotated[int, typer.Option(help="Epochs loaded before frames and clicks are timed.")] = 1_000_000,
    frames: Annotated[int, typer.Option(help="Frames to time.")] = 300,
    clicks: Annotated[int, typer.Option(help="Clicks to time.")] = 500,
    minutes: Annotated[float, typer.Option(help="Simulated minutes of 100 000 events each, for the memory.")] = 10.0,
    scale: Annotated[str, typer.Option(help="Width and height of the window in pixels.")] = "1280x800",
) -> None:
    """Print frames a second, click times and the course of memory."""
    out = Console(soft_wrap=True)
    width, height = (int(side) for side in scale.split("x"))
    with playing_window(0, width, height) as (window, run):
        course = memory_course(window, run, round(minutes * 100_000))
    later = course[len(course) // 4 :]
    out.print(f"memory over {minutes:g} min of 100 000 events: {', '.join(f'{mb:.0f}' for mb in course)} MB")
    out.print(f"growth after the first quarter: {later[-1] - later[0]:+.1f} MB")
    with playing_window(epochs, width, height) as (window, run):
        followed = window.page(LivePage).learning.epochs
        drawn, clicked = frame_times(window, run, frames), click_times(window, run, clicks)
    out.print(f"{followed:,} epochs loaded, window {width} x {height}")
    by_wall, by_processor = (1 / np.mean(taken) for taken in (drawn.wall_s, drawn.cpu_s))
    out.print(f"a frame: {drawn}; frames a second: {by_wall:.0f} by the wall, {by_processor:.0f} by the processor")
    out.print(f"a click: {clicked}; at most {1e3 * CLICK_BAR_S:.0f} ms is asked")
    out.print(f"load of the computer: {psutil.getloadavg()[0]:.1f} on {psutil.cpu_count()} cores")


if __name__ == "__main__":
    typer.run(main)
