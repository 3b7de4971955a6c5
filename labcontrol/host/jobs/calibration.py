"""Calibration, self-test and scan as a job, on a bench that is opened when it is needed.

Whoever asks for dark gets it at once, and what is being measured ends: no procedure can switch the light on again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from drivers.interfaces import DeviceError, Frame
from labcontrol.bench import Bench
from labcontrol.calibration import PROCEDURES, Calibration, Session, calibrated, check_devices, store_of
from labcontrol.calibration.waiting import save_with_figure, write_waiting
from labcontrol.config import BenchConfig, ExperimentConfig
from labcontrol.errors import UserError
from labcontrol.host.jobs.calibration_events import Activity, CameraOpened, LightChanged, Progress, SelfTestFound
from labcontrol.host.jobs.job import BenchSettings, Handler, Job, TakeFrame
from labcontrol.host.jobs.stoppable_bench import StoppableBench, StoppedError
from labcontrol.host.protocol import HostState, Request
from labcontrol.selftest import Trial, scan, selftest
from labcontrol.tasks import make_task

log = logging.getLogger(__name__)

Emit = Callable[[Any], None]

_FRAME_INTERVAL_S = 0.08
_EVENTS_WAITING = 10_000
_PROGRESS_INTERVAL_S = 0.05


class Measure(Request):
    """One procedure. Answered with its `Calibration`, or None when it was ended by somebody who wanted it dark.

    Parameters
    ----------
    kind : str
        One of `labcontrol.calibration.PROCEDURES`.
    armed_by : str
        On whose word a real laser may emit.
    """

    name = "measure"
    lights = True

    kind: str
    armed_by: str = ""


class SelfTest(Request):
    """The self-test of the calibrated table, or with at least two trials a scan of its operating points.

    Answered with True, or None when it was ended by somebody who wanted it dark. What is found is emitted.

    Parameters
    ----------
    experiment : ExperimentConfig
        Its task, operating point and size are tested.
    trials : int
        Of a scan.
    method : str
        One of `labcontrol.selftest.scan.METHODS`.
    armed_by : str
        On whose word a real laser may emit.
    """

    name = "self-test"
    lights = True

    experiment: ExperimentConfig
    trials: int = 0
    method: str = "sobol"
    armed_by: str = ""


class CalibrationJob(Job):
    """Measures procedures and tests the table.

    `light_off` may be called from any thread at any time. `measure` and `self_test` are given the number of `darks` at
    which they were asked for, end when it grows, and return None then. emit: given every event. journal: where the
    guardian of a real laser writes what it does when this program is gone.
    """

    state = HostState.CALIBRATION
    leased = True
    settings = BenchSettings
    carries = (Activity, Progress, CameraOpened, LightChanged, SelfTestFound, Trial, Frame, Calibration)
    pictures = (Frame,)

    def __init__(self, config: BenchConfig, emit: Emit | None = None, journal: Path | None = None) -> None:
        self.bench = config
        self._events: deque[Any] = deque(maxlen=_EVENTS_WAITING)
        self._emit, self._journal = self._events.append if emit is None else emit, journal
        self._bench: StoppableBench | None = None
        self._lock = threading.RLock()
        self._asked_at = 0
        self.darks = 0
        self._frame_s = self._progress_s = 0.0
        self._takes_frames = True
        self._ended = False

    @classmethod
    def make(cls, settings: BenchSettings) -> CalibrationJob:
        return cls(settings.bench, journal=Path(settings.journal))

    @property
    def requests(self) -> Mapping[type[Request], Handler]:
        return {
            Measure: lambda asked, darks: self.measure(asked.kind, asked.armed_by, darks),
            SelfTest: lambda asked, darks: self.self_test(
                asked.experiment, asked.trials, asked.method, asked.armed_by, darks
            ),
            TakeFrame: lambda _: self.frame(),
        }

    @property
    def is_over(self) -> bool:
        return self._ended

    def begin(self) -> None:
        """Nothing yet: the bench is opened with the first step."""

    def status(self) -> dict[str, Any]:
        bench = self._bench
        lit_w = None if bench is None else bench.lit_w
        return {
            "journal": None if self._journal is None else str(self._journal),
            "laser_on": lit_w is not None,
            "power_w": lit_w,
        }

    def drain(self) -> list[Any]:
        return [self._events.popleft() for _ in range(len(self._events))]

    # --- what it does -------------------------------------------------------------------------------------------
    def measure(self, kind: str, armed_by: str, asked_at: int) -> Calibration | None:
        """One procedure, on what is fresh of those before it.

        A result that failed is in the store when this returns, one that passed waits for `keep`.
        """
        with self._working(asked_at) as stopped:
            bench = self._open(self.bench, armed_by)
            store = store_of(self.bench)
            session = Session(bench, self.bench, store, progress=self._on_progress, watch=self._on_frame)
            for before in list(PROCEDURES)[: list(PROCEDURES).index(kind)]:
                session.take_over(before)
            self._takes_frames = "detector" not in PROCEDURES[kind].roles
            self._emit(Activity(PROCEDURES[kind].title))
            calibration = session.run(kind, save=False)
            self._check()
            if calibration.passed:
                write_waiting(store, calibration)
            else:
                save_with_figure(store, calibration)
        return None if stopped else calibration

    def frame(self) -> Frame | None:
        """A new frame; None while no bench is open."""
        return None if self._bench is None else self._bench.camera.snap()

    def self_test(
        self, experiment: ExperimentConfig, trials: int, method: str, armed_by: str, asked_at: int
    ) -> bool | None:
        """The self-test of the calibrated table, and a scan of operating points where trials are asked for.

        What is found is told as it comes: an `SelfTestFound`, then a `Trial` after each.
        """
        with self._working(asked_at) as stopped:
            bench = self._open(calibrated(self.bench), armed_by)
            check_devices(bench.config, bench.identities)
            work = make_task(experiment.task, experiment.seed)

            def say(words: str) -> None:
                self._check()
                self._emit(Activity(words))

            if trials < 2:
                report = selftest(bench, experiment, work, say)
                responses = report.responses
                self._emit(
                    SelfTestFound(
                        report.figures, report.memory, len(responses.neurons), responses.total,
                        responses.states.shape[2], report.epoch_s, report.learning_s, report.advice,
                    )
                )  # fmt: skip
            else:
                self._scan(bench, experiment, work, trials, method)
            self.dark("the self-test is over")
        return None if stopped else True

    def light_off(self, reason: str = "") -> None:
        """Emission off, whatever else is going on, and an end to what is being measured."""
        self.darks += 1
        self.dark(reason)

    def dark(self, reason: str = "") -> None:
        bench = self._bench
        if bench is not None:
            bench.light_off(reason)

    def end(self) -> None:
        self._ended = True
        self.darks += 1
        self._close_bench()

    # --- parts --------------------------------------------------------------------------------------------------
    def _scan(self, bench: Bench, experiment: ExperimentConfig, work: Any, trials: int, method: str) -> None:
        def tell(trial: Trial, _done: int) -> None:
            self._check()
            self._emit(trial)

        self._emit(Activity("operating points"))
        scan(bench, experiment.reservoir, experiment.side, work, experiment.seed, trials, method, tell)

    @contextmanager
    def _working(self, asked_at: int) -> Iterator[list[bool]]:
        """Ends quietly when it is stopped, and says so in the list that it gives.

        A stop makes whatever was going on fail in its own way; only the stop itself is worth telling.
        """
        stopped: list[bool] = []
        self._asked_at = asked_at
        try:
            yield stopped
        except Exception as error:
            if self._is_stopped:
                stopped.append(True)
                return
            if isinstance(error, DeviceError):
                self._close_bench()  # the next one opens it anew, and with it what was lost
            else:
                self.dark()
            raise

    @property
    def _is_stopped(self) -> bool:
        return self.darks != self._asked_at

    def _check(self) -> None:
        if self._is_stopped:
            raise StoppedError

    def _open(self, config: BenchConfig, armed_by: str) -> Bench:
        """The bench opened with this configuration, by closing another."""
        self._check()
        if self._bench is None or self._bench.config != config:
            self._close_bench()
            self._emit(Activity("opening the devices"))
            bench = StoppableBench(config, self._lock, self._check, self._emit)
            bench.open()
            if self._journal is not None:
                bench.light.keep_journal(self._journal)
            self._bench = bench
            self._emit(CameraOpened(bench.camera.bit_depth))
        if armed_by:
            self._bench.light.arm(armed_by)
        return self._bench

    def _close_bench(self) -> None:
        bench, self._bench = self._bench, None
        if bench is not None:
            bench.close()

    def _on_frame(self, frame: Frame) -> None:
        self._check()
        now_s = time.monotonic()
        if now_s - self._frame_s >= _FRAME_INTERVAL_S:
            self._frame_s = now_s
            self._emit(frame)

    def _on_progress(self, done: int, total: int) -> None:
        self._check()
        now_s = time.monotonic()
        if now_s - self._progress_s >= _PROGRESS_INTERVAL_S or done == total:
            self._progress_s = now_s
            self._emit(Progress(done, total))
        if not self._takes_frames and now_s - self._frame_s >= _FRAME_INTERVAL_S:
            self._show_what_is_there()

    def _show_what_is_there(self) -> None:
        """The picture during a step that needs no camera; without one it goes on as well."""
        self._frame_s = time.monotonic()
        try:
            frame = self.frame()
        except (DeviceError, UserError) as error:
            log.info("no picture: %s", error)
        else:
            self._emit(frame)
