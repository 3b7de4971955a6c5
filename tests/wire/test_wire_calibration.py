"""A table that hides its ground truth is calibrated over wires by the command a person would use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("needs an X server", allow_module_level=True)

from mock_devices.wire.desktop import why_not

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())


def test_neurons_are_found_on_screen_and_camera_over_wires() -> None:
    """A short form of the benchmark, up to registration; its exit code says whether all errors are within bounds."""
    pytest.importorskip("pypylon", reason='needs pypylon: pip install "labcontrol[basler]"')
    script = [sys.executable, str(ROOT / "benchmarks" / "wire_calibration.py"), "--neurons", "64", "registration"]
    run = subprocess.run(script, capture_output=True, text=True, timeout=240, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
