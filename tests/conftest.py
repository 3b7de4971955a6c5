"""What all tests rely on: no display that is not there, no window from a figure, hosts of runs where no others are."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile

import pytest

os.environ.setdefault("MPLBACKEND", "agg")

_STATE = tempfile.mkdtemp(prefix="labcontrol-")
atexit.register(shutil.rmtree, _STATE, ignore_errors=True)
os.environ["XDG_STATE_HOME"] = os.environ["LOCALAPPDATA"] = _STATE


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Draw off-screen where there is no display, not even the one that pytest-xvfb has just given this process."""
    workers_run_the_tests = config.getoption("numprocesses", None)
    if workers_run_the_tests or not sys.platform.startswith("linux"):
        return
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
