"""Lists of runs, whatever lies in the folder; exports; where a record came from."""

import csv
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from synthetic_run import SyntheticRun

from labcontrol.analysis.record_follower import RecordFollower
from labcontrol.errors import UserError
from labcontrol.records import RunReader, RunWriter, provenance
from labcontrol.records.catalogue import find_run, list_runs, summary
from labcontrol.records.epoch_table import EpochTable
from labcontrol.records.export import export_epochs
from labcontrol.records.provenance import git_state


def start_run(path: Path, unix_s: float, **arguments: object) -> RunWriter:
    return RunWriter.create(path, SyntheticRun(**arguments).header, unix_s=lambda: unix_s)


# --- catalogue --------------------------------------------------------------------------------------------------
def test_a_summary_tells_what_a_run_was_and_how_far_it_came(tmp_path: Path) -> None:
    path = SyntheticRun(loss="nmse", selection="uniform", seed=3).write(tmp_path / "run.h5")
    found = summary(path)
    with RunReader(path) as run:
        assert run.result is not None
        assert found.test_error == run.result["test"]["nmse"]
        assert found.start_error == run.epochs.nmse[0]
        assert found.error == run.epochs.nmse[run.epochs.accepted][-1]
    assert (found.task, found.neurons, found.steps, found.seed) == ("mackey-glass", 36, 40, 3)
    assert (found.selection, found.acceptance, found.loss) == ("uniform", "stored", "nmse")
    assert (found.epochs, found.state, found.problem) == (60, "finished", "")


def test_runs_are_listed_newest_first_with_broken_files_among_them(tmp_path: Path) -> None:
    SyntheticRun().write(tmp_path / "middle.h5", replays=3)
    start_run(tmp_path / "old.h5", 1.6e9).close()
    running = start_run(tmp_path / "new.h5", 1.8e9)
    (tmp_path / "broken.h5").write_bytes(b"nothing")
    os.utime(tmp_path / "broken.h5", (1.65e9, 1.65e9))
    (tmp_path / "notes.txt").write_text("not a run")
    found = list_runs(tmp_path)
    running.close()
    assert [run.path.stem for run in found] == ["new", "middle", "broken", "old"]
    assert [run.state for run in found] == ["running", "finished", "unreadable", "interrupted"]
    assert "not a run file" in found[2].problem
    assert found[0].error is None


def test_a_run_is_found_by_name_part_of_name_path_or_as_the_latest(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no run in"):
        find_run("latest", tmp_path)
    start_run(tmp_path / "alpha_1.h5", 1.6e9).close()
    start_run(tmp_path / "alpha_2.h5", 1.7e9).close()
    (tmp_path / "zero.h5").write_bytes(b"newest, but broken")
    assert find_run("latest", tmp_path) == tmp_path / "alpha_2.h5"
    assert find_run("alpha_1", tmp_path) == tmp_path / "alpha_1.h5"
    assert find_run("a_2", tmp_path) == tmp_path / "alpha_2.h5"
    assert find_run(str(tmp_path / "alpha_1.h5"), tmp_path / "elsewhere") == tmp_path / "alpha_1.h5"
    with pytest.raises(UserError, match=r"They are: alpha_1, alpha_2\."):
        find_run("alpha", tmp_path)
    with pytest.raises(UserError, match="no run 'beta'"):
        find_run("beta", tmp_path)
    with pytest.raises(UserError, match="no folder"):
        list_runs(tmp_path / "elsewhere")


# --- the incumbent's curve --------------------------------------------------------------------------------------
@pytest.mark.parametrize("acceptance", ["stored", "re-measured"])
def test_the_incumbents_error_is_that_of_its_latest_measurement(tmp_path: Path, acceptance: str) -> None:
    path = SyntheticRun(acceptance=acceptance, loss="nmse").write(tmp_path / "run.h5")
    with RunReader(path) as run:
        table = run.epochs
        masks, errors, accepted = table.masks(), table.nmse, table.accepted
        incumbent, held, expected = run.initial_mask, np.nan, []
        for k in range(len(table)):
            if accepted[k]:
                incumbent = masks[k]
            if (masks[k] == incumbent).all():
                held = errors[k]
            expected.append(held)
        np.testing.assert_array_equal(run.incumbent_errors(), expected)
        assert table.last_incumbent_epoch() == table.incumbent_epochs()[-1]
        assert summary(path).error == expected[-1]
        assert len(run.incumbent_errors("mse")) == len(table)


# --- export -----------------------------------------------------------------------------------------------------
def test_csv_json_and_parquet_hold_the_same_numbers_as_the_record(tmp_path: Path) -> None:
    from pyarrow import parquet

    with RunReader(SyntheticRun().write(tmp_path / "run.h5")) as run:
        for suffix in (".csv", ".json", ".parquet"):
            export_epochs(run, tmp_path / f"table{suffix}")
        mse, mirror, accepted = run.epochs.mse, run.epochs.mirror, run.epochs.accepted
        curve, config = run.incumbent_errors("nmse"), run.config
    with (tmp_path / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["mse"]) for row in rows] == mse.tolist()
    assert [row["accepted"] == "True" for row in rows] == accepted.tolist()
    content = json.loads((tmp_path / "table.json").read_text())
    assert content["epochs"]["incumbent_nmse"] == curve.tolist()
    assert content["config"] == config
    columns = parquet.read_table(tmp_path / "table.parquet").to_pydict()
    assert columns["mirror"] == mirror.tolist()
    assert set(columns) == set(content["epochs"]) == set(rows[0])


def test_exports_that_cannot_be_are_refused(tmp_path: Path) -> None:
    with RunReader(SyntheticRun().write(tmp_path / "run.h5", replays=2)) as run:
        with pytest.raises(UserError, match=r"\.csv, \.json, \.parquet"):
            export_epochs(run, tmp_path / "table.xlsx")
        with pytest.raises(UserError, match="cannot be written"):
            export_epochs(run, tmp_path / "missing" / "table.csv")


# --- provenance -------------------------------------------------------------------------------------------------
def test_provenance_names_program_packages_and_computer() -> None:
    found = provenance()
    assert found["packages"]["h5py"] == __import__("h5py").__version__
    assert found["version"] != "not installed"
    assert json.loads(json.dumps(found)) == found


def test_uncommitted_changes_show_in_the_hash(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        settings = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
        command = ["git", "-C", str(tmp_path), *settings, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    assert git_state(tmp_path) is None
    git("init", "-q")
    code = tmp_path / "a file.py"
    code.write_text("1")
    git("add", ".")
    git("commit", "-qm", "first")
    clean = git_state(tmp_path)
    assert clean == {"revision": git("rev-parse", "HEAD"), "changes_sha256": ""}
    hashes = set()
    for content in ("2", "3"):
        code.write_text(content)
        state = git_state(tmp_path)
        assert state is not None
        assert state["revision"] == clean["revision"]
        hashes.add(state["changes_sha256"])
    (tmp_path / "untracked.py").write_text("4")
    hashes.add((git_state(tmp_path) or {})["changes_sha256"])
    git("mv", "a file.py", "renamed.py")
    hashes.add((git_state(tmp_path) or {})["changes_sha256"])
    assert len(hashes) == 4
    assert "" not in hashes


def test_a_line_of_the_list_and_a_look_read_no_outputs_and_few_masks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are nearly all of a record: a long one would not open at once."""
    path = SyntheticRun().write(tmp_path / "run.h5")
    masks: list[int] = []
    packed = EpochTable.packed_masks

    def counted(table: EpochTable, start: int = 0, stop: int | None = None) -> Any:
        masks.append(len(packed(table, start, stop)))
        return packed(table, start, stop)

    monkeypatch.setattr(EpochTable, "outputs", None)
    monkeypatch.setattr(EpochTable, "packed_masks", counted)
    assert summary(path).epochs == 60
    with RecordFollower(path) as follower:
        assert follower.poll(0.0).status.epoch == 60
    assert sum(masks) <= 2


def test_the_latest_run_is_found_without_reading_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for k in range(5):
        path = SyntheticRun().write(tmp_path / f"{k}.h5", replays=0)
        os.utime(path, (1.6e9 + k, 1.6e9 + k))
    with start_run(tmp_path / "a.h5", 1.75e9):
        pass
    read: list[Path] = []

    def counted(path: Path) -> Any:
        read.append(path)
        return summary(path)

    monkeypatch.setattr("labcontrol.records.catalogue.summary", counted)
    assert find_run("latest", tmp_path) == tmp_path / "a.h5"
    assert read == [tmp_path / "a.h5"]


def test_a_name_that_many_runs_have_is_answered_with_a_few_of_them(tmp_path: Path) -> None:
    for k in range(20):
        (tmp_path / f"run{k:02d}.h5").touch()
    with pytest.raises(UserError, match="part of the names of 20 runs") as refused:
        find_run("run", tmp_path)
    assert "run19" in str(refused.value)
    assert "run00" not in str(refused.value)


@pytest.mark.parametrize("left_open", [False, True])
def test_a_file_with_damaged_structures_is_refused_and_does_not_hold_up_the_list(
    tmp_path: Path, left_open: bool
) -> None:
    """HDF5 takes damage in a file that its writer left open for a write in progress, and would wait for its end."""
    content = bytearray(SyntheticRun().write(tmp_path / "whole.h5").read_bytes())
    content[200:4000] = bytes(3800)
    if left_open:
        content[11] = 5
    (tmp_path / "damaged.h5").write_bytes(content)
    states = {run.path.stem: run.state for run in list_runs(tmp_path)}
    assert states == {"whole": "finished", "damaged": "unreadable"}
