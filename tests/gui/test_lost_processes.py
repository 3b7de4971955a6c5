"""A host that is killed: the window says so, and of the laser only what somebody has reported."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from gui_helpers import NEURONS, MakeWindow, ScriptedHost
from pytestqt.qtbot import QtBot

from labcontrol.bench import simulated_bench
from labcontrol.config import BenchConfig, ExperimentConfig, LaserEntry
from labcontrol.gui.devices.page import DevicesPage
from labcontrol.gui.live.page import LivePage
from labcontrol.gui.session.arming import Arming
from labcontrol.gui.session.lost_laser import LostLaser
from labcontrol.gui.window.main_window import MainWindow

if sys.platform == "win32":
    pytest.skip("emulated serial lines need POSIX", allow_module_level=True)

from mock_devices.wire.cobolt import CoboltInstrument
from mock_devices.wire.laser_electronics import LaserElectronics
from mock_devices.wire.ports import PtyPort

PATIENCE_MS = 180_000


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


def kill_host(window: MainWindow) -> None:
    psutil.Process(window.table.host.status.pid).kill()


def connect_laser(window: MainWindow, qtbot: QtBot) -> None:
    devices = window.page(DevicesPage)
    window.show_page(devices)
    devices._connect_device("laser")
    qtbot.waitUntil(lambda: devices.laser.is_connected, timeout=PATIENCE_MS)


def lit(make_real_window: MakeWindow, host: ScriptedHost, real: RealLaser, qtbot: QtBot) -> MainWindow:
    """A window whose laser emits."""
    host.bench = real.bench
    window = make_real_window(host)
    laser = window.page(DevicesPage).laser
    connect_laser(window, qtbot)
    laser.arm_button.click()
    laser.on_button.click()
    qtbot.waitUntil(lambda: window.table.light_is_on, timeout=PATIENCE_MS)
    return window


def test_a_killed_host_of_the_devices_leaves_the_word_to_the_guardian(
    make_real_window: MakeWindow, host: ScriptedHost, real: RealLaser, qtbot: QtBot
) -> None:
    window = lit(make_real_window, host, real, qtbot)
    assert real.head.emitting

    kill_host(window)
    qtbot.waitUntil(lambda: window.banner.isVisible(), timeout=PATIENCE_MS)
    assert "The process that held the table was killed" in window.banner.text.text()
    qtbot.waitUntil(lambda: "by its guardian" in window.header.laser.text(), timeout=PATIENCE_MS)
    assert not real.head.emitting
    assert "switched the laser off at" in window.banner.text.text()
    assert not window.page(DevicesPage).laser.is_connected

    # as soon as the laser itself can be asked again, its own word counts
    connect_laser(window, qtbot)
    assert window.header.laser.text() == "○  Laser off"


def test_a_killed_host_of_a_run_leaves_the_word_to_the_guardian(
    make_real_window: MakeWindow, host: ScriptedHost, real: RealLaser, qtbot: QtBot
) -> None:
    host.bench = real.bench
    host.experiment = ExperimentConfig.model_validate(
        {
            "neurons": NEURONS,
            "task": {"steps": 30, "test_steps": 10, "washout": 5},
            "stop": {"epochs": 100_000},
        }
    )
    window = make_real_window(host)
    window.starter._arming = Arming("a test")
    window.starter.start_form()
    qtbot.waitUntil(lambda: window.page(LivePage).learning.epochs > 3, timeout=PATIENCE_MS)
    assert "Laser ON" in window.header.laser.text()
    kill_host(window)
    qtbot.waitUntil(lambda: window.header.state.text() == "Failed", timeout=PATIENCE_MS)
    assert "Laser ON" not in window.header.laser.text()
    qtbot.waitUntil(lambda: "by its guardian" in window.header.laser.text(), timeout=PATIENCE_MS)
    assert not real.head.emitting
    assert "The process that held the table was killed" in window.banner.text.text()
    assert "labcontrol resume" in window.banner.text.text()


def test_a_simulated_laser_ends_with_its_host(make_real_window: MakeWindow, host: ScriptedHost, qtbot: QtBot) -> None:
    window = make_real_window(host)
    connect_laser(window, qtbot)
    kill_host(window)
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


def test_a_host_that_hangs_is_said_to_and_ended_at_the_second_safe_off(
    make_real_window: MakeWindow, host: ScriptedHost, real: RealLaser, qtbot: QtBot
) -> None:
    window = lit(make_real_window, host, real, qtbot)
    process = psutil.Process(window.table.host.status.pid)
    process.suspend()
    qtbot.waitUntil(lambda: "does not answer" in window.banner.text.text(), timeout=PATIENCE_MS)
    assert window.banner.isVisible()
    assert window.header.laser.text() == "Laser: not known"
    assert window.header.state.text().startswith("No answer for")
    qtbot.waitUntil(lambda: not real.head.emitting, timeout=PATIENCE_MS)  # by the guardian, who hears nothing either
    window.header.safe_action.trigger()
    assert process.is_running()
    window.header.safe_action.trigger()
    qtbot.waitUntil(lambda: "was killed" in window.banner.text.text(), timeout=PATIENCE_MS)


def test_a_host_that_answers_again_is_no_longer_said_to_hang(
    make_real_window: MakeWindow, host: ScriptedHost, real: RealLaser, qtbot: QtBot
) -> None:
    host.bench = real.bench
    window = make_real_window(host)
    connect_laser(window, qtbot)
    process = psutil.Process(window.table.host.status.pid)
    process.suspend()
    qtbot.waitUntil(lambda: window.banner.isVisible(), timeout=PATIENCE_MS)
    process.resume()
    qtbot.waitUntil(lambda: not window.banner.isVisible(), timeout=PATIENCE_MS)
    assert window.header.laser.text() != "Laser: not known"
