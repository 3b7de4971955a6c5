"""`labcontrol verify` on honest, tampered, damaged and unfinished records."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from labcontrol.records import RunWriter

sys.path.insert(0, str(Path(__file__).parents[1] / "records"))
from synthetic_run import SyntheticRun

Cli = Callable[..., Any]


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return SyntheticRun().write(tmp_path / "run.h5")


def test_an_honest_record_is_identical(cli: Cli, record: Path) -> None:
    outcome = cli("verify", record)
    assert outcome.code == 0
    assert "identical: run.h5, 60 epochs of 40 steps (finished)" in outcome.out
    assert "differs" not in outcome.out


TAMPERED = {
    "output": ("epochs/output", (23, 11), "epochs/mse"),
    "decision": ("epochs/accepted", (40,), "epochs/accepted"),
    "mask": ("epochs/mask", (31, 2), "epochs/mask"),
    "padding of a mask": ("epochs/mask", (31, 4), "epochs/mask"),
    "target": ("target", (39,), "target"),
    "mirror": ("epochs/mirror", (10,), "epochs/mask"),
    "replay number": ("epochs/replay", (30,), "epochs/replay"),
    "fixed-gain error": ("epochs/mse", (5,), "epochs/mse"),
    "normalised error": ("epochs/nmse", (6,), "epochs/nmse"),
    "final mask": ("masks/final", (3,), "masks/final"),
    "final training output": ("train/output", (3,), "result"),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_a_single_changed_value_is_found_and_named_and_fails_the_command(cli: Cli, record: Path, what: str) -> None:
    dataset, place, subject = TAMPERED[what]
    with h5py.File(record, "r+") as file:
        values = file[dataset][()]
        element = values[place].reshape(1).view(np.uint8).copy()
        element[0] ^= 1  # the lowest bit
        values[place] = element.view(values.dtype)[0]
        file[dataset][...] = values
    outcome = cli("verify", record, "--json")
    found = json.loads(outcome.out)
    assert outcome.code == 1
    assert not found["identical"]
    assert subject in [finding["subject"] for check in found["checks"] for finding in check["findings"]]
    in_words = cli("verify", record)
    assert in_words.code == 1
    assert "not identical" in in_words.out
    assert "Traceback" not in in_words.err


def test_a_run_that_goes_on_is_replayed_as_far_as_it_is(cli: Cli, tmp_path: Path) -> None:
    run = SyntheticRun()
    with RunWriter.create(tmp_path / "run.h5", run.header) as writer:
        assert cli("verify", tmp_path / "run.h5").code == 0
        run.write_pilot(writer)
        for epochs in run.replays(9):
            writer.append_many(epochs)
        outcome = cli("verify", "latest", "--folder", tmp_path)
    assert outcome.code == 0
    assert "9 epochs of 40 steps (running)" in outcome.out


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_truncated_record_is_refused(cli: Cli, record: Path, share: float) -> None:
    whole = record.read_bytes()
    record.write_bytes(whole[: int(share * len(whole))])
    outcome = cli("verify", record)
    assert outcome.code == 2
    assert "not a run file" in outcome.err
    assert "Traceback" not in outcome.err
