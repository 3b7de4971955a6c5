"""A run with a laser on a line of its own: attended, or unattended by choice, or in the dark."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

if sys.platform == "win32":
    pytest.skip("emulated serial lines need POSIX", allow_module_level=True)

from host_helpers import PATIENCE_S, until
from small_runs import bench_for, experiment

from labcontrol.config import BenchConfig, ExperimentConfig, LaserEntry
from labcontrol.engine import RunState
from labcontrol.errors import UserError
from labcontrol.host import HostClient
from labcontrol.host.jobs.run import RunJob, RunSettings
from labcontrol.host.protocol import Continue
from labcontrol.host.real_devices import held
from labcontrol.host.remote_run import RemoteRun
from labcontrol.host.server import Host
from labcontrol.records import RunReader
from mock_devices.wire.cobolt import CoboltInstrument
from mock_devices.wire.laser_electronics import LaserElectronics
from mock_devices.wire.ports import PtyPort

Serve = Callable[..., Host]
Attach = Callable[..., HostClient]


@pytest.fixture
def head() -> LaserElectronics:
    return LaserElectronics()


@pytest.fixture
def bench(head: LaserElectronics) -> Iterator[BenchConfig]:
    """A simulated table that an emulated laser lights."""
    with PtyPort(CoboltInstrument(head)) as port:
        options = {"command_spacing_s": 0.0, "warm_up_time_s": 0.0, "timeout_s": 0.5}
        laser = LaserEntry(driver="cobolt-06", address=port.address, power_w=0.02, options=options)
        yield bench_for(config(), laser={"warm_up_time_s": 0.0}).model_copy(update={"laser": laser})


def config() -> ExperimentConfig:
    return experiment(stop={"epochs": 100_000})


def job(bench: BenchConfig, folder: Path, **choices: Any) -> RunJob:
    return RunJob.make(RunSettings(experiment=config(), bench=bench, folder=str(folder), **choices))


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labcontrol.host.holder.UNATTENDED_S", 0.3)


def test_a_run_waits_in_the_dark_when_its_last_client_has_gone(
    serve: Serve, attach: Attach, bench: BenchConfig, head: LaserElectronics, tmp_path: Path
) -> None:
    host = serve(job(bench, tmp_path, armed_by="test"))
    host.attended_here = True  # until the client is there
    client = attach(host)
    host.attended_here = False
    run = RemoteRun.attach(client)
    until(lambda: run.status.epoch > 3, client)
    assert head.emitting
    assert not client.status.unattended
    client.close()

    until(lambda: host.status().paused)
    assert not head.emitting
    assert "operator has left" in host.status().reason
    until(lambda: host.status().clients == 0)

    client = attach(host)
    run = RemoteRun.attach(client)
    at = run.status.epoch
    assert client.request(Continue())
    until(lambda: run.status.epoch > at + 3, client)
    assert head.emitting
    run.abort()
    until(lambda: run.wait(0.05))
    assert not head.emitting


def test_who_only_asks_is_nobody_who_attends(serve: Serve, attach: Attach, bench: BenchConfig, tmp_path: Path) -> None:
    host = serve(job(bench, tmp_path, armed_by="test"))
    client = attach(host, events=False, attends=False)
    until(lambda: host.status().paused, client)


def test_a_terminal_that_shows_the_run_attends_to_it(serve: Serve, bench: BenchConfig, tmp_path: Path) -> None:
    host = serve(job(bench, tmp_path, armed_by="test"))
    host.attended_here = True
    until(lambda: host.status().epoch > 20)
    host.attended_here = False
    until(lambda: host.status().paused)


def test_a_run_armed_to_run_unattended_goes_on_and_its_record_says_so(
    serve: Serve, bench: BenchConfig, head: LaserElectronics, tmp_path: Path
) -> None:
    made = job(bench, tmp_path, armed_by="armed by --arm", unattended=True)
    host = serve(made)
    until(lambda: host.status().epoch > 20)
    assert host.status().unattended
    assert host.status().run_state == "running"
    made.run.abort()
    assert made.run.wait(PATIENCE_S)
    with RunReader(made.run.record) as record:
        laser = [line.text for line in record.log if line.level == "laser"]
    assert "armed: armed by --arm, to run unattended" in laser
    assert not head.emitting


def test_nobody_armed_it(serve: Serve, attach: Attach, bench: BenchConfig, tmp_path: Path) -> None:
    settings = RunSettings(experiment=config(), bench=bench, folder=str(tmp_path), unattended=True)
    run = RemoteRun.begin(attach(serve()), settings)
    until(lambda: run.wait(0.05))
    assert isinstance(run.error, UserError)
    assert "nobody has armed it" in run.error.message
    assert run.status.state is RunState.FAILED


def test_commands_that_open_a_bench_themselves_respect_who_holds_it(
    serve: Serve, bench: BenchConfig, tmp_path: Path
) -> None:
    with held(bench), pytest.raises(UserError, match="held by another host"):
        serve(job(bench, tmp_path, armed_by="test"))
    serve(job(bench, tmp_path, armed_by="test"))
    with pytest.raises(UserError, match="held by another host"), held(bench):
        pass
