"""`labcontrol calibrate` and `labcontrol calibrations`, and runs that need them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from labcontrol.records import RunReader

Cli = Callable[..., Any]


def test_hidden_table_is_refused_calibrated_and_learned_on(cli: Cli, tmp_path: Path) -> None:
    bench, runs = tmp_path / "bench.toml", tmp_path / "runs"
    experiment = tmp_path / "experiment.toml"
    assert cli("init", tmp_path, "--neurons", 36, "--hidden-table", 5).code == 0
    short = ("--headless", "--epochs", 8, "--steps", 20, "--bench", bench, "--output", runs, "--json")

    refused = cli("run", experiment, *short)
    assert refused.code == 2
    assert "registration is missing: was never measured" in refused.err

    done = cli("calibrate", "--bench", bench, "--no-figures")
    assert done.code == 0, done.err
    assert "calibrated" in done.err

    again = cli("calibrate", "--bench", bench)
    assert again.err.count("still holds") == len(list((tmp_path / "calibrations").glob("*.h5")))

    learned = cli("run", experiment, *short)
    assert learned.code == 0, learned.err
    with RunReader(Path(json.loads(learned.out)["record"])) as record:
        applied = record.metadata["calibrations"]
    assert {"registration", "phase-response", "mirrors"} <= {one["kind"] for one in applied}
    assert all(len(one["sha256"]) == 64 and one["state"] == "fresh" for one in applied)

    listed = cli("calibrations", "list", "--bench", bench)
    assert "fresh" in listed.out
    shown = cli("calibrations", "show", "registration", "--bench", bench, "--figure", tmp_path / "r.png")
    assert "radial distortion" in shown.out
    assert (tmp_path / "r.png").stat().st_size > 10_000
    assert cli("calibrations", "export", "camera", tmp_path / "c.json", "--bench", bench).code == 0
    assert json.loads((tmp_path / "c.json").read_text())["kind"] == "camera"

    assert cli("calibrate", "camera", "--again", "--bench", bench, "--no-figures").code == 0
    stale = cli("run", experiment, *short)
    assert stale.code == 2
    assert "measured again since" in stale.err
    assert "dark_counts" in cli("calibrations", "compare", "camera", "--bench", bench).out

    anyway = cli("run", experiment, *short, "--allow-stale")
    assert anyway.code == 0, anyway.err
    with RunReader(Path(json.loads(anyway.out)["record"])) as record:
        states = {one["kind"]: one["state"] for one in record.metadata["calibrations"]}
    assert states["registration"].startswith("stale")


def test_unknown_step_is_named(cli: Cli, tmp_path: Path) -> None:
    cli("init", tmp_path, "--neurons", 16, "--hidden-table", 5)
    refused = cli("calibrate", "registraton", "--bench", tmp_path / "bench.toml")
    assert refused.code == 2
    assert "Known are: camera" in refused.err


def test_selftest_recommends_an_operating_point(cli: Cli, tmp_path: Path) -> None:
    better = tmp_path / "better.toml"
    done = cli("selftest", "--neurons", 36, "--feedback", 0.8, "--scan", 6, "--method", "sobol", "--output", better)
    assert done.code == 0, done.err
    assert "chaotic" in done.out
    assert "recommended" in done.out
    assert cli("check", better).code == 0
