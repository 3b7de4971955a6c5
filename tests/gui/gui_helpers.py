"""A host, epochs and frames as a test wants them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from drivers.interfaces import Frame
from labcontrol.bench import simulated_bench
from labcontrol.config import BenchConfig, ExperimentConfig
from labcontrol.engine import Finished, RunState, RunStatus, StateChanged
from labcontrol.gui.session.context import WindowContext
from labcontrol.gui.session.table import TableSession
from labcontrol.gui.window.main_window import MainWindow
from labcontrol.host import HostClient, HostState, HostStatus, hosts
from labcontrol.host.directory import HostPlace, hosts_folder
from labcontrol.host.errors import LostHostError, described
from labcontrol.host.jobs.run import RunDescription, RunFailed, RunSettings
from labcontrol.host.protocol import Begin, End, GetStatus, Note, Request, SafeOff, Welcome
from labcontrol.host.server import Host
from labcontrol.records import Epoch
from labcontrol.reservoir import StepView

NEURONS = 16
STEPS = 40

R = TypeVar("R", bound=Request)


class ScriptedHost:
    """A host whose answers and events a test writes, with the interface of `HostClient`: answers come at once."""

    def __init__(self, folder: Path, loss: str = "mse", refusal: Exception | None = None) -> None:
        self.experiment = ExperimentConfig.model_validate(
            {"neurons": NEURONS, "stop": {"epochs": 100}, "learning": {"loss": loss, "selection": "uniform"}}
        )
        self.bench = simulated_bench(NEURONS, 1)
        self.folder, self.refusal = folder, refusal
        self.status = HostStatus(host="scripted", pid=1, version="", unattended=True)
        self.lost: LostHostError | None = None
        self.begun: list[RunSettings] = []
        self.asked: list[Request] = []
        self.table: TableSession | None = None
        self.hangs = False
        self._hearers: list[Callable[[Any], None]] = []
        self._open: list[tuple[Request, Callable[[Any], None], Callable[[Exception], None]]] = []

    # --- as HostClient ------------------------------------------------------------------------------------------
    def hear(self, hearer: Callable[[Any], None]) -> None:
        self._hearers.append(hearer)

    def ask(
        self,
        request: Request,
        then: Callable[[Any], None] = lambda _: None,
        refused: Callable[[Exception], None] = lambda _: None,
    ) -> None:
        if isinstance(request, GetStatus):
            if not self.hangs:
                then(self.status)
            return
        self.asked.append(request)
        if self.hangs:
            return
        if isinstance(request, Begin):
            self._begin(request, then, refused)
        elif isinstance(request, End | SafeOff | Note | Welcome):
            then(None)
        else:
            self._open.append((request, then, refused))

    def request(self, request: Request, timeout_s: float = 0.0) -> None:
        self.asked.append(request)

    def poll(self) -> None: ...
    def wait(self, timeout_s: float) -> None: ...
    def close(self) -> None: ...

    # --- for tests ----------------------------------------------------------------------------------------------
    @property
    def steering(self) -> list[str]:
        """What was asked of a run, by its names on the line."""
        return [request.name for request in self.asked if not isinstance(request, Begin | End)]

    def requests(self, kind: type[R]) -> list[R]:
        """Those of a kind, oldest first."""
        return [request for request in self.asked if isinstance(request, kind)]

    def answer(self, kind: type[Request], value: Any) -> None:
        """Answer the oldest open request of a kind; with an exception, refuse it."""
        place = next(k for k, (request, _, _) in enumerate(self._open) if isinstance(request, kind))
        _, then, refused = self._open.pop(place)
        if isinstance(value, Exception):
            refused(value)
        else:
            then(value)

    def emit(self, *events: Any) -> None:
        """What the job emits; shown with the next tick."""
        for event in events:
            for hearer in tuple(self._hearers):
                hearer(event)

    def run_is(self, status: RunStatus, error: Exception | None = None) -> None:
        """The run has this status now, and the window has heard of it."""
        if error is not None:
            self.emit(RunFailed(**described(error)))
        self.emit(Finished(status, {}) if status.state.is_final else StateChanged(status))
        self.tick()

    def set_laser(self, on: bool, power_w: float | None = None) -> None:
        """What the host says of the laser."""
        self.status = self.status.model_copy(update={"laser_on": on, "power_w": power_w})
        self.emit(self.status)
        self.tick()

    def lose(self) -> None:
        """The host is killed."""
        self.lost = LostHostError("The process that held the table was killed (SIGKILL).", "Begin again.")
        for _, _, refused in self._open:
            refused(self.lost)
        self.emit(self.lost)
        self.tick()

    def tick(self) -> None:
        """Have the window take in what has arrived."""
        assert self.table is not None
        self.table.host.tick()

    def _begin(self, request: Begin, then: Callable[[Any], None], refused: Callable[[Exception], None]) -> None:
        if self.refusal is not None:
            refused(self.refusal)
            return
        self.status = self.status.model_copy(update={"state": HostState(request.job)})
        if request.job != "run":
            then(None)
            return
        settings = RunSettings.model_validate(request.settings)
        self.begun.append(settings)
        experiment = settings.experiment or self.experiment
        then(RunDescription(experiment, settings.bench or self.bench, self.folder / "run.h5", bool(settings.record)))


def is_running(window: MainWindow) -> bool:
    """Whether a run has begun and is not over."""
    return window.table.status.state is RunState.PREPARING


def host_here() -> tuple[Host, HostClient]:
    """A host in threads of this process, which starts faster than one of its own, and a client of it."""
    host = Host(HostPlace(hosts_folder(), "here"), ends_when_free=False)
    host.start()
    logging.getLogger().removeHandler(host._log)  # what its client logs here would be sent to the client again
    return host, HostClient.connect(hosts()[0], "window")


MakeWindow = Callable[[ScriptedHost], MainWindow]


def page_context(
    folder: Path,
    host: ScriptedHost | None = None,
    experiment: ExperimentConfig | None = None,
    bench: BenchConfig | None = None,
) -> WindowContext:
    """What a page alone is built from."""
    experiment = experiment or ExperimentConfig()
    host = host or ScriptedHost(folder)
    context = WindowContext(folder, experiment, bench or simulated_bench(experiment.neurons, experiment.seed))
    host.table = context.table
    context.table.host.use(host)  # type: ignore[arg-type]
    return context


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


def frame(saturated: bool = False) -> Frame:
    data = np.zeros((20, 24), np.uint16)
    data[5, 7] = 1023 if saturated else 700
    return Frame(data, counter=3, time_s=0.1, exposure_s=2e-3, saturated_share=1 / data.size if saturated else 0.0)


def step_view(saturated: bool = False) -> StepView:
    return StepView(step=1, frame=frame(saturated), pattern=np.full((16, 16), 40, np.uint8), output=1.0)
