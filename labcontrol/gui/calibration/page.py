"""The page that calibrates a table: a list of steps, the step that is chosen, and the self-test at the end."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtGui import QHideEvent, QShowEvent
from PyQt5.QtWidgets import QFrame, QHBoxLayout, QLabel, QStackedWidget, QVBoxLayout, QWidget

from labcontrol.calibration import PROCEDURES, Calibration
from labcontrol.config import BenchConfig, ExperimentConfig
from labcontrol.gui.calibration.overview import SELFTEST, first_words
from labcontrol.gui.calibration.selftest import SelftestPage
from labcontrol.gui.calibration.step import StepPage
from labcontrol.gui.calibration.step_list import StepList
from labcontrol.gui.calibration.step_texts import status_text, text_of
from labcontrol.gui.calibration.work import CalibrationWork, Then
from labcontrol.gui.shared.buttons import button
from labcontrol.gui.shared.elided import ElidedLabel
from labcontrol.gui.shared.theme import Theme
from labcontrol.gui.shared.ticking import ticking

_LIVE_MS = 150
_POLL_MS = 20_000
_LIST_PX = 232


class CalibrationPage(QWidget):
    """Shows `work`, and takes wishes to it.

    Signals: `light` (on, power in W); `table_changed` when the table was taken, let go, or work began or ended;
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
        self.work = CalibrationWork(chosen, take_table, self)
        self.link = self.work.link
        self.bench_name = QLabel("")
        self.bench_name.setProperty("role", "title")
        self.where = ElidedLabel()
        self.where.setProperty("role", "muted")
        self.steps = StepList()
        for kind in PROCEDURES:
            self.steps.add(kind, text_of(kind).name)
        self.steps.add(SELFTEST, "Self-test")
        self.all_button = button(
            "Measure all",
            "Every step that does not hold, one after the other; what passes is accepted",
            self.work.measure_all,
        )
        self.release_button = button("Disconnect", "Light off, and close every device", self.release)
        self.step, self.selftest = StepPage(), SelftestPage()
        self.nothing = QLabel("")
        self.nothing.setWordWrap(True)
        self.nothing.setProperty("role", "muted")
        self.pages = QStackedWidget()
        for page in (self.step, self.selftest, self.nothing):
            self.pages.addWidget(page)
        self._live_timer = ticking(self, _LIVE_MS, self._ask_frame)
        self._poll_timer = ticking(self, _POLL_MS, self.read)
        self._lay_out()
        self._connect_work()
        self._connect_wishes()

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
        if self.is_working:
            return
        self.work.read()
        if not self.steps.kind:
            self._go_to_next()
        else:
            self._show_chosen()

    def begin(self) -> None:
        """Turn to the first step that does not hold."""
        self.read()
        self._go_to_next()

    def light_off(self) -> None:
        """At once, from any state; what is being measured ends."""
        self.work.light_off()

    def release(self, then: Then | None = None) -> None:
        """Light off and let go of every device; then do this, at once where nothing is held."""
        self.work.release(then)

    def set_locked(self, words: str) -> None:
        """Keep hands off while someone else owns the table, and say who; empty to open the page again."""
        if words != self.work.locked:
            self.work.locked = words
            self._show_chosen()

    def set_theme(self, theme: Theme) -> None:
        for part in (self.steps, self.step, self.selftest):
            part.set_theme(theme)
        self._show_chosen()

    def close_bench(self) -> None:
        """Light off, let go of every device, and wait until it is done."""
        self._live_timer.stop()
        self._poll_timer.stop()
        self.work.close()
        self.step.close_background()

    def showEvent(self, event: QShowEvent | None) -> None:
        super().showEvent(event)
        self._live_timer.start()
        self._poll_timer.start()

    def hideEvent(self, event: QHideEvent | None) -> None:
        self._live_timer.stop()
        self._poll_timer.stop()
        super().hideEvent(event)

    # --- how things stand ---------------------------------------------------------------------------------------
    def _go_to_next(self) -> None:
        if self.work.overview is not None:
            self.steps.go_to(self.work.overview.next_to_do() or SELFTEST)

    def _show_overview(self) -> None:
        overview, waiting = self.work.overview, self.work.waiting
        if overview is None:
            self._show_nothing()
            return
        self.bench_name.setText(f"Bench “{overview.config.name}”")
        self.where.setText(overview.where)
        for kind in PROCEDURES:
            if waiting is None or waiting.kind != kind:
                self.steps.show_state(kind, overview[kind].state, status_text(overview[kind]))
        state, words = self.selftest.verdict_words
        if overview.missing:
            state, words = "missing", f"needs {text_of(overview.missing[0]).name.lower()}"
        self.steps.show_state(SELFTEST, state or "missing", words or "can this table learn?")
        self.step.show_neurons(overview.neurons_px)

    def _show_chosen(self) -> None:
        """The page of the step that is chosen, as things stand."""
        kind, work = self.steps.kind, self.work
        overview = work.overview
        if overview is None or not kind:
            return
        self._show_bar()
        if kind == SELFTEST:
            self.pages.setCurrentWidget(self.selftest)
            if not self.is_working:
                self.selftest.show_ready(work.locked or first_words(overview.missing))
            return
        self.pages.setCurrentWidget(self.step)
        if work.working_on == kind:
            return
        self.step.show_step(kind, overview)
        if work.waiting is not None and work.waiting.kind == kind:
            self.step.show_result(work.waiting)
        else:
            busy = "Another step is being measured." if self.is_working else ""
            self.step.show_ready(overview[kind], work.locked or busy or overview.needed_first(kind))
            if work.not_measured is not None and work.not_measured[0] == kind:
                self.step.show_error(work.not_measured[1])

    def _show_nothing(self) -> None:
        error = self.work.obstacle
        self.bench_name.setText("Calibration")
        self.where.setText("")
        self.nothing.setText(f"{error.message} {error.remedy}".strip() if error is not None else "")
        self.pages.setCurrentWidget(self.nothing)
        self.steps.setEnabled(False)
        self._show_bar()

    def _show_bar(self) -> None:
        known = self.work.overview is not None
        self.all_button.setEnabled(known and not self.work.locked and not self.is_working)
        self.release_button.setEnabled(self.is_in_use)
        # A step in progress stays on show: its buttons are about itself.
        self.steps.setEnabled(known and not self.is_working)

    # --- while there is light -----------------------------------------------------------------------------------
    def _ask_frame(self) -> None:
        if self.light_is_on and not self.is_working and self.pages.currentWidget() is self.step:
            self.link.ask_frame()

    def _show_live(self) -> None:
        self.step.show_live(self.is_working or self.light_is_on)

    def _show_activity(self) -> None:
        self._show_bar()
        self._show_live()

    def _on_measuring(self, kind: str) -> None:
        self.step.show_measuring()
        self.steps.show_state(kind, "measuring", "measuring")
        self._show_activity()

    def _on_looking(self, trials: int) -> None:
        self.selftest.show_working(trials)
        self._show_activity()

    def _on_doing(self, words: str) -> None:
        (self.selftest if self.work.working_on == SELFTEST else self.step).show_doing(words)

    def _on_measured(self, calibration: Calibration) -> None:
        if calibration.passed:
            self.steps.show_state(calibration.kind, "to accept", "waits to be accepted")
        self.step.show_result(calibration)

    def _on_stopped(self) -> None:
        self._show_chosen()
        self.step.progress.setText("Stopped; the light is off.")

    def _on_refused(self, kind: str, error: BaseException) -> None:
        self._show_chosen()
        if kind == SELFTEST:
            self.selftest.show_error(error)

    # --- parts --------------------------------------------------------------------------------------------------
    def _connect_work(self) -> None:
        work, link, step, selftest = self.work, self.link, self.step, self.selftest
        work.bench_changed.connect(step.clear_picture)
        work.overview_changed.connect(self._show_overview)
        work.turned_to.connect(self.steps.go_to)
        work.measuring.connect(self._on_measuring)
        work.looking.connect(self._on_looking)
        work.ended.connect(self._show_activity)
        work.measured.connect(self._on_measured)
        work.stopped.connect(self._on_stopped)
        work.refused.connect(self._on_refused)
        work.rested.connect(self._show_chosen)
        work.table_changed.connect(self.table_changed.emit)
        work.problem.connect(self.problem.emit)
        work.lost.connect(self.lost.emit)
        link.opened.connect(step.view.set_bit_depth)
        link.doing.connect(self._on_doing)
        link.stepped.connect(step.show_progress)
        link.framed.connect(step.show_frame)
        link.found.connect(selftest.show_outlook)
        link.tried.connect(selftest.show_trial)
        link.light.connect(self.light.emit)
        link.light.connect(self._show_live)

    def _connect_wishes(self) -> None:
        step, selftest = self.step, self.selftest
        self.steps.chosen.connect(self._show_chosen)
        step.measure.connect(lambda: self.work.measure(self.steps.kind))
        step.accept.connect(self.work.accept)
        step.skip.connect(lambda: self.work.skip(self.steps.kind))
        step.stop.connect(self.light_off)
        step.go_to.connect(self.steps.go_to)
        selftest.test.connect(partial(self.work.look, 0))
        selftest.scan.connect(self.work.look)
        selftest.stop.connect(self.light_off)
        selftest.use.connect(self.use_point.emit)

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
