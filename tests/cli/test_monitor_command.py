"""`labcontrol monitor` beside a run that is being written, ends, or is killed."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from labcontrol.analysis.record_follower import RecordFollower, pace_s
from labcontrol.cli.monitor import picture
from labcontrol.cli.terminal_curve import Line, curve_text
from labcontrol.records import RunWriter

sys.path.insert(0, str(Path(__file__).parents[1] / "records"))
from synthetic_run import SyntheticRun

Cli = Callable[..., Any]


@pytest.fixture(autouse=True)
def _without_a_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labcontrol.cli.monitor.has_display", lambda: False)


def begin(path: Path, replays: int) -> tuple[SyntheticRun, RunWriter]:
    run = SyntheticRun(selection="uniform")
    writer = RunWriter.create(path, run.header)
    run.write_pilot(writer)
    for epochs in run.replays(replays):
        writer.append_many(epochs)
    return run, writer


def test_a_running_run_is_seen_as_far_as_it_is(cli: Cli, tmp_path: Path) -> None:
    _, writer = begin(tmp_path / "run.h5", 30)
    with writer:
        seen = json.loads(cli("monitor", "--once", "--json", "--folder", tmp_path).out)
        writer.fault("camera", "timeout", "no frame", "taken again")
        again = json.loads(cli("monitor", "--once", "--json", "--folder", tmp_path).out)
        in_words = cli("monitor", "--once", "--folder", tmp_path).out
    assert (seen["state"], seen["epoch"], seen["epochs"], seen["faults"]) == ("running", 30, 144, 0)
    assert again["faults"] == 1
    assert "epoch 30/144" in in_words


def test_watching_ends_when_the_run_does(cli: Cli, tmp_path: Path) -> None:
    run, writer = begin(tmp_path / "run.h5", 3)
    polled = threading.Event()

    def go_on() -> None:
        polled.wait(20)
        with writer:
            writer.finish("finished", "all epochs done", run.final_mask, result={})

    other = threading.Thread(target=go_on)
    other.start()
    original = RecordFollower.poll

    def poll(self: RecordFollower, now_unix_s: float | None = None) -> Any:
        update = original(self, now_unix_s)
        polled.set()
        return update

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RecordFollower, "poll", poll)
        outcome = cli("monitor", "--json", "--interval", "0.05", "--folder", tmp_path)
    other.join()
    states = [json.loads(line)["state"] for line in outcome.out.splitlines()]
    assert states[0] == "running"
    assert states[-1] == "finished"
    assert outcome.code == 0


def test_a_killed_run_is_named_and_how_to_go_on(cli: Cli, tmp_path: Path) -> None:
    _, writer = begin(tmp_path / "run.h5", 3)
    writer.close()  # without an end, as a kill leaves it
    outcome = cli("monitor", "--folder", tmp_path)
    assert outcome.out.startswith("interrupted")
    assert "labcontrol resume" in outcome.err


def test_a_run_before_its_first_epoch_and_one_that_never_began_can_be_watched(cli: Cli, tmp_path: Path) -> None:
    run = SyntheticRun()
    with RunWriter.create(tmp_path / "run.h5", run.header):
        assert "no epoch yet" in cli("monitor", "--once", "--folder", tmp_path).out
    missing = cli("monitor", "--folder", tmp_path / "nowhere")
    assert missing.code == 2
    assert "There is no folder" in missing.err


def test_a_continued_run_is_followed_into_its_new_file(tmp_path: Path) -> None:
    path = SyntheticRun().write(tmp_path / "run.h5", replays=40, finish=False)
    with RecordFollower(path) as follower:
        assert follower.poll(0.0).status.epoch == 40
        with RunWriter.reopen(path):
            seen = follower.poll(0.0)
    assert (seen.state.name, seen.status.epoch) == ("running", 40)


@pytest.mark.parametrize("size", [(100, 30), (60, 12)])
def test_the_picture_fits_terminals_of_any_size(tmp_path: Path, size: tuple[int, int]) -> None:
    _, writer = begin(tmp_path / "run.h5", 60)
    with writer, RecordFollower(tmp_path / "run.h5") as follower:
        writer.log("info", "learning")
        console = Console(width=size[0], height=size[1])
        with console.capture() as captured:
            console.print(picture(follower, follower.poll(2e9), *size))
    lines = captured.get().splitlines()
    assert all(len(line) <= size[0] for line in lines)
    assert len(lines) <= size[1]
    assert any("no epoch for" in line for line in lines)


def test_the_curve_starts_high_and_ends_low() -> None:
    x = np.arange(100.0)
    text = curve_text([Line(x, np.exp(-x / 30), "blue")], 99.0, 60, 10).plain.splitlines()
    first, last = text[0], text[-2]
    assert first.rstrip("\u2800")[10:12].strip("\u2800")
    assert last.rstrip("\u2800")[-1] != "\u2800"
    assert len(last.rstrip("\u2800")) == 60
    assert "1.15" in first


def test_values_that_no_logarithm_has_are_left_out() -> None:
    x = np.arange(10.0)
    text = curve_text([Line(x, np.full(10, np.nan), "red"), Line(x, np.zeros(10), "blue")], 9.0, 40, 6).plain
    assert set(text) & {chr(code) for code in range(0x2801, 0x2900)} == set()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Records for which a window was asked for, where there is a display."""
    paths: list[Path] = []
    window = ModuleType("labcontrol.gui.monitor.window")
    window.open_monitor = lambda path, _interval_s: paths.append(path)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, window.__name__, window)
    monkeypatch.setattr("labcontrol.cli.monitor.has_display", lambda: True)
    monkeypatch.setattr("labcontrol.cli.monitor.why_not", lambda: None)
    return paths


def test_where_there_is_a_display_a_window_opens_unless_the_terminal_is_asked_for(
    cli: Cli, tmp_path: Path, opened: list[Path]
) -> None:
    path = SyntheticRun().write(tmp_path / "run.h5")
    assert cli("monitor", path).code == 0
    assert opened == [path]
    for option in ("--terminal", "--once", "--json"):
        assert "finished" in cli("monitor", path, option).out
    assert opened == [path]


def test_a_display_that_cannot_be_used_is_said_and_the_terminal_shows_the_run(
    cli: Cli, tmp_path: Path, opened: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labcontrol.cli.monitor.why_not", lambda: "The display :7 does not answer.")
    outcome = cli("monitor", SyntheticRun().write(tmp_path / "run.h5"))
    assert outcome.code == 0
    assert "No window: The display :7 does not answer." in outcome.err
    assert "finished" in outcome.out
    assert opened == []


def test_the_pace_is_that_of_the_replays_whatever_stood_still_between_them() -> None:
    assert pace_s(np.array([])) == pace_s(np.array([5.0])) == 0
    assert pace_s(np.array([1.0, 2, 3, 4000, 4001, 4002])) == 1
    assert pace_s(np.repeat([10.0, 14, 18, 22], 4)) == 1
