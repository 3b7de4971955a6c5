"""Runs, epochs, frames and laws as a test wants them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from drivers.interfaces import Frame
from labcontrol.bench import simulated_bench
from labcontrol.config import BenchConfig, ExperimentConfig
from labcontrol.engine import Mailbox, RunState, RunStatus
from labcontrol.gui.window.main_window import MainWindow
from labcontrol.records import Epoch
from labcontrol.reservoir import StepView
from labcontrol.theory import AmplitudeLaw

NEURONS = 16
STEPS = 40


class ScriptedRun:
    """A run whose events a test writes: the controller cannot tell it from a real one."""

    def __init__(self, loss: str = "mse") -> None:
        self.experiment = ExperimentConfig.model_validate(
            {"neurons": NEURONS, "stop": {"epochs": 100}, "learning": {"loss": loss, "selection": "uniform"}}
        )
        self.bench_config = simulated_bench(NEURONS, 1)
        self.status = RunStatus()
        self.result: dict[str, object] = {}
        self.error: BaseException | None = None
        self.mailbox = Mailbox()
        self.asked: list[str] = []

    def subscribe(self) -> Mailbox:
        return self.mailbox

    def start(self) -> None:
        self.status = RunStatus(state=RunState.PREPARING, epochs=self.experiment.epochs)

    def wait(self, timeout_s: float | None = None) -> bool:
        return self.status.state.is_final or self.status.state is RunState.IDLE

    def pause(self) -> None:
        self.asked.append("pause")

    def resume(self) -> None:
        self.asked.append("resume")

    def stop(self) -> None:
        self.asked.append("stop")
        self.status = RunStatus(state=RunState.FINISHED)

    def abort(self) -> None:
        self.asked.append("abort")
        self.status = RunStatus(state=RunState.ABORTED)

    def note(self, text: str) -> None:
        self.asked.append(f"note {text}")


class ScriptedRuns:
    """Hands out one scripted run, or refuses with an error."""

    def __init__(self, run: ScriptedRun, folder: Path, refusal: Exception | None = None) -> None:
        self.folder, self.armed_by = folder, ""
        self.made: list[object] = []
        self._run, self._refusal = run, refusal

    def new(self, experiment: ExperimentConfig, bench: BenchConfig) -> ScriptedRun:
        if self._refusal is not None:
            raise self._refusal
        self.made.append(experiment)
        return self._run

    def continued(self, record: Path) -> ScriptedRun:
        self.made.append(record)
        return self._run


MakeWindow = Callable[[ScriptedRuns], MainWindow]


def epoch(index: int, error: float, accepted: bool = False) -> Epoch:
    rng = np.random.default_rng(index)
    return Epoch(
        index=index,
        replay=index,
        mirror=index % NEURONS if index else -1,
        mask=rng.random(NEURONS) < 0.5,
        output=rng.normal(size=STEPS).astype(np.float32),
        mse=error,
        nmse=error / 2,
        accepted=accepted or index == 0,
        unix_s=1000.0 + 0.1 * index,
        bench_s=0.1 * index,
    )


def amplitude_law() -> AmplitudeLaw:
    """Time constant 8 epochs, 95 % interval of the rate about a fifth to both sides."""
    return AmplitudeLaw(
        neurons=NEURONS,
        mirrors=np.arange(4),
        amplitudes=np.ones(4),
        gain=2.0,
        start=1.0,
        floor=0.01,
        kappa=2.0,
        kappa_error=0.2,
        step_variance=1e-4,
    )


def frame(saturated: bool = False) -> Frame:
    data = np.zeros((20, 24), np.uint16)
    data[5, 7] = 1023 if saturated else 700
    return Frame(data, counter=3, time_s=0.1, exposure_s=2e-3, saturated_share=1 / data.size if saturated else 0.0)


def step_view(saturated: bool = False) -> StepView:
    return StepView(step=1, frame=frame(saturated), pattern=np.full((16, 16), 40, np.uint8), output=1.0)
