"""A record of a real run in which one bit was changed is found out, wherever the bit is."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from small_runs import at_epoch, experiment, small_run

from labcontrol.engine import Run
from labcontrol.engine.verify import verify
from labcontrol.errors import UserError
from labcontrol.records import reading

STRATEGIES = ("coordinate-descent", "multiplexed-identification")


@pytest.fixture(scope="module", params=STRATEGIES)
def record(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = experiment(learning={"strategy": request.param}, stop={"epochs": 80})
    run = small_run(tmp_path_factory.mktemp("real"), config)
    run.execute()
    return run.record


@pytest.fixture
def copy(record: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(record, tmp_path / "copy.h5"))


def subjects(path: Path) -> list[str]:
    with reading(path) as run:
        return [finding.subject for finding in verify(run)]


def datasets(path: Path) -> dict[str, np.ndarray]:
    found: dict[str, Any] = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: found.update({name: np.array(item)}) if isinstance(item, h5py.Dataset) else None
        )
    return found


def flip_lowest_bit(path: Path, name: str, place: float) -> None:
    """Of one element, so far through the dataset."""
    with h5py.File(path, "r+") as file:
        values = np.array(file[name])
        element = values.reshape(-1).view(np.uint8).reshape(max(values.size, 1), -1)
        element[int(place * (len(element) - 1)), 0] ^= 1
        file[name][...] = values


def test_a_record_as_it_was_written_is_identical(record: Path) -> None:
    assert subjects(record) == []


def test_a_changed_bit_in_any_dataset_is_named(record: Path, tmp_path: Path) -> None:
    filled = [name for name, values in datasets(record).items() if values.size]
    assert len(filled) > 25
    for name in filled:
        path = Path(shutil.copy(record, tmp_path / "changed.h5"))
        flip_lowest_bit(path, name, 0.4)
        assert name in subjects(path), name


# What a record says of itself, where nobody sealed it: the writer was killed.
WITHOUT_SEAL: dict[str, tuple[str, float, set[str]]] = {
    "output": ("epochs/output", 0.6, {"epochs/mse", "epochs/nmse"}),
    "decision": ("epochs/accepted", 0.5, {"epochs/accepted"}),
    "mask": ("epochs/mask", 0.5, {"epochs/mask"}),
    "target": ("target", 0.5, {"target"}),
    "input": ("input", 0.5, {"input"}),
    "fixed-gain error": ("epochs/mse", 0.5, {"epochs/mse"}),
    "normalised error": ("epochs/nmse", 0.5, {"epochs/nmse"}),
    "pilot": ("pilot/output", 0.9, {"pilot/output"}),
    "checkpoint": ("checkpoints/bytes", 0.5, {"checkpoints/bytes"}),
    "final training output": ("train/output", 0.5, {"result"}),
    "final test output": ("test/output", 0.5, {"result"}),
    "final mask": ("masks/final", 0.5, {"masks/final"}),
}


@pytest.mark.parametrize("what", WITHOUT_SEAL)
def test_a_changed_measurement_contradicts_the_rest_of_the_record(copy: Path, what: str) -> None:
    name, place, expected = WITHOUT_SEAL[what]
    with h5py.File(copy, "r+") as file:
        file["seal"].resize(0, axis=0)
    flip_lowest_bit(copy, name, place)
    assert expected <= set(subjects(copy))


@pytest.mark.parametrize("record", STRATEGIES[:1], indirect=True)
@pytest.mark.parametrize("bits", [20, pytest.param(300, marks=pytest.mark.slow)])
def test_a_bit_changed_anywhere_in_the_file_is_found_or_changes_nothing(
    record: Path, tmp_path: Path, bits: int
) -> None:
    """HDF5 itself notices what is wrong with its own structures; most of the file is room for more rows."""
    whole, expected = record.read_bytes(), datasets(record)
    rng = np.random.default_rng(1)
    path, harmless = tmp_path / "damaged.h5", 0
    for _ in range(bits):
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        try:
            found = subjects(path)
        except UserError:
            continue  # HDF5 noticed
        if not found:
            harmless += 1
            assert_same(datasets(path), expected)
    assert harmless < bits


def assert_same(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert {name: values.tobytes() for name, values in found.items()} == {
        name: values.tobytes() for name, values in expected.items()
    }


def test_a_record_changed_since_it_was_closed_is_not_continued(tmp_path: Path) -> None:
    run = small_run(tmp_path)
    at_epoch(run, 5, run.abort)
    run.execute()
    Run.continued(run.record)
    flip_lowest_bit(run.record, "epochs/output", 0.0)
    with pytest.raises(UserError, match="epochs/output is not what it was"):
        Run.continued(run.record)
