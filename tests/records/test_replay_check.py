"""Recomputing a record finds whatever was changed in it, and nothing in one that was not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from synthetic_run import SyntheticRun

from labcontrol.engine.verify import Finding, verify
from labcontrol.records import RunReader


def findings(path: Path) -> list[Finding]:
    with RunReader(path) as run:
        return verify(run)


def change(path: Path, name: str, alter: Callable[[Any], Any]) -> None:
    """Change a dataset of a record as if it had never been sealed: what it says of itself must tell."""
    with h5py.File(path, "r+") as file:
        file["seal"].resize(0, axis=0)
        data = file[name][()]
        file[name][...] = alter(data)


def flip_bit(bit: int, *place: int) -> Callable[[Any], Any]:
    """Flip one bit of one element, counted from its least significant."""

    def alter(data: Any) -> Any:
        element = data[place].reshape(1).view(np.uint8).copy()
        element[bit // 8] ^= 1 << (bit % 8)
        data[place] = element.view(data.dtype)[0]
        return data

    return alter


def negate(*place: int) -> Callable[[Any], Any]:
    def alter(data: Any) -> Any:
        data[place] = not data[place]
        return data

    return alter


@pytest.mark.parametrize("acceptance", ["stored", "re-measured"])
@pytest.mark.parametrize("loss", ["mse", "nmse"])
@pytest.mark.parametrize("selection", ["greedy", "uniform", "cyclic", "amplitude", "blocks"])
def test_an_honest_record_agrees_with_itself(tmp_path: Path, acceptance: str, loss: str, selection: str) -> None:
    run = SyntheticRun(acceptance=acceptance, loss=loss, selection=selection)
    assert findings(run.write(tmp_path / "run.h5")) == []


def test_an_interrupted_record_agrees_with_itself(tmp_path: Path) -> None:
    assert findings(SyntheticRun().write(tmp_path / "run.h5", replays=7, finish=False)) == []
    assert findings(SyntheticRun().write(tmp_path / "empty.h5", replays=0, finish=False)) == []


CHANGES = {
    "lowest bit of an output": ("epochs/output", flip_bit(0, 23, 11), "epochs/mse", 23),
    "sign of an output": ("epochs/output", flip_bit(31, 0, 0), "epochs/nmse", 0),
    "an output that is not a number": ("epochs/output", lambda data: [*data[:-1], data[-1] * np.nan], "epochs/mse", 59),
    "lowest bit of an mse": ("epochs/mse", flip_bit(0, 5), "epochs/mse", 5),
    "lowest bit of an nmse": ("epochs/nmse", flip_bit(0, 6), "epochs/nmse", 6),
    "a decision": ("epochs/accepted", negate(40), "epochs/accepted", 40),
    "the first decision": ("epochs/accepted", negate(0), "epochs/accepted", 0),
    "one mirror of a mask": ("epochs/mask", flip_bit(3, 31, 2), "epochs/mask", 31),
    "the unused bits of a mask": ("epochs/mask", flip_bit(0, 31, 4), "epochs/mask", 31),
    "a mirror's number": (
        "epochs/mirror",
        lambda data: [*data[:10], (data[10] + 1) % 36, *data[11:]],
        "epochs/mask",
        10,
    ),
    "a mirror that is none": ("epochs/mirror", lambda data: [*data[:10], -1, *data[11:]], "epochs/mirror", 10),
    "a mirror that does not exist": ("epochs/mirror", lambda data: [*data[:9], 1000, *data[10:]], "epochs/mirror", 9),
    "the order of the replays": ("epochs/replay", lambda data: data[::-1], "epochs/replay", 1),
    "the initial mask": ("masks/initial", negate(4), "masks/initial", None),
    "the final mask": ("masks/final", negate(35), "masks/final", None),
    "lowest bit of a target": ("target", flip_bit(0, 39), "target", None),
    "lowest bit of an input": ("input", flip_bit(0, 3), "input", None),
    "the washout": ("washout/input", flip_bit(0, 3), "washout/input", None),
    "a test target": ("test/target", flip_bit(0, 3), "test/target", None),
    "a test output": ("test/output", flip_bit(0, 3), "result", None),
    "a final output of the training part": ("train/output", flip_bit(0, 3), "result", None),
    "a figure of the result": ("result", lambda text: np.where(text == ord("7"), ord("8"), text), "result", None),
    "the gain": ("gain", lambda gain: np.nextafter(gain, 9.0), "gain", None),
    "the pilot": ("pilot/output", flip_bit(12, 5, 5), "pilot/response", None),
    "a checkpoint": ("checkpoints/bytes", flip_bit(4, 700), "checkpoints/bytes", 50),
    "when a checkpoint was": ("checkpoints/epochs", flip_bit(0, 4), "checkpoints/epochs", None),
    "the configuration": ("config", lambda text: text.replace(b'"seed": 1', b'"seed": 2'), "config", None),
}


@pytest.mark.parametrize("what", CHANGES)
@pytest.mark.parametrize("acceptance", ["stored", "re-measured"])
def test_every_change_is_found_and_named(tmp_path: Path, what: str, acceptance: str) -> None:
    dataset, alter, subject, epoch = CHANGES[what]
    path = SyntheticRun(acceptance=acceptance).write(tmp_path / "run.h5")
    with h5py.File(path) as file:
        before = file[dataset][()]
    change(path, dataset, alter)
    with h5py.File(path) as file:
        assert file[dataset][()].tobytes() != before.tobytes(), "the test should change something"
    found = findings(path)
    assert subject in [finding.subject for finding in found]
    if epoch is not None and acceptance == "stored":
        named = [finding for finding in found if finding.epoch is not None and finding.subject != "epochs/checksum"]
        assert min(finding.epoch for finding in named if finding.epoch is not None) == epoch
    assert all(finding.text for finding in found)


def test_a_record_that_is_consistent_but_not_of_its_seed_is_found(tmp_path: Path) -> None:
    """A rejected epoch can be taken out without a trace in the others, but the selection rule remembers it."""
    path = SyntheticRun(selection="uniform").write(tmp_path / "run.h5", replays=9, finish=False)
    with h5py.File(path, "r+") as file:
        file["seal"].resize(0, axis=0)
        left_out = int(np.flatnonzero(~file["epochs/accepted"][()])[1])
        for name, column in file["epochs"].items():
            rows = np.delete(column[()], left_out, axis=0)
            column.resize(len(rows), axis=0)
            column[...] = np.arange(len(rows)) if name == "replay" else rows
    checksum, finding = findings(path)
    assert (checksum.subject, checksum.epoch) == ("epochs/checksum", left_out)
    assert (finding.subject, finding.epoch) == ("epochs/mask", left_out)
