"""The page that calibrates a table: a list of steps, the step that is chosen, and the self-test at the end."""

from __future__ import annotations

from typing import Any

from PyQt5.QtGui import QHideEvent, QShowEvent
from PyQt5.QtWidgets import QStackedWidget

from drivers.interfaces import Frame
from labcontrol.calibration import PROCEDURES, Calibration
from labcontrol.config import ReservoirConfig
from labcontrol.errors import UserError
from labcontrol.gui.calibration.overview import SELFTEST, first_words
from labcontrol.gui.calibration.selftest import SelftestPage
from labcontrol.gui.calibration.step import StepPage
from labcontrol.gui.calibration.step_list import StepList
from labcontrol.gui.calibration.step_texts import StepState, status_text, text_of
from labcontrol.gui.calibration.work import CalibrationWork
from labcontrol.gui.session.context import WindowContext
from labcontrol.gui.session.page import Invitation, Page
from labcontrol.gui.shared.buttons import button
from labcontrol.gui.shared.elided import ElidedLabel
from labcontrol.gui.shared.layouts import column, label, panel, row
from labcontrol.gui.shared.theme import Theme
from labcontrol.gui.shared.ticking import ticking
from labcontrol.host import HostState
from labcontrol.host.jobs.calibration_events import Activity, CameraOpened, Progress, SelfTestFound
from labcontrol.selftest import Trial

_LIVE_MS = 150
_POLL_MS = 20_000
_LIST_PX = 232
_LOCKED = "A run holds the table; calibrate when it is over."


class CalibrationPage(Page):
    """Shows `work`, and hands it what a person asks for."""

    title = "Calibration"
    invitation = Invitation("Calibrate a table", "step by step, then see whether it can learn")

    def __init__(self, context: WindowContext) -> None:
        super().__init__(context)
        self._setup, self._table = context.setup, context.table
        self._state = self._table.state
        self.work = CalibrationWork(context, self)
        self.bench_name = label("", "title")
        self.where = ElidedLabel()
        self.steps = StepList()
        for kind in PROCEDURES:
            self.steps.add(kind, text_of(kind).name)
        self.steps.add(SELFTEST, "Self-test")
        self.all_button = button(
            "Measure all",
            "Every step that does not hold, one after the other; what passes is accepted",
            self.work.measure_all,
        )
        self.release_button = button("Disconnect", "Light off, and close every device", self._table.release)
        self.step, self.selftest = StepPage(), SelftestPage()
        self.nothing = label("", "muted", wraps=True)
        self.pages = QStackedWidget()
        for page in (self.step, self.selftest, self.nothing):
            self.pages.addWidget(page)
        self._live_timer = ticking(self, _LIVE_MS, self._take_frame)
        self._poll_timer = ticking(self, _POLL_MS, self.refresh)
        self._lay_out()
        self._connect_work()
        self._connect_controls()

    def refresh(self) -> None:
        """Show the calibrations of the chosen bench; while one is measured its bench stays."""
        if self.work.working_on:
            return
        self.work.read()
        if not self.steps.kind:
            self._go_to_next()
        else:
            self._show_chosen()

    def begin(self) -> None:
        """Turn to the first step that does not hold."""
        self.refresh()
        self._go_to_next()

    def set_theme(self, theme: Theme) -> None:
        for part in (self.steps, self.step, self.selftest):
            part.set_theme(theme)
        self._show_chosen()

    def shut_down(self) -> None:
        self._live_timer.stop()
        self._poll_timer.stop()
        self.work.shut_down()
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
                self.steps.show_state(kind, StepState(overview[kind].state), status_text(overview[kind]))
        state, text = self.selftest.state
        if overview.missing:
            state, text = StepState.MISSING, f"needs {text_of(overview.missing[0]).name.lower()}"
        self.steps.show_state(SELFTEST, state, text)
        self.step.show_neurons(overview.neurons_px)

    @property
    def _locked(self) -> str:
        """Why nothing can be measured now; empty where it can."""
        return _LOCKED if self._table.state is HostState.RUN else ""

    def _show_chosen(self) -> None:
        """The page of the step that is chosen, as things stand."""
        kind, work = self.steps.kind, self.work
        overview = work.overview
        if overview is None or not kind:
            return
        self._show_bar()
        if kind == SELFTEST:
            self.pages.setCurrentWidget(self.selftest)
            if not self.work.working_on:
                self.selftest.show_ready(self._locked or first_words(overview.missing))
            return
        self.pages.setCurrentWidget(self.step)
        if work.working_on == kind:
            return
        self.step.show_step(kind, overview)
        if work.waiting is not None and work.waiting.kind == kind:
            self.step.show_result(work.waiting)
        else:
            busy = "Another step is being measured." if self.work.working_on else ""
            self.step.show_ready(overview[kind], self._locked or busy or overview.needed_first(kind))
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
        self.all_button.setEnabled(known and not self._locked and not self.work.working_on)
        self.release_button.setEnabled(self._table.state is HostState.CALIBRATION)
        # A step in progress stays on show: its buttons are about itself.
        self.steps.setEnabled(known and not self.work.working_on)

    # --- while there is light -----------------------------------------------------------------------------------
    def _take_frame(self) -> None:
        if self.pages.currentWidget() is self.step:
            self.work.take_frame()

    def _show_table(self) -> None:
        if self._table.state is not self._state:
            self._state = self._table.state
            self._show_chosen()
        self._show_live()

    def _show_live(self) -> None:
        lit = self._table.state is HostState.CALIBRATION and self._table.light_is_on
        self.step.show_live(bool(self.work.working_on) or lit)

    def _show_activity(self) -> None:
        self._show_bar()
        self._show_live()

    def _on_emitted(self, event: Any) -> None:
        """What the calibration emits on its way; answers may overtake it."""
        working_on = self.work.working_on
        match event:
            case Frame():
                self.step.show_frame(event)
            case Progress() if working_on:
                self.step.show_progress(event.done, event.total)
            case Activity() if working_on:
                (self.selftest if working_on == SELFTEST else self.step).show_activity(event.words)
            case CameraOpened():
                self.step.view.set_bit_depth(event.bit_depth)
            case SelfTestFound():
                self.selftest.show_found(event)
                self._show_overview()
            case Trial():
                self.selftest.show_trial(event)

    def _on_measuring(self, kind: str) -> None:
        self.step.show_measuring()
        self.steps.show_state(kind, StepState.MEASURING, "measuring")
        self._show_activity()

    def _on_testing(self, trials: int) -> None:
        self.selftest.show_working(trials)
        self._show_activity()

    def _on_measured(self, calibration: Calibration) -> None:
        if calibration.passed:
            self.steps.show_state(calibration.kind, StepState.TO_ACCEPT, "waits to be accepted")
        self.step.show_result(calibration)

    def _on_stopped(self) -> None:
        self._show_chosen()
        self.step.progress.setText("Stopped; the light is off.")

    def _on_refused(self, kind: str, error: BaseException) -> None:
        self._show_chosen()
        if kind == SELFTEST:
            self.selftest.show_error(error)

    # --- parts --------------------------------------------------------------------------------------------------
    def _use_point(self, reservoir: ReservoirConfig) -> None:
        try:
            self._setup.use_point(reservoir)
        except UserError as error:
            self.problem.emit(error, "The operating point was not taken over.")

    def _connect_work(self) -> None:
        work, table = self.work, self._table
        work.bench_changed.connect(self.step.clear_picture)
        work.overview_changed.connect(self._show_overview)
        work.turned_to.connect(self.steps.go_to)
        work.measuring.connect(self._on_measuring)
        work.testing.connect(self._on_testing)
        work.ended.connect(self._show_activity)
        work.measured.connect(self._on_measured)
        work.stopped.connect(self._on_stopped)
        work.refused.connect(self._on_refused)
        work.rested.connect(self._show_chosen)
        work.framed.connect(self.step.show_frame)
        work.problem.connect(self.problem.emit)
        table.emitted.connect(self._on_emitted)
        table.changed.connect(self._show_table)

    def _connect_controls(self) -> None:
        step, selftest, work = self.step, self.selftest, self.work
        self.steps.chosen.connect(self._show_chosen)
        step.measure.connect(lambda: work.measure(self.steps.kind))
        step.accept.connect(work.accept)
        step.skip.connect(lambda: work.skip(self.steps.kind))
        step.stop.connect(work.light_off)
        step.go_to.connect(self.steps.go_to)
        selftest.test.connect(lambda: work.test())
        selftest.scan.connect(work.test)
        selftest.stop.connect(work.light_off)
        selftest.use.connect(self._use_point)

    def _lay_out(self) -> None:
        side = panel(column(self.steps, margins=(4, 6, 4, 6)))
        side.setFixedWidth(_LIST_PX)
        self.setLayout(
            column(
                row(self.bench_name, 12, (self.where, 1), self.all_button, self.release_button),
                (row(side, (self.pages, 1), spacing=12), 1),
                margins=(12, 8, 12, 12),
            )
        )
