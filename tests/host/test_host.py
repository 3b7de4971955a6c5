"""A host and its clients in one process: who gets what, who may what, and what garbage does not do."""

from __future__ import annotations

import contextlib
import functools
import os
import struct
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from host_helpers import PATIENCE_S, until
from small_runs import assert_same_learning, bench_for, experiment

from labcontrol.bench import simulated_bench
from labcontrol.config import BenchConfig
from labcontrol.engine import EpochDone, Finished, Predicted, Prepared, Run, RunState, Seen, StateChanged
from labcontrol.errors import UserError
from labcontrol.host import HostClient, HostState, hosts
from labcontrol.host import client as clients
from labcontrol.host.directory import HeldError, HostFile, HostPlace, hosts_folder
from labcontrol.host.errors import LostHostError, VersionError
from labcontrol.host.framing import pack, unpack
from labcontrol.host.jobs.manual import Connect, LightOn, ManualJob, Report
from labcontrol.host.jobs.run import RunJob, RunSettings
from labcontrol.host.outbox import Outbox
from labcontrol.host.protocol import PROTOCOL_VERSION, Abort, Begin, Continue, End, GetStatus, Pause, SafeOff, Stop
from labcontrol.host.remote_run import RemoteRun
from labcontrol.host.server import Host
from labcontrol.host.transport import connect
from labcontrol.records import RunReader

Serve = Callable[..., Host]
Attach = Callable[..., HostClient]
MakeJob = Callable[..., RunJob]
Garbage = Callable[[Connection], None]


def over(run: RemoteRun) -> None:
    until(lambda: run.wait(0.05))


def indices(events: list[Any]) -> list[int]:
    return [event.epoch.index for event in events if isinstance(event, EpochDone)]


# --- a run ----------------------------------------------------------------------------------------------------------
def test_a_hosted_run_emits_what_the_run_itself_does(serve: Serve, attach: Attach, tmp_path: Path) -> None:
    config = experiment()
    here = Run(config, bench_for(config), tmp_path / "here")
    mailbox = here.subscribe()
    here.execute()
    client = attach(serve())
    settings = RunSettings(experiment=config, bench=bench_for(config), folder=str(tmp_path / "there"))
    run = RemoteRun.begin(client, settings)
    events = run.subscribe()
    over(run)
    ours, theirs = mailbox.drain(), events.drain()
    kinds = [type(event) for event in ours if not isinstance(event, Seen)]
    assert [type(event) for event in theirs if not isinstance(event, Seen)] == kinds
    assert {Prepared, Predicted, EpochDone, StateChanged, Finished} <= set(kinds)
    assert run.error is None
    assert run.result == here.result
    assert run.status.state is RunState.FINISHED
    assert_same_learning(run.record, here.record)
    until(lambda: client.status.state is HostState.FREE, client)


def test_who_attaches_late_sees_every_epoch_once(serve: Serve, attach: Attach, run_job: MakeJob) -> None:
    host = serve(run_job(epochs=120))
    until(lambda: host.status().epoch > 20)
    run = RemoteRun.attach(attach(host))
    events = run.subscribe()
    over(run)
    found = events.drain()
    assert indices(found) == list(range(120))
    assert {Prepared, Predicted, Finished} <= {type(event) for event in found}
    assert run.experiment.epochs == 120


def test_who_was_too_slow_gets_the_rest_from_the_record(
    serve: Serve, attach: Attach, run_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labcontrol.host.server.Outbox", functools.partial(Outbox, most_bytes=5_000))
    monkeypatch.setattr("labcontrol.host.client._MOST_WAITING", 10)
    # A line that holds little, so that who does not read is noticed soon.
    host = serve(run_job(epochs=400))
    client = attach(host)
    gaps: list[object] = []
    client.hear(lambda event: gaps.append(event) if type(event).__name__ == "Gap" else None)
    run = RemoteRun.attach(client)
    events = run.subscribe()
    until(lambda: host.status().epoch > 300)  # and nobody polls
    until(lambda: gaps, client)
    assert run.status.epoch > 0  # what came from the record counts, too
    over(run)
    assert indices(events.drain()) == list(range(400))
    assert gaps


def test_of_a_welcome_the_run_itself_is_never_dropped(
    serve: Serve, attach: Attach, run_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the rest of a welcome and the events after it fill, before the client reads."""
    monkeypatch.setattr("labcontrol.host.server.Outbox", functools.partial(Outbox, most_bytes=1))
    host = serve(run_job(epochs=400))
    watcher = attach(host)
    until(lambda: host.status().epoch > 20, watcher)
    for _ in range(10):
        assert RemoteRun.attach(attach(host)).experiment.epochs == 400
    host.stop()


def test_a_client_that_never_reads_delays_nothing(serve: Serve, attach: Attach, run_job: MakeJob) -> None:
    host = serve(run_job(epochs=60))
    line = raw_line()
    send(line, "attach", version=PROTOCOL_VERSION)
    run = RemoteRun.attach(attach(host))
    over(run)
    assert run.status.epoch == 60
    began_s = time.monotonic()
    host.stop()
    assert time.monotonic() - began_s < 10
    line.close()


def test_pause_and_continue_say_whether_they_change_anything(serve: Serve, attach: Attach, run_job: MakeJob) -> None:
    host = serve(run_job(epochs=20_000))
    client, other = attach(host), attach(host)
    run = RemoteRun.attach(client)
    until(lambda: run.status.epoch > 3, client)
    assert client.request(Pause())
    until(lambda: run.status.state is RunState.PAUSED, client)
    assert not other.request(Pause())
    assert run.status.laser_on
    assert other.request(Pause(dark=True))
    until(lambda: run.status.state is RunState.PAUSED and not run.status.laser_on, client)
    assert "operator wants the laser off" in run.status.reason
    assert not other.request(Pause(dark=True))
    assert other.request(Continue())
    until(lambda: run.status.state is RunState.RUNNING, client)
    assert not client.request(Continue())
    assert other.request(Stop())
    over(run)
    assert 0 < run.status.epoch < 20_000


def test_what_a_run_fails_of_keeps_its_remedy(serve: Serve, attach: Attach, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("a file where a folder should be")
    config = experiment()
    run = RemoteRun.begin(attach(serve()), RunSettings(experiment=config, bench=bench_for(config), folder=str(taken)))
    over(run)
    assert isinstance(run.error, UserError)
    assert run.error.remedy
    assert run.status.state is RunState.FAILED


def test_what_is_wrong_before_a_run_is_said_at_once_and_leaves_the_host_free(serve: Serve, attach: Attach) -> None:
    config = experiment(task={"name": "lorenz"})
    client = attach(serve())
    with pytest.raises(UserError, match="no task 'lorenz'"):
        RemoteRun.begin(client, RunSettings(experiment=config, bench=simulated_bench(16, 1)))
    assert client.request(GetStatus()).state is HostState.FREE


def test_a_host_has_one_job_at_a_time(serve: Serve, attach: Attach, run_job: MakeJob) -> None:
    client = attach(serve(run_job(epochs=20_000)))
    with pytest.raises(UserError, match="held for run already"):
        client.request(begin_manual(simulated_bench(16, 1)))
    clients.abort(client.host)


def test_a_host_that_ends_is_said_to_be_lost(serve: Serve, attach: Attach, run_job: MakeJob) -> None:
    host = serve(run_job(epochs=20_000))
    client = attach(host)
    run = RemoteRun.attach(client)
    client._line.close() if sys.platform == "win32" else clients.hang_up(client._line)
    until(lambda: client.lost, client)
    assert isinstance(run.error, LostHostError)
    assert run.status.state is RunState.FAILED
    with pytest.raises(LostHostError):
        client.request(GetStatus())


def test_a_host_that_holds_nothing_ends_by_itself(
    serve: Serve, attach: Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labcontrol.host.server._FREE_S", 0.1)
    host = serve(ends_when_free=True)
    client = attach(host)
    assert not host.wait(0.5)
    client.close()
    assert host.wait(PATIENCE_S)


# --- who may come in ------------------------------------------------------------------------------------------------
def raw_line() -> Connection:
    file = hosts()[0]
    return connect(file.address, bytes.fromhex(file.key))


def send(line: Connection, name: str, **fields: Any) -> None:
    line.send_bytes(pack({"n": 1, "do": name, "with": fields}))


def answer(line: Connection) -> dict[str, Any]:
    while True:
        assert line.poll(PATIENCE_S)
        header, _ = unpack(line.recv_bytes())
        if "n" in header:
            return header


@pytest.mark.parametrize(
    "garbage",
    [
        lambda line: line.send_bytes(b"garbage"),
        lambda line: line.send_bytes(pack({"n": [1], "do": {"a": 1}, "with": 3})),
        lambda line: line.send_bytes(pack({})),
        lambda line: line.send_bytes(struct.pack("<I", 10**9)),
        lambda line: os.write(line.fileno(), struct.pack("!i", 2**31 - 1)),
        lambda line: os.write(line.fileno(), struct.pack("!i", 1000) + b"half"),
        lambda line: send(line, "attach", version=PROTOCOL_VERSION, pid="x"),
        lambda line: send(line, "begin", job="run", settings={}),
        lambda line: send(line, "pause"),
        lambda _: None,
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="writes to descriptors")
def test_garbage_does_nothing(
    serve: Serve,
    attach: Attach,
    run_job: MakeJob,
    garbage: Callable[[Connection], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("labcontrol.host.server._HANDSHAKE_S", 0.3)
    host = serve(run_job(epochs=20_000))
    line = raw_line()
    garbage(line)
    client = attach(host)  # while the other one is there still
    run = RemoteRun.attach(client)
    assert line.poll(PATIENCE_S)  # it is answered with an error, or sent away
    with contextlib.suppress(EOFError, OSError):
        while line.poll(PATIENCE_S):
            header, _ = unpack(line.recv_bytes())
            assert "error" in header
        pytest.fail("it may stay")
    line.close()
    until(lambda: run.status.epoch > 3, client)
    assert run.status.state is RunState.RUNNING
    clients.abort(client.host)
    over(run)


def test_who_asks_and_never_reads_is_sent_away(
    serve: Serve, attach: Attach, run_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labcontrol.host.outbox._MOST_ANSWERS", 10)
    host = serve(run_job(epochs=20_000))
    line = raw_line()
    send(line, "attach", version=PROTOCOL_VERSION, events=False)
    with contextlib.suppress(OSError):
        for _ in range(1_000_000):  # until the line is full, then cut
            send(line, "status")
        pytest.fail("it may stay")
    line.close()
    client = attach(host)
    assert client.request(GetStatus()).state is HostState.RUN
    clients.abort(client.host)


def test_too_many_clients_are_sent_away_and_the_others_served(serve: Serve, attach: Attach, run_job: MakeJob) -> None:
    host = serve(run_job(epochs=20_000))
    client = attach(host)
    lines = [raw_line() for _ in range(70)]
    assert client.request(GetStatus()).state is HostState.RUN
    for line in lines:
        line.close()
    clients.abort(client.host)


@pytest.mark.parametrize(("request_", "words"), [(SafeOff(), "safe off by the test"), (Abort(), "aborted by the test")])
def test_a_record_says_who_made_it_dark(
    serve: Serve, attach: Attach, run_job: MakeJob, request_: SafeOff | Abort, words: str
) -> None:
    host = serve(run_job(epochs=20_000))
    client = attach(host)
    run = RemoteRun.attach(client)
    until(lambda: run.status.epoch > 3, client)
    client.request(request_)
    over(run)
    assert run.status.state is RunState.ABORTED
    with RunReader(run.record) as record:
        assert record.state.reason.startswith(words)


def test_another_version_is_told_so_but_may_abort(serve: Serve, attach: Attach, run_job: MakeJob) -> None:
    host = serve(run_job(epochs=20_000))
    line = raw_line()
    send(line, "attach", version=PROTOCOL_VERSION + 1, something="new")
    error = answer(line)["error"]
    assert error["kind"] == "version"
    assert "abort" in error["remedy"]
    send(line, "pause")
    assert "error" in answer(line)
    send(line, "abort")
    assert "error" not in answer(line)
    until(lambda: host.status().state is HostState.FREE)
    line.close()


def test_a_client_hears_that_the_host_is_of_another_version(
    serve: Serve, attach: Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = serve()
    monkeypatch.setattr("labcontrol.host.client.PROTOCOL_VERSION", 99)
    with pytest.raises(VersionError, match="speaks version"):
        attach(host)


@pytest.mark.skipif(sys.platform == "win32", reason="no such permissions")
def test_a_folder_that_others_may_use_is_refused() -> None:
    folder = hosts_folder()
    folder.chmod(0o755)
    with pytest.raises(UserError, match="chmod 700"):
        hosts_folder()
    folder.chmod(0o700)
    assert hosts_folder() == folder


@pytest.mark.skipif(sys.platform == "win32", reason="no such users")
def test_another_users_folder_and_host_are_refused(
    serve: Serve, attach: Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = serve()
    file = hosts()[0]
    monkeypatch.setattr("os.getuid", lambda: 12345)
    with pytest.raises(UserError, match="not a folder of this user"):
        hosts_folder()
    with pytest.raises(UserError, match="another user's"):
        connect(file.address, b"")
    monkeypatch.undo()
    monkeypatch.setattr("labcontrol.host.transport._peer_uid", lambda _: 12345)
    with pytest.raises(UserError, match="another user's"):
        HostClient.connect(file)
    assert host.status().clients == 0


@pytest.mark.skipif(sys.platform == "win32", reason="sockets")
def test_socket_and_folder_are_the_users_alone(serve: Serve) -> None:
    serve()
    address = Path(hosts()[0].address)
    assert address.stat().st_mode & 0o077 == 0
    assert address.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(sys.platform == "win32", reason="sockets")
def test_a_home_with_a_long_path_has_hosts_elsewhere(
    tmp_path: Path, serve: Serve, attach: Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / ("long" * 20)))
    client = attach(serve())
    assert len(client.host.address) <= 107
    assert client.status.state is HostState.FREE
    hosts_folder().rmdir() if not any(hosts_folder().iterdir()) else None


def test_what_a_killed_host_left_behind_is_removed_only_under_its_lock(serve: Serve) -> None:
    serve()
    folder = hosts_folder()
    place = HostPlace(folder, "other")
    place.publish(HostFile(name="other", pid=1, version="", protocol=1, address="a", key="", started_unix_s=0))
    assert {host.name for host in hosts()} >= {"other"}
    with pytest.raises(HeldError):
        HostPlace(folder, "other")
    os.close(place._lock._descriptor)  # as the system does when the process dies
    assert "other" not in {host.name for host in hosts()}
    assert not (folder / "other.json").exists()


# --- one bench, one host --------------------------------------------------------------------------------------------
def begin_manual(bench: BenchConfig, journal: str = "journal") -> Begin:
    return Begin(job="manual", settings={"bench": bench.model_dump(mode="json"), "journal": journal})


def with_real_laser(address: str) -> BenchConfig:
    bench = simulated_bench(16, 1)
    values = bench.model_dump(mode="json")
    values["laser"] |= {"driver": "cobolt-06", "address": address}
    return BenchConfig.model_validate(values)


def test_a_real_bench_has_one_host(serve: Serve, attach: Attach) -> None:
    first, second = attach(serve()), attach(serve())
    first.request(begin_manual(with_real_laser("COM3")))
    with pytest.raises(UserError, match=r"cobolt-06 at COM3 .* held by another host"):
        second.request(begin_manual(with_real_laser("COM3")))
    assert second.request(GetStatus()).state is HostState.FREE
    second.request(begin_manual(with_real_laser("COM4")))
    second.request(End())
    first.request(End())
    second.request(begin_manual(with_real_laser("COM3")))


def test_two_that_start_on_one_bench_at_once_are_one(serve: Serve, attach: Attach) -> None:
    both = [attach(serve()) for _ in range(2)]
    refused: list[Exception] = []
    done: list[object] = []
    for client in both:
        client.ask(begin_manual(with_real_laser("COM3")), done.append, refused.append)
    until(lambda: len(done) + len(refused) == 2, *both)
    assert len(refused) == 1


def test_simulated_benches_are_as_many_as_wanted(serve: Serve, attach: Attach) -> None:
    for _ in range(3):
        attach(serve()).request(begin_manual(simulated_bench(16, 1)))
    assert len(hosts()) == 3


# --- light ----------------------------------------------------------------------------------------------------------
@pytest.fixture
def manual(serve: Serve, attach: Attach) -> tuple[Host, HostClient]:
    """A host under manual control, its laser connected and on."""
    host = serve()
    client = attach(host, "window")
    client.request(begin_manual(simulated_bench(16, 1)))
    client.request(Connect(role="laser"))
    client.request(LightOn(power_w=0.01))
    assert emits(host)
    return host, client


def emits(host: Host) -> bool:
    job = host._table.job
    assert isinstance(job, ManualJob)
    return job._bench.laser.is_open and bool(job._bench.laser.emission)


def test_silence_of_the_client_with_the_lease_means_dark(
    manual: tuple[Host, HostClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    host, client = manual
    monkeypatch.setattr("labcontrol.host.holder.SILENCE_S", 0.2)
    until(lambda: not emits(host))
    assert host.status().state is HostState.MANUAL
    client.request(LightOn(power_w=0.01))  # it is there again
    assert emits(host)


def test_the_end_of_the_client_with_the_lease_frees_the_table(manual: tuple[Host, HostClient]) -> None:
    host, client = manual
    job = host._table.job
    assert isinstance(job, ManualJob)
    client.close()
    until(lambda: host.status().state is HostState.FREE)
    assert not job._bench.laser.is_open


def test_any_client_may_switch_off_and_only_the_one_with_the_lease_on(
    manual: tuple[Host, HostClient], attach: Attach
) -> None:
    host, client = manual
    other = attach(host)
    with pytest.raises(UserError, match=r"under manual by the window \(process"):
        other.request(LightOn(power_w=0.01))
    with pytest.raises(UserError, match="under manual"):
        other.request(End())
    other.request(SafeOff())
    assert not emits(host)
    client.request(LightOn(power_w=0.01))
    clients.safe_off(client.host)
    assert not emits(host)


def test_light_asked_for_before_dark_never_comes(manual: tuple[Host, HostClient], attach: Attach) -> None:
    host, client = manual
    other = attach(host)
    job = host._table.job
    assert isinstance(job, ManualJob)
    client.request(SafeOff())
    busy, go_on = threading.Event(), threading.Event()
    report = job.report

    def slow(role: str) -> Any:
        busy.set()
        assert go_on.wait(PATIENCE_S)
        return report(role)

    job.report = slow  # type: ignore[method-assign]
    refused: list[Exception] = []
    client.ask(Report(role="laser"))
    client.ask(LightOn(power_w=0.01), refused=refused.append)
    until(busy.is_set, client)
    other.request(SafeOff())  # at once, although the host is busy
    go_on.set()
    until(lambda: refused, client)
    assert "switched off meanwhile" in str(refused[0])
    assert not emits(host)


def test_a_job_asked_for_before_dark_does_not_begin(
    serve: Serve, attach: Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = serve()
    client, other = attach(host), attach(host)
    make, building, go_on = ManualJob.make, threading.Event(), threading.Event()

    def slow(settings: Any) -> ManualJob:
        building.set()
        assert go_on.wait(PATIENCE_S)
        return make(settings)

    monkeypatch.setattr(ManualJob, "make", staticmethod(slow))
    refused: list[Exception] = []
    client.ask(begin_manual(simulated_bench(16, 1)), refused=refused.append)
    until(building.is_set, client)
    other.request(SafeOff())
    go_on.set()
    until(lambda: refused, client)
    assert "dark meanwhile" in str(refused[0])
    assert host.status().state is HostState.FREE
