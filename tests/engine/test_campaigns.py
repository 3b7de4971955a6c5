"""The campaigns against killing and faults, in short form; their long form is a command each."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def campaign(name: str, *options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCHMARKS / name), *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


def test_killed_runs_continue_to_the_same_record() -> None:
    done = campaign("kill_campaign.py", "--kills", 3, "--epochs", 110)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "records that differ" in done.stdout


def test_faults_of_every_kind_put_no_wrong_number_on_record() -> None:
    done = campaign("fault_campaign.py", "--faults", 40, "--mixed")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 things wrong" in done.stdout
