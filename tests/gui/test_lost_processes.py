"""A process with devices that is killed: the window says so, and of the laser only what somebody has told."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from gui_helpers import NEURONS, MakeWindow, ScriptedRun, ScriptedRuns
from pytestqt.qtbot import QtBot

from labcontrol.bench import simulated_bench
from labcontrol.config import BenchConfig, ExperimentConfig, LaserEntry
from labcontrol.gui.processes.lost_laser import LostLaser
from labcontrol.gui.processes.run_process import ProcessRuns, RunProcess
from labcontrol.gui.window.main_window import MainWindow

if sys.platform == "win32":
    pytest.skip("emulated serial lines need POSIX", allow_module_level=True)

from mock_devices.wire.cobolt import CoboltInstrument
from mock_devices.wire.laser_electronics import LaserElectronics
from mock_devices.wire.ports import PtyPort

PATIENCE_MS = 60_000


@dataclass
class RealLaser:
    """A laser on a line of its own, which lights the simulated table from outside."""

    head: LaserElectronics
    bench: BenchConfig


@pytest.fixture
def real() -> Iterator[RealLaser]:
    head = LaserElectronics()
    with PtyPort(CoboltInstrument(head)) as port:
        entry = LaserEntry(
            driver="cobolt-06",
            address=port.address,
            power_w=0.02,
            options={"command_spacing_s": 0.0, "warm_up_time_s": 0.0, "timeout_s": 0.5},
        )
        yield RealLaser(head, simulated_bench(NEURONS, 1).model_copy(update={"laser": entry}))


@pytest.fixture
def window(make_window: MakeWindow, scripted_run: ScriptedRun, tmp_path: Path) -> Iterator[MainWindow]:
    window = make_window(ScriptedRuns(scripted_run, tmp_path))
    yield window
    window.devices.close_bench()


def kill(pid: int | None) -> None:
    psutil.Process(pid).kill()


def connect_laser(window: MainWindow, bench: BenchConfig, qtbot: QtBot) -> None:
    window.devices._bench = lambda: bench
    window.show_page(window.devices)
    window.devices._connect_device("laser")
    qtbot.waitUntil(lambda: window.devices.laser.is_connected, timeout=PATIENCE_MS)


def test_a_killed_process_of_the_devices_leaves_the_word_to_the_guardian(
    window: MainWindow, real: RealLaser, qtbot: QtBot
) -> None:
    connect_laser(window, real.bench, qtbot)
    window.devices.laser.arm_button.click()
    window.devices.laser.on_button.click()
    qtbot.waitUntil(lambda: window.devices.light_is_on, timeout=PATIENCE_MS)
    assert real.head.emitting

    assert window.devices.link._process is not None
    kill(window.devices.link._process.pid)
    qtbot.waitUntil(lambda: window.banner.isVisible(), timeout=PATIENCE_MS)
    assert "The process that held the devices was killed" in window.banner.text.text()
    qtbot.waitUntil(lambda: "by its guardian" in window.header.laser.text(), timeout=PATIENCE_MS)
    assert not real.head.emitting
    assert "switched the laser off at" in window.banner.text.text()
    assert not window.devices.laser.is_connected

    # as soon as the laser itself can be asked again, its own word counts
    connect_laser(window, real.bench, qtbot)
    assert window.header.laser.text() == "○  Laser off"


def test_a_killed_process_of_the_run_leaves_the_word_to_the_guardian(
    window: MainWindow, real: RealLaser, qtbot: QtBot, tmp_path: Path
) -> None:
    experiment = ExperimentConfig.model_validate(
        {
            "neurons": NEURONS,
            "task": {"steps": 30, "test_steps": 10, "washout": 5},
            "stop": {"epochs": 100_000},
            "prediction": {"pilot_flips": 8},
        }
    )
    window.starter._runs = runs = ProcessRuns(tmp_path, armed_by="a test")
    window.starter.start(lambda: runs.new(experiment, real.bench))
    qtbot.waitUntil(lambda: window.live.learning.epochs > 3, timeout=PATIENCE_MS)
    assert "Laser ON" in window.header.laser.text()
    run = window.controller.run
    assert isinstance(run, RunProcess)
    kill(run.pid)
    qtbot.waitUntil(lambda: window.header.state.text() == "Failed", timeout=PATIENCE_MS)
    assert "Laser ON" not in window.header.laser.text()
    qtbot.waitUntil(lambda: "by its guardian" in window.header.laser.text(), timeout=PATIENCE_MS)
    assert not real.head.emitting
    assert "The process of the run was killed" in window.banner.text.text()
    assert "labcontrol resume" in window.banner.text.text()


def test_a_simulated_laser_ends_with_its_process(window: MainWindow, qtbot: QtBot) -> None:
    connect_laser(window, simulated_bench(NEURONS, 1), qtbot)
    assert window.devices.link._process is not None
    kill(window.devices.link._process.pid)
    qtbot.waitUntil(lambda: window.banner.isVisible(), timeout=PATIENCE_MS)
    assert window.header.laser.text() == "○  No light: simulated"
    assert "simulated" in window.banner.text.text()


@pytest.mark.parametrize(("was_on", "chip"), [(True, "not known"), (False, "last heard off")])
def test_what_nobody_has_told_is_not_known(
    qtbot: QtBot, real: RealLaser, tmp_path: Path, was_on: bool, chip: str
) -> None:
    light = LostLaser()
    light.begin(real.bench, tmp_path / "journal", was_on=was_on)
    assert light.known is not None
    assert light.known.kind == "caution"
    assert chip in light.known.chip
    assert "Check the laser" in light.known.words


def test_a_laser_that_does_not_confirm_is_not_called_off(qtbot: QtBot, real: RealLaser, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    journal.write_text('{"unix_s": 1.0, "state": "NOT CONFIRMED OFF", "reason": "no answer"}\n{"unix_s": 2.0, "st')
    light = LostLaser()
    light.begin(real.bench, journal, was_on=True)
    assert light.known is not None
    assert light.known.kind == "danger"
    assert "not confirmed off" in light.known.chip
    journal.write_text('{"unix_s": 3.0, "state": "tripped", "reason": "no answer"}\n')
    light.poll()
    assert "by its guardian" in light.known.chip
    light.clear()
    assert light.known is None
