"""A run from its beginning to each of its ends: states, light and record."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_runs import (
    EPOCHS,
    LaserWitness,
    assert_same_learning,
    at_epoch,
    at_state,
    experiment,
    small_run,
    states_of,
    watched_laser,
)

from drivers.interfaces import Detector, DeviceError
from labcontrol.engine import Doing, EpochDone, Finished, Predicted, Prepared, Run, RunState
from labcontrol.engine.control import RunAbortedError
from labcontrol.errors import UserError
from labcontrol.learning import CoordinateDescent
from labcontrol.records import RunReader
from labcontrol.records.lock import is_being_written

PATIENCE_S = 60.0


@pytest.fixture
def laser(monkeypatch: pytest.MonkeyPatch) -> Iterator[LaserWitness]:
    with watched_laser(monkeypatch) as witness:
        yield witness


def closed_as(run: Run, state: str) -> None:
    """The record is closed, nobody holds it, and it says how the run ended."""
    assert not is_being_written(run.record)
    with RunReader(run.record) as record:
        assert record.state.name == state
        assert record.state.reason == run.status.reason


# --- the good end -----------------------------------------------------------------------------------------------
def test_a_run_goes_through_its_states_tells_every_epoch_and_ends_dark(tmp_path: Path, laser: LaserWitness) -> None:
    run = small_run(tmp_path)
    mailbox = run.subscribe()
    status = run.execute()
    events = mailbox.drain()
    assert states_of(events) == ["preparing", "running", "stopping", "finished"]
    doing = [event.what for event in events if isinstance(event, Doing)]
    assert doing == [
        "measuring the table",
        "reference replay",
        *[f"pilot {number}/4" for number in range(1, 5)],
        "predicting",
    ]
    assert not status.doing
    kinds = [type(event) for event in events if isinstance(event, Prepared | Predicted | EpochDone | Finished)]
    assert kinds == [Prepared, Predicted, *[EpochDone] * EPOCHS, Finished]
    assert [event.epoch.index for event in events if isinstance(event, EpochDone)] == list(range(EPOCHS))
    assert (status.state, status.epoch, status.laser_on) == (RunState.FINISHED, EPOCHS, False)
    assert laser.dark
    closed_as(run, "finished")


def test_every_epoch_is_on_disk_before_a_listener_hears_of_it(tmp_path: Path) -> None:
    run = small_run(tmp_path)
    on_disk: list[int] = []

    def look() -> None:
        with RunReader(run.record) as record:
            on_disk.append(len(record.epochs))

    for epoch in (1, 17, EPOCHS):
        at_epoch(run, epoch, look)
    run.execute()
    assert on_disk == [1, 17, EPOCHS]


def test_stop_finishes_the_epoch_and_measures_the_result(tmp_path: Path, laser: LaserWitness) -> None:
    run = small_run(tmp_path)
    at_epoch(run, 10, run.stop)
    status = run.execute()
    assert (status.state, status.epoch, status.reason) == (RunState.STOPPED, 10, f"stopped at 10 of {EPOCHS}")
    assert str(status).startswith(f"stopped at 10 of {EPOCHS}, error 0.")
    assert run.result["epochs"] == 10
    assert laser.dark
    closed_as(run, "stopped")


def test_the_result_is_the_one_of_the_final_mask(tmp_path: Path) -> None:
    run = small_run(tmp_path)
    run.execute()
    with RunReader(run.record) as record:
        assert record.result == run.result
        assert record.final_mask is not None
        assert run.result["train"]["nmse"] == pytest.approx(run.result["incumbent_error"], rel=0.5)


# --- pause ------------------------------------------------------------------------------------------------------
def test_a_paused_run_waits_with_its_light_on_and_then_goes_on_as_if_nothing_had_been(tmp_path: Path) -> None:
    undisturbed = small_run(tmp_path)
    undisturbed.execute()

    run = small_run(tmp_path)
    paused = threading.Event()
    at_state(run, RunState.PAUSED, paused.set)
    at_epoch(run, 5, run.pause)
    run.start()
    assert paused.wait(PATIENCE_S)
    status = run.status
    assert (status.state, status.epoch, status.laser_on) == (RunState.PAUSED, 5, True)
    assert status.reason == "paused by the user, with the light on"
    assert not run.wait(0.05)
    assert run.status == status
    run.resume()
    assert run.wait(PATIENCE_S)
    assert run.status.state is RunState.FINISHED
    assert_same_learning(run.record, undisturbed.record)


@pytest.mark.parametrize(("wish", "state"), [("stop", RunState.STOPPED), ("abort", RunState.ABORTED)])
def test_a_paused_run_can_be_ended(tmp_path: Path, laser: LaserWitness, wish: str, state: RunState) -> None:
    run = small_run(tmp_path)
    paused = threading.Event()
    at_state(run, RunState.PAUSED, paused.set)
    at_epoch(run, 5, run.pause)
    run.start()
    assert paused.wait(PATIENCE_S)
    getattr(run, wish)()
    assert run.wait(PATIENCE_S)
    assert run.status.state is state
    assert laser.dark
    closed_as(run, str(state))


def test_a_pause_asked_for_and_taken_back_before_the_next_step_does_nothing(tmp_path: Path) -> None:
    run = small_run(tmp_path)
    mailbox = run.subscribe()

    def change_of_mind() -> None:
        run.pause()
        run.resume()

    at_epoch(run, 5, change_of_mind)
    run.execute()
    assert states_of(mailbox.drain()) == ["preparing", "running", "stopping", "finished"]


# --- abort ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("state", [RunState.PREPARING, RunState.RUNNING, RunState.STOPPING])
def test_abort_leaves_every_state_dark_with_the_record_closed(
    tmp_path: Path, laser: LaserWitness, state: RunState
) -> None:
    run = small_run(tmp_path)
    at_state(run, state, run.abort)
    status = run.execute()
    assert (status.state, status.laser_on) == (RunState.ABORTED, False)
    assert status.epoch == (EPOCHS if state is RunState.STOPPING else 0)
    assert laser.was_on is (state is not RunState.PREPARING)
    assert all(laser.dark_at_the_end)
    closed_as(run, "aborted")


def test_abort_in_the_middle_of_an_epoch_keeps_the_epochs_before(tmp_path: Path, laser: LaserWitness) -> None:
    run = small_run(tmp_path)
    at_epoch(run, 12, run.abort)
    run.execute()
    with RunReader(run.record) as record:
        assert len(record.epochs) == 12
    assert laser.dark


# --- failure ----------------------------------------------------------------------------------------------------
def test_an_error_of_the_program_ends_dark_with_the_reason_on_record(
    tmp_path: Path, laser: LaserWitness, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    ask = CoordinateDescent.ask

    def broken(strategy: CoordinateDescent) -> object:
        asked.append(1)
        if len(asked) == 8:
            raise ZeroDivisionError("on purpose")
        return ask(strategy)

    monkeypatch.setattr(CoordinateDescent, "ask", broken)
    run = small_run(tmp_path)
    mailbox = run.subscribe()
    with pytest.raises(ZeroDivisionError):
        run.execute()
    assert (run.status.state, run.status.reason, run.status.laser_on) == (RunState.FAILED, "on purpose", False)
    assert any(isinstance(event, Finished) for event in mailbox.drain())
    assert laser.dark
    closed_as(run, "failed")
    with RunReader(run.record) as record:
        assert len(record.epochs) == 7


def test_a_run_in_a_thread_keeps_its_error(tmp_path: Path, laser: LaserWitness) -> None:
    run = small_run(tmp_path, camera={"exposure_s": 0.002, "electrons_per_joule": 1e12})
    run.start()
    assert run.wait(PATIENCE_S)
    assert isinstance(run.error, UserError)
    assert "saturated" in run.status.reason
    assert run.status.state is RunState.FAILED
    assert laser.dark
    closed_as(run, "failed")


def test_devices_that_cannot_be_opened_leave_no_record_and_no_light(
    tmp_path: Path, laser: LaserWitness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(detector: Detector) -> None:
        raise OSError("no such port")

    monkeypatch.setattr("mock_devices.detector.SimulatedDetector._open", broken)
    run = small_run(tmp_path / "runs")
    with pytest.raises(DeviceError, match=r"detector: could not be opened.*no such port"):
        run.execute()
    assert run.status.state is RunState.FAILED
    assert not laser.was_on
    assert all(laser.dark_at_the_end)
    assert not (tmp_path / "runs").exists()


def test_keyboard_interrupt_ends_dark_with_the_record_closed(tmp_path: Path, laser: LaserWitness) -> None:
    run = small_run(tmp_path)

    def interrupt() -> None:
        raise KeyboardInterrupt

    at_epoch(run, 3, interrupt)
    with pytest.raises(KeyboardInterrupt):
        run.execute()
    assert run.status.state is RunState.FAILED
    assert laser.dark
    closed_as(run, "failed")


def test_what_can_be_checked_is_checked_before_a_device_is_opened(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="greedy"):
        small_run(tmp_path, experiment(learning={"selection": "gredy"}))
    assert not list(tmp_path.iterdir())


def test_the_reason_for_an_abort_is_not_an_error_of_the_program() -> None:
    assert not issubclass(RunAbortedError, UserError)
