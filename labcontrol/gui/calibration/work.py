"""The calibration of a bench, one step after the other: what is armed, measured, waits to be accepted, follows."""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib.util import find_spec

from PyQt5.QtCore import QObject, pyqtSignal
from PyQt5.QtWidgets import QWidget

from labcontrol.calibration import PROCEDURES, Calibration
from labcontrol.config import BenchConfig, ExperimentConfig
from labcontrol.errors import UserError
from labcontrol.gui.calibration.link import CalibrationLink
from labcontrol.gui.calibration.overview import SELFTEST, CalibrationOverview
from labcontrol.gui.processes.arming import who_arms
from labcontrol.gui.shared.ticking import ticking

log = logging.getLogger(__name__)

Then = Callable[[], None]

_IDLE_LIGHT_MS = 5 * 60_000


class CalibrationWork(QObject):
    """Works with the table, which it takes with the first step and keeps until `release`; shows nothing.

    Signals of the table: `table_changed` when it was taken, let go, or work began or ended; `lost` (error) when the
    process that held the devices has ended by itself; `problem` (error, what could not be done).
    Signals of the bench: `bench_changed` when another one is to be calibrated; `overview_changed`.
    Signals of the steps: `turned_to` (kind) the one that follows; `measuring` (kind) or `looking` (trials of a scan, 0
    for the self-test) when work begins; `ended`, and then what became of it: `measured` (Calibration), `stopped`,
    `refused` (kind, error), or `rested` where nothing else is to be told.

    chosen: gives the experiment and the bench to calibrate, may raise UserError. take_table: calls back when nobody
    else holds the devices. window: asks whether a real laser may be armed.
    """

    table_changed = pyqtSignal()
    bench_changed = pyqtSignal()
    overview_changed = pyqtSignal()
    turned_to = pyqtSignal(str)
    measuring = pyqtSignal(str)
    looking = pyqtSignal(int)
    ended = pyqtSignal()
    measured = pyqtSignal(object)
    stopped = pyqtSignal()
    refused = pyqtSignal(str, object)
    rested = pyqtSignal()
    problem = pyqtSignal(object, str)
    lost = pyqtSignal(object)

    def __init__(
        self,
        chosen: Callable[[], tuple[ExperimentConfig, BenchConfig]],
        take_table: Callable[[Then], None],
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._chosen, self._take_table, self._window = chosen, take_table, window
        self.overview: CalibrationOverview | None = None
        """None where there is nothing to calibrate; `obstacle` says why."""
        self.obstacle: UserError | None = None
        self.waiting: Calibration | None = None
        """The result that waits to be accepted."""
        self.not_measured: tuple[str, BaseException] | None = None
        """Kind of the last step, where an error kept it from being measured."""
        self.working_on = ""
        """Kind of the step that is under way; empty for none."""
        self.locked = ""
        """Who else owns the table, in words; empty while nobody does."""
        self._going_on = False
        self._armed_by = ""
        self._then: Then | None = None
        self.link = CalibrationLink(self)
        self._idle_timer = ticking(self, _IDLE_LIGHT_MS, self._end_idle_light)
        self._connect()

    # --- the bench ----------------------------------------------------------------------------------------------
    def read(self) -> None:
        """See which bench is chosen and how its calibrations stand; while one is measured its bench stays."""
        if self.link.is_working:
            return
        before = self.overview
        try:
            self.overview = CalibrationOverview.of(*self._chosen(), before)
        except UserError as error:
            self._lose_overview(error)
            return
        if before is None or self.overview.config != before.config:
            self.waiting, self._armed_by = None, ""
            self.bench_changed.emit()
        self.overview_changed.emit()

    def light_off(self) -> None:
        """At once, from any state; what is being measured ends."""
        self._then, self._going_on = None, False
        self.link.light_off()

    def release(self, then: Then | None = None) -> None:
        """Light off and let go of every device; then do this, at once where nothing is held."""
        self._then, self._going_on = then, False
        self._armed_by = ""
        self.link.release()
        self.working_on = ""
        self.table_changed.emit()

    def close(self) -> None:
        """Light off, let go of every device, and wait until it is done."""
        self._idle_timer.stop()
        self.link.close()

    # --- one step after the other -------------------------------------------------------------------------------
    def measure(self, kind: str) -> None:
        """Measure one step; its result waits to be accepted."""

        def act(config: BenchConfig) -> None:
            self.link.measure(config, kind, self._armed_by)
            self.waiting = None

        self._work(kind, act, lambda: self.measuring.emit(kind))

    def measure_all(self) -> None:
        """Every step that does not hold, accepting what passes."""
        kind = self.overview.next_to_do() if self.overview is not None else None
        if kind is None:
            self.turned_to.emit(SELFTEST)
            return
        self._going_on = True
        self.turned_to.emit(kind)
        self.measure(kind)

    def look(self, trials: int) -> None:
        """The self-test, or with trials a scan of operating points."""
        try:
            experiment, _ = self._chosen()
        except UserError as error:
            self.problem.emit(error, "The self-test cannot begin.")
            return
        method = "adaptive" if find_spec("nevergrad") else "sobol"

        def act(config: BenchConfig) -> None:
            self.link.look(config, experiment, trials, method, self._armed_by)

        self._work(SELFTEST, act, lambda: self.looking.emit(trials))

    def accept(self) -> None:
        """Keep the result that waits, and turn to the next step."""
        if self.waiting is not None and self.overview is not None:
            self.link.keep(self.overview.config, self.waiting)

    def skip(self, kind: str) -> None:
        """Turn to the step after this one, whatever was measured."""
        self.waiting, self._going_on = None, False
        order = [*PROCEDURES, SELFTEST]
        self.turned_to.emit(order[order.index(kind) + 1])
        self._read_overview()

    # --- parts --------------------------------------------------------------------------------------------------
    def _work(self, kind: str, act: Callable[[BenchConfig], None], tell: Callable[[], None]) -> None:
        """Do something on the table, and tell so, as soon as it is free and its laser armed."""
        if self.overview is None or self.link.is_working or self.locked:
            return
        config = self.overview.config
        try:
            self._armed_by = self._armed_by or who_arms(self._window, config, "This step lights")
        except UserError as error:
            self._going_on = False
            self.problem.emit(error, "The calibration cannot begin.")
            return

        def begin() -> None:
            try:
                act(config)
            except UserError as error:
                self._going_on = False
                self.problem.emit(error, "The bench cannot be opened.")
                return
            self.working_on, self.not_measured = kind, None
            self._idle_timer.stop()
            tell()
            self.table_changed.emit()

        if self.link.holds_other_than(config):
            self._then = begin
            self.link.release()
        elif self.link.is_held:
            begin()
        else:
            self._take_table(begin)

    def _end(self) -> None:
        self.working_on = ""
        self._idle_timer.start()
        self.ended.emit()
        self.table_changed.emit()

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
        if not self.link.is_working:
            self._go_on(after=calibration.kind)

    def _on_not_kept(self, error: UserError) -> None:
        self._going_on = False
        self.problem.emit(error, "The result was not kept.")

    def _go_on(self, after: str) -> None:
        """Turn to the next step that does not hold, and measure it where nobody wants to be asked."""
        kind = self.overview.next_to_do(after) if self.overview is not None else None
        if kind is None:
            self._going_on = False
            self.link.light_off()
            self.turned_to.emit(SELFTEST)
            return
        self.turned_to.emit(kind)
        if self._going_on:
            self.measure(kind)

    def _on_looked(self) -> None:
        self._end()
        self._read_overview()
        self.rested.emit()

    def _on_stopped(self) -> None:
        self._end()
        self._going_on = False
        self._read_overview()
        self.stopped.emit()

    def _on_refused(self, error: BaseException) -> None:
        kind = self.working_on
        self._end()
        self._going_on = False
        self.not_measured = (kind, error)
        self._read_overview()
        self.refused.emit(kind, error)
        if not kind:  # it was not asked for by a step
            self.problem.emit(error, "The calibration could not do this.")

    def _on_lost(self, error: BaseException) -> None:
        self.lost.emit(error)
        self._on_stopped()

    def _on_released(self) -> None:
        self._end()
        self.rested.emit()
        then, self._then = self._then, None
        if then is not None:
            then()

    def _end_idle_light(self) -> None:
        """Nobody has measured anything for long: what nobody looks at needs no light."""
        if self.link.light_is_on and not self.link.is_working:
            log.info("nothing was measured for %d min: light off", _IDLE_LIGHT_MS // 60_000)
            self.link.light_off()

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

    def _connect(self) -> None:
        link = self.link
        link.measured.connect(self._on_measured)
        link.kept.connect(self._on_kept)
        link.not_kept.connect(self._on_not_kept)
        link.looked.connect(self._on_looked)
        link.stopped.connect(self._on_stopped)
        link.refused.connect(self._on_refused)
        link.lost.connect(self._on_lost)
        link.released.connect(self._on_released)
