"""The same record in every view: the same models, numbers, words, colours and lines, for every strategy and rule."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PyQt5.QtGui import QColor
from pytestqt.qtbot import QtBot

from labcontrol.analysis.curve_facts import MEASURED, MODELS
from labcontrol.analysis.plots.axes_content import draw_learning
from labcontrol.analysis.record_follower import RecordFollower
from labcontrol.analysis.report.report_contents import legend
from labcontrol.analysis.report.sentences import sentences
from labcontrol.analysis.run_models import RunModels, record_models
from labcontrol.analysis.run_outcome import outcome
from labcontrol.cli.app import main
from labcontrol.gui.learning.record_contents import read_contents
from labcontrol.gui.learning.view import LearningView
from labcontrol.gui.live.run_follower import LiveViews, RunFollower
from labcontrol.gui.shared.output_view import OutputView
from labcontrol.gui.shared.pattern_views import MaskView
from labcontrol.gui.shared.theme import LIGHT
from labcontrol.learning import SELECTIONS, STRATEGIES
from labcontrol.records import RunReader

sys.path.insert(0, str(Path(__file__).parents[1] / "records"))
from synthetic_run import SyntheticRun

AT = np.array([0.0, 7.0, 20.0, 41.0])
RUNS: list[dict[str, Any]] = [
    *({"selection": selection} for selection in SELECTIONS),
    {"selection": "uniform", "loss": "nmse"},
    {"selection": "greedy", "loss": "nmse", "acceptance": "re-measured"},
    *({"strategy": strategy} for strategy in STRATEGIES if strategy != "coordinate-descent"),
]


@pytest.fixture(params=RUNS, ids=lambda run: "-".join(run.values()))
def record(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    run = SyntheticRun(**request.param)
    many = "strategy" in request.param and request.param["strategy"] not in ("noise-aware", "spsa")
    return run.write(tmp_path / "run.h5", replays=4 if many else 80)


@pytest.fixture
def models(record: Path) -> RunModels:
    """What all views should show."""
    with RunReader(record) as run:
        return record_models(run)


def test_the_figure_draws_them(record: Path, models: RunModels) -> None:
    axes = Figure().subplots()
    with RunReader(record) as run:
        draw_learning(axes, run, models)
    drawn = {str(line.get_label()): line for line in axes.lines}
    shown = {key: model for key, model in models.curves.items() if not MODELS[key].on_demand}
    assert set(drawn) == {facts.name for facts in MEASURED.values()} | {model.label for model in shown.values()}
    assert drawn[MEASURED["incumbent"].name].get_drawstyle() == "steps-post"
    for key, model in shown.items():
        line = drawn[model.label]
        np.testing.assert_allclose(line.get_ydata(), model.values(np.asarray(line.get_xdata(), dtype=float)))
        assert to_hex(line.get_color()) == MODELS[key].light


def test_the_report_says_them(record: Path, models: RunModels) -> None:
    with RunReader(record) as run:
        found = outcome(run)
        text = " ".join(sentences(run, found))
    assert [entry.text for entry in legend(found)] == [
        *(facts.name for facts in MEASURED.values()),
        *(model.label for model in models.shown.values()),
    ]
    assert (models.verdict.text or models.remark) in text
    exponential = models.curves.get("exponential")
    assert exponential is None or f"time constant is {exponential.tau_text}" in text


def test_the_terminal_says_them(record: Path, models: RunModels, run_command: Callable[..., str]) -> None:
    shown = run_command("runs", "show", record)
    for key in ("exponential", "fit"):
        assert key not in models.curves or models.curves[key].label in shown
    assert (models.verdict.text or models.remark) in shown
    seen = json.loads(run_command("monitor", record, "--once", "--json"))
    assert seen["verdict"] == models.verdict.text
    assert list(seen["models"]) == list(models.curves)
    for key, model in models.curves.items():
        tau = None if model.tau is None else [value if np.isfinite(value) else None for value in model.tau]
        assert seen["models"][key] == {"name": model.name, "tau": tau, "r_squared": model.r_squared}


def test_the_window_shows_them(record: Path, models: RunModels, qtbot: QtBot) -> None:
    contents, view = read_contents(record), LearningView()
    qtbot.addWidget(view)
    view.set_theme(LIGHT)
    view.begin(contents.data, contents.planned, contents.experiment.learning, is_over=True)
    view.set_models(*contents.models())
    view.draw()
    agrees(view, models)


def test_the_window_shows_them_of_a_run_that_it_follows(record: Path, models: RunModels, qtbot: QtBot) -> None:
    view = LearningView()
    qtbot.addWidget(view)
    view.set_theme(LIGHT)
    views = LiveViews(view, MaskView(), OutputView())
    for other in (views.mask, views.output):
        qtbot.addWidget(other)
    follower = RunFollower(views)
    with RecordFollower(record) as source:
        update = source.poll()
        assert source.experiment is not None
        follower.begin(source.experiment)
        follower.follow(source.events()[1], update.status)
    follower.renew_models(at_once=True)
    qtbot.waitUntil(lambda: not follower._background.is_busy, timeout=60_000)
    follower.close()
    view.draw()
    agrees(view, models)


def agrees(view: LearningView, models: RunModels) -> None:
    assert set(view.models) == set(models.curves)
    assert models.verdict.text in view.verdict.text()
    assert models.remark in view.outlook.text()
    for key, model in models.curves.items():
        shown, row = view.models[key], view.table._rows[key]
        np.testing.assert_array_equal(shown.values(AT), model.values(AT))
        assert (shown.name, shown.tau, shown.r_squared) == (model.name, model.tau, model.r_squared)
        assert row.box.text() == model.name
        assert row.cells[0].text() == model.tau_text
        pen = view.plot.model_lines.lines[key].opts["pen"]
        assert QColor(pen.color()).name() == MODELS[key].light


@pytest.fixture
def run_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    monkeypatch.setenv("COLUMNS", "300")

    def call(*arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", ["labcontrol", *map(str, arguments)])
        capsys.readouterr()
        with contextlib.suppress(SystemExit):
            main()
        return capsys.readouterr().out

    return call
