"""`labcontrol ps`, `attach` and what steers a run, where there is none to be found."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

COMMANDS = ("attach", "pause", "continue", "stop", "abort", "safe-off")


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "state"))


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", [(), ("latest",), ("nonsense",)])
def test_without_a_run_there_is_a_clear_error(cli: Callable[..., Any], command: str, name: tuple[str, ...]) -> None:
    done = cli(command, *name)
    assert done.code == 2
    assert "No run is going on" in done.err
    assert "labcontrol run --detach" in done.err


def test_without_a_run_the_list_is_empty(cli: Callable[..., Any]) -> None:
    assert json.loads(cli("ps", "--json").out) == []
    assert "Nobody holds a table" in cli("ps").out


@pytest.mark.parametrize("command", COMMANDS)
def test_a_folder_that_others_may_use_is_an_error(cli: Callable[..., Any], command: str, tmp_path: Path) -> None:
    from labcontrol.host.directory import hosts_folder

    hosts_folder().chmod(0o777)
    done = cli(command)
    assert done.code == 2
    assert "chmod 700" in done.err


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
def test_a_host_that_does_not_answer_is_listed_and_named(
    cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from labcontrol.host import start_host

    monkeypatch.setattr("labcontrol.cli.hosts._ANSWER_S", 0.5)
    monkeypatch.setattr("labcontrol.cli.steer._ANSWER_S", 0.5)
    with start_host() as client:
        os.kill(client.host.pid, signal.SIGSTOP)
        try:
            listed = json.loads(cli("ps", "--json").out)
            assert [(one["state"], one["pid"]) for one in listed] == [("not answering", client.host.pid)]
            aborted = cli("abort")
            assert aborted.code == 2
            assert f"The host (process {client.host.pid}) did not answer" in aborted.err
            dark = cli("safe-off")
            assert dark.code == 1
            assert "check that it is off" in dark.err
        finally:
            os.kill(client.host.pid, signal.SIGKILL)
