"""The controller turns events into what is seen, and wishes into calls of the run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gui_helpers import NEURONS, STEPS, MakeWindow, ScriptedRun, ScriptedRuns, amplitude_law, epoch, step_view
from PyQt5.QtWidgets import QMessageBox

from drivers.interfaces import DeviceFaultError
from labcontrol.engine import EpochDone, FaultSeen, Predicted, Prepared, RunState, RunStatus, Seen, StateChanged
from labcontrol.errors import UserError
from labcontrol.gui.window.main_window import MainWindow
from labcontrol.records.reader import Fault
from labcontrol.tasks import Task


@pytest.fixture
def window(make_window: MakeWindow, scripted_run: ScriptedRun) -> MainWindow:
    window = make_window(ScriptedRuns(scripted_run, Path("runs")))
    window.starter.start_form()
    return window


def task() -> Task:
    rng = np.random.default_rng(5)
    target = rng.normal(size=STEPS)
    return Task("planted", rng.random(5), rng.random(STEPS), (target - target.mean()) / target.std(), target, target)


def tell_beginning(run: ScriptedRun) -> None:
    rows, columns = np.divmod(np.arange(NEURONS), 4)
    centres = np.stack([2.0 + 4 * rows, 2.0 + 4 * columns], axis=1)
    run.mailbox.put(Prepared(task(), np.arange(NEURONS) % 2 == 0, centres, 1e-3))
    run.mailbox.put(Predicted(amplitude_law()))
    run.status = RunStatus(RunState.RUNNING, epochs=100, laser_on=True)


def tell_epochs(run: ScriptedRun, count: int, start: int = 0) -> None:
    errors = amplitude_law().curve(np.arange(start, start + count))
    for k, error in enumerate(errors, start=start):
        run.status = RunStatus(
            RunState.RUNNING, epoch=k + 1, epochs=100, error=float(error), laser_on=True, epoch_s=2.0
        )
        run.mailbox.put(EpochDone(epoch(k, float(error), accepted=True), float(error), run.status))


def test_epochs_reach_every_view(window: MainWindow, scripted_run: ScriptedRun) -> None:
    tell_beginning(scripted_run)
    tell_epochs(scripted_run, 20)
    scripted_run.mailbox.put(Seen(step_view()))
    window.controller.tick()
    assert len(window.live.learning._data) == 20
    assert "as predicted" in window.live.learning.verdict.text()
    assert window.header.epoch.text == "20 / 100"
    assert window.header.left.text == "2 min 40 s"
    assert window.live.camera._frame is not None
    np.testing.assert_array_equal(window.live.dmd._mask, epoch(19, 0.0).mask)
    assert len(window.live.output._output_curve.getData()[1]) == STEPS


def test_state_and_light_stand_in_plain_words(window: MainWindow, scripted_run: ScriptedRun) -> None:
    tell_beginning(scripted_run)
    window.controller.tick()
    assert window.header.state.text() == "Learning"
    assert "Laser ON" in window.header.laser.text()
    assert "20 mW" in window.header.laser.text()
    scripted_run.status = RunStatus(RunState.PAUSED, laser_on=True, epochs=100)
    window.controller.tick()
    assert window.header.state.text() == "Paused"
    assert "Laser ON" in window.header.laser.text()


def test_buttons_and_keys_ask_the_run(window: MainWindow, scripted_run: ScriptedRun) -> None:
    tell_beginning(scripted_run)
    window.controller.tick()
    window.header.buttons[window.header.pause_action].click()
    scripted_run.status = RunStatus(RunState.PAUSED, laser_on=True)
    window.controller.tick()
    assert window.header.pause_action.text() == "Resume"
    window.header.pause_action.trigger()
    window.header.buttons[window.header.stop_action].click()
    assert scripted_run.asked == ["pause", "resume", "stop"]


def test_the_way_to_safety_is_open_in_every_state(window: MainWindow, scripted_run: ScriptedRun) -> None:
    for state in RunState:
        window.header.show_status(RunStatus(state), "mse", None)
        assert window.header.safe_button.isEnabled()
    tell_beginning(scripted_run)
    window.controller.tick()
    window.header.safe_button.click()
    assert scripted_run.asked == ["abort"]


def test_a_fault_is_shown_with_its_remedy(window: MainWindow, scripted_run: ScriptedRun) -> None:
    tell_beginning(scripted_run)
    scripted_run.error = DeviceFaultError("camera", "gave no frame, 4 times in a row.", "Check the trigger line.")
    scripted_run.status = RunStatus(RunState.FAILED, reason="camera: gave no frame")
    window.controller.tick()
    assert window.banner.isVisible()
    assert "gave no frame" in window.banner.text.text()
    assert "Check the trigger line." in window.banner.text.text()
    assert window.header.state.text() == "Failed"
    assert window.header.start_action.isEnabled()


def test_a_run_that_cannot_be_set_up_says_why(make_window: MakeWindow, scripted_run: ScriptedRun) -> None:
    refusal = UserError("There is no task 'x'.", "Choose another.")
    window = make_window(ScriptedRuns(scripted_run, Path("runs"), refusal))
    window.starter.start_form()
    assert "Choose another." in window.banner.text.text()
    assert window.header.start_action.isEnabled()


@pytest.mark.parametrize(
    ("answer", "asked", "closed"),
    [("Keep running", [], False), ("Stop after this epoch", ["stop"], True), ("Abort now", ["abort"], True)],
)
def test_closing_in_mid_run_asks(
    window: MainWindow,
    scripted_run: ScriptedRun,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    asked: list[str],
    closed: bool,
) -> None:
    tell_beginning(scripted_run)
    window.controller.tick()

    def press(box: QMessageBox) -> int:
        next(button for button in box.buttons() if button.text() == answer).click()
        return 0

    monkeypatch.setattr(QMessageBox, "exec_", press)
    assert window.close() is closed
    assert scripted_run.asked == asked


def test_closing_without_a_run_does_not_ask(window: MainWindow, scripted_run: ScriptedRun) -> None:
    scripted_run.status = RunStatus(RunState.FINISHED)
    assert window.close()


def test_the_layout_comes_back(make_window: MakeWindow, scripted_run: ScriptedRun) -> None:
    runs = ScriptedRuns(scripted_run, Path("runs"))
    first = make_window(runs)
    first.live.dock_actions[0].trigger()
    assert not first.live.camera.isVisible()
    first.close()
    second = make_window(runs)
    assert not second.live.camera.isVisible()
    second.live.restore_default_layout()
    assert second.live.camera.isVisible()


def test_pauses_and_faults_are_marked_on_the_curve(window: MainWindow, scripted_run: ScriptedRun) -> None:
    tell_beginning(scripted_run)
    tell_epochs(scripted_run, 20)
    fault = Fault(1001.0, "camera", "drop", "a frame was lost", "taken again", epoch=12)
    scripted_run.mailbox.put(FaultSeen(fault))
    for state in (RunState.PAUSED, RunState.RUNNING):
        scripted_run.mailbox.put(StateChanged(RunStatus(state, "paused by the user", epoch=20, epochs=100)))
    window.controller.tick()
    marks = window.live.learning.plot.marks.marks
    assert [(mark.kind, mark.epoch) for mark in marks] == [("fault", 11), ("pause", 19)]
    assert "for 0 s" in marks[1].text
