"""Every command that lists or checks something gives its result as JSON, too, and nothing else on standard output."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Cli = Callable[..., Any]


def result(cli: Cli, *arguments: object) -> Any:
    done = cli(*arguments, "--json")
    assert done.code == 0, done.err
    return json.loads(done.out)


def test_strategies_and_their_options(cli: Cli) -> None:
    assert "flip" in result(cli, "strategies")["coordinate-descent"]["does"]
    options = result(cli, "strategies", "coordinate-descent")
    assert options["selection"]["default"] == "uniform"
    assert options["selection"]["meaning"]


def test_drivers_and_their_options(cli: Cli) -> None:
    drivers = result(cli, "drivers")
    assert drivers["cobolt-06"]["role"] == "laser"
    assert not drivers["cobolt-06"]["problem"]
    assert "timeout_s" in result(cli, "drivers", "cobolt-06")


def test_devices_that_are_connected(cli: Cli) -> None:
    found = result(cli, "devices")
    assert set(found) == {"devices", "places", "bench", "not_looked_at"}
    assert cli("devices", "--json", "--write", "bench.toml").code == 2
    assert not Path("bench.toml").exists()


def test_what_a_file_would_do_and_how_its_devices_are(cli: Cli, tmp_path: Path) -> None:
    assert cli("init", tmp_path, "--neurons", 16).code == 0
    told = result(cli, "check", tmp_path / "experiment.toml", "--connect")
    assert told["experiment"]["neurons"] == 16
    assert told["bench"]["camera"]["driver"] == "simulated-camera"
    assert [device["role"] for device in told["devices"]["findings"]] == ["laser", "slm", "dmd", "camera", "detector"]
    assert told["devices"]["step_s"] > 0.04
    alone = result(cli, "check", tmp_path / "bench.toml")
    assert (alone["experiment"], alone["devices"]) == (None, None)
