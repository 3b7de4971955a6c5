"""`labcontrol run` as a user meets it: the result, the record, and what bad input is answered with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

SMALL = ("run", "--headless", "--neurons", 36, "--steps", 60, "--epochs", 80)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A small run through the real command, in a process of its own."""
    folder = tmp_path_factory.mktemp("runs")
    done = subprocess.run(
        [sys.executable, "-m", "labcontrol", *map(str, SMALL), "--seed", "3", "--json", "--output", str(folder)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_the_result_names_errors_record_and_figures(finished: dict[str, Any]) -> None:
    assert finished["state"] == "finished"
    assert finished["epochs"] == 80
    assert finished["train"]["nmse"] < finished["start_error"]
    assert finished["test"]["nmse"] > 0
    assert finished["prediction"]["tau"] > 0
    assert finished["prediction"]["verdict"] in {"cannot-tell", "as-predicted", "slower", "faster"}
    assert {Path(figure).suffix for figure in finished["figures"]} == {".png", ".svg"}
    assert all(Path(figure).stat().st_size > 10_000 for figure in finished["figures"])


def test_errors_and_masks_can_be_computed_again_from_the_record(finished: dict[str, Any]) -> None:
    """With nothing but h5py and NumPy, as somebody without this program would."""
    with h5py.File(finished["record"], swmr=True) as record:
        outputs, target = record["epochs/output"][:].astype(np.float64), record["target"][:]
        mask = record["masks/initial"][:]
        for mirror, accepted, shown in zip(
            record["epochs/mirror"][:], record["epochs/accepted"][:], record["epochs/mask"][:], strict=True
        ):
            candidate = mask.copy()
            if mirror >= 0:
                candidate[mirror] ^= True
            assert np.array_equal(np.unpackbits(shown, count=len(mask)).astype(bool), candidate)
            mask = candidate if accepted else mask
        nmse, final, gain = record["epochs/nmse"][:], record["masks/final"][:], record["gain"][()]
        mse = record["epochs/mse"][:]
    assert np.array_equal(mask, final)
    centred = outputs - outputs.mean(axis=1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True))
    assert np.allclose(((scaled - target) ** 2).mean(axis=1), nmse, rtol=1e-12)
    assert np.allclose(((centred / gain - target) ** 2).mean(axis=1), mse, rtol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--neurons", 150), "150"),
        (("--neurons", 150), "144 (12 x 12)"),
        (("--selection", "gredy"), "did you mean 'greedy'"),
        (("--loss", "rmse"), "should be one of nmse, mse"),
        (("--task", "lorenz"), "Known: mackey-glass"),
        (("--task", "missing.csv"), "missing.csv"),
        (("--bench", "missing.toml"), "labcontrol init"),
        (("--steps", 3), "greater than or equal to 10"),
        (("missing.toml",), "There is no experiment file missing.toml"),
    ],
)
def test_bad_options_get_one_message_and_leave_nothing_behind(
    cli: Callable[..., Any], tmp_path: Path, arguments: tuple[object, ...], expected: str
) -> None:
    outcome = cli("run", "--headless", "--output", tmp_path / "runs", *arguments)
    assert outcome.code == 2
    assert expected in outcome.err
    assert "Traceback" not in outcome.err
    assert not list(tmp_path.iterdir())


def test_the_self_test_gives_its_result_to_programs(cli: Callable[..., Any]) -> None:
    outcome = cli("selftest", "--neurons", 16, "--scan", 2, "--method", "sobol", "--json")
    assert outcome.code == 0, outcome.err
    result = json.loads(outcome.out)
    assert result["figures"]["consistency"] > 0.5
    assert result["scan"]["gain"] >= 1
    assert result["can_learn"] is (result["advice"] == [])


def test_a_scan_of_less_than_nothing_is_refused_at_once(cli: Callable[..., Any]) -> None:
    outcome = cli("selftest", "--scan", -1)
    assert outcome.code == 2
    assert "--scan" in outcome.err


@pytest.mark.parametrize("text", ["1\n2\nx\n", "1\n2\nnan\n"])
def test_a_csv_with_text_or_gaps_is_refused(cli: Callable[..., Any], tmp_path: Path, text: str) -> None:
    series = tmp_path / "series.csv"
    series.write_text(text)
    outcome = cli("run", "--headless", "--task", series, "--output", tmp_path / "runs")
    assert outcome.code == 2
    assert "line 3, column 1" in outcome.err


def test_a_users_csv_is_learned(cli: Callable[..., Any], tmp_path: Path) -> None:
    series = tmp_path / "series.csv"
    series.write_text("\n".join(str(np.sin(0.3 * n) + np.sin(0.47 * n)) for n in range(400)))
    outcome = cli(*SMALL, "--task", series, "--json", "--output", tmp_path / "runs")
    assert outcome.code == 0
    result = json.loads(outcome.out.splitlines()[-1])
    assert result["test"]["nmse"] < 1


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0 and sys.platform != "linux", reason="root may write")
def test_an_output_that_cannot_be_written_is_refused(cli: Callable[..., Any], tmp_path: Path) -> None:
    blocked = tmp_path / "runs"
    blocked.write_text("a file where the folder should be")
    outcome = cli(*SMALL, "--output", blocked)
    assert outcome.code == 2
    assert "cannot be written" in outcome.err


def test_insisting_on_a_window_without_a_display_says_what_to_do(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    outcome = cli("run", "--window", "--output", tmp_path / "runs")
    assert outcome.code == 2
    assert "--headless" in outcome.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("without", ["--headless", "--json", "--detach"])
def test_a_run_cannot_be_with_and_without_a_window(cli: Callable[..., Any], tmp_path: Path, without: str) -> None:
    outcome = cli("run", "--window", without, "--output", tmp_path / "runs")
    assert outcome.code == 2
    assert "Leave out one" in outcome.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("setting", "refused", "section"),
    [("power_w = 0.02", "power_w = 0.099", "laser"), ("exposure_s = ", "exposure_s = 9", "camera")],
)
def test_a_value_that_only_the_device_can_refuse_ends_a_run_before_its_record(
    cli: Callable[..., Any], tmp_path: Path, setting: str, refused: str, section: str
) -> None:
    assert cli("init", tmp_path, "--neurons", 16).code == 0
    bench = tmp_path / "bench.toml"
    text = bench.read_text(encoding="utf-8")
    assert f"\n{setting}" in text
    bench.write_text(text.replace(f"\n{setting}", f"\n{refused}"), encoding="utf-8")
    outcome = cli("run", tmp_path / "experiment.toml", "--headless", "--output", tmp_path / "runs")
    assert outcome.code == 2
    assert outcome.err.count(" must be from ") == 1
    assert f"[{section}] of the bench file" in outcome.err
    assert not (tmp_path / "runs").exists()


def test_a_run_without_a_terminal_does_not_wait_for_ever_for_a_person(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labcontrol.cli.terminal_run._PATIENCE_S", 0.1)
    faults = tmp_path / "faults.toml"
    faults.write_text('[[fault]]\ndevice = "laser"\nkind = "interlock"\nat_step = 300\n', encoding="utf-8")
    outcome = cli(*SMALL, "--faults", faults, "--output", tmp_path / "runs")
    assert outcome.code == 1
    assert "paused: The laser stopped because its interlock is open" in outcome.err
    resumed = cli("resume", "latest", "--folder", tmp_path / "runs")
    assert resumed.code == 1, resumed.err  # the script opens the interlock once more
    assert "The laser stopped" in resumed.err


@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
def test_ctrl_c_ends_the_run_cleanly(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "labcontrol", *map(str, SMALL[:-1]), "100000", "--json", "--output", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not _epochs_on_disk(tmp_path):
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    result = json.loads(out.splitlines()[-1])
    assert result["state"] == "stopped"
    assert result["reason"] == f"stopped at {result['epochs']} of 100000"
    with h5py.File(result["record"], swmr=True) as record:
        assert len(record["masks/final"]) == 36
        assert json.loads(bytes(record["state"][:]).splitlines()[-1])["state"] == "stopped"


def _epochs_on_disk(folder: Path) -> int:
    for path in folder.glob("*.h5"):
        try:
            with h5py.File(path, swmr=True) as record:
                return len(record["epochs/time"])
        except OSError:  # not quite created yet
            continue
    return 0
