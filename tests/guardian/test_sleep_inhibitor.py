"""The computer is kept awake by the system's own means, and let go of with the process that asked for it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from labcontrol.guardian.sleep_inhibitor import SleepInhibitor

if not sys.platform.startswith("linux"):
    pytest.skip("stands in for systemd-inhibit", allow_module_level=True)

HOLD = (
    "from labcontrol.guardian.sleep_inhibitor import SleepInhibitor as S; s = S(); s.hold(); print(s.holds, flush=True)"
)


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for systemd-inhibit: this file is there while the lock is held."""
    script, held = tmp_path / "systemd-inhibit", tmp_path / "held"
    script.write_text(f'#!/bin/sh\necho "$@" > {held}\ncat\nrm {held}\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return held


def wait_for(condition: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + 10.0
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.005)


def test_sleep_is_inhibited_between_hold_and_release(lock: Path) -> None:
    inhibitor = SleepInhibitor()
    inhibitor.hold()
    assert inhibitor.holds
    assert "--what=sleep" in lock.read_text()
    inhibitor.hold()
    inhibitor.release()
    assert not inhibitor.holds


def test_the_lock_ends_with_a_process_that_is_killed(lock: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", f"{HOLD}\nimport time; time.sleep(60)"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"True\n"
    assert lock.exists()
    process.kill()
    process.communicate()
    wait_for(lambda: not lock.exists())


def test_where_sleep_cannot_be_inhibited_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    inhibitor = SleepInhibitor()
    inhibitor.hold()
    assert not inhibitor.holds
    assert "switch sleep off" in caplog.text
    inhibitor.release()
