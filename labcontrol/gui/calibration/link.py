"""The calibration page's connection to the bench it calibrates: asks without waiting, tells by signals."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from PyQt5.QtCore import QObject, pyqtSignal

from drivers.interfaces import Frame
from labcontrol.calibration import Calibration
from labcontrol.config import BenchConfig, ExperimentConfig
from labcontrol.errors import UserError
from labcontrol.gui.processes.held_bench import HeldBench
from labcontrol.gui.shared.background import Background
from labcontrol.host.jobs.calibration import (
    Activity,
    CalibrationJob,
    CameraOpened,
    LightChanged,
    Progress,
    SelfTestFound,
    keep,
)
from labcontrol.selftest import Trial


class CalibrationLink(HeldBench):
    """One thing at a time: `is_working` while it lasts; `measured`, `looked`, `stopped` or `refused` tells its end.

    Signals on the way: `opened` (bits of a camera pixel), `doing` (words), `stepped` (done, total), `framed` (Frame),
    `found` (SelfTestFound), `tried` (Trial). `kept`, or `not_kept` (error), after a result was accepted.
    """

    opened = pyqtSignal(int)
    doing = pyqtSignal(str)
    stepped = pyqtSignal(int, int)
    framed = pyqtSignal(object)
    found = pyqtSignal(object)
    tried = pyqtSignal(object)
    measured = pyqtSignal(object)
    looked = pyqtSignal()
    kept = pyqtSignal(object)
    not_kept = pyqtSignal(object)
    stopped = pyqtSignal()
    refused = pyqtSignal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.is_working = self._snapping = False
        self._background = Background(self)

    def holds_other_than(self, config: BenchConfig) -> bool:
        """Whether what is held was opened for another bench."""
        return self._process is not None and self.config != config

    def measure(self, config: BenchConfig, kind: str, armed_by: str) -> None:
        """Raises UserError when the bench file does not hold together."""

        def then(result: Calibration | None) -> None:
            self._rest()
            if result is None:
                self.stopped.emit()
            else:
                self.measured.emit(result)

        self._work(config, "measure", kind, armed_by, then=then)

    def look(self, config: BenchConfig, experiment: ExperimentConfig, trials: int, method: str, armed_by: str) -> None:
        """The self-test, or with trials the scan. Raises UserError when the bench file does not hold together."""

        def then(done: bool | None) -> None:
            self._rest()
            (self.looked if done else self.stopped).emit()

        self._work(config, "self_test", experiment, trials, method, armed_by, then=then)

    def keep(self, config: BenchConfig, calibration: Calibration) -> None:
        """A person has accepted a result; that needs no devices."""

        def job() -> UserError | None:
            try:
                keep(config, calibration)
            except UserError as error:
                return error
            return None

        def deliver(error: UserError | None) -> None:
            if error is None:
                self.kept.emit(calibration)
            else:
                self.not_kept.emit(error)

        self._background.run(job, deliver)

    def ask_frame(self) -> None:
        """A new frame while nothing is being measured, unless one is under way."""
        if self._process is None or self.is_working or self._snapping:
            return
        self._snapping = True

        def then(frame: Frame | None) -> None:
            self._snapping = False
            if frame is not None:
                self.framed.emit(frame)

        def refused(_: BaseException) -> None:
            self._snapping = False

        self._process.ask("frame", then=then, refused=refused)

    def light_off(self) -> None:
        """At once, from any state; what is being measured ends."""
        if self._process is not None:
            self._process.ask("light_off", then=lambda _: None, refused=self.refused.emit)

    def close(self) -> None:
        self._background.close()
        super().close()
        self._forget()

    # --- parts --------------------------------------------------------------------------------------------------
    def _work(self, config: BenchConfig, command: str, *arguments: Any, then: Callable[[Any], None]) -> None:
        if self.is_working or self._releasing:
            return
        process = self._hold(
            config, lambda config, journal: partial(CalibrationJob, config, journal=journal), self._on_news
        )

        def refused(error: BaseException) -> None:
            self._rest()
            self.refused.emit(error)

        self.is_working = True
        process.ask(command, *arguments, then=then, refused=refused)

    def _on_news(self, news: Any) -> None:
        if isinstance(news, Frame):
            self.framed.emit(news)
        elif isinstance(news, Progress):
            self.stepped.emit(news.done, news.total)
        elif isinstance(news, Activity):
            self.doing.emit(news.words)
        elif isinstance(news, CameraOpened):
            self.opened.emit(news.bit_depth)
        elif isinstance(news, LightChanged):
            self._set_light(news.on, news.power_w)
        elif isinstance(news, SelfTestFound):
            self.found.emit(news)
        elif isinstance(news, Trial):
            self.tried.emit(news)

    def _forget(self) -> None:
        self._rest()
        self._snapping = False
        super()._forget()

    def _rest(self) -> None:
        self.is_working = False
