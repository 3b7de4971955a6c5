"""Runs with a laser on a line of its own: armed explicitly, guarded, and dark whatever happens to the run."""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("emulated serial lines need POSIX", allow_module_level=True)

from small_runs import EPOCHS, assert_same_learning, at_epoch, at_state, bench_for, experiment, small_run, states_of

from drivers.interfaces import DeviceTimeoutError
from labcontrol.bench import Bench
from labcontrol.config import BenchConfig, ExperimentConfig, LaserEntry
from labcontrol.engine import FaultSeen, Run, RunState
from labcontrol.errors import UserError
from labcontrol.guardian.messages import Limits
from labcontrol.records import RunReader
from mock_devices.wire.cobolt import CoboltInstrument
from mock_devices.wire.laser_electronics import LaserElectronics
from mock_devices.wire.ports import PtyPort

PATIENCE_S = 60.0


@dataclass
class LaserOnLine:
    """A laser that lights a simulated table from outside."""

    head: LaserElectronics
    port: PtyPort

    def bench(self, config: ExperimentConfig) -> BenchConfig:
        entry = LaserEntry(
            driver="cobolt-06",
            address=self.port.address,
            power_w=0.02,
            options={"command_spacing_s": 0.0, "warm_up_time_s": 0.0, "timeout_s": 0.5},
        )
        return bench_for(config, laser={"warm_up_time_s": 0.0}).model_copy(update={"laser": entry})

    def run(self, folder: Path, *, armed: bool = True) -> Run:
        config = experiment()
        return Run(config, self.bench(config), folder, armed_by="test" if armed else "")


@pytest.fixture(autouse=True)
def _patient_guardian(monkeypatch: pytest.MonkeyPatch) -> None:
    """How soon a guardian loses patience is tested elsewhere; here a busy computer is not taken for a dead one."""
    patient = functools.partial(Limits, silence_s=5.0)
    monkeypatch.setattr("labcontrol.bench.bench.Limits", patient)


@pytest.fixture
def laser() -> Iterator[LaserOnLine]:
    head = LaserElectronics()
    with PtyPort(CoboltInstrument(head)) as port:
        yield LaserOnLine(head, port)


def light_on_record(run: Run) -> list[str]:
    with RunReader(run.record) as record:
        return [line.text for line in record.log if line.level == "laser"]


def test_a_real_laser_is_not_started_unless_somebody_armed_it(tmp_path: Path, laser: LaserOnLine) -> None:
    run = laser.run(tmp_path, armed=False)
    with pytest.raises(UserError, match="nobody has armed it"):
        run.execute()
    assert laser.port.received == []
    assert not list(tmp_path.iterdir())


def test_a_run_behind_the_guardian_learns_the_same_and_every_change_of_the_light_is_on_record(
    tmp_path: Path, laser: LaserOnLine
) -> None:
    run = laser.run(tmp_path)
    run.execute()
    assert [on for _, on in laser.head.emission_log] == [True, False]
    assert light_on_record(run) == [
        "dark: opened",
        "armed: test",
        "emission: 20 mW set",
        "armed: the run is over",
    ]
    assert run.status.laser_on is False
    inside = small_run(tmp_path / "inside", laser={"warm_up_time_s": 0.0})
    inside.execute()
    assert_same_learning(run.record, inside.record)


def test_an_interlock_pauses_the_run_until_a_person_says_go_on(tmp_path: Path, laser: LaserOnLine) -> None:
    run = laser.run(tmp_path)
    mailbox = run.subscribe()
    paused = threading.Event()
    at_state(run, RunState.PAUSED, paused.set)
    at_epoch(run, 5, laser.head.open_interlock)
    run.start()
    assert paused.wait(PATIENCE_S)
    assert not laser.head.emitting
    assert "interlock is open" in run.status.reason
    laser.head.close_interlock()
    laser.head.clear_faults()
    run.resume()
    assert run.wait(PATIENCE_S)
    assert run.status.state is RunState.FINISHED, run.error
    events = mailbox.drain()
    assert states_of(events).count("paused") == 1
    assert [event.fault.device for event in events if isinstance(event, FaultSeen)] == ["laser"]
    with RunReader(run.record) as record:
        assert len(record.epochs) == EPOCHS


@pytest.mark.parametrize("paused_by_hand", [False, True])
def test_a_run_that_nobody_attends_waits_in_the_dark(tmp_path: Path, laser: LaserOnLine, paused_by_hand: bool) -> None:
    run = laser.run(tmp_path)
    mailbox = run.subscribe()
    paused, dark = threading.Event(), threading.Event()
    at_state(run, RunState.PAUSED, paused.set)
    laser.head.emission_log.clear()
    at_epoch(run, 5, run.pause if paused_by_hand else lambda: run.pause_dark("has left"))
    run.start()
    assert paused.wait(PATIENCE_S)
    if paused_by_hand:
        assert laser.head.emitting
        at_state(run, RunState.PAUSED, dark.set)
        run.pause_dark("has left")
        assert dark.wait(PATIENCE_S)
    assert not laser.head.emitting
    assert "operator has left" in run.status.reason
    run.resume()
    assert run.wait(PATIENCE_S)
    assert run.status.state is RunState.FINISHED, run.error
    assert [on for _, on in laser.head.emission_log] == [True, False] * 2
    faults = [event.fault for event in mailbox.drain() if isinstance(event, FaultSeen)]
    assert [(fault.device, fault.kind) for fault in faults] == [("operator", "unattended")]
    with RunReader(run.record) as record:
        assert len(record.epochs) == EPOCHS


def test_a_guardian_that_is_killed_is_replaced_and_the_run_goes_on_when_a_person_says_so(
    tmp_path: Path, laser: LaserOnLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    benches: list[Bench] = []

    class SeenBench(Bench):
        def open(self) -> SeenBench:
            benches.append(self)
            super().open()
            return self

    monkeypatch.setattr("labcontrol.engine.run.Bench", SeenBench)
    run = laser.run(tmp_path)
    at_epoch(run, 5, lambda: benches[-1].laser._process.kill())  # type: ignore[attr-defined]
    paused = threading.Event()
    at_state(run, RunState.PAUSED, paused.set)
    run.start()
    assert paused.wait(PATIENCE_S)
    assert "waiting for a person" in run.status.reason
    assert not laser.head.emitting
    run.resume()
    assert run.wait(PATIENCE_S)
    assert run.status.state is RunState.FINISHED
    assert [on for _, on in laser.head.emission_log] == [True, False] * 2
    assert any("guardian process has ended" in line for line in light_on_record(run))


def test_a_continued_run_asks_a_laser_of_its_own_for_light_again(tmp_path: Path, laser: LaserOnLine) -> None:
    run, whole = laser.run(tmp_path), laser.run(tmp_path / "whole")
    whole.execute()
    at_epoch(run, 15, run.abort)
    run.execute()
    assert not laser.head.emitting
    Run.continued(run.record, armed_by="test").execute()
    assert [on for _, on in laser.head.emission_log] == [True, False] * 3
    assert_same_learning(run.record, whole.record)


def test_of_a_laser_that_cannot_be_asked_nobody_says_that_it_is_off(tmp_path: Path, laser: LaserOnLine) -> None:
    run = laser.run(tmp_path)
    at_epoch(run, 3, run.abort)
    run.execute()
    laser.head.switch_on()  # somebody did it, or it was never off
    laser.port.line_faults.plan("silent", times=10**6)
    again = Run.continued(run.record, armed_by="test")
    with pytest.raises(DeviceTimeoutError, match="nobody knows whether it emits"):
        again.execute()
    assert not laser.head.emitting  # "off" is sent all the same
