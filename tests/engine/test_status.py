"""The state machine of a run."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from labcontrol.engine.status import _ALLOWED, RunState, RunStatus, StateMachine

WAYS = {
    RunState.IDLE: [],
    RunState.PREPARING: [RunState.PREPARING],
    RunState.RUNNING: [RunState.PREPARING, RunState.RUNNING],
    RunState.PAUSED: [RunState.PREPARING, RunState.RUNNING, RunState.PAUSED],
    RunState.STOPPING: [RunState.PREPARING, RunState.RUNNING, RunState.STOPPING],
    RunState.FINISHED: [RunState.PREPARING, RunState.RUNNING, RunState.STOPPING, RunState.FINISHED],
    RunState.ABORTED: [RunState.ABORTED],
    RunState.FAILED: [RunState.FAILED],
}


def machine_in(state: RunState) -> StateMachine:
    machine = StateMachine(lambda _: None)
    for step in WAYS[state]:
        machine.move(step)
    return machine


@pytest.mark.parametrize("start", RunState)
@pytest.mark.parametrize("end", RunState)
def test_only_allowed_changes_happen_and_refused_ones_change_nothing(start: RunState, end: RunState) -> None:
    machine = machine_in(start)
    if end in _ALLOWED[start]:
        machine.move(end, "because")
        assert (machine.status.state, machine.status.reason) == (end, "because")
    else:
        with pytest.raises(RuntimeError, match=f"{start} cannot become {end}"):
            machine.move(end)
        assert machine.status.state is start


def test_every_state_but_the_final_ones_can_be_aborted_and_can_fail() -> None:
    for state, ways_out in _ALLOWED.items():
        assert ({RunState.ABORTED, RunState.FAILED} <= ways_out) is (not state.is_final)
        assert bool(ways_out) is (not state.is_final)


def test_the_result_is_only_reached_by_stopping() -> None:
    assert [state for state, ways_out in _ALLOWED.items() if RunState.FINISHED in ways_out] == [RunState.STOPPING]


def test_a_status_never_changes_after_it_was_given_out() -> None:
    machine = machine_in(RunState.RUNNING)
    before = machine.status
    machine.note(epoch=7, record=Path("run.h5"))
    assert before.epoch == 0
    assert machine.status.epoch == 7
    with pytest.raises(FrozenInstanceError):
        before.epoch = 1  # type: ignore[misc]


def test_the_time_left_follows_the_pace_and_never_is_negative() -> None:
    assert RunStatus(epoch=10, epochs=30, epoch_s=0.5).seconds_left == 10.0
    assert RunStatus(epoch=31, epochs=30, epoch_s=0.5).seconds_left == 0.0


def test_changes_from_many_threads_are_reported_one_after_the_other() -> None:
    reported: list[RunStatus] = []
    machine = StateMachine(reported.append)
    machine.move(RunState.PREPARING)
    machine.move(RunState.RUNNING)

    def toggle() -> None:
        for _ in range(200):
            for state in (RunState.PAUSED, RunState.RUNNING):
                with contextlib.suppress(RuntimeError):  # another thread was first
                    machine.move(state)

    threads = [threading.Thread(target=toggle) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for before, after in zip([RunStatus(), *reported], reported, strict=False):
        assert after.state in _ALLOWED[before.state]
