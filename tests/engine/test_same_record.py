"""The same seed gives the same record, and a record shows when it was changed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from small_runs import EPOCHS, assert_same_learning, at_epoch, experiment, small_run

from labcontrol.engine import Run, RunState
from labcontrol.engine.verify import verify
from labcontrol.records import RunReader

VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "mse": {"learning": {"loss": "mse", "selection": "uniform"}},
    "re-measured": {"learning": {"acceptance": "re-measured"}},
}


@pytest.fixture(scope="module", params=VARIANTS)
def record(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = small_run(tmp_path_factory.mktemp("runs"), experiment(**VARIANTS[request.param]))
    run.execute()
    return run.record


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"drift": {"every_epochs": 10}},
        {"learning": {"strategy": "speculative"}},
        {"learning": {"strategy": "physics-informed-identification"}},
    ],
)
@pytest.mark.parametrize("stop_at", [1, 23])
def test_a_run_stopped_and_continued_is_the_same_as_one_that_was_not(
    tmp_path: Path, changes: dict[str, Any], stop_at: int
) -> None:
    undisturbed = small_run(tmp_path / "whole", experiment(**changes))
    undisturbed.execute()
    run = small_run(tmp_path / "stopped", experiment(**changes))
    at_epoch(run, stop_at, run.stop)
    done = run.execute().epoch
    with RunReader(run.record) as record:
        assert (record.state.name, record.state.reason) == ("stopped", f"stopped at {done} of {EPOCHS}")
        assert record.result
        assert record.result["epochs"] == done
    continued = Run.continued(run.record)
    assert continued.execute().state is RunState.FINISHED
    assert_same_learning(run.record, undisturbed.record)
    assert findings(run.record) == {}


def test_a_run_that_an_early_version_stopped_can_be_continued_as_well(tmp_path: Path) -> None:
    run = small_run(tmp_path)
    at_epoch(run, 23, run.stop)
    run.execute()
    with h5py.File(run.record, "r+") as file:
        journal = bytes(file["state"][:]).replace(b'"stopped"', b'"finished"')
        journal = journal.replace(f"stopped at 23 of {EPOCHS}".encode(), b"stopped by the user")
        file["state"].resize((len(journal),))
        file["state"][:] = np.frombuffer(journal, np.uint8)
        del file["seal"], file["epochs/checksum"]
    with RunReader(run.record) as record:
        assert record.state.name == "stopped"
    assert Run.continued(run.record).execute().epoch == EPOCHS


def findings(path: Path) -> dict[str, int | None]:
    with RunReader(path) as run:
        return {finding.subject: finding.epoch for finding in verify(run)}


def test_a_record_replays_without_a_difference(record: Path) -> None:
    assert findings(record) == {}


def test_the_same_seed_gives_the_same_record_bit_for_bit(record: Path, tmp_path: Path) -> None:
    with RunReader(record) as run:
        again = small_run(tmp_path, experiment(learning=run.experiment["learning"]))
    again.execute()
    assert_same_learning(again.record, record)


def test_another_seed_gives_another_one(record: Path, tmp_path: Path) -> None:
    other = small_run(tmp_path, experiment(seed=2))
    other.execute()
    with RunReader(other.record) as a, RunReader(record) as b:
        assert not np.array_equal(a.epochs.outputs(), b.epochs.outputs())


def flip_byte(name: str, row: int, byte: int) -> Callable[[h5py.File], None]:
    def tamper(file: h5py.File) -> None:
        values = file[name][...]
        rows = values.reshape(len(values), -1).copy()
        rows.view(np.uint8)[row, byte] ^= 1
        file[name][...] = rows.reshape(values.shape)

    return tamper


CLASSES = {
    "epochs/output": (17, 5),
    "epochs/mask": (17, 1),
    "epochs/accepted": (17, 0),
    "epochs/mirror": (17, 0),
    "epochs/mse": (17, 3),
    "epochs/nmse": (17, 3),
    "target": (4, 2),
    "input": (4, 2),
    "masks/initial": (3, 0),
    "masks/final": (3, 0),
    "pilot/output": (2, 6),
    "test/output": (2, 2),
}


@pytest.fixture(scope="module")
def default_record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = small_run(tmp_path_factory.mktemp("default"))
    run.execute()
    return run.record


@pytest.mark.parametrize("name", CLASSES)
def test_one_changed_bit_is_found_where_it_is(default_record: Path, tmp_path: Path, name: str) -> None:
    row, byte = CLASSES[name]
    changed = tmp_path / "changed.h5"
    shutil.copyfile(default_record, changed)
    with h5py.File(changed, "r+") as file:
        flip_byte(name, row, byte)(file)
    found = findings(changed)
    assert found
    if name.startswith("epochs/"):
        assert row in found.values()


def test_a_changed_gain_is_found(default_record: Path, tmp_path: Path) -> None:
    changed = tmp_path / "changed.h5"
    shutil.copyfile(default_record, changed)
    with h5py.File(changed, "r+") as file:
        file["gain"][()] *= 1 + 1e-12
    assert "gain" in findings(changed)


def test_a_record_from_before_there_were_reference_replays_is_continued(tmp_path: Path, record: Path) -> None:
    with RunReader(record) as run:
        interrupted = small_run(tmp_path, experiment(learning=run.experiment["learning"]))
    at_epoch(interrupted, 25, interrupted.abort)
    interrupted.execute()
    with h5py.File(interrupted.record, "r+") as file:
        del file["rehearsal"], file["seal"]
    Run.continued(interrupted.record).execute()
    with RunReader(interrupted.record) as run:
        assert run.reference_replay is None
    assert_same_learning(interrupted.record, record)
