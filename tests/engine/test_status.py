"""The state machine of a run."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from labcontrol.engine.status import RunState, RunStatus, StateMachine

# From each state, the states it may change to: written out here, so that a slip in the program's own table is found.
ALLOWED = {
    "idle": "preparing aborted failed",
    "preparing": "running paused stopping aborted failed",
    "running": "paused stopping aborted failed",
    "paused": "preparing running paused stopping aborted failed",
    "stopping": "paused finished stopped aborted failed",
    "finished": "",
    "stopped": "",
    "aborted": "",
    "failed": "",
}
FINAL = ("finished", "stopped", "aborted", "failed")

WAYS = {
    RunState.IDLE: [],
    RunState.PREPARING: [RunState.PREPARING],
    RunState.RUNNING: [RunState.PREPARING, RunState.RUNNING],
    RunState.PAUSED: [RunState.PREPARING, RunState.RUNNING, RunState.PAUSED],
    RunState.STOPPING: [RunState.PREPARING, RunState.RUNNING, RunState.STOPPING],
    RunState.FINISHED: [RunState.PREPARING, RunState.RUNNING, RunState.STOPPING, RunState.FINISHED],
    RunState.STOPPED: [RunState.PREPARING, RunState.RUNNING, RunState.STOPPING, RunState.STOPPED],
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
    if end.value in ALLOWED[start.value].split():
        machine.move(end, "because")
        assert (machine.status.state, machine.status.reason) == (end, "because")
    else:
        with pytest.raises(RuntimeError, match=f"{start} cannot become {end}"):
            machine.move(end)
        assert machine.status.state is start


@pytest.mark.parametrize("state", RunState)
def test_a_run_has_ended_in_four_of_its_states(state: RunState) -> None:
    assert state.is_final == (state.value in FINAL)


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
        assert after.state.value in ALLOWED[before.state.value].split()
