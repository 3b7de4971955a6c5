"""The page that calibrates a table: a list of steps, one step after the other, and the self-test at the end."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtGui import QHideEvent, QShowEvent
from PyQt5.QtWidgets import QFrame, QHBoxLayout, QLabel, QStackedWidget, QVBoxLayout, QWidget

from labcontrol.calibration import PROCEDURES, Calibration
from labcontrol.config import BenchConfig, ExperimentConfig
from labcontrol.errors import UserError
from labcontrol.gui.arming import who_arms
from labcontrol.gui.buttons import button
from labcontrol.gui.calibration_link import CalibrationLink
from labcontrol.gui.calibration_list import StepList
from labcontrol.gui.calibration_selftest import SelftestPage
from labcontrol.gui.calibration_standings import Standings, first_words
from labcontrol.gui.calibration_step import StepPage
from labcontrol.gui.calibration_words import standing_words, words_of
from labcontrol.gui.elided import ElidedLabel
from labcontrol.gui.theme import Theme
from labcontrol.gui.ticking import ticking

log = logging.getLogger(__name__)

Then = Callable[[], None]

_SELFTEST = "self-test"
_LIVE_MS = 150
_LOOK_MS = 20_000
_IDLE_LIGHT_MS = 5 * 60_000
_LIST_PX = 232


class CalibrationPage(QWidget):
    """Signals: `light` (on, power in W); `table_changed` when the table was taken, let go, or work began or ended;
    `use_point` with the ReservoirConfig for the experiment form; `problem` (error, what could not be done); `lost`
    (error) when the process that held the devices has ended by itself.

    chosen: gives the experiment and the bench to calibrate, may raise UserError. take_table: calls back when nobody
    else holds the devices.
    """

    light = pyqtSignal(bool, float)
    table_changed = pyqtSignal()
    use_point = pyqtSignal(object)
    problem = pyqtSignal(object, str)
    lost = pyqtSignal(object)

    def __init__(
        self,
        chosen: Callable[[], tuple[ExperimentConfig, BenchConfig]],
        take_table: Callable[[Then], None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._chosen, self._take_table = chosen, take_table
        self._standings: Standings | None = None
        self._waiting: Calibration | None = None
        self._not_measured: tuple[str, BaseException] | None = None
        self._working_on = ""
        self._going_on = False
        self._armed_by = ""
        self._lock_words = ""
        self._then: Then | None = None
        self.link = CalibrationLink(self)
        self.bench_name = QLabel("")
        self.bench_name.setProperty("role", "title")
        self.where = ElidedLabel()
        self.where.setProperty("role", "muted")
        self.steps = StepList()
        for kind in PROCEDURES:
            self.steps.add(kind, words_of(kind).name)
        self.steps.add(_SELFTEST, "Self-test")
        self.all_button = button(
            "Measure all",
            "Every step that does not hold, one after the other; what passes is accepted",
            self.measure_all,
        )
        self.release_button = button("Let go", "Light off, and close every device", self.release)
        self.step, self.selftest = StepPage(), SelftestPage()
        self.nothing = QLabel("")
        self.nothing.setWordWrap(True)
        self.nothing.setProperty("role", "muted")
        self.pages = QStackedWidget()
        for page in (self.step, self.selftest, self.nothing):
            self.pages.addWidget(page)
        self._live_timer = ticking(self, _LIVE_MS, self._ask_frame)
        self._look_timer = ticking(self, _LOOK_MS, self.read)
        self._idle_timer = ticking(self, _IDLE_LIGHT_MS, self._end_idle_light)
        self._lay_out()
        self._connect()

    # --- what others ask ----------------------------------------------------------------------------------------
    @property
    def is_in_use(self) -> bool:
        """Whether the devices are, or may still be, in this page's hands."""
        return self.link.is_held

    @property
    def is_working(self) -> bool:
        """Whether something is being measured."""
        return self.link.is_working

    @property
    def light_is_on(self) -> bool:
        return self.link.light_is_on

    @property
    def power_w(self) -> float:
        return self.link.power_w

    def read(self) -> None:
        """Show how the calibrations of the chosen bench stand; while one is measured its bench stays."""
        if self.link.is_working:
            return
        before = self._standings
        try:
            self._standings = standings = Standings.of(*self._chosen(), before)
        except UserError as error:
            self._standings = None
            self._show_nothing(error)
            return
        if before is None or standings.config != before.config:
            self._waiting, self._armed_by = None, ""
            self.step.forget_picture()
        self.bench_name.setText(f"Bench “{standings.config.name}”")
        self.where.setText(standings.where)
        self._show_standings(standings)
        if not self.steps.kind:
            self.steps.go_to(standings.next_to_do() or _SELFTEST)
        else:
            self._show_chosen()

    def begin(self) -> None:
        """Turn to the first step that does not hold."""
        self.read()
        if self._standings is not None:
            self.steps.go_to(self._standings.next_to_do() or _SELFTEST)

    def measure_all(self) -> None:
        """Every step that does not hold, accepting what passes."""
        kind = self._standings.next_to_do() if self._standings is not None else None
        if kind is None:
            self.steps.go_to(_SELFTEST)
            return
        self._going_on = True
        self.steps.go_to(kind)
        self._measure()

    def light_off(self) -> None:
        """At once, from any state; what is being measured ends."""
        self._then, self._going_on = None, False
        self.link.light_off()

    def release(self, then: Then | None = None) -> None:
        """Light off and let go of every device; then do this, at once where nothing is held."""
        self._then, self._going_on = then, False
        self._armed_by = ""
        self.link.release()
        self._working_on = ""
        self.table_changed.emit()

    def set_locked(self, words: str) -> None:
        """Keep hands off while someone else owns the table, and say who; empty to open the page again."""
        if words != self._lock_words:
            self._lock_words = words
            self._show_chosen()

    def set_theme(self, theme: Theme) -> None:
        for part in (self.steps, self.step, self.selftest):
            part.set_theme(theme)
        self._show_chosen()

    def close_bench(self) -> None:
        """Light off, let go of every device, and wait until it is done."""
        for timer in (self._live_timer, self._look_timer, self._idle_timer):
            timer.stop()
        self.link.close()
        self.step.close_background()

    def showEvent(self, event: QShowEvent | None) -> None:
        super().showEvent(event)
        self._live_timer.start()
        self._look_timer.start()

    def hideEvent(self, event: QHideEvent | None) -> None:
        self._live_timer.stop()
        self._look_timer.stop()
        super().hideEvent(event)

    # --- working ------------------------------------------------------------------------------------------------
    def _measure(self) -> None:
        kind = self.steps.kind

        def act(config: BenchConfig) -> None:
            self.link.measure(config, kind, self._armed_by)
            self._waiting = None
            self.step.show_measuring()
            self.steps.show_state(kind, "measuring", "measuring")

        self._work(kind, act)

    def _look(self, trials: int) -> None:
        try:
            experiment, _ = self._chosen()
        except UserError as error:
            self.problem.emit(error, "The self-test cannot begin.")
            return
        method = "adaptive" if find_spec("nevergrad") else "sobol"

        def act(config: BenchConfig) -> None:
            self.link.look(config, experiment, trials, method, self._armed_by)
            self.selftest.show_working(trials)

        self._work(_SELFTEST, act)

    def _work(self, kind: str, act: Callable[[BenchConfig], None]) -> None:
        """Do something on the table as soon as it is free and its laser armed."""
        if self._standings is None or self.link.is_working or self._lock_words:
            return
        config = self._standings.config
        try:
            self._armed_by = self._armed_by or who_arms(self, config, "This step lights")
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
            self._working_on, self._not_measured = kind, None
            self._idle_timer.stop()
            self._show_bar()
            self._show_live()
            self.table_changed.emit()

        if self.link.holds_other_than(config):
            self._then = begin
            self.link.release()
        elif self.link.is_held:
            begin()
        else:
            self._take_table(begin)

    def _accept(self) -> None:
        if self._waiting is not None and self._standings is not None:
            self.link.keep(self._standings.config, self._waiting)

    def _on_measured(self, calibration: Calibration) -> None:
        self._end_work()
        passed = calibration.passed
        self._waiting = calibration if passed else None
        self._read_standings()
        if passed:
            self.steps.show_state(calibration.kind, "to accept", "waits to be accepted")
        self.step.show_result(calibration)
        if passed and self._going_on:
            self._accept()
        else:
            self._going_on = False

    def _on_kept(self, calibration: Calibration) -> None:
        if self._waiting is calibration:
            self._waiting = None
        self._read_standings()
        if not self.link.is_working:
            self._go_on(after=calibration.kind)

    def _on_not_kept(self, error: UserError) -> None:
        self._going_on = False
        self.problem.emit(error, "The result was not kept.")

    def _go_on(self, after: str) -> None:
        """Turn to the next step that does not hold, and measure it where nobody wants to be asked."""
        kind = self._standings.next_to_do(after) if self._standings is not None else None
        if kind is None:
            self._going_on = False
            self.link.light_off()
            self.steps.go_to(_SELFTEST)
            return
        self.steps.go_to(kind)
        if self._going_on:
            self._measure()

    def _skip(self) -> None:
        self._waiting, self._going_on = None, False
        order = [*PROCEDURES, _SELFTEST]
        self.steps.go_to(order[order.index(self.steps.kind) + 1])
        self._read_standings()

    def _on_stopped(self) -> None:
        self._end_work()
        self._going_on = False
        self._read_standings()
        self._show_chosen()
        self.step.progress.setText("Stopped; the light is off.")

    def _on_refused(self, error: BaseException) -> None:
        kind = self._working_on
        self._end_work()
        self._going_on = False
        self._not_measured = (kind, error)
        self._read_standings()
        self._show_chosen()
        if kind == _SELFTEST:
            self.selftest.show_error(error)
        elif not kind:  # it was not asked for by a step
            self.problem.emit(error, "The calibration could not do this.")

    def _on_looked(self) -> None:
        self._end_work()
        self._read_standings()
        self._show_chosen()

    def _on_lost(self, error: BaseException) -> None:
        self.lost.emit(error)
        self._on_stopped()

    def _on_released(self) -> None:
        self._end_work()
        self._show_chosen()
        then, self._then = self._then, None
        if then is not None:
            then()

    def _end_work(self) -> None:
        self._working_on = ""
        self._idle_timer.start()
        self._show_bar()
        self._show_live()
        self.table_changed.emit()

    def _end_idle_light(self) -> None:
        """Nobody has measured anything for long: what nobody looks at needs no light."""
        if self.link.light_is_on and not self.link.is_working:
            log.info("nothing was measured for %d min: light off", _IDLE_LIGHT_MS // 60_000)
            self.link.light_off()

    # --- showing ------------------------------------------------------------------------------------------------
    def _read_standings(self) -> None:
        if self._standings is None:
            return
        try:
            self._standings.read()
        except UserError as error:
            self._standings = None
            self._show_nothing(error)
        else:
            self._show_standings(self._standings)

    def _show_standings(self, standings: Standings) -> None:
        for kind in PROCEDURES:
            if self._waiting is None or self._waiting.kind != kind:
                self.steps.show_state(kind, standings[kind].state, standing_words(standings[kind]))
        state, words = self.selftest.verdict_words
        if standings.missing:
            state, words = "missing", f"needs {words_of(standings.missing[0]).name.lower()}"
        self.steps.show_state(_SELFTEST, state or "missing", words or "can this table learn?")
        self.step.show_neurons(standings.neurons_px)

    def _show_chosen(self) -> None:
        """The page of the step that is chosen, as things stand."""
        kind, standings = self.steps.kind, self._standings
        if standings is None or not kind:
            return
        self._show_bar()
        if kind == _SELFTEST:
            self.pages.setCurrentWidget(self.selftest)
            if not self.link.is_working:
                self.selftest.show_ready(self._lock_words or first_words(standings.missing))
            return
        self.pages.setCurrentWidget(self.step)
        if self._working_on == kind:
            return
        self.step.show_step(kind, standings)
        if self._waiting is not None and self._waiting.kind == kind:
            self.step.show_result(self._waiting)
        else:
            busy = "Another step is being measured." if self.link.is_working else ""
            self.step.show_ready(standings[kind], self._lock_words or busy or standings.needed_first(kind))
            if self._not_measured is not None and self._not_measured[0] == kind:
                self.step.show_error(self._not_measured[1])

    def _show_nothing(self, error: UserError) -> None:
        self.bench_name.setText("Calibration")
        self.where.setText("")
        self.nothing.setText(f"{error.message} {error.remedy}".strip())
        self.pages.setCurrentWidget(self.nothing)
        self.steps.setEnabled(False)
        self._show_bar()

    def _show_bar(self) -> None:
        free = self._standings is not None and not self._lock_words and not self.link.is_working
        self.all_button.setEnabled(free)
        self.release_button.setEnabled(self.link.is_held)
        # A step in progress stays on show: its buttons are about itself.
        self.steps.setEnabled(self._standings is not None and not self.link.is_working)

    def _show_live(self) -> None:
        self.step.show_live(self.link.is_working or self.link.light_is_on)

    def _ask_frame(self) -> None:
        if self.link.light_is_on and not self.link.is_working and self.pages.currentWidget() is self.step:
            self.link.ask_frame()

    def _on_doing(self, words: str) -> None:
        (self.selftest if self._working_on == _SELFTEST else self.step).show_doing(words)

    # --- parts --------------------------------------------------------------------------------------------------
    def _connect(self) -> None:
        link, step, selftest = self.link, self.step, self.selftest
        self.steps.chosen.connect(lambda _: self._show_chosen())
        step.measure.connect(self._measure)
        step.accept.connect(self._accept)
        step.skip.connect(self._skip)
        step.stop.connect(self.light_off)
        step.go_to.connect(self.steps.go_to)
        selftest.test.connect(partial(self._look, 0))
        selftest.scan.connect(self._look)
        selftest.stop.connect(self.light_off)
        selftest.use.connect(self.use_point.emit)
        link.opened.connect(step.view.set_bit_depth)
        link.doing.connect(self._on_doing)
        link.stepped.connect(step.show_progress)
        link.framed.connect(step.show_frame)
        link.found.connect(selftest.show_outlook)
        link.tried.connect(selftest.show_trial)
        link.light.connect(self.light.emit)
        link.light.connect(lambda *_: self._show_live())
        link.measured.connect(self._on_measured)
        link.kept.connect(self._on_kept)
        link.not_kept.connect(self._on_not_kept)
        link.looked.connect(self._on_looked)
        link.stopped.connect(self._on_stopped)
        link.refused.connect(self._on_refused)
        link.lost.connect(self._on_lost)
        link.released.connect(self._on_released)

    def _lay_out(self) -> None:
        bar = QHBoxLayout()
        bar.addWidget(self.bench_name)
        bar.addSpacing(12)
        bar.addWidget(self.where, 1)
        bar.addWidget(self.all_button)
        bar.addWidget(self.release_button)
        side = QFrame()
        side.setObjectName("panel")
        side.setFixedWidth(_LIST_PX)
        inside = QVBoxLayout(side)
        inside.setContentsMargins(4, 6, 4, 6)
        inside.addWidget(self.steps)
        row = QHBoxLayout()
        row.setSpacing(12)
        row.addWidget(side)
        row.addWidget(self.pages, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 8, 12, 12)
        layout.addLayout(bar)
        layout.addLayout(row, 1)
