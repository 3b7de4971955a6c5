"""The form says what the file would, the queue runs in its order, and a held-up run says why."""

from __future__ import annotations

from pathlib import Path

import pytest
from gui_helpers import MakeWindow, ScriptedHost, page_context
from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from labcontrol.bench import simulated_bench
from labcontrol.config import ExperimentConfig, with_preset
from labcontrol.config.toml_text import commented_toml
from labcontrol.engine import PauseCause, RunState, RunStatus
from labcontrol.errors import UserError
from labcontrol.gui.experiment.form import ExperimentForm
from labcontrol.gui.experiment.page import ExperimentPage
from labcontrol.gui.session.run_queue import QueuedRun, RunQueue


@pytest.fixture
def form(qtbot: QtBot) -> ExperimentForm:
    form = ExperimentForm()
    qtbot.addWidget(form)
    return form


def experiment(**values: object) -> ExperimentConfig:
    return ExperimentConfig.model_validate(values)


# --- the form -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "shown",
    [
        ExperimentConfig(),
        experiment(neurons=64, seed=7, stop={"target_error": 0.02}, task={"name": "santa-fe", "steps": 50}),
        experiment(learning={"strategy": "noise-aware", "options": {"error_probability": 0.1, "largest_repeats": 3}}),
    ],
)
def test_the_form_returns_what_it_was_given(form: ExperimentForm, shown: ExperimentConfig) -> None:
    form.set_experiment(shown)
    assert form.experiment() == shown


def test_every_field_of_the_file_is_in_the_form(form: ExperimentForm) -> None:
    names = {
        f"{section}.{key}" if section else key
        for section, model in [("", ExperimentConfig), *sections_of(ExperimentConfig)]
        for key in model.model_fields
    }
    sections = {section for section, _ in sections_of(ExperimentConfig)}
    assert set(form._editors) == names - sections - {"learning.options", "fault_script"}


def sections_of(model: type[ExperimentConfig]) -> list[tuple[str, type[ExperimentConfig]]]:
    return [
        (key, field.annotation)
        for key, field in model.model_fields.items()
        if isinstance(field.annotation, type) and hasattr(field.annotation, "model_fields")
    ]


def test_what_is_wrong_is_said_at_the_field(form: ExperimentForm) -> None:
    form.show()
    form.set_value("neurons", "250")
    assert not form.check()
    assert "square number" in form._editors["neurons"]._problem.text()
    with pytest.raises(UserError, match="square number"):
        form.experiment()
    form.set_value("neurons", "256")
    assert form.check()
    form.close()


def test_ranges_and_meanings_come_from_the_model(form: ExperimentForm) -> None:
    help_text = form._editors["task.steps"].help
    assert "Steps of the training part." in help_text
    assert "10 to 1\u202f000\u202f000" in help_text


def test_a_strategy_brings_its_own_options(form: ExperimentForm) -> None:
    before = set(form._options)
    form.set_value("learning.strategy", "speculative")
    assert set(form._options) - before
    assert form.experiment().learning.options == {}


def test_the_saved_file_says_the_same(qtbot: QtBot, tmp_path: Path) -> None:
    page = ExperimentPage(page_context(tmp_path))
    qtbot.addWidget(page)
    page.form.set_value("neurons", "144")
    page.save_file(tmp_path / "mine.toml")
    page.context.setup.replace(ExperimentConfig())
    page.open_file(tmp_path / "mine.toml")
    assert page.form.experiment() == experiment(neurons=144)
    assert (tmp_path / "mine.toml").read_text(encoding="utf-8") == commented_toml(experiment(neurons=144))


def test_a_fault_script_goes_with_the_experiment_until_it_is_taken_away(qtbot: QtBot, tmp_path: Path) -> None:
    page = ExperimentPage(page_context(tmp_path))
    qtbot.addWidget(page)
    script = tmp_path / "faults.toml"
    script.write_text('[[fault]]\ndevice = "camera"\nkind = "stale"\nat_step = 5\n', encoding="utf-8")
    page.use_faults(script)
    page.form.set_value("neurons", "144")
    chosen = page.form.experiment().fault_script
    assert chosen is not None
    assert chosen.fault[0].kind == "stale"
    page.use_faults(None)
    assert page.form.experiment() == experiment(neurons=144)


def test_a_bench_file_is_looked_at_before_it_is_used(qtbot: QtBot, tmp_path: Path) -> None:
    page = ExperimentPage(page_context(tmp_path))
    qtbot.addWidget(page)
    bad, good = tmp_path / "bad.toml", tmp_path / "good.toml"
    bad.write_text("name = 3", encoding="utf-8")
    good.write_text(commented_toml(simulated_bench(256, 1).model_copy(update={"name": "mine"})), encoding="utf-8")
    with qtbot.waitSignal(page.problem, timeout=1000):
        page.use_bench(bad)
    assert page.form.experiment().bench == "simulated"
    page.use_bench(good)
    assert page.context.setup.bench().name == "mine"


# --- the queue ------------------------------------------------------------------------------------------------------
def queue_of(*seeds: int) -> RunQueue:
    return RunQueue([QueuedRun(experiment(seed=seed)) for seed in seeds])


def seeds(queue: RunQueue) -> list[int]:
    return [run.experiment.seed for run in queue.waiting]


FINISHED = RunStatus(RunState.FINISHED, reason="1024 epochs")


def test_runs_come_in_their_order_until_none_waits() -> None:
    queue = queue_of(1, 2)
    first = queue.begin()
    assert first is not None
    second = queue.after(FINISHED)
    assert second is not None
    assert (first.experiment.seed, second.experiment.seed) == (1, 2)
    assert queue.after(FINISHED) is None
    assert not queue.going


def test_moving_keeps_the_others_in_order() -> None:
    queue = queue_of(1, 2, 3)
    assert queue.move(2, -1) == 1
    assert seeds(queue) == [1, 3, 2]
    assert queue.move(0, -1) == 0
    assert queue.move(0, 1) == 1
    assert seeds(queue) == [3, 1, 2]


@pytest.mark.parametrize(
    "status",
    [
        RunStatus(RunState.FAILED, reason="laser: interlock"),
        RunStatus(RunState.ABORTED),
        RunStatus(RunState.STOPPED, reason="stopped at 10 of 40"),
    ],
)
def test_a_run_that_did_not_end_by_itself_stops_the_queue(status: RunStatus) -> None:
    queue = queue_of(1, 2)
    queue.begin()
    assert queue.after(status) is None
    assert seeds(queue) == [2]
    assert queue.after(FINISHED) is None


def test_it_stops_after_this_run_when_asked_to() -> None:
    queue = queue_of(1, 2)
    queue.begin()
    queue.halts = True
    assert queue.after(FINISHED) is None
    assert seeds(queue) == [2]


def test_the_queue_comes_back_and_survives_an_unreadable_one() -> None:
    queue = RunQueue()
    queue.load(queue_of(4, 5).to_text())
    assert seeds(queue) == [4, 5]
    for text in ("", '[{"neurons": "many"}]', "not json"):
        queue.load(text)
        assert seeds(queue) == []


def test_the_window_runs_the_queue_through(make_window: MakeWindow, host: ScriptedHost, qtbot: QtBot) -> None:
    window = make_window(host)
    page = window.page(ExperimentPage)
    panel, queue = page.queue_panel, window.queue
    for seed in ("11", "12", "13"):
        page.form.set_value("seed", seed)
        panel.add_button.click()
    assert panel.list.count() == 3
    panel.up_button.click()
    assert seeds(queue) == [11, 13, 12]
    panel.go_button.click()
    assert started(host) == [11]
    assert not panel.go_button.isEnabled()
    host.run_is(FINISHED)
    qtbot.waitUntil(lambda: len(host.begun) == 2, timeout=5000)
    panel.halt.click()
    host.run_is(FINISHED)
    assert started(host) == [11, 13]
    assert seeds(queue) == [12]
    window.close()
    again = make_window(ScriptedHost(host.folder))
    assert seeds(again.queue) == [12]


def started(host: ScriptedHost) -> list[int]:
    return [settings.experiment.seed for settings in host.begun if settings.experiment is not None]


# --- a run that is held up ------------------------------------------------------------------------------------------
def test_a_pause_with_a_reason_is_shown_with_both_ways_on(make_window: MakeWindow, host: ScriptedHost) -> None:
    window = make_window(host)
    window.starter.start_form()
    reason = "camera gave no frame. Check the trigger line. The laser is off; connecting again in 2 s (1 of 6)."
    host.run_is(RunStatus(RunState.PAUSED, reason=reason, cause=PauseCause.DEVICE))
    assert window.pause_notice.isVisible()
    assert reason in window.pause_notice.text.text()
    window.pause_notice.resume_button.click()
    host.run_is(RunStatus(RunState.RUNNING))
    assert not window.pause_notice.isVisible()
    host.run_is(RunStatus(RunState.PAUSED, reason="paused by the user", cause=PauseCause.USER))
    assert not window.pause_notice.isVisible()
    assert host.steering == ["continue"]
    window.pause_notice.abort_button.click()
    assert host.steering == ["continue", "abort"]


# --- ways to learn --------------------------------------------------------------------------------------------------
def test_another_way_to_learn_is_one_click_and_leaves_the_rest(qtbot: QtBot, tmp_path: Path) -> None:
    page = ExperimentPage(page_context(tmp_path, experiment=experiment(neurons=64, seed=5)))
    qtbot.addWidget(page)
    page.use_preset("experiments")
    assert page.form.experiment() == with_preset(experiment(neurons=64, seed=5), "experiments")


def test_the_law_is_tested_by_one_click(qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = experiment(neurons=16, task={"steps": 20}, learning={"strategy": "spsa"})
    context = page_context(tmp_path, experiment=small)
    started: list[ExperimentConfig] = []
    monkeypatch.setattr(context.starter, "_start_new", lambda config, _bench: started.append(config))
    page = ExperimentPage(context)
    qtbot.addWidget(page)
    (button,) = [found for found in page.findChildren(QPushButton) if found.text() == "Test the law"]
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert started == [with_preset(small, "law")]
    assert started[0].prediction.mirrors == "all"
