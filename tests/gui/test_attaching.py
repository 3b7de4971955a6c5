"""A run outlives its window: another one finds it, shows all of it, and steers it."""

from __future__ import annotations

import numpy as np
import pytest
from gui_helpers import MakeWindow, ScriptedHost
from PyQt5.QtWidgets import QMessageBox
from pytestqt.qtbot import QtBot

from labcontrol.config import BenchConfig, ExperimentConfig, LaserEntry
from labcontrol.engine import RunState
from labcontrol.errors import UserError
from labcontrol.gui.live.page import LivePage
from labcontrol.gui.session.arming import Arming, arm
from labcontrol.gui.window.main_window import MainWindow
from labcontrol.records import RunReader

PATIENCE_MS = 180_000


@pytest.fixture
def endless(host: ScriptedHost) -> ScriptedHost:
    host.experiment = ExperimentConfig.model_validate(
        {
            "neurons": 16,
            "task": {"steps": 30, "test_steps": 10, "washout": 5},
            "stop": {"epochs": 1_000_000},
        }
    )
    return host


def epochs_shown(window: MainWindow) -> int:
    return window.page(LivePage).learning.epochs


def test_a_second_window_takes_up_what_the_first_has_left(
    make_real_window: MakeWindow, endless: ScriptedHost, qtbot: QtBot
) -> None:
    first = make_real_window(endless)
    first.starter.start_form()
    qtbot.waitUntil(lambda: epochs_shown(first) > 10, timeout=PATIENCE_MS)
    shown = epochs_shown(first)
    first.end_now()
    assert not first.isVisible()

    second = make_real_window(endless)
    second.table.host.attach_to_run(none=lambda: pytest.fail("no run was found"))
    qtbot.waitUntil(lambda: epochs_shown(second) > shown + 10, timeout=PATIENCE_MS)
    assert second.header.state.text() == "Learning"
    data = second.page(LivePage).learning._data
    np.testing.assert_array_equal(data.index, np.arange(len(data)))  # every epoch once
    second.table.pause()
    qtbot.waitUntil(lambda: second.header.state.text() == "Paused", timeout=PATIENCE_MS)
    second.table.resume()
    qtbot.waitUntil(lambda: second.header.state.text() == "Learning", timeout=PATIENCE_MS)
    second.table.stop()
    qtbot.waitUntil(lambda: second.table.status.state is RunState.STOPPED, timeout=PATIENCE_MS)
    assert second.table.run is not None
    with RunReader(second.table.run.record) as reader:
        assert len(reader.epochs) == epochs_shown(second)


def test_two_windows_on_one_run_see_the_same(make_real_window: MakeWindow, endless: ScriptedHost, qtbot: QtBot) -> None:
    first = make_real_window(endless)
    first.starter.start_form()
    qtbot.waitUntil(lambda: epochs_shown(first) > 3, timeout=PATIENCE_MS)
    second = make_real_window(endless)
    second.table.host.attach_to_run()
    qtbot.waitUntil(lambda: epochs_shown(second) > 3, timeout=PATIENCE_MS)
    second.safe_off()
    for window in (first, second):
        qtbot.waitUntil(lambda window=window: window.header.state.text() == "Aborted", timeout=PATIENCE_MS)
        assert window.header.laser.text() == "○  Laser off"
    assert epochs_shown(first) == epochs_shown(second)


def test_without_a_run_there_is_nothing_to_attach_to(
    make_real_window: MakeWindow, host: ScriptedHost, qtbot: QtBot
) -> None:
    window = make_real_window(host)
    window.attach()
    qtbot.waitUntil(lambda: window.banner.text.text() == "No run is in progress.", timeout=PATIENCE_MS)
    assert window.table.host.client is None


def test_what_is_started_while_a_run_is_looked_for_begins_all_the_same(
    make_real_window: MakeWindow, endless: ScriptedHost, qtbot: QtBot
) -> None:
    window = make_real_window(endless)
    window.attach()
    window.starter.start_form()
    window.attach()
    assert "holds the table" in window.banner.text.text()
    qtbot.waitUntil(lambda: epochs_shown(window) > 0, timeout=PATIENCE_MS)
    window.safe_off()
    qtbot.waitUntil(lambda: window.header.state.text() == "Aborted", timeout=PATIENCE_MS)


# --- unattended -----------------------------------------------------------------------------------------------------
@pytest.fixture
def real_laser(host: ScriptedHost) -> BenchConfig:
    entry = LaserEntry(driver="cobolt-06", address="serial://nowhere", power_w=0.02)
    return host.bench.model_copy(update={"laser": entry})


@pytest.mark.parametrize(("is_run", "tick"), [(True, False), (True, True), (False, False)])
def test_running_unattended_is_a_choice_made_when_arming(
    real_laser: BenchConfig, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot, is_run: bool, tick: bool
) -> None:
    def answer(box: QMessageBox) -> int:
        choice = box.checkBox()
        assert (choice is not None) is is_run
        if choice is not None:
            choice.setChecked(tick)
        next(button for button in box.buttons() if button.text() == "Arm and start").click()
        return 0

    monkeypatch.setattr(QMessageBox, "exec_", answer)
    arming = arm(None, real_laser, "This run lights", is_run=is_run)
    assert arming.armed_by.endswith("in the window")
    assert arming.unattended is tick


def test_who_does_not_arm_starts_nothing(
    real_laser: BenchConfig, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    monkeypatch.setattr(QMessageBox, "exec_", lambda _: 0)
    with pytest.raises(UserError, match="not armed"):
        arm(None, real_laser, "This run lights", is_run=True)


def test_a_simulated_laser_needs_no_question(host: ScriptedHost) -> None:
    assert arm(None, host.bench, "This run lights", is_run=True) == Arming()
