"""`labcontrol scaling` as a person calls it."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

SMALL = ("scaling", "--states", "planted", "--neurons", "16,36", "--seeds", 2, "--selection", "uniform", "--workers", 1)


def test_it_writes_study_table_and_figure_and_prints_one_object_last(cli: Callable, tmp_path: Path) -> None:
    outcome = cli(*SMALL, "--loss", "mse", "--output", tmp_path, "--json")
    assert outcome.code == 0
    printed = json.loads(outcome.out.strip().splitlines()[-1])
    assert len(printed["cells"]) == 4
    assert set(printed["cells"][0]) == {
        "states", "neurons", "seed", "selection", "loss",
        "tau", "tau_low", "tau_high", "r2", "k5", "k1e", "start", "floor",
    }  # fmt: skip
    assert {(e["quantity"], e["selection"], e["loss"]) for e in printed["exponents"]} == {
        ("tau", "uniform", "mse"), ("k5", "uniform", "mse"),
    }  # fmt: skip
    assert {"study.h5", "cells.csv", "scaling.png"} == {path.name for path in tmp_path.iterdir()}
    rows = list(csv.DictReader((tmp_path / "cells.csv").read_text().splitlines()))
    assert [float(row["tau"]) for row in rows] == pytest.approx([cell["tau"] for cell in printed["cells"]], rel=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--neurons", "64"), "at least two"),
        (("--neurons", "64,many"), "whole numbers"),
        (("--states", "recorded", "--run-file", "nothing.h5"), "nothing.h5"),
        (("--experiment", "nothing.toml"), "nothing.toml"),
    ],
)
def test_bad_input_is_explained(cli: Callable, tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    outcome = cli(*SMALL, "--output", tmp_path / "study", *options)
    assert outcome.code == 2
    assert message in outcome.err
    assert not (tmp_path / "study").exists()
