"""Runs that outlive whoever started them, driven by the commands that a person types, each in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from host_helpers import PATIENCE_S, until

from labcontrol.engine import EpochDone, Mailbox
from labcontrol.host import HostClient, HostState, hosts
from labcontrol.host.protocol import GetStatus
from labcontrol.host.remote_run import RemoteRun
from labcontrol.records import RunReader

if sys.platform == "win32":
    pytest.skip("sends signals and closes terminals", allow_module_level=True)

LONG = ("--neurons", 16, "--steps", 20, "--epochs", 1_000_000, "--output", "runs")

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[Any]]]:
    """Processes to be killed at the end; with them what is still held."""
    processes: list[subprocess.Popen[Any]] = []
    yield processes
    for host in hosts():
        os.kill(host.pid, signal.SIGKILL)
    for process in processes:
        process.kill()
        process.wait()


def line(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "labcontrol", *map(str, arguments)]


@pytest.fixture
def labcontrol(tmp_path: Path) -> Command:
    """`labcontrol("ps", "--json")`, to its end."""

    def call(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            line(*arguments), capture_output=True, text=True, cwd=tmp_path, timeout=2 * PATIENCE_S, check=False
        )

    return call


@pytest.fixture
def in_terminal(tmp_path: Path, started: list[subprocess.Popen[Any]]) -> Callable[..., tuple[Any, int]]:
    """Starts a command in a pseudo-terminal; returns the process and the terminal's other end."""

    def start(*arguments: object) -> tuple[subprocess.Popen[Any], int]:
        ours, theirs = os.openpty()

        def take_terminal() -> None:
            os.login_tty(theirs)  # a session of its own, with this as its terminal
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # ignored where the tests run in the background

        process = subprocess.Popen(line(*arguments), cwd=tmp_path, preexec_fn=take_terminal)
        os.close(theirs)
        started.append(process)
        return process, ours

    return start


def said(terminal: int, words: str) -> None:
    """Wait until a terminal shows this."""
    shown = ""
    while words not in shown:
        shown += os.read(terminal, 4096).decode(errors="replace")


def the_run() -> HostClient | None:
    """The one run that is going on, as soon as it has epochs."""
    for host in hosts():
        client = HostClient.connect(host, events=False, attends=False)
        if client.status.state is HostState.RUN and client.status.epoch > 3:
            return client
        client.close()
    return None


def test_a_detached_run_through_all_hands(labcontrol: Command, in_terminal: Any, tmp_path: Path, started: Any) -> None:
    """Detach, close the terminal, attach, pause, attach elsewhere, continue, stop, resume: one record, every epoch."""
    process, terminal = in_terminal("run", "--detach", *LONG)
    said(terminal, "goes on in process")
    os.close(terminal)
    process.wait(PATIENCE_S)
    client = until(the_run)
    record = Path(client.status.record)

    first = HostClient.connect(client.host, "window")
    run = RemoteRun.attach(first)
    mailbox = run.subscribe()
    until(lambda: run.status.epoch > 20, first)
    paused = labcontrol("pause")
    assert paused.returncode == 0, paused.stderr
    assert "is paused, epoch" in paused.stdout
    again = labcontrol("pause", record.stem)
    assert again.returncode == 0
    assert "paused already" in again.stdout

    _, terminal = in_terminal("attach", "latest")
    said(terminal, "paused")
    listed = json.loads(labcontrol("ps", "--json").stdout)
    assert [(one["state"], one["record"], one["bench"]) for one in listed] == [("paused", str(record), "simulated")]
    assert listed[0]["epochs"] == 1_000_000
    os.close(terminal)  # the terminal that watches goes, too
    at = listed[0]["epoch"]

    assert "is running" in labcontrol("continue").stdout
    until(lambda: run.status.epoch > at, first)
    stopped = labcontrol("stop", "latest")
    assert stopped.returncode == 0, stopped.stderr
    until(lambda: run.wait(0.05), first)
    stopped_at = run.status.epoch
    assert f"stopped at {stopped_at} of 1000000" in stopped.stdout
    assert indices(mailbox) == list(range(stopped_at))
    first.close()
    client.close()

    resumed = labcontrol("resume", "--detach", record)
    assert resumed.returncode == 0, resumed.stderr
    client = until(the_run)
    run = RemoteRun.attach(HostClient.connect(client.host))
    mailbox = run.subscribe()
    until(lambda: run.status.epoch > stopped_at + 5, run.client)
    assert "stopped at" in labcontrol("stop").stdout
    until(lambda: run.wait(0.05), run.client)
    assert indices(mailbox) == list(range(run.status.epoch))
    assert list(record.parent.glob("*.h5")) == [record]
    with RunReader(record) as reader:
        assert reader.state.name == "stopped"
        assert len(reader.epochs) == run.status.epoch
    run.client.close()
    client.close()


def indices(mailbox: Mailbox) -> list[int]:
    return [event.epoch.index for event in mailbox.drain() if isinstance(event, EpochDone)]


@pytest.mark.parametrize("how", ["hang up", pytest.param("broken pipe", marks=pytest.mark.slow)])
def test_a_run_whose_terminal_is_gone_goes_on(
    labcontrol: Command, in_terminal: Any, how: str, tmp_path: Path, started: list[subprocess.Popen[Any]]
) -> None:
    if how == "hang up":
        process, terminal = in_terminal("run", "--headless", *LONG)
        client = until(the_run)
        os.close(terminal)
    else:
        process = subprocess.Popen(line("run", "--headless", *LONG), stderr=subprocess.PIPE, cwd=tmp_path)
        started.append(process)
        client = until(the_run)
        process.stderr.close()
    at = client.status.epoch
    _, terminal = in_terminal("attach")
    said(terminal, "epoch")
    os.write(terminal, b"\x03")  # Ctrl-C leaves
    said(terminal, "The run goes on")
    os.close(terminal)
    until(lambda: client.status.epoch > at or client.request(GetStatus()).epoch > at + 10)
    assert process.poll() is None
    done = labcontrol("abort")
    assert done.returncode == 0, done.stderr
    assert "aborted" in done.stdout
    process.wait(PATIENCE_S)
    with RunReader(Path(client.status.record)) as reader:
        assert reader.state.name == "aborted"
    client.close()


def test_a_host_that_was_killed_leaves_a_run_to_be_resumed(labcontrol: Command, started: Any) -> None:
    begun = labcontrol("run", "--detach", "--json", *LONG)
    facts = json.loads(begun.stdout)
    client = until(the_run)
    os.kill(facts["pid"], signal.SIGKILL)
    until(lambda: client.lost, client)
    assert hosts() == []
    with RunReader(Path(facts["record"])) as reader:
        assert reader.state.name == "interrupted"
        epochs = len(reader.epochs)
    done = labcontrol("resume", "--detach", facts["record"])
    assert done.returncode == 0, done.stderr
    client = until(the_run)
    run = RemoteRun.attach(HostClient.connect(client.host))
    mailbox = run.subscribe()
    until(lambda: run.status.epoch > epochs + 5, run.client)
    assert labcontrol("abort").returncode == 0
    until(lambda: run.wait(0.05), run.client)
    assert indices(mailbox) == list(range(run.status.epoch))
    run.client.close()
    client.close()


@pytest.mark.parametrize("number", [signal.SIGHUP, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_signals_of_a_terminal_do_nothing_to_a_detached_run(
    labcontrol: Command, number: signal.Signals, started: Any
) -> None:
    facts = json.loads(labcontrol("run", "--detach", "--json", *LONG).stdout)
    client = until(the_run)
    os.kill(facts["pid"], number)
    at = client.request(GetStatus()).epoch
    until(lambda: client.request(GetStatus()).epoch > at + 10)
    os.kill(facts["pid"], signal.SIGTERM)  # the computer is shut down: in order
    until(lambda: client.lost, client)
    client.close()
    with RunReader(Path(facts["record"])) as reader:
        assert reader.state.name == "aborted"
