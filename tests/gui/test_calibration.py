"""Calibration in the window: one step after the other, dark when it is wanted dark, kept only when accepted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from gui_helpers import MakeWindow, ScriptedHost, page_context
from PyQt5.QtGui import QColor
from pytestqt.qtbot import QtBot

from labcontrol.bench import hidden_bench
from labcontrol.calibration import PROCEDURES, Calibration, Outcome, Quantity, Store, store_of
from labcontrol.calibration.store import conditions
from labcontrol.config import BenchConfig, CalibrationConfig, ExperimentConfig, ReservoirConfig
from labcontrol.engine import RunState, RunStatus
from labcontrol.errors import UserError
from labcontrol.gui.calibration.figure import FigureView
from labcontrol.gui.calibration.page import CalibrationPage
from labcontrol.gui.calibration.result import quantity_words
from labcontrol.gui.calibration.step_texts import STATES, StepState, text_of
from labcontrol.gui.devices.page import DevicesPage
from labcontrol.gui.session.arming import Arming
from labcontrol.gui.shared.theme import DARK, LIGHT
from labcontrol.gui.window.main_window import MainWindow
from labcontrol.host import HostState
from labcontrol.host.jobs.calibration import CalibrationJob, Measure, SelfTest
from labcontrol.host.jobs.calibration_events import Progress, SelfTestFound
from labcontrol.host.jobs.run import RunSettings
from labcontrol.selftest import FiguresOfMerit, Trial

PATIENCE_MS = 180_000
SELFTEST = "self-test"
NEURONS = 36


@pytest.fixture
def config(tmp_path: Path) -> BenchConfig:
    """A hidden table, nothing measured yet."""
    bench = hidden_bench(NEURONS, 1, 3)
    return bench.model_copy(update={"calibration": CalibrationConfig(store=str(tmp_path / "calibrations"))})


def result(kind: str, config: BenchConfig, *failures: str) -> Calibration:
    """A result on what is in the store."""
    store = store_of(config)
    parents = {need: store.newest(need) for need in PROCEDURES[kind].needs}
    return Calibration(
        kind,
        time.time(),
        Outcome({"x": Quantity.normal(1.0, 0.1, "px", "a number")}, failures=failures),
        {},
        conditions(PROCEDURES[kind].roles, config),
        {need: parent.hash for need, parent in parents.items() if parent is not None},
    )


# --- words and figures ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("quantity", "words"),
    [
        (Quantity(0.00484, 0.00460, 0.00508, "s", ""), "4.84 ± 0.24 ms"),
        (Quantity(3.8651, 3.86496, 3.86524, "px", ""), "3.86510 ± 0.00014 px"),
        (Quantity(-0.0322, -0.0323, -0.0321, "px", ""), "\u22120.03220 ± 0.00010 px"),
        (Quantity(4e5, 4e5 - 8, 4e5 + 8, "Hz", ""), "400.0000 ± 0.0080 kHz"),
        (Quantity(5.17e-5, 5.06e-5, 5.28e-5, "", ""), "(5.17 ± 0.11) × 10⁻⁵"),
        (Quantity(3e-7, -2.3e-6, 2.9e-6, "1/min", ""), "(0.3 ± 2.6) × 10⁻⁶ 1/min"),
        (Quantity(0.0, 0.0, 0.0, "frames", ""), "0 frames"),
        (Quantity(0.9796, 0.9796, 0.9796, "", ""), "0.9796"),
    ],
)
def test_a_quantity_shows_as_many_figures_as_its_interval_leaves(quantity: Quantity, words: str) -> None:
    assert quantity_words(quantity) == words


@pytest.mark.parametrize("kind", PROCEDURES)
def test_every_step_says_in_words_what_it_is_for(kind: str) -> None:
    assert text_of(kind).purpose != PROCEDURES[kind].title


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_figures_have_the_colours_of_the_window(config: BenchConfig, qtbot: QtBot, theme: Any) -> None:
    job = CalibrationJob(config, lambda _: None)
    calibration = job.measure("camera", "", job.darks)
    job.end()
    view = FigureView()
    qtbot.addWidget(view, before_close_func=lambda view: view.close_background())
    view.resize(500, 240)
    view.show()
    view.set_theme(theme)
    view.show_calibration(calibration)
    qtbot.waitUntil(lambda: view.is_drawn and not view._image.isNull(), timeout=60_000)
    assert view._image.pixelColor(2, 2) == QColor(theme.panel)


# --- the page -------------------------------------------------------------------------------------------------------
def at_once(
    job: Callable[[], Any], deliver: Callable[[Any], None], refused: Callable[[UserError], None] | None = None
) -> bool:
    """As `Background.run`, without a thread."""
    assert refused is not None
    try:
        deliver(job())
    except UserError as error:
        refused(error)
    return True


class Page(CalibrationPage):
    """A page whose table a test plays."""

    def __init__(self, folder: Path, config: BenchConfig) -> None:
        self.host, self.config = ScriptedHost(folder), config
        super().__init__(page_context(folder, self.host, ExperimentConfig(bench="bench.toml"), config))
        self.work._keeping.run = at_once  # type: ignore[method-assign]

    @property
    def store(self) -> Store:
        return store_of(self.config)

    @property
    def asked(self) -> list[str]:
        """Kinds that were to be measured."""
        return [measure.kind for measure in self.host.requests(Measure)]

    def finish(self, calibration: Calibration) -> None:
        """The table has measured this."""
        if not calibration.passed:
            self.store.save(calibration)
        self.host.answer(Measure, calibration)


@pytest.fixture
def page(config: BenchConfig, qtbot: QtBot, tmp_path: Path) -> Page:
    page = Page(tmp_path, config)
    qtbot.addWidget(page, before_close_func=lambda page: page.shut_down())
    page.resize(1200, 700)
    page.show()
    page.refresh()
    return page


def test_it_begins_with_the_first_step_that_does_not_hold(page: Page, config: BenchConfig) -> None:
    assert page.steps.kind == next(iter(PROCEDURES))
    page.store.save(result("camera", config))
    page.begin()
    assert page.steps.kind == list(PROCEDURES)[1]
    assert page.steps.state_of("camera") == "fresh"


def test_a_step_waits_for_those_it_builds_on(page: Page) -> None:
    page.steps.go_to("registration")
    assert not page.step.measure_button.isEnabled()
    assert "First calibrate:" in page.step.progress.text()
    assert "Phase response" in page.step.needs.text()
    page.step.needs.linkActivated.emit("camera")
    assert page.steps.kind == "camera"
    assert page.step.measure_button.isEnabled()


def test_accept_keeps_the_result_and_goes_on(page: Page, config: BenchConfig) -> None:
    page.step.measure_button.click()
    assert page.asked == ["camera"]
    assert page.steps.state_of("camera") == "measuring"
    assert page.step.stop_button.isVisible()
    page.finish(result("camera", config))
    assert page.steps.state_of("camera") == "to accept"
    assert page.store.files() == []
    page.step.accept_button.click()
    assert page.steps.state_of("camera") == "fresh"
    assert page.steps.kind == list(PROCEDURES)[1]
    assert page.asked == ["camera"]  # and nothing is measured unasked


def test_a_result_can_be_accepted_after_the_table_was_released(
    page: Page, config: BenchConfig, qtbot: QtBot, tmp_path: Path
) -> None:
    page.step.measure_button.click()
    page.finish(result("camera", config))
    page.release_button.click()
    assert page.context.table.state is HostState.FREE
    page.step.accept_button.click()
    assert page.steps.state_of("camera") is StepState.FRESH
    # and where it cannot be written, that is said
    page.steps.go_to("phase-response")
    page.step.measure_button.click()
    page.finish(result("phase-response", config))
    (tmp_path / "calibrations").rename(tmp_path / "elsewhere")
    (tmp_path / "calibrations").write_text("no folder")
    with qtbot.waitSignal(page.problem) as told:
        page.step.accept_button.click()
    assert "cannot be saved" in told.args[0].message


def test_repeat_measures_again_and_the_first_result_is_not_kept(page: Page, config: BenchConfig) -> None:
    page.step.measure_button.click()
    page.finish(result("camera", config))
    assert page.step.measure_button.text() == "Repeat"
    page.step.measure_button.click()
    assert page.asked == ["camera", "camera"]
    assert page.store.files() == []


def test_skip_goes_on_without(page: Page, config: BenchConfig) -> None:
    page.step.measure_button.click()
    page.finish(result("camera", config))
    page.step.skip_button.click()
    assert page.steps.state_of("camera") == "missing"
    assert page.steps.kind == list(PROCEDURES)[1]


def test_what_failed_cannot_be_accepted_and_says_why(page: Page, config: BenchConfig) -> None:
    page.step.measure_button.click()
    page.finish(result("camera", config, "no pixel sees light"))
    assert not page.step.accept_button.isVisible()
    assert "no pixel sees light" in page.step.result.verdict.text().lower()
    assert page.steps.state_of("camera") == "failed"


def test_measure_all_ends_at_the_self_test_or_at_the_first_failure(page: Page, config: BenchConfig) -> None:
    page.all_button.click()
    for kind in PROCEDURES:
        assert page.asked[-1] == kind
        page.finish(result(kind, config))
    assert page.asked == list(PROCEDURES)
    assert page.steps.kind == SELFTEST
    page.store.save(result("camera", config, "has broken"))
    page.refresh()
    page.all_button.click()
    page.finish(result("camera", config, "is still broken"))
    assert page.asked[len(PROCEDURES) :] == ["camera"]


def test_a_parent_measured_again_leaves_its_children_stale(page: Page, config: BenchConfig) -> None:
    for kind in PROCEDURES:
        page.store.save(result(kind, config))
    page.refresh()
    assert {page.steps.state_of(kind) for kind in PROCEDURES} == {"fresh"}
    page.store.save(result("phase-response", config))
    page.refresh()
    assert page.steps.state_of("registration") == "stale"
    assert page.steps.state_of("camera") == "fresh"
    page.steps.go_to(SELFTEST)
    assert not page.selftest.test_button.isEnabled()


def test_a_stop_a_fault_and_a_lost_table_leave_the_step_to_be_repeated(page: Page, qtbot: QtBot) -> None:
    page.step.measure_button.click()
    page.step.stop_button.click()
    assert page.host.steering[-1] == "safe-off"
    page.host.answer(Measure, None)
    assert "Stopped" in page.step.progress.text()
    page.step.measure_button.click()
    page.host.answer(Measure, UserError("The camera is gone.", "Look at its cable."))
    assert "Look at its cable" in page.step.result.verdict.text()
    page.refresh()  # as every now and then
    assert "Look at its cable" in page.step.result.verdict.text()
    page.step.measure_button.click()
    with qtbot.waitSignal(page.context.table.lost) as lost:
        page.host.lose()
    assert lost.args[0].held_for is HostState.CALIBRATION
    assert page.step.measure_button.isEnabled()
    assert page.asked == ["camera"] * 3


def test_hands_off_while_a_run_holds_the_table(page: Page) -> None:
    page.context.starter.refused.connect(pytest.fail)
    page.context.table.start(RunSettings(record="run.h5"), page.config, pytest.fail)
    assert not page.step.measure_button.isEnabled()
    assert "A run holds the table" in page.step.progress.text()
    page.host.run_is(RunStatus(RunState.FINISHED))
    assert page.step.measure_button.isEnabled()


def test_a_bench_that_hides_nothing_says_how_to_make_one_that_does(qtbot: QtBot, tmp_path: Path) -> None:
    page = CalibrationPage(page_context(tmp_path))
    qtbot.addWidget(page, before_close_func=lambda page: page.shut_down())
    page.show()
    page.refresh()
    assert "--hidden-table" in page.nothing.text()
    assert page.nothing.isVisible()
    assert not page.all_button.isEnabled()


def test_progress_tells_the_time_left(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    page.step.measure_button.click()
    now = time.monotonic()
    monkeypatch.setattr("labcontrol.gui.calibration.step.time.monotonic", lambda: now + 60)
    page.host.emit(Progress(25, 100))
    assert page.step.progress.text() == "25 of 100 · 3 min 00 s left"
    page.host.emit(Progress(100, 100))
    assert page.step.progress.text() == "computing the result"


# --- the self-test --------------------------------------------------------------------------------------------------
def trial(feedback: float, floor: float | None) -> Trial:
    found = None if floor is None else FiguresOfMerit(10.0, 8, 0.999, 100.0, 1.0, floor, 100)
    return Trial(ReservoirConfig(feedback=feedback), found, 0.1, "" if found else "saturated")


def test_the_best_point_of_the_scan_goes_into_the_form(page: Page, config: BenchConfig) -> None:
    for kind in PROCEDURES:
        page.store.save(result(kind, config))
    page.refresh()
    page.steps.go_to(SELFTEST)
    page.selftest.trials.setValue(3)
    page.selftest.scan_button.click()
    assert [test.trials for test in page.host.requests(SelfTest)] == [3]
    for one in (trial(0.8, 0.5), trial(0.3, None), trial(0.1, 0.02)):
        page.host.emit(one)
    assert not page.selftest.use_button.isEnabled()
    page.host.answer(SelfTest, True)
    assert "25.0 times lower" in page.selftest.found_label.text()
    page.selftest.use_button.click()
    assert page.context.setup.experiment().reservoir.feedback == 0.1


def test_a_scan_in_which_nothing_could_be_measured_recommends_nothing(page: Page) -> None:
    page.selftest.show_working(2)
    for one in (trial(0.8, None), trial(0.3, None)):
        page.selftest.show_trial(one)
    page.selftest.show_ready("")
    assert "saturated" in page.selftest.found_label.text()
    assert not page.selftest.use_button.isEnabled()


def test_a_real_laser_is_armed_by_a_person_once(
    page: Page, config: BenchConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [None, Arming("a person")]
    questions: list[str] = []

    def ask(_: object, __: BenchConfig, what: str, *, is_run: bool) -> Arming | None:
        assert not is_run
        questions.append(what)
        return answers.pop(0)

    monkeypatch.setattr("labcontrol.gui.session.arming.needs_arming", lambda _: True)
    monkeypatch.setattr("labcontrol.gui.session.arming._ask", ask)
    page.step.measure_button.click()
    assert page.asked == []  # left off
    page.step.measure_button.click()
    assert page.asked == ["camera"]
    page.finish(result("camera", config))
    page.step.measure_button.click()
    assert questions == ["This step lights"] * 2
    assert [measure.armed_by for measure in page.host.requests(Measure)] == ["a person"] * 2
    page.finish(result("camera", config))
    page.release_button.click()
    assert page.work._arming is None


@pytest.mark.parametrize(("advice", "words"), [((), "can learn"), (("it is noisy",), "It is noisy")])
def test_the_self_test_says_whether_the_table_can_learn(page: Page, advice: tuple[str, ...], words: str) -> None:
    figures = FiguresOfMerit(12.3, 9, 0.9991, 250.0, 1.0, 0.01, 300)
    page.selftest.show_found(SelfTestFound(figures, np.array([1.0, 0.9, 0.4, 0.1]), 36, 36, 200, 2.0, 600.0, advice))
    assert words in page.selftest.verdict.text()
    assert "half lost after 2" in page.selftest._values["linear memory"].text()
    assert "10 min" in page.selftest._values["learning time"].text()


# --- in the window --------------------------------------------------------------------------------------------------
@pytest.fixture
def window(make_real_window: MakeWindow, host: ScriptedHost, config: BenchConfig) -> Iterator[MainWindow]:
    host.experiment = host.experiment.model_copy(update={"bench": "bench.toml", "neurons": NEURONS})
    host.bench = config
    window = make_real_window(host)
    yield window
    window.table.abort()
    window.table.finish(30)


def test_from_a_refused_run_to_an_accepted_step(window: MainWindow, config: BenchConfig, qtbot: QtBot) -> None:
    page = window.page(CalibrationPage)
    window.starter.start_form()
    assert window.banner.way_out.isVisible()
    assert "camera is missing" in window.banner.text.text()
    window.banner.way_out.click()
    assert page.isVisible()
    assert not window.banner.isVisible()

    # the table is held while it is calibrated
    page.step.measure_button.click()
    assert window.header.state.text() == "Calibrating"
    assert not window.header.start_action.isEnabled()
    assert "calibration holds the table" in window.page(DevicesPage).hint.text()
    qtbot.waitUntil(page.step.accept_button.isVisible, timeout=PATIENCE_MS)
    qtbot.waitUntil(page.step.view.isVisible, timeout=PATIENCE_MS)
    assert page.step.view.full_scale == 4095  # of the camera, not of what has been seen
    qtbot.waitUntil(lambda: window.header.laser.text() == "☀  Laser ON · 20 mW", timeout=PATIENCE_MS)

    # between two steps the picture stays live
    counter = page.step.view._frame.counter
    qtbot.waitUntil(lambda: page.step.view._frame.counter != counter, timeout=PATIENCE_MS)

    page.step.accept_button.click()
    qtbot.waitUntil(lambda: store_of(config).status("camera", config).is_fresh, timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: page.steps.kind == "phase-response", timeout=PATIENCE_MS)

    # safe off leaves it dark; a run that starts takes the table over
    window.header.safe_button.click()
    qtbot.waitUntil(lambda: window.header.laser.text() == "○  Laser off", timeout=PATIENCE_MS)
    experiment = ExperimentConfig.model_validate({"neurons": 16, "stop": {"epochs": 100_000}})
    window.context.setup.replace(experiment)
    window.starter.start_form()
    assert window.table.state is HostState.RUN
    assert not page.step.measure_button.isEnabled()
    qtbot.waitUntil(lambda: window.table.status.state is RunState.RUNNING, timeout=PATIENCE_MS)
    window.table.abort()
    qtbot.waitUntil(lambda: window.table.state is HostState.FREE, timeout=PATIENCE_MS)


def test_no_run_starts_while_a_step_is_measured(
    make_window: MakeWindow, host: ScriptedHost, config: BenchConfig
) -> None:
    window = make_window(host)
    page = window.page(CalibrationPage)
    window.context.setup._given = (ExperimentConfig(bench="bench.toml"), config)
    window.context.setup.replace(ExperimentConfig(bench="bench.toml"))
    window.begin_with(CalibrationPage)
    page.step.measure_button.click()
    window.starter.start_form()
    assert "measuring" in window.banner.text.text()
    assert host.begun == []


def test_a_host_that_is_killed_is_told_with_what_is_known_of_the_laser(window: MainWindow, qtbot: QtBot) -> None:
    page = window.page(CalibrationPage)
    window.begin_with(CalibrationPage)
    page.step.measure_button.click()
    qtbot.waitUntil(lambda: window.table.host.client is not None, timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: window.table.light_is_on, timeout=PATIENCE_MS)
    psutil.Process(window.table.host.status.pid).kill()
    qtbot.waitUntil(lambda: window.table.state is HostState.FREE, timeout=PATIENCE_MS)
    assert "was killed" in window.banner.text.text()
    assert "The laser was a simulated one" in window.banner.text.text()
    assert page.step.measure_button.isEnabled()


def test_every_state_has_a_mark() -> None:
    assert set(StepState) == set(STATES)
