"""`labcontrol runs` and what it makes of a folder with all kinds of files in it."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labcontrol.config import load_experiment
from labcontrol.records import RunReader, RunWriter
from labcontrol.records.catalogue import read_note

sys.path.insert(0, str(Path(__file__).parents[1] / "records"))
from synthetic_run import SyntheticRun

Cli = Callable[..., Any]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    SyntheticRun(selection="uniform").write(tmp_path / "alpha.h5")
    SyntheticRun(selection="greedy", seed=2).write(tmp_path / "beta.h5", replays=30, finish=False)
    return tmp_path


@pytest.fixture
def writer(folder: Path) -> Iterator[RunWriter]:
    """A run that goes on: a few epochs are there, and its file is held open for writing."""
    run = SyntheticRun(seed=3)
    with RunWriter.create(folder / "going.h5", run.header) as writer:
        run.write_pilot(writer)
        for epochs in run.replays(12):
            writer.append_many(epochs)
        yield writer


def test_runs_are_listed_with_state_epochs_and_errors(cli: Cli, folder: Path) -> None:
    outcome = cli("runs", "list", "--folder", folder)
    rows = {line.split()[0]: line for line in outcome.out.splitlines()[1:]}
    assert outcome.code == 0
    assert "finished" in rows["alpha"]
    assert "60" in rows["alpha"]
    assert "interrupted" in rows["beta"]
    with RunReader(folder / "alpha.h5") as run:
        assert f"{run.incumbent_errors()[-1]:.3g}" in rows["alpha"]


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        (["alpha"], ["alpha"]),
        (["UNIFORM"], ["alpha"]),
        (["seed=2"], ["beta"]),
        (["epochs>=30"], ["alpha", "beta"]),
        (["epochs>30", "state=finished"], ["alpha"]),
        (["state!=finished"], ["beta"]),
        (["test_error>0"], ["alpha"]),
        (["started>=2023", "started<2024"], ["alpha", "beta"]),
        (["started=2024"], []),
        (["neurons=900"], []),
    ],
)
def test_words_and_comparisons_choose_runs(cli: Cli, folder: Path, conditions: list[str], expected: list[str]) -> None:
    outcome = cli("runs", "list", *conditions, "--folder", folder, "--json")
    assert sorted(Path(run["path"]).stem for run in json.loads(outcome.out)) == expected


def test_runs_are_ordered_by_any_field_with_unknown_values_last(cli: Cli, folder: Path) -> None:
    def order(*arguments: str) -> list[str]:
        runs = json.loads(cli("runs", "list", "--folder", folder, "--json", "--sort", *arguments).out)
        return [Path(run["path"]).stem for run in runs]

    assert order("seed") == ["alpha", "beta"]
    assert order("-seed") == ["beta", "alpha"]
    assert order("-test_error") == ["alpha", "beta"]
    assert order("seed", "--last", "1") == ["beta"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("list", "eror<1"), "A run has no 'eror'"),
        (("list", "error<x"), "'x' is no number"),
        (("list", "task<x"), "has no order"),
        (("list", "--sort", "size"), "no 'size'"),
        (("show", "gamma"), "There is no run 'gamma'"),
        (("export", "alpha", "--to", "xlsx"), "no export to 'xlsx'"),
        (("compare", "alpha", "--figure", "curves.bmp"), ".png, .svg or .pdf"),
    ],
)
def test_what_cannot_be_is_answered_in_one_message(
    cli: Cli, folder: Path, arguments: tuple[str, ...], expected: str
) -> None:
    outcome = cli("runs", *arguments, "--folder", folder)
    assert outcome.code == 2
    assert expected in outcome.err
    assert "Traceback" not in outcome.err


def test_damaged_foreign_and_truncated_files_are_listed_with_the_reason(cli: Cli, folder: Path) -> None:
    import h5py

    whole = (folder / "alpha.h5").read_bytes()
    (folder / "empty.h5").write_bytes(b"")
    (folder / "text.h5").write_text("no HDF5")
    (folder / "truncated.h5").write_bytes(whole[: len(whole) // 2])
    with h5py.File(folder / "foreign.h5", "w") as file:
        file["data"] = np.arange(3)
    with h5py.File(folder / "lacking.h5", "w") as file:
        file.attrs["format"], file.attrs["schema_version"] = "labcontrol run", 1
    (folder / "garbled.h5").write_bytes(whole)
    with h5py.File(folder / "garbled.h5", "r+") as file:
        text = file["config"][()]
        file["config"][()] = np.bytes_(b"[" * len(text))
    (folder / "folder.h5").mkdir()
    outcome = cli("runs", "list", "--folder", folder)
    assert outcome.code == 0
    assert "alpha" in outcome.out
    for name in ("empty", "text", "truncated", "foreign", "lacking", "garbled", "folder"):
        (line,) = (line for line in outcome.out.splitlines() if f" {name}.h5" in line)
        assert line.startswith("unreadable")
        assert len(line) > len(f"unreadable {name}.h5: ") + 20
        for command in (("show",), ("compare",), ("export", "--to", "json"), ("export", "--to", "png")):
            refused = cli("runs", *command, f"{name}.h5", "--folder", folder)
            assert refused.code == 2, (name, command)
            assert "Traceback" not in refused.err


def test_one_run_is_shown_whole(cli: Cli, folder: Path) -> None:
    outcome = cli("runs", "show", "alpha", "--folder", folder)
    for words in ("finished: all epochs done", "36", "mackey-glass", "selection uniform", "60 in 60 replays", "R²"):
        assert words in outcome.out
    everything = json.loads(cli("runs", "show", "alpha", "--folder", folder, "--json").out)
    assert everything["metadata"]["devices"]["slm"]["serial_number"] == "7"
    assert everything["log"][0]["text"] == "learning ended"


def test_the_experiment_of_a_run_can_be_run_again(cli: Cli, folder: Path) -> None:
    text = cli("runs", "show", "alpha", "--experiment", "--folder", folder).out
    file = folder / "again.toml"
    file.write_text(text)
    with RunReader(folder / "alpha.h5") as run:
        assert load_experiment(file).model_dump(mode="json") == run.experiment


def test_a_comparison_shows_the_settings_that_differ_and_the_outcomes(cli: Cli, folder: Path) -> None:
    outcome = cli("runs", "compare", "alpha", "beta", "--folder", folder, "--figure", folder / "both.svg")
    rows = {line.split()[0]: line for line in outcome.out.splitlines()[1:]}
    assert "uniform" in rows["learning.options.selection"]
    assert "greedy" in rows["learning.options.selection"]
    assert "learning.loss" not in rows
    assert "interrupted" in rows["state"]
    assert "alpha" in (folder / "both.svg").read_text()


def test_exported_tables_hold_what_the_record_holds(cli: Cli, folder: Path) -> None:
    from pyarrow import parquet

    outcome = cli(
        "runs", "export", "alpha", "--to", "csv,json,parquet,png,pdf", "--output", folder / "out", "--folder", folder
    )
    written = [Path(line) for line in outcome.out.splitlines()]
    assert [path.name for path in written] == [f"alpha.{suffix}" for suffix in ("csv", "json", "parquet", "png", "pdf")]
    assert all(path.stat().st_size > 1000 for path in written)
    with RunReader(folder / "alpha.h5") as run:
        nmse, accepted = run.epochs.nmse.tolist(), run.epochs.accepted.tolist()
    with written[0].open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["nmse"]) for row in rows] == nmse
    assert json.loads(written[1].read_text())["epochs"]["accepted"] == accepted
    assert parquet.read_table(written[2])["nmse"].to_pylist() == nmse


def test_notes_are_added_shown_and_removed_and_leave_the_record_alone(cli: Cli, folder: Path) -> None:
    before = (folder / "alpha.h5").read_bytes()
    for text in ("first thought", "second thought"):
        assert cli("runs", "note", "alpha", text, "--folder", folder).code == 0
    lines = cli("runs", "note", "alpha", "--folder", folder).out.splitlines()
    assert [line.endswith(words) for line, words in zip(lines, ("first thought", "second thought"), strict=True)]
    assert "second thought" in cli("runs", "list", "--folder", folder).out
    assert "first thought" in cli("runs", "show", "alpha", "--folder", folder).out
    assert (folder / "alpha.h5").read_bytes() == before
    cli("runs", "note", "alpha", "--remove", "--folder", folder)
    assert read_note(folder / "alpha.h5") == ""
    assert sorted(path.name for path in folder.iterdir()) == ["alpha.h5", "beta.h5"]


@pytest.mark.skipif(sys.platform != "linux", reason="looks into the trash as freedesktop.org describes it")
def test_deleted_runs_are_in_the_trash_with_their_files(folder: Path) -> None:
    (folder / "alpha.png").write_bytes(b"figure")
    (folder / "alphabet.png").write_bytes(b"not of this run")
    # The trash of a disk other than that of the home folder would be somewhere else.
    trash = folder.parent / "data" / "Trash"
    command = [sys.executable, "-m", "labcontrol", "runs", "delete", "alpha", "--yes", "--folder", str(folder)]
    environment = {**os.environ, "XDG_DATA_HOME": str(trash.parent), "HOME": str(folder.parent)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (trash / "files").iterdir()) == ["alpha.h5", "alpha.png"]
    assert sorted(path.name for path in folder.iterdir()) == ["alphabet.png", "beta.h5"]


def test_nothing_is_deleted_without_consent(cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert cli("runs", "delete", "alpha", "--folder", folder).code != 0
    assert (folder / "alpha.h5").exists()


def test_everything_works_while_the_run_goes_on_except_deleting_it(cli: Cli, folder: Path, writer: RunWriter) -> None:
    assert "running" in cli("runs", "list", "going", "--folder", folder).out
    assert "12 in 12 replays" in cli("runs", "show", "latest", "--folder", folder).out
    assert "running" in cli("runs", "compare", "going", "alpha", "--folder", folder).out
    assert cli("runs", "export", "going", "--to", "csv,svg", "--folder", folder).code == 0
    assert len((folder / "going.csv").read_text().splitlines()) == 13
    assert cli("runs", "note", "going", "seen", "--folder", folder).code == 0
    refused = cli("runs", "delete", "going", "--yes", "--folder", folder)
    assert refused.code == 2
    assert "is being written" in refused.err
    assert (folder / "going.h5").exists()


def test_an_empty_folder_says_how_to_make_a_run(cli: Cli, tmp_path: Path) -> None:
    assert "'labcontrol run' makes one" in cli("runs", "list", "--folder", tmp_path).out
    missing = cli("runs", "list", "--folder", tmp_path / "missing")
    assert missing.code == 2
    assert "There is no folder" in missing.err
