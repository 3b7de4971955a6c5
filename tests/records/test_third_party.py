"""docs/record-format.md is enough to write, verify and follow a record without the project."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
from synthetic_run import SyntheticRun

from labcontrol.config import ExperimentConfig
from labcontrol.engine.verify import verify
from labcontrol.records import reading

sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))
from small_runs import at_epoch, experiment, small_run

PROGRAM = Path(__file__).with_name("third_party.py")
STRATEGIES = ("coordinate-descent", "speculative", "multiplexed-identification")


def third_party(command: str, path: Path) -> list[str]:
    arguments = [sys.executable, "-I", str(PROGRAM), command, str(path)]
    return subprocess.run(arguments, capture_output=True, text=True, check=True).stdout.splitlines()


def test_what_somebody_else_wrote_is_a_record(tmp_path: Path) -> None:
    path = tmp_path / "theirs.h5"
    third_party("write", path)
    with reading(path) as run:
        assert verify(run) == []
        assert (run.state.name, len(run.epochs), run.seal is not None) == ("finished", 12, True)
        assert run.is_checkable
        assert run.result is not None
        assert run.incumbent_errors()[-1] == run.result["incumbent_error"]
    assert third_party("verify", path) == []


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_somebody_else_can_verify_and_follow_a_record_of_any_strategy(tmp_path: Path, strategy: str) -> None:
    config: ExperimentConfig = experiment(learning={"strategy": strategy}, drift={"every_epochs": 10})
    run = small_run(tmp_path, config)
    run.execute()
    assert third_party("verify", run.record) == []
    count, error = third_party("follow", run.record)[-1].split()
    with reading(run.record) as record:
        assert int(count) == len(record.epochs)
        accepted = np.flatnonzero(record.epochs.accepted)[-1]
        assert float(error) == record.epochs.error(record.loss)[accepted]


def test_somebody_else_follows_a_record_while_it_grows(tmp_path: Path) -> None:
    run = small_run(tmp_path, experiment(stop={"epochs": 300}))
    followers: list[subprocess.Popen[str]] = []
    seen: list[int] = []

    def lines() -> Iterator[int]:
        assert followers[0].stdout is not None
        for line in followers[0].stdout:
            yield int(line.split()[0])

    def begin() -> None:
        command = [sys.executable, "-I", "-u", str(PROGRAM), "follow", str(run.record)]
        followers.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        seen.append(next(lines()))

    at_epoch(run, 1, begin)
    for epoch in (100, 200):
        at_epoch(run, epoch, lambda: seen.append(next(lines())))
    run.execute()
    with followers[0]:
        seen += lines()
    assert followers[0].returncode == 0
    assert seen == sorted(seen)
    assert seen[0] < 100
    assert seen[-1] == 300


@pytest.mark.parametrize("name", ["epochs/output", "epochs/accepted", "input", "state", "result", "gain"])
def test_somebody_else_finds_a_changed_bit(tmp_path: Path, name: str) -> None:
    path = SyntheticRun().write(tmp_path / "run.h5", replays=20)
    assert third_party("verify", path) == []
    changed = Path(shutil.copy(path, tmp_path / "changed.h5"))
    with h5py.File(changed, "r+") as file:
        values = np.array(file[name])
        values.reshape(-1).view(np.uint8)[0] ^= 1
        file[name][...] = values
    assert any(line.startswith((name, "epochs/checksum")) for line in third_party("verify", changed))
