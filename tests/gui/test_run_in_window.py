"""Events of a run become what is seen, and buttons what the host is asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gui_helpers import NEURONS, STEPS, MakeWindow, ScriptedHost, epoch, step_view
from predictions import exponential, pilot_result
from PyQt5.QtWidgets import QMessageBox
from pytestqt.qtbot import QtBot

from drivers.interfaces import DeviceFaultError
from labcontrol.engine import EpochDone, FaultSeen, Predicted, Prepared, Run, RunState, RunStatus, Seen, StateChanged
from labcontrol.errors import UserError
from labcontrol.gui.live.page import LivePage
from labcontrol.gui.window.main_window import MainWindow
from labcontrol.host import HostState
from labcontrol.host.jobs.run import RunDescription
from labcontrol.host.protocol import Pause
from labcontrol.records.contents import Fault
from labcontrol.tasks import Task


@pytest.fixture
def window(make_window: MakeWindow, host: ScriptedHost) -> MainWindow:
    window = make_window(host)
    window.starter.start_form()
    return window


def task() -> Task:
    rng = np.random.default_rng(5)
    target = rng.normal(size=STEPS)
    return Task("planted", rng.random(5), rng.random(STEPS), (target - target.mean()) / target.std(), target, target)


def emit_beginning(host: ScriptedHost) -> None:
    rows, columns = np.divmod(np.arange(NEURONS), 4)
    centres = np.stack([2.0 + 4 * rows, 2.0 + 4 * columns], axis=1)
    host.emit(Prepared(task(), np.arange(NEURONS) % 2 == 0, centres, 1e-3), Predicted(pilot_result()))
    host.emit(StateChanged(RunStatus(RunState.RUNNING, epochs=100, laser_on=True)))


def emit_epochs(host: ScriptedHost, count: int, start: int = 0) -> None:
    errors = exponential(np.arange(start, start + count))
    for k, error in enumerate(errors, start=start):
        status = RunStatus(RunState.RUNNING, epoch=k + 1, epochs=100, error=float(error), laser_on=True, epoch_s=2.0)
        host.emit(EpochDone(epoch(k, float(error), accepted=True), float(error), status))


def test_epochs_reach_every_view(window: MainWindow, host: ScriptedHost, qtbot: QtBot) -> None:
    emit_beginning(host)
    emit_epochs(host, 20)
    host.emit(Seen(step_view()))
    host.tick()
    assert len(window.page(LivePage).learning._data) == 20
    qtbot.waitUntil(lambda: "as predicted" in window.page(LivePage).learning.verdict.text())
    assert window.header.epoch.text == "20 / 100"
    assert window.header.left.text == "2 min 40 s"
    assert window.page(LivePage).camera._frame is not None
    np.testing.assert_array_equal(window.page(LivePage).dmd._mask, epoch(19, 0.0).mask)
    assert len(window.page(LivePage).output._output_curve.getData()[1]) == STEPS


def test_state_and_light_stand_in_plain_words(window: MainWindow, host: ScriptedHost) -> None:
    emit_beginning(host)
    host.tick()
    assert window.header.state.text() == "Learning"
    assert "Laser ON" in window.header.laser.text()
    assert "20 mW" in window.header.laser.text()
    host.run_is(RunStatus(RunState.PAUSED, laser_on=True, epochs=100))
    assert window.header.state.text() == "Paused"
    assert "Laser ON" in window.header.laser.text()


def test_buttons_and_keys_ask_the_run(window: MainWindow, host: ScriptedHost) -> None:
    emit_beginning(host)
    host.tick()
    window.header.buttons[window.header.pause_action].click()
    host.run_is(RunStatus(RunState.PAUSED, laser_on=True))
    assert window.header.pause_action.text() == "Resume"
    window.header.pause_dark_action.trigger()
    host.run_is(RunStatus(RunState.PAUSED, laser_on=False))
    assert not window.header.pause_dark_action.isEnabled()
    window.header.pause_action.trigger()
    window.header.buttons[window.header.stop_action].click()
    assert host.steering == ["pause", "pause", "continue", "stop"]
    assert [request.dark for request in host.requests(Pause)] == [False, True]


def test_the_way_to_safety_is_open_in_every_state(window: MainWindow, host: ScriptedHost) -> None:
    for state in RunState:
        window.header.show_status(RunStatus(state), "mse")
        assert window.header.safe_button.isEnabled()
    emit_beginning(host)
    host.tick()
    window.header.safe_button.click()
    assert host.steering == ["safe-off"]


def test_a_fault_is_shown_with_its_remedy(window: MainWindow, host: ScriptedHost) -> None:
    emit_beginning(host)
    error = DeviceFaultError("camera", "gave no frame, 4 times in a row.", "Check the trigger line.")
    host.run_is(RunStatus(RunState.FAILED, reason="camera: gave no frame"), error)
    assert window.banner.isVisible()
    assert "gave no frame" in window.banner.text.text()
    assert "Check the trigger line." in window.banner.text.text()
    assert window.header.state.text() == "Failed"
    assert window.header.start_action.isEnabled()


def test_a_run_that_cannot_be_set_up_says_why(make_window: MakeWindow, host: ScriptedHost) -> None:
    host.refusal = UserError("There is no task 'x'.", "Choose another.")
    window = make_window(host)
    window.starter.start_form()
    assert "Choose another." in window.banner.text.text()
    assert window.header.start_action.isEnabled()


@pytest.mark.parametrize(
    ("answer", "asked", "closed"),
    [("Cancel", [], False), ("Keep running", [], True), ("Stop after this epoch", ["stop"], False),
     ("Abort now", ["abort"], False)],
)  # fmt: skip
def test_closing_in_mid_run_asks(
    window: MainWindow,
    host: ScriptedHost,
    monkeypatch: pytest.MonkeyPatch,
    qtbot: QtBot,
    answer: str,
    asked: list[str],
    closed: bool,
) -> None:
    emit_beginning(host)
    host.tick()

    def press(box: QMessageBox) -> int:
        next(button for button in box.buttons() if button.text() == answer).click()
        return 0

    monkeypatch.setattr(QMessageBox, "exec_", press)
    assert window.close() is closed
    assert host.steering == asked
    if asked:  # and when it is over, the window closes itself
        host.run_is(RunStatus(RunState.FINISHED))
        qtbot.waitUntil(lambda: not window.isVisible(), timeout=5000)


@pytest.mark.parametrize(("unattended", "says"), [(True, "goes on without this window"), (False, "with the laser off")])
def test_closing_says_what_becomes_of_a_run_that_is_kept(
    window: MainWindow, host: ScriptedHost, monkeypatch: pytest.MonkeyPatch, unattended: bool, says: str
) -> None:
    host.status = host.status.model_copy(update={"unattended": unattended})
    texts: list[str] = []
    monkeypatch.setattr(QMessageBox, "exec_", lambda box: texts.append(box.informativeText()))
    window.close()
    assert says in texts[0]


def test_closing_without_a_run_does_not_ask(window: MainWindow, host: ScriptedHost) -> None:
    host.run_is(RunStatus(RunState.FINISHED))
    assert window.close()


def test_the_layout_comes_back(make_window: MakeWindow, host: ScriptedHost) -> None:
    first = make_window(host)
    first.page(LivePage).view_actions()[0].trigger()
    assert not first.page(LivePage).camera.isVisible()
    first.close()
    live = make_window(ScriptedHost(host.folder)).page(LivePage)
    assert not live.camera.isVisible()
    live.restore_default_layout()
    assert live.camera.isVisible()


def test_pauses_and_faults_are_marked_on_the_curve(window: MainWindow, host: ScriptedHost) -> None:
    emit_beginning(host)
    emit_epochs(host, 20)
    fault = Fault(1001.0, "camera", "drop", "a frame was lost", "taken again", epoch=12)
    host.emit(FaultSeen(fault))
    for state in (RunState.PAUSED, RunState.RUNNING):
        host.emit(StateChanged(RunStatus(state, "paused by the user", epoch=20, epochs=100)))
    host.tick()
    marks = window.page(LivePage).learning.plot.marks.marks
    assert [(mark.kind, mark.epoch) for mark in marks] == [("fault", 11), ("pause", 19)]
    assert "for 0 s" in marks[1].text


def test_a_run_that_is_found_is_shown_from_its_first_epoch(
    make_window: MakeWindow, host: ScriptedHost, tmp_path: Path
) -> None:
    run = Run(host.experiment, host.bench, tmp_path)
    run.execute()
    window = make_window(host)
    host.status = host.status.model_copy(update={"state": HostState.RUN})
    host.emit(RunDescription(host.experiment, host.bench, run.record, False))
    emit_beginning(host)
    epochs = len(window.page(LivePage).learning._data)
    assert epochs == run.status.epoch
    emit_epochs(host, 3, start=epochs - 1)  # one of them is in the record already
    host.tick()
    assert window.header.state.text() == "Learning"
    assert len(window.page(LivePage).learning._data) == epochs + 2
    assert window.page(LivePage).isVisible()
