"""Calibration in the window: one step after the other, dark when it is wanted dark, kept only when accepted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gui_helpers import MakeWindow, ScriptedRun, ScriptedRuns
from PyQt5.QtGui import QColor
from pytestqt.qtbot import QtBot

from drivers.interfaces import DeviceTimeoutError
from labcontrol.bench import hidden_bench, simulated_bench
from labcontrol.calibration import PROCEDURES, Calibration, Outcome, Quantity, Session, Store, calibrated, store_of
from labcontrol.calibration.store import SUFFIX, conditions
from labcontrol.config import BenchConfig, CalibrationConfig, ExperimentConfig, ReservoirConfig
from labcontrol.engine import RunState, RunStatus
from labcontrol.errors import UserError
from labcontrol.gui.calibration.figure import FigureView
from labcontrol.gui.calibration.page import CalibrationPage
from labcontrol.gui.calibration.result import quantity_words
from labcontrol.gui.calibration.step_texts import STATES, text_of
from labcontrol.gui.shared.theme import DARK, LIGHT
from labcontrol.gui.window.main_window import MainWindow
from labcontrol.host.jobs.calibration import (
    WAITING,
    Activity,
    CalibrationJob,
    LightChanged,
    Progress,
    SelfTestFound,
    keep,
)
from labcontrol.selftest import FiguresOfMerit, Trial

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


# --- the bench under calibration ------------------------------------------------------------------------------------
class News(list[Any]):
    """What the window was told; does something when it hears of a kind of news."""

    def __init__(self) -> None:
        super().__init__()
        self.on: tuple[type, Callable[[], None]] | None = None

    def __call__(self, news: Any) -> None:
        self.append(news)
        if self.on is not None and isinstance(news, self.on[0]):
            self.on[1]()


@pytest.fixture
def news() -> News:
    return News()


@pytest.fixture
def bench(config: BenchConfig, news: News) -> Iterator[CalibrationJob]:
    bench = CalibrationJob(config, news)
    yield bench
    bench.end()


def measured(bench: CalibrationJob, kind: str) -> Calibration:
    found = bench.measure(kind, "", bench.darks)
    assert found is not None
    return found


def emits(bench: CalibrationJob) -> bool:
    return bench._bench is not None and bench._bench.laser.is_open and bool(bench._bench.laser.emission)


def test_a_result_counts_when_it_is_accepted(bench: CalibrationJob, config: BenchConfig, news: News) -> None:
    store = store_of(config)
    found = measured(bench, "camera")
    assert found.passed
    assert store.status("camera", config).state == "missing"
    assert len(list((store.folder / WAITING).glob(f"*{SUFFIX}"))) == 1  # nothing measured is lost
    keep(config, found)
    assert store.status("camera", config).is_fresh
    assert store.files("camera")[0].with_suffix(".png").is_file()
    assert not list((store.folder / WAITING).glob(f"*{SUFFIX}"))
    assert any(isinstance(one, Progress) for one in news)
    assert any(isinstance(one, Activity) for one in news)


def test_a_step_builds_on_what_is_in_the_store(bench: CalibrationJob, config: BenchConfig) -> None:
    with pytest.raises(UserError, match="builds on camera"):
        measured(bench, "phase-response")
    first = measured(bench, "camera")
    keep(config, first)
    assert measured(bench, "phase-response").parents == {"camera": first.hash}


def test_a_failed_result_is_in_the_store_at_once(config: BenchConfig, news: News) -> None:
    assert config.table is not None
    closed = config.table.options | {"camera": {"electrons_per_joule": 1.0}}  # as with a closed shutter
    dark = config.model_copy(update={"table": config.table.model_copy(update={"options": closed})})
    bench = CalibrationJob(dark, news)
    found = measured(bench, "camera")
    bench.end()
    assert "no pixel sees light" in found.outcome.failures[0]
    assert store_of(dark).status("camera", dark).state == "failed"


@pytest.mark.parametrize("moment", [Progress, LightChanged, Activity])
def test_whoever_wants_it_dark_gets_it_and_the_measurement_ends(
    bench: CalibrationJob, config: BenchConfig, news: News, moment: type
) -> None:
    news.on = (moment, bench.light_off)
    assert bench.measure("camera", "", bench.darks) is None
    assert not emits(bench)
    assert store_of(config).files() == []
    news.on = None
    assert measured(bench, "camera").passed  # and the next one works


def test_a_measurement_asked_for_before_the_light_off_does_not_begin_after_it(bench: CalibrationJob) -> None:
    asked_at = bench.darks
    bench.light_off()
    assert bench.measure("camera", "", asked_at) is None
    assert bench._bench is None


def test_a_device_that_fails_is_opened_anew_the_next_time(
    bench: CalibrationJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> Calibration:
        raise DeviceTimeoutError("camera", "gave no frame", "Look at its cable.")

    with monkeypatch.context() as patch:
        patch.setattr(Session, "run", fails)
        with pytest.raises(DeviceTimeoutError):
            measured(bench, "camera")
    assert bench._bench is None
    assert measured(bench, "camera").passed


def test_a_step_without_camera_shows_the_picture_all_the_same(bench: CalibrationJob, news: News) -> None:
    measured(bench, "detector")
    assert any(type(one).__name__ == "Frame" for one in news)


def test_the_self_test_refuses_a_table_that_is_not_calibrated(bench: CalibrationJob) -> None:
    with pytest.raises(UserError, match="not calibrated"):
        bench.self_test(ExperimentConfig(neurons=NEURONS), 0, "sobol", "", bench.darks)


def test_the_self_test_looks_and_scans_and_leaves_the_table_dark(news: News) -> None:
    truthful = CalibrationJob(simulated_bench(NEURONS, 1), news)  # needs no calibration
    experiment = ExperimentConfig.model_validate({"neurons": NEURONS, "task": {"steps": 80, "test_steps": 20}})
    assert truthful.self_test(experiment, 0, "sobol", "", truthful.darks)
    assert truthful.self_test(experiment, 3, "sobol", "", truthful.darks)
    dark = not emits(truthful)
    truthful.end()
    assert dark
    assert sum(isinstance(one, SelfTestFound) for one in news) == 1
    assert next(one.config.feedback for one in news if isinstance(one, Trial)) == experiment.reservoir.feedback
    assert sum(isinstance(one, Trial) for one in news) == 3


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
def test_figures_have_the_colours_of_the_window(bench: CalibrationJob, qtbot: QtBot, theme: Any) -> None:
    view = FigureView()
    qtbot.addWidget(view, before_close_func=lambda view: view.close_background())
    view.resize(500, 240)
    view.show()
    view.set_theme(theme)
    view.show_calibration(measured(bench, "camera"))
    qtbot.waitUntil(lambda: view.is_drawn and not view._image.isNull(), timeout=20_000)
    assert view._image.pixelColor(2, 2) == QColor(theme.panel)


# --- the page -------------------------------------------------------------------------------------------------------
class Page(CalibrationPage):
    """A page whose table a test plays."""

    def __init__(self, config: BenchConfig) -> None:
        self.asked: list[str] = []
        super().__init__(lambda: (ExperimentConfig(bench="bench.toml"), config), lambda then: then())
        self.config = config
        self.link.measure = self._measured  # type: ignore[method-assign]
        self.link.look = lambda *_: self._began("look")  # type: ignore[method-assign]
        self.link.keep = self._kept  # type: ignore[method-assign]

    @property
    def store(self) -> Store:
        return store_of(self.config)

    def _began(self, what: str) -> None:
        self.asked.append(what)
        self.link.is_working = True

    def _measured(self, _: BenchConfig, kind: str, __: str) -> None:
        self._began(kind)

    def _kept(self, _: BenchConfig, calibration: Calibration) -> None:
        self.store.save(calibration)
        self.link.kept.emit(calibration)

    def finish(self, calibration: Calibration) -> None:
        """The table has measured this."""
        self.link.is_working = False
        if not calibration.passed:
            self.store.save(calibration)
        self.link.measured.emit(calibration)


@pytest.fixture
def page(config: BenchConfig, qtbot: QtBot) -> Page:
    page = Page(config)
    qtbot.addWidget(page, before_close_func=lambda page: page.close_bench())
    page.resize(1200, 700)
    page.show()
    page.read()
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


def test_a_result_can_be_accepted_after_the_devices_were_let_go(
    config: BenchConfig, qtbot: QtBot, tmp_path: Path
) -> None:
    page = CalibrationPage(lambda: (ExperimentConfig(bench="bench.toml"), config), lambda then: then())
    qtbot.addWidget(page, before_close_func=lambda page: page.close_bench())
    page.show()
    page.read()
    page.link.measured.emit(result("camera", config))
    page.release()
    page.step.accept_button.click()
    qtbot.waitUntil(lambda: page.steps.state_of("camera") == "fresh", timeout=20_000)
    # and where it cannot be written, that is said
    page.steps.go_to("phase-response")
    page.link.measured.emit(result("phase-response", config))
    (tmp_path / "calibrations").rename(tmp_path / "elsewhere")
    (tmp_path / "calibrations").write_text("no folder")
    with qtbot.waitSignal(page.problem, timeout=20_000) as told:
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
    page.read()
    page.all_button.click()
    page.finish(result("camera", config, "is still broken"))
    assert page.asked[len(PROCEDURES) :] == ["camera"]


def test_a_parent_measured_again_leaves_its_children_stale(page: Page, config: BenchConfig) -> None:
    for kind in PROCEDURES:
        page.store.save(result(kind, config))
    page.read()
    assert {page.steps.state_of(kind) for kind in PROCEDURES} == {"fresh"}
    page.store.save(result("phase-response", config))
    page.read()
    assert page.steps.state_of("registration") == "stale"
    assert page.steps.state_of("camera") == "fresh"
    page.steps.go_to(SELFTEST)
    assert not page.selftest.test_button.isEnabled()


def test_a_stop_a_fault_and_a_lost_table_leave_the_step_to_be_repeated(page: Page, qtbot: QtBot) -> None:
    page.step.measure_button.click()
    page.link.is_working = False
    page.link.stopped.emit()
    assert "Stopped" in page.step.progress.text()
    page.step.measure_button.click()
    page.link.is_working = False
    page.link.refused.emit(UserError("The camera is gone.", "Look at its cable."))
    assert "Look at its cable" in page.step.result.verdict.text()
    page.read()  # as every now and then
    assert "Look at its cable" in page.step.result.verdict.text()
    page.step.measure_button.click()
    page.link.is_working = False
    with qtbot.waitSignal(page.lost):
        page.link.lost.emit(UserError("It has ended.", "Look at the laser."))
    assert page.step.measure_button.isEnabled()
    assert page.asked == ["camera"] * 3


def test_hands_off_while_a_run_owns_the_table(page: Page) -> None:
    page.set_locked("A run owns the table.")
    assert not page.step.measure_button.isEnabled()
    assert page.step.progress.text() == "A run owns the table."
    page.set_locked("")
    assert page.step.measure_button.isEnabled()


def test_a_bench_that_hides_nothing_says_how_to_make_one_that_does(qtbot: QtBot) -> None:
    page = CalibrationPage(lambda: (ExperimentConfig(), simulated_bench(NEURONS, 1)), lambda then: then())
    qtbot.addWidget(page, before_close_func=lambda page: page.close_bench())
    page.show()
    page.read()
    assert "--hidden-table" in page.nothing.text()
    assert page.nothing.isVisible()
    assert not page.all_button.isEnabled()


def test_progress_tells_the_time_left(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    page.step.measure_button.click()
    now = time.monotonic()
    monkeypatch.setattr("labcontrol.gui.calibration.step.time.monotonic", lambda: now + 60)
    page.link.stepped.emit(25, 100)
    assert page.step.progress.text() == "25 of 100 · 3 min 00 s left"
    page.link.stepped.emit(100, 100)
    assert page.step.progress.text() == "computing the result"


# --- the self-test --------------------------------------------------------------------------------------------------
def trial(feedback: float, floor: float | None) -> Trial:
    found = None if floor is None else FiguresOfMerit(10.0, 8, 0.999, 100.0, 1.0, floor, 100)
    return Trial(ReservoirConfig(feedback=feedback), found, 0.1, "" if found else "saturated")


def test_the_best_point_of_the_scan_goes_into_the_form(page: Page, config: BenchConfig, qtbot: QtBot) -> None:
    for kind in PROCEDURES:
        page.store.save(result(kind, config))
    page.read()
    page.steps.go_to(SELFTEST)
    page.selftest.trials.setValue(3)
    page.selftest.scan_button.click()
    assert page.asked == ["look"]
    for one in (trial(0.8, 0.5), trial(0.3, None), trial(0.1, 0.02)):
        page.link.tried.emit(one)
    assert not page.selftest.use_button.isEnabled()
    page.link.is_working = False
    page.link.looked.emit()
    assert "25.0 times lower" in page.selftest.found.text()
    with qtbot.waitSignal(page.use_point) as told:
        page.selftest.use_button.click()
    assert told.args[0].feedback == 0.1


def test_a_scan_in_which_nothing_could_be_measured_recommends_nothing(page: Page) -> None:
    page.selftest.show_working(2)
    for one in (trial(0.8, None), trial(0.3, None)):
        page.selftest.show_trial(one)
    page.selftest.show_ready("")
    assert "saturated" in page.selftest.found.text()
    assert not page.selftest.use_button.isEnabled()


def test_a_real_laser_is_armed_by_a_person_once(
    page: Page, config: BenchConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [False, True]
    asked: list[str] = []

    def ask(_: object, __: BenchConfig, what: str) -> bool:
        asked.append(what)
        return answers.pop(0)

    monkeypatch.setattr("labcontrol.gui.processes.arming.needs_arming", lambda _: True)
    monkeypatch.setattr("labcontrol.gui.processes.arming._ask", ask)
    page.step.measure_button.click()
    assert page.asked == []  # left off
    page.step.measure_button.click()
    assert page.asked == ["camera"]
    page.finish(result("camera", config))
    page.step.measure_button.click()
    assert asked == ["This step lights"] * 2
    page.link.is_working = False
    page.release()
    assert page.work._armed_by == ""


@pytest.mark.parametrize(("advice", "words"), [((), "can learn"), (("it is noisy",), "It is noisy")])
def test_the_self_test_says_whether_the_table_can_learn(page: Page, advice: tuple[str, ...], words: str) -> None:
    figures = FiguresOfMerit(12.3, 9, 0.9991, 250.0, 1.0, 0.01, 300)
    page.selftest.show_outlook(SelfTestFound(figures, np.array([1.0, 0.9, 0.4, 0.1]), 36, 36, 200, 2.0, 600.0, advice))
    assert words in page.selftest.verdict.text()
    assert "half lost after 2" in page.selftest._values["linear memory"].text()
    assert "10 min" in page.selftest._values["learning time"].text()


# --- in the window --------------------------------------------------------------------------------------------------
class RefusingRuns(ScriptedRuns):
    """As real ones: nothing runs on a bench that is not calibrated."""

    def new(self, experiment: ExperimentConfig, bench: BenchConfig) -> ScriptedRun:
        calibrated(bench)
        return super().new(experiment, bench)


@pytest.fixture
def window(
    make_window: MakeWindow, scripted_run: ScriptedRun, config: BenchConfig, tmp_path: Path
) -> Iterator[MainWindow]:
    scripted_run.experiment = scripted_run.experiment.model_copy(update={"bench": "bench.toml", "neurons": NEURONS})
    scripted_run.bench_config = config
    window = make_window(RefusingRuns(scripted_run, tmp_path))
    yield window
    window.calibration.close_bench()


def test_from_a_refused_run_to_an_accepted_step(
    window: MainWindow, scripted_run: ScriptedRun, config: BenchConfig, qtbot: QtBot
) -> None:
    page = window.calibration
    window.starter.start_form()
    assert window.banner.way_out.isVisible()
    window.banner.way_out.click()
    assert page.isVisible()
    assert not window.banner.isVisible()

    # the devices are let go before the table is calibrated, and locked while it is
    page.step.measure_button.click()
    qtbot.waitUntil(lambda: window.header.state.text() == "Calibrating", timeout=30_000)
    assert not window.header.start_action.isEnabled()
    assert "calibration holds the table" in window.devices.words.text()
    window.starter.start_form()
    assert "measuring" in window.banner.text.text()
    qtbot.waitUntil(page.step.accept_button.isVisible, timeout=60_000)
    assert page.step.view.isVisible()
    assert page.step.view.full_scale == 4095  # of the camera, not of what has been seen
    assert window.header.laser.text() == "☀  Laser ON · 20 mW"

    # between two steps the picture stays live
    counter = page.step.view._frame.counter
    qtbot.waitUntil(lambda: page.step.view._frame.counter != counter, timeout=10_000)

    page.step.accept_button.click()
    qtbot.waitUntil(lambda: store_of(config).status("camera", config).is_fresh, timeout=10_000)
    qtbot.waitUntil(lambda: page.steps.kind == "phase-response", timeout=10_000)

    # safe off leaves it dark; a run that starts gets the table
    window.header.safe_button.click()
    qtbot.waitUntil(lambda: window.header.laser.text() == "○  Laser off", timeout=10_000)
    window.starter._runs.new = lambda *_: scripted_run  # type: ignore[method-assign]
    window.starter.start_form()
    qtbot.waitUntil(lambda: scripted_run.status.state is RunState.PREPARING, timeout=30_000)
    assert not page.is_in_use
    assert not page.step.measure_button.isEnabled()
    scripted_run.status = RunStatus(RunState.FINISHED)
    window.controller.tick()
    assert page.step.measure_button.isEnabled()


def test_a_process_that_is_killed_is_told_with_what_is_known_of_the_laser(window: MainWindow, qtbot: QtBot) -> None:
    page = window.calibration
    window.calibrate()
    page.step.measure_button.click()
    qtbot.waitUntil(lambda: page.link._process is not None, timeout=30_000)
    page.link._process._process.kill()
    qtbot.waitUntil(lambda: not page.is_in_use, timeout=30_000)
    assert "was killed" in window.banner.text.text()
    assert "The laser was a simulated one" in window.banner.text.text()
    assert page.step.measure_button.isEnabled()


def test_a_recommended_point_is_put_into_the_form(window: MainWindow) -> None:
    window.calibration.use_point.emit(ReservoirConfig(feedback=0.123))
    assert window.experiment.isVisible()
    assert window.experiment.form.experiment().reservoir.feedback == 0.123


def test_every_state_has_a_mark() -> None:
    assert {"fresh", "missing", "failed", "expired", "stale", "measuring", "to accept"} == set(STATES)
