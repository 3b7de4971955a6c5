"""`labcontrol check` and `labcontrol drivers`."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from drivers import registry
from drivers.interfaces import Laser
from mock_devices.laser import SimulatedLaser


def test_check_says_what_an_experiment_would_do(cli: Callable[..., Any], tmp_path: Path) -> None:
    assert cli("init", tmp_path).code == 0
    outcome = cli("check", tmp_path / "experiment.toml")
    assert outcome.code == 0
    for words in ("400 (20 x 20)", "mackey-glass", "1600 epochs at most", "simulated-slm", "is right"):
        assert words in outcome.out


def test_check_can_connect_to_the_devices_of_a_bench(cli: Callable[..., Any], tmp_path: Path) -> None:
    assert cli("init", tmp_path).code == 0
    outcome = cli("check", tmp_path / "bench.toml", "--connect")
    assert outcome.code == 0
    assert outcome.out.count("ready: ") == 5
    for words in ("20 mW in a run", "interlock closed", "80 x 80 pixels", "6 ms a frame", "a step takes about 44.4 ms"):
        assert words in outcome.out
    replay = cli("check", tmp_path / "experiment.toml", "--connect")
    assert "a replay of 230 steps 10 s" in replay.out


def test_check_names_the_nearest_key(cli: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "experiment.toml"
    path.write_text("[learning]\nstrategie = 'speculative'\n")
    outcome = cli("check", path)
    assert outcome.code == 2
    assert "'strategy'" in outcome.err


def test_an_unknown_driver_is_answered_with_the_nearest(cli: Callable[..., Any], tmp_path: Path) -> None:
    assert cli("init", tmp_path).code == 0
    bench = tmp_path / "bench.toml"
    bench.write_text(bench.read_text().replace('"simulated-laser"', '"simulated-lazer"'))
    outcome = cli("check", bench)
    assert outcome.code == 2
    assert "Did you mean 'simulated-laser'" in outcome.err


def test_drivers_are_listed_and_described(cli: Callable[..., Any]) -> None:
    listed = cli("drivers")
    assert listed.code == 0
    assert "simulated-camera" in listed.out
    described = cli("drivers", "simulated-table")
    assert "rows" in described.out
    assert cli("drivers", "no-such").code == 2


class Unfinished(Laser):
    """A driver that fills no hook."""


class OtherOptions(SimulatedLaser):
    Options = dict  # type: ignore[assignment]


class Unplugged(SimulatedLaser):
    def open(self) -> None:
        raise OSError(5, "Input/output error")


@pytest.mark.parametrize(
    "value",
    [
        "json:NoSuchThing",
        "json:dumps",
        "no_such_package:Driver",
        "exits_when_imported:Driver",
        f"{__name__}:Unfinished",
        f"{__name__}:OtherOptions",
    ],
)
def test_a_broken_package_with_a_driver_does_not_take_the_others_with_it(
    value: str, cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = registry._entry_points() | {"broken": {value: EntryPoint("broken", value, registry.GROUP)}}
    monkeypatch.setattr(registry, "_entry_points", lambda: known)
    (tmp_path / "exits_when_imported.py").write_text("raise SystemExit(3)")
    monkeypatch.syspath_prepend(tmp_path)
    listed = cli("drivers")
    assert listed.code == 0
    assert "simulated-camera" in listed.out
    assert "cannot be used" in listed.out
    assert cli("drivers", "broken").code == 2
    assert cli("init", tmp_path).code == 0
    bench = tmp_path / "bench.toml"
    bench.write_text(bench.read_text().replace('"simulated-laser"', '"broken"'))
    outcome = cli("check", bench)
    assert outcome.code == 2
    assert "the driver 'broken' cannot be used" in outcome.err


def announce(monkeypatch: pytest.MonkeyPatch, *values: str) -> None:
    """Drivers of packages from elsewhere, all under the name 'theirs'."""
    theirs = {value: EntryPoint("theirs", value, registry.GROUP) for value in values}
    known = registry._entry_points() | {"theirs": theirs}
    monkeypatch.setattr(registry, "_entry_points", lambda: known)


def test_two_packages_with_one_driver_name_are_both_named(
    cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    announce(monkeypatch, f"{__name__}:Unplugged", "mock_devices.laser:SimulatedLaser")
    outcome = cli("drivers", "theirs")
    assert outcome.code == 2
    for words in (f"{__name__}:Unplugged", "mock_devices.laser:SimulatedLaser", "remove one"):
        assert words in outcome.err


def test_an_error_of_the_system_in_a_driver_names_role_and_driver(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    announce(monkeypatch, f"{__name__}:Unplugged")
    assert cli("init", tmp_path).code == 0
    bench = tmp_path / "bench.toml"
    bench.write_text(bench.read_text().replace('"simulated-laser"', '"theirs"'))
    outcome = cli("run", tmp_path / "experiment.toml", "--bench", bench, "--headless", "--output", tmp_path / "runs")
    assert outcome.code == 1
    assert "laser: could not be opened" in outcome.err
    assert "Unplugged raised OSError: [Errno 5] Input/output error" in outcome.err
    assert "Traceback" not in outcome.err


def test_check_and_run_say_what_was_understood_of_a_file(cli: Callable[..., Any], tmp_path: Path) -> None:
    series = tmp_path / "a[b].csv"
    series.write_text("\n".join(f"{k * 7919 % 101 / 101:.3f}".replace(".", ",") for k in range(120)) + "\n;")
    series.write_text("signal\n" + series.read_text().removesuffix("\n;"))
    (tmp_path / "experiment.toml").write_text(
        "\ufeffneurons = 16\n[task]\nname = 'a[b].csv'\nsteps = 40\ntest_steps = 20\nwashout = 5\n", encoding="utf-8"
    )
    understood = "one column, whose next value is the target; 120 rows; input 0, 0.406, 0.812, ...; names signal"
    checked = cli("check", tmp_path / "experiment.toml")
    assert checked.code == 0
    assert understood in " ".join(checked.out.split())
    ran = cli("run", tmp_path / "experiment.toml", "--epochs", 3, "--headless", "--output", tmp_path / "runs")
    assert ran.code == 0
    assert f"{series}: {understood}" in ran.err
