"""The calibration of a bench, one step after the other: what is armed, measured, waits to be accepted, follows."""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from PyQt5.QtCore import QObject, pyqtSignal
from PyQt5.QtWidgets import QWidget

from drivers.interfaces import Frame
from labcontrol.bench import driver_classes
from labcontrol.calibration import PROCEDURES, Calibration
from labcontrol.calibration.waiting import keep
from labcontrol.config import BenchConfig
from labcontrol.errors import UserError
from labcontrol.gui.calibration.overview import SELFTEST, CalibrationOverview
from labcontrol.gui.session.arming import Arming, arm
from labcontrol.gui.session.context import WindowContext
from labcontrol.gui.session.lost_laser import guardian_journal
from labcontrol.gui.shared.background import Background
from labcontrol.gui.shared.ticking import ticking
from labcontrol.host import HostState
from labcontrol.host.errors import LostHostError
from labcontrol.host.jobs.calibration import Measure, SelfTest
from labcontrol.host.jobs.job import BenchSettings, TakeFrame
from labcontrol.host.protocol import Request

log = logging.getLogger(__name__)

_IDLE_LIGHT_MS = 5 * 60_000


class CalibrationWork(QObject):
    """Works with the table, which it takes with the first step and keeps until it is released; shows nothing.

    Parameters
    ----------
    context : WindowContext
    window : QWidget
        Over which a person is asked whether a real laser may be armed.

    Attributes
    ----------
    overview : CalibrationOverview or None
        None where there is nothing to calibrate; `obstacle` says why.
    waiting : Calibration or None
        The result that waits to be accepted.
    not_measured : (kind, error) or None
        Of the last step, where an error kept it from being measured.
    working_on : str
        Kind of the step that is under way; empty for none.

    Signals
    -------
    bench_changed, overview_changed : ()
    turned_to : (kind)
        The step that follows.
    measuring : (kind)
        Work on a step begins.
    testing : (trials)
        The self-test begins, or a scan of so many trials.
    ended : ()
        Work has ended; then follows what became of it: `measured` (Calibration), `stopped`, `refused` (kind, error), or
        `rested` where nothing else is to be shown.
    framed : (Frame)
        Between two steps.
    problem : (error, what could not be done)
    """

    bench_changed = pyqtSignal()
    overview_changed = pyqtSignal()
    turned_to = pyqtSignal(str)
    measuring = pyqtSignal(str)
    testing = pyqtSignal(int)
    ended = pyqtSignal()
    measured = pyqtSignal(object)
    stopped = pyqtSignal()
    refused = pyqtSignal(str, object)
    rested = pyqtSignal()
    framed = pyqtSignal(object)
    problem = pyqtSignal(object, str)

    def __init__(self, context: WindowContext, window: QWidget) -> None:
        super().__init__(window)
        self._setup, self._table, self._window = context.setup, context.table, window
        self.overview: CalibrationOverview | None = None
        self.obstacle: UserError | None = None
        self.waiting: Calibration | None = None
        self.not_measured: tuple[str, Exception] | None = None
        self.working_on = ""
        self._going_on = self._snapping = False
        self._arming: Arming | None = None
        self._held: BenchConfig | None = None
        self._keeping = Background(self)
        self._idle_timer = ticking(self, _IDLE_LIGHT_MS, self._end_idle_light)
        self._table.changed.connect(self._on_table)

    # --- the bench ----------------------------------------------------------------------------------------------
    def read(self) -> None:
        """See which bench is chosen and how its calibrations are; while one is measured its bench stays."""
        if self.working_on:
            return
        before = self.overview
        try:
            self.overview = CalibrationOverview.of(*self._setup.chosen(), before)
        except UserError as error:
            self._lose_overview(error)
            return
        if before is None or self.overview.config != before.config:
            self.waiting, self._arming = None, None
            self.bench_changed.emit()
        self.overview_changed.emit()

    def light_off(self) -> None:
        """At once, from any state; what is being measured ends."""
        self._going_on = False
        self._table.safe_off()

    def shut_down(self) -> None:
        self._idle_timer.stop()
        self._keeping.close()

    # --- one step after the other -------------------------------------------------------------------------------
    def measure(self, kind: str) -> None:
        """Measure one step; its result waits to be accepted."""

        def then(result: Calibration | None) -> None:
            if result is None:
                self._on_stopped()
            else:
                self._on_measured(result)

        if self._work(kind, lambda armed_by: Measure(kind=kind, armed_by=armed_by), then):
            self.waiting = None
            self.measuring.emit(kind)

    def measure_all(self) -> None:
        """Every step that does not hold, accepting what passes."""
        kind = self.overview.next_to_do() if self.overview is not None else None
        if kind is None:
            self.turned_to.emit(SELFTEST)
            return
        self._going_on = True
        self.turned_to.emit(kind)
        self.measure(kind)

    def test(self, trials: int = 0) -> None:
        """The self-test, or with trials a scan of operating points."""
        try:
            experiment = self._setup.experiment()
        except UserError as error:
            self.problem.emit(error, "The self-test cannot begin.")
            return
        method = "adaptive" if find_spec("nevergrad") else "sobol"

        def request(armed_by: str) -> SelfTest:
            return SelfTest(experiment=experiment, trials=trials, method=method, armed_by=armed_by)

        def then(done: bool | None) -> None:
            if done:
                self._end()
                self._read_overview()
                self.rested.emit()
            else:
                self._on_stopped()

        if self._work(SELFTEST, request, then):
            self.testing.emit(trials)

    def accept(self) -> None:
        """Keep the result that waits, and turn to the next step; that needs no devices."""
        calibration, overview = self.waiting, self.overview
        if calibration is None or overview is None:
            return

        def refuse(error: UserError) -> None:
            self._going_on = False
            self.problem.emit(error, "The result was not kept.")

        self._keeping.run(lambda: keep(overview.config, calibration), lambda _: self._on_kept(calibration), refuse)

    def skip(self, kind: str) -> None:
        """Turn to the step after this one, whatever was measured."""
        self.waiting, self._going_on = None, False
        order = [*PROCEDURES, SELFTEST]
        self.turned_to.emit(order[order.index(kind) + 1])
        self._read_overview()

    def take_frame(self) -> None:
        """A new frame while there is light and nothing is being measured, unless one is under way."""
        if self._held is None or self.working_on or self._snapping or not self._table.light_is_on:
            return
        self._snapping = True

        def then(frame: Frame | None) -> None:
            self._snapping = False
            if frame is not None:
                self.framed.emit(frame)

        self._table.ask(TakeFrame(), then, lambda _: self._on_no_frame())

    # --- parts --------------------------------------------------------------------------------------------------
    def _work(self, kind: str, request: Callable[[str], Request], then: Callable[[Any], None]) -> bool:
        """Ask for something on the table, which is taken first; whether it was asked for."""
        if self.overview is None or self.working_on or self._table.state is HostState.RUN:
            return False
        config = self.overview.config
        try:
            driver_classes(config)
            if self._arming is None:
                self._arming = arm(self._window, config, "This step lights", is_run=False)
        except UserError as error:
            self._going_on = False
            self.problem.emit(error, "The calibration cannot begin.")
            return False
        self._idle_timer.stop()
        if self._held != config:
            settings = BenchSettings(bench=config, journal=str(guardian_journal()))
            self._table.begin(HostState.CALIBRATION, settings, config, lambda _: None, self._on_not_begun)
            self._held = config
        self.working_on, self.not_measured = kind, None
        self._table.set_measuring(True)
        self._table.ask(request(self._arming.armed_by), then, self._on_refused)
        return True

    def _end(self) -> None:
        self.working_on = ""
        self._idle_timer.start()
        self._table.set_measuring(False)
        self.ended.emit()

    def _on_measured(self, calibration: Calibration) -> None:
        self._end()
        self.waiting = calibration if calibration.passed else None
        self._read_overview()
        self.measured.emit(calibration)
        if calibration.passed and self._going_on:
            self.accept()
        else:
            self._going_on = False

    def _on_kept(self, calibration: Calibration) -> None:
        if self.waiting is calibration:
            self.waiting = None
        self._read_overview()
        if not self.working_on:
            self._go_on(after=calibration.kind)

    def _go_on(self, after: str) -> None:
        """Turn to the next step that does not hold, and measure it where nobody wants to be asked."""
        kind = self.overview.next_to_do(after) if self.overview is not None else None
        if kind is None:
            self._going_on = False
            if self._held is not None:
                self._table.safe_off()
            self.turned_to.emit(SELFTEST)
            return
        self.turned_to.emit(kind)
        if self._going_on:
            self.measure(kind)

    def _on_stopped(self) -> None:
        self._end()
        self._going_on = False
        self._read_overview()
        self.stopped.emit()

    def _on_not_begun(self, error: Exception) -> None:
        """The table cannot be taken; the step that was asked for is refused after it."""
        self._on_stopped()
        self.problem.emit(error, "The bench cannot be opened.")

    def _on_refused(self, error: Exception) -> None:
        kind = self.working_on
        if not kind:
            return
        if isinstance(error, LostHostError):
            self._on_stopped()
            return
        self._end()
        self._going_on = False
        self.not_measured = (kind, error)
        self._read_overview()
        self.refused.emit(kind, error)

    def _on_no_frame(self) -> None:
        self._snapping = False

    def _on_table(self) -> None:
        """The table was released, taken or lost."""
        if self._held is None or self._table.state is HostState.CALIBRATION:
            return
        self._held, self._arming, self._snapping, self._going_on = None, None, False, False
        self._end()
        self.rested.emit()

    def _end_idle_light(self) -> None:
        """Nothing has been measured for long: light off."""
        if self._held is not None and self._table.light_is_on and not self.working_on:
            log.info("nothing was measured for %d min: light off", _IDLE_LIGHT_MS // 60_000)
            self._table.safe_off()

    def _read_overview(self) -> None:
        if self.overview is None:
            return
        try:
            self.overview.read()
        except UserError as error:
            self._lose_overview(error)
        else:
            self.overview_changed.emit()

    def _lose_overview(self, error: UserError) -> None:
        self.overview, self.obstacle = None, error
        self.overview_changed.emit()
