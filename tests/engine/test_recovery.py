"""Faults in the middle of a run: what is paused, what is said, and that no epoch is lost, doubled or wrong."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_runs import EPOCHS, at_epoch, at_state, experiment, small_run, states_of

from drivers.interfaces import DeviceError
from labcontrol.bench import Bench
from labcontrol.engine import EpochDone, FaultSeen, Run, RunState, StateChanged
from labcontrol.records import RunReader
from labcontrol.records.room import DiskRoom

PATIENCE_S = 60.0


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The tables of all benches opened by runs, newest last."""
    found: list[Any] = []

    class SeenBench(Bench):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            found.append(self.table)

    monkeypatch.setattr("labcontrol.engine.run.Bench", SeenBench)
    return found


def all_epochs_once(run: Run) -> None:
    with RunReader(run.record) as record:
        assert record.state.name == "finished"
        assert len(record.epochs) == EPOCHS
        assert (np.diff(record.epochs.replay) == 1).all()


def waits_for_a_person(run: Run) -> Callable[[], None]:
    """Start a run; returns what waits until it waits for a person."""
    waiting = threading.Event()
    emit = run._emit

    def watch(event: object) -> None:
        emit(event)  # type: ignore[arg-type]
        if isinstance(event, StateChanged) and "waiting for a person" in event.status.reason:
            waiting.set()

    run._emit = watch  # type: ignore[method-assign]
    run.start()

    def wait() -> None:
        assert waiting.wait(PATIENCE_S), run.status
        waiting.clear()

    return wait


@pytest.mark.parametrize(("device", "timeouts"), [("slm", 4), ("camera", 4), ("dmd", 4), ("detector", 4), ("laser", 1)])
def test_a_device_that_stops_answering_is_connected_again_and_its_epoch_measured_again(
    tmp_path: Path, tables: list[Any], device: str, timeouts: int
) -> None:
    run = small_run(tmp_path)
    mailbox = run.subscribe()
    at_epoch(run, 5, lambda: getattr(tables[-1], device).faults.add("timeout", timeouts))
    run.execute()
    events = mailbox.drain()
    assert states_of(events) == ["preparing", "running", "paused", "running", "stopping", "finished"]
    assert [event.epoch.index for event in events if isinstance(event, EpochDone)] == list(range(EPOCHS))
    faults = [event.fault for event in events if isinstance(event, FaultSeen)]
    assert {(fault.device, fault.epoch) for fault in faults} == {(device, 5)}
    assert "laser is off" in faults[-1].action
    all_epochs_once(run)
    with RunReader(run.record) as record:
        assert [(fault.device, fault.text) for fault in record.faults] == [(f.device, f.text) for f in faults]


def test_a_paused_run_says_what_is_wrong_and_what_it_does(tmp_path: Path, tables: list[Any]) -> None:
    run = small_run(tmp_path)
    reasons: list[str] = []
    at_state(run, RunState.PAUSED, lambda: reasons.append(run.status.reason))
    at_epoch(run, 5, lambda: tables[-1].slm.faults.add("timeout", 4))
    run.execute()
    (reason,) = reasons
    assert reason.startswith("The slm did not answer in time.")
    assert "The laser is off; connecting again in 1 s (1 of 6)" in reason


def test_a_device_that_stays_away_makes_the_run_wait_for_a_person(tmp_path: Path, tables: list[Any]) -> None:
    run = small_run(tmp_path, experiment(faults={"reconnects": 2}))
    mailbox = run.subscribe()

    def unplug() -> None:
        tables[-1].camera.faults.disconnected = True

    at_epoch(run, 5, unplug)
    wait = waits_for_a_person(run)
    wait()
    assert run.status.state is RunState.PAUSED
    assert not run.status.laser_on
    assert not tables[-1].laser.emission
    run.resume()  # too early: it is not plugged in yet
    wait()
    tables[-1].camera.faults.clear()
    run.resume()
    assert run.wait(PATIENCE_S)
    assert run.error is None
    waits = [event.fault.action for event in mailbox.drain() if isinstance(event, FaultSeen)]
    assert ["person" in action for action in waits] == [False, False, True] * 2
    all_epochs_once(run)


def test_light_that_stopped_is_started_again_only_by_a_person(tmp_path: Path, tables: list[Any]) -> None:
    run = small_run(tmp_path)
    emission_at_pause: list[bool] = []

    def open_interlock() -> None:
        tables[-1].laser.interlock_open = True

    at_epoch(run, 5, open_interlock)
    at_state(run, RunState.PAUSED, lambda: emission_at_pause.append(tables[-1].laser.emission))
    wait = waits_for_a_person(run)
    wait()
    assert "interlock is open" in run.status.reason
    assert emission_at_pause == [False]
    tables[-1].laser.interlock_open = False
    run.resume()
    assert run.wait(PATIENCE_S)
    all_epochs_once(run)


@pytest.mark.parametrize("droop", [0.3, -0.3])
def test_power_that_is_not_the_one_set_pauses_the_run(tmp_path: Path, tables: list[Any], droop: float) -> None:
    run = small_run(tmp_path)

    def set_droop() -> None:
        tables[-1].laser.droop = droop

    at_epoch(run, 5, set_droop)
    waits_for_a_person(run)()
    assert f"gives {20 * (1 - droop):.4g} mW instead of 20 mW" in run.status.reason
    tables[-1].laser.droop = 0.0
    run.resume()
    assert run.wait(PATIENCE_S)
    all_epochs_once(run)


def test_when_nobody_comes_the_run_ends_as_failed_and_can_be_continued(tmp_path: Path, tables: list[Any]) -> None:
    run = small_run(tmp_path, experiment(faults={"reconnects": 1, "give_up_after_s": 0.05}))

    def unplug() -> None:
        tables[-1].dmd.faults.disconnected = True

    at_epoch(run, 5, unplug)
    with pytest.raises(DeviceError, match="dead"):
        run.execute()
    with RunReader(run.record) as record:
        assert (record.state.name, len(record.epochs)) == ("failed", 5)
    assert not tables[-1].laser.emission
    Run.continued(run.record).execute()
    with RunReader(run.record) as record:
        assert (record.state.name, len(record.epochs)) == ("finished", EPOCHS)


@pytest.mark.parametrize("wish", ["abort", "stop"])
def test_a_run_that_waits_for_a_person_can_be_ended(tmp_path: Path, tables: list[Any], wish: str) -> None:
    run = small_run(tmp_path, experiment(faults={"reconnects": 0}))

    def unplug() -> None:
        tables[-1].detector.faults.disconnected = True

    at_epoch(run, 5, unplug)
    waits_for_a_person(run)()
    getattr(run, wish)()
    assert run.wait(PATIENCE_S)
    assert run.status.state is RunState.ABORTED
    with RunReader(run.record) as record:
        assert (record.state.name, len(record.epochs)) == ("aborted", 5)


def test_another_device_in_its_place_is_not_accepted(
    tmp_path: Path, tables: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = small_run(tmp_path)

    def exchange() -> None:
        monkeypatch.setattr("mock_devices.camera.SimulatedCamera.model", "another camera")
        tables[-1].camera.faults.add("timeout", 4)

    at_epoch(run, 5, exchange)
    waits_for_a_person(run)()
    assert "is another device now: another camera" in run.status.reason
    run.abort()
    run.wait(PATIENCE_S)


def test_a_full_disk_pauses_the_run_and_room_lets_it_go_on(tmp_path: Path) -> None:
    undisturbed = small_run(tmp_path / "undisturbed")
    undisturbed.execute()
    looks = [0]

    def free_bytes(folder: Path) -> int:
        looks[0] += 1
        return 0 if 30 <= looks[0] < 36 else 1 << 40

    run = small_run(tmp_path, experiment(faults={"disk_check_s": 0.01}))
    run.disk_room = DiskRoom(free_bytes=free_bytes)
    mailbox = run.subscribe()
    reasons: list[str] = []
    at_state(run, RunState.PAUSED, lambda: reasons.append(run.status.reason))
    run.execute()
    events = mailbox.drain()
    assert states_of(events).count("paused") == 1
    assert "is full" in reasons[0]
    assert [event.fault.device for event in events if isinstance(event, FaultSeen)] == ["disk"]
    all_epochs_once(run)
    with RunReader(run.record) as ours, RunReader(undisturbed.record) as theirs:
        np.testing.assert_array_equal(ours.epochs.outputs(), theirs.epochs.outputs())


def test_a_laser_out_of_reach_is_never_said_to_be_off(tmp_path: Path, tables: list[Any]) -> None:
    run = small_run(tmp_path, experiment(faults={"reconnects": 2}))
    emit, paused = run._emit, []

    def watch(event: object) -> None:
        emit(event)  # type: ignore[arg-type]
        if isinstance(event, StateChanged) and event.status.state is RunState.PAUSED:
            paused.append((tables[-1].laser.emission, "did NOT confirm" in event.status.reason))
            if "waiting for a person" in event.status.reason:
                run.resume()

    run._emit = watch  # type: ignore[method-assign]

    def unplug() -> None:
        tables[-1].inject("laser", "disconnect")

    at_epoch(run, 5, unplug)
    run.execute()
    assert paused == [(True, True)] * 3
    all_epochs_once(run)


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be taken away there")
@pytest.mark.parametrize("what", ["deleted", "moved", "replaced", "folder moved"])
def test_a_record_that_is_taken_away_pauses_the_run_until_it_is_back(tmp_path: Path, what: str) -> None:
    undisturbed = small_run(tmp_path / "undisturbed")
    undisturbed.execute()
    folder = tmp_path / "runs"
    run = small_run(folder, experiment(faults={"disk_check_s": 0.01}))

    def take_away() -> None:
        if what == "folder moved":
            folder.rename(tmp_path / "elsewhere")
        elif what == "deleted":
            run.record.unlink()
        else:
            run.record.rename(folder / "kept.h5")
        if what == "replaced":
            run.record.write_text("something else")

    reasons: list[str] = []

    def bring_back() -> None:
        reasons.append(run.status.reason)
        if what == "folder moved":
            (tmp_path / "elsewhere").rename(folder)
        elif what == "replaced":
            (folder / "kept.h5").replace(run.record)
        else:  # the run writes it again
            run.resume()

    at_epoch(run, 20, take_away)
    at_state(run, RunState.PAUSED, bring_back)
    run.execute()
    assert "is not there any more" in reasons[0]
    all_epochs_once(run)
    with RunReader(run.record) as ours, RunReader(undisturbed.record) as theirs:
        assert list(ours.changes()) == []
        assert ours.state.name == "finished"
        np.testing.assert_array_equal(ours.epochs.outputs(), theirs.epochs.outputs())
