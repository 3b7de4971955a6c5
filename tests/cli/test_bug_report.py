"""One archive holds what others need to mend a fault, and nothing of the person who sends it."""

from __future__ import annotations

import getpass
import json
import platform
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import pytest

from labcontrol.cli.crash_report import write_crash_report

Cli = Callable[..., Any]


@pytest.fixture
def record(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(platform, "node", lambda: "hal9000")
    monkeypatch.setattr(getpass, "getuser", lambda: "dr-nobody")
    run = ["--neurons", "16", "--steps", "20", "--epochs", "3", "--output", tmp_path / "runs"]
    assert cli("run", "--headless", *run).code == 0
    return next((tmp_path / "runs").glob("*.h5"))


def packed(path: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def test_it_holds_what_it_lists_and_names_nobody(cli: Cli, record: Path, tmp_path: Path) -> None:
    write_crash_report(ValueError("of dr-nobody on hal9000"), tmp_path)
    shown = cli("bug-report", record, "--output", "bug.zip")
    assert shown.code == 0
    parts = packed(tmp_path / "bug.zip")
    assert all(f"  {name}: " in shown.out for name in parts)
    for text in parts.values():
        assert not any(name in text for name in ("dr-nobody", "hal9000", str(tmp_path)))
    assert json.loads(parts["run/config.json"])["experiment"]["neurons"] == 16
    state = json.loads(parts["run/state.json"])
    assert (state["states"][-1]["name"], state["epochs"], state["changes"]) == ("finished", 3, [])
    assert state["last_checkpoint"]["strategy"]["mask"] == "bool (16,)"
    assert "numpy" in json.loads(parts["about.json"])["packages"]
    assert any("of <user> on <computer>" in text for name, text in parts.items() if name.startswith("crash/"))
    assert "serial ports" in parts["devices.txt"]


def test_a_damaged_record_is_told_of_as_far_as_it_can_be_read(cli: Cli, record: Path, tmp_path: Path) -> None:
    with h5py.File(record, "r+") as file:
        file["log"][:4] = 0
    assert cli("bug-report", record, "--no-devices", "--output", "bug.zip").code == 0
    parts = packed(tmp_path / "bug.zip")
    assert parts["run/log.json"].startswith("cannot be read: ")
    assert json.loads(parts["run/config.json"])
    assert "devices.txt" not in parts


def test_another_ending_is_refused(cli: Cli, tmp_path: Path) -> None:
    refused = cli("bug-report", "--output", tmp_path / "bug.txt")
    assert (refused.code, "Let it end with .zip" in refused.err) == (2, True)
