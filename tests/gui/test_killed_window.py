"""The whole program as a user starts it, ended the hard way: the run goes on in its host."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from labcontrol.engine import Run
from labcontrol.errors import UserError
from labcontrol.host import HostClient, hosts
from labcontrol.host.remote_run import RemoteRun
from labcontrol.records import RunReader

_PATIENCE_S = 120.0

Program = Callable[[Path], "subprocess.Popen[bytes]"]


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    """Starts `labcontrol run` with a window and a run that would not end by itself."""
    started: list[subprocess.Popen[bytes]] = []
    settings = {name: str(tmp_path / "home") for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")}
    options = ["--neurons", "16", "--steps", "20", "--epochs", "1000000", "--output", str(tmp_path / "runs")]

    def start(folder: Path) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "labcontrol", "run", "--window", *options]
        started.append(subprocess.Popen(command, env=os.environ | settings, cwd=folder))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_window_that_is_killed_leaves_the_run_to_its_host(
    program: Program, tmp_path: Path, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    window = program(tmp_path)
    record = until(lambda: learning_record(tmp_path / "runs"))
    window.send_signal(number)
    window.wait(_PATIENCE_S)
    epochs = epochs_of(record)
    until(lambda: record if epochs_of(record) > epochs + 3 else None)
    with HostClient.connect(hosts()[0], "test") as client:
        run = RemoteRun.attach(client)
        assert run.record == record
        run.abort()
        assert run.wait(_PATIENCE_S)
    with RunReader(record) as reader:
        assert reader.state.name == "aborted"
    assert Run.continued(record).record == record


def epochs_of(record: Path) -> int:
    with RunReader(record) as run:
        return len(run.epochs)


def learning_record(folder: Path) -> Path | None:
    """The record of the run, as soon as epochs are in it."""
    for record in folder.glob("*.h5"):
        try:
            with RunReader(record) as run:
                if len(run.epochs) > 3:
                    return record
        except (UserError, OSError):
            continue  # not written so far yet
    return None


def until(look: Callable[[], Path | None]) -> Path:
    """What `look` finds, once it does."""
    pause = threading.Event()
    for _ in range(int(_PATIENCE_S / 0.1)):
        if (found := look()) is not None:
            return found
        pause.wait(0.1)
    raise AssertionError("there is no record with epochs in it")
