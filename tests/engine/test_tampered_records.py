"""A record of a real run in which one bit was changed is found out, wherever the bit is."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from small_runs import assert_same_learning, at_epoch, experiment, small_run

from labcontrol.engine import Run, RunState
from labcontrol.engine.verify import verify
from labcontrol.errors import UserError
from labcontrol.records import RunReader, reading
from labcontrol.records.lock import RunLock

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


# --- records that were left by a killed writer ------------------------------------------------------------------
@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a run of 120 epochs that was killed after 115: as the file was then."""
    run = small_run(tmp_path_factory.mktemp("killed"), experiment(stop={"epochs": 120}))
    copy = run.record.with_name("killed.h5")
    at_epoch(run, 115, lambda: (shutil.copy(run.record, copy), run.abort()))
    run.execute()
    return copy


def test_a_killed_record_is_whole(killed: Path) -> None:
    with reading(killed) as run:
        assert (run.state.name, run.seal, len(run.epochs)) == ("interrupted", None, 115)
    assert subjects(killed) == []


def flip_on_disk(path: Path, name: str, place: float) -> None:
    """The lowest bit of one element, so far through the dataset, of a file that its writer has not closed."""
    with RunReader(path) as run:
        dataset = run._file[name]
        index = np.unravel_index(int(place * (dataset.size - 1)), dataset.shape) if dataset.shape else ()
        if dataset.chunks is None:
            start, within = dataset.id.get_offset(), np.ravel_multi_index(index, dataset.shape) if index else 0
        else:
            chunk = tuple(i // size * size for i, size in zip(index, dataset.chunks, strict=True))
            start = dataset.id.get_chunk_info_by_coord(chunk).byte_offset
            within = np.ravel_multi_index(np.subtract(index, chunk), dataset.chunks)
        at = start + int(within) * dataset.dtype.itemsize
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Why a record is not continued; nothing is opened or written for that."""
    before = path.read_bytes()
    monkeypatch.setattr("labcontrol.engine.run.Bench", None)
    with pytest.raises(UserError) as refusal:
        Run.continued(path)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    return str(refusal.value)


@pytest.mark.parametrize(
    "name", ["output", "mask", "accepted", "mse", "nmse", "mirror", "replay", "time", "bench_time", "checksum"]
)
def test_a_killed_record_with_one_changed_bit_is_not_continued(
    killed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = Path(shutil.copy(killed, tmp_path / "changed.h5"))
    flip_on_disk(path, f"epochs/{name}", 0.7)
    assert "/epochs/checksum differs" in refused(path, monkeypatch)


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("state", 0.9),
        ("preparation", 0.5),
        ("metadata", 0.0),
        ("prediction", 0.5),
        ("config", 0.0),
        ("gain", 0.0),
        ("rehearsal/signals", 0.5),
        ("rehearsal/spread", 0.0),
        ("pilot/output", 0.2),
        ("target", 0.5),
    ],
)
def test_a_killed_record_that_was_changed_beside_its_epochs_is_not_continued(
    killed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, place: float
) -> None:
    path = Path(shutil.copy(killed, tmp_path / "changed.h5"))
    flip_on_disk(path, name, place)
    assert "damaged" in refused(path, monkeypatch)


def test_a_damaged_checkpoint_is_left_out_for_the_one_before(killed: Path, tmp_path: Path) -> None:
    path, undisturbed = (Path(shutil.copy(killed, tmp_path / name)) for name in ("changed.h5", "whole.h5"))
    flip_on_disk(path, "checkpoints/bytes", 0.99)
    assert subjects(path) == ["checkpoints/bytes"]
    for record in (path, undisturbed):
        assert Run.continued(record).execute().state is RunState.FINISHED
    assert_same_learning(path, undisturbed)
    assert subjects(path) == []


def test_a_record_without_a_sound_checkpoint_is_not_continued(
    killed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(shutil.copy(killed, tmp_path / "changed.h5"))
    for place in (0.2, 0.6, 0.99):
        flip_on_disk(path, "checkpoints/bytes", place)
    assert "none of its 3 checkpoints can be read" in refused(path, monkeypatch)


def test_checkpoints_that_hdf5_itself_cannot_find_are_damage(
    killed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bit of the index of a dataset: HDF5 says so by an OSError, as a disk does, but without a number.

    It tries each damaged place for a second; the last data block of an extensible array is the checkpoints'.
    """
    path, content = tmp_path / "changed.h5", bytearray(killed.read_bytes())
    content[content.rindex(b"EADB") + 6] ^= 1
    path.write_bytes(content)
    assert only_checkpoints_are_lost(path)
    assert "damaged" in refused(path, monkeypatch)


def only_checkpoints_are_lost(path: Path) -> bool:
    with contextlib.suppress(OSError, UserError, RuntimeError), RunReader(path) as run:
        changes = list(run.changes())
        try:
            run.checkpoint()
        except OSError as error:
            return not changes and error.errno is None
    return False


def test_of_two_continuations_the_later_one_finds_the_record_finished(killed: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(killed, tmp_path / "twice.h5"))
    first, second = Run.continued(path), Run.continued(path)
    first.execute()
    sealed = path.read_bytes()
    with pytest.raises(UserError, match="is finished"):
        second.execute()
    assert second.status.state is RunState.FAILED
    assert path.read_bytes() == sealed
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_record_that_another_process_continues_is_left_alone(killed: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(killed, tmp_path / "held.h5"))
    second = Run.continued(path)
    lock = RunLock(path)
    before = path.read_bytes()
    with pytest.raises(UserError, match="being written by another process"):
        second.execute()
    lock.release()
    assert path.read_bytes() == before
