"""The Devices page in the window: one device after the other, and the light obeys at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from gui_helpers import MakeWindow, ScriptedHost
from pytestqt.qtbot import QtBot

from labcontrol.config import BenchConfig
from labcontrol.engine import RunState
from labcontrol.gui.devices.page import DevicesPage
from labcontrol.gui.window.main_window import MainWindow
from labcontrol.host import HostState

PATIENCE_MS = 180_000


@pytest.fixture
def window(make_real_window: MakeWindow, host: ScriptedHost) -> Iterator[MainWindow]:
    """With a host of its own."""
    window = make_real_window(host)
    window.show_page(window.page(DevicesPage))
    yield window
    window.table.abort()
    window.table.finish(30)


def test_the_laser_under_manual_control(window: MainWindow, qtbot: QtBot) -> None:
    devices = window.page(DevicesPage)
    laser = devices.laser
    devices.connect_all()
    qtbot.waitUntil(lambda: all(card.is_connected for card in devices.cards.values()), timeout=PATIENCE_MS)
    assert "laser diode" in laser.identity.text()
    assert laser.interlock.text() == "interlock closed"
    assert window.header.state.text() == "Manual"

    # emission needs arming, and arming is used up by it
    assert not laser.on_button.isEnabled()
    laser.arm_button.click()
    assert laser.on_button.isEnabled()
    laser.on_button.click()
    assert not laser.is_armed
    qtbot.waitUntil(lambda: window.header.laser.text() == "☀  Laser ON · 20 mW", timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: not laser.arm_button.isEnabled(), timeout=PATIENCE_MS)

    # while it emits, the power follows
    laser.power.setValue(12.0)
    qtbot.waitUntil(lambda: window.header.laser.text() == "☀  Laser ON · 12 mW", timeout=PATIENCE_MS)

    # camera and detector see it
    devices.dmd.send_button.click()
    devices.camera.live_button.click()
    devices.detector.live_button.click()
    qtbot.waitUntil(lambda: devices.camera.view._frame is not None, timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: "W" in devices.detector.reading.text(), timeout=PATIENCE_MS)

    # the safe-off button works here too
    window.header.safe_button.click()
    qtbot.waitUntil(lambda: window.header.laser.text() == "○  Laser off", timeout=PATIENCE_MS)

    # a run takes the table over, and then hands are off
    window.starter.start_form()
    assert window.table.state is HostState.RUN
    assert not laser.isEnabled()
    assert not laser.is_connected
    assert "A run holds the table" in devices.hint.text()
    qtbot.waitUntil(lambda: window.table.status.state is RunState.RUNNING, timeout=PATIENCE_MS)
    window.table.abort()
    qtbot.waitUntil(lambda: window.header.state.text() == "Aborted", timeout=PATIENCE_MS)
    assert laser.isEnabled()


def test_a_device_that_is_missing_says_so_and_the_others_work(
    make_real_window: MakeWindow, host: ScriptedHost, qtbot: QtBot
) -> None:
    bench = host.bench.model_dump()
    bench["camera"] |= {"exposure_s": 90.0}  # longer than this camera can
    host.bench = BenchConfig.model_validate(bench)
    window = make_real_window(host)
    devices = window.page(DevicesPage)
    cards = devices.cards
    window.show_page(devices)
    devices.connect_all()
    qtbot.waitUntil(lambda: cards["detector"].is_connected and cards["camera"].problem.isVisible(), timeout=PATIENCE_MS)
    assert "exposure" in cards["camera"].problem.text()
    assert cards["camera"].connect_button.isEnabled()
    assert cards["laser"].is_connected
    devices.release_button.click()
    assert not any(card.is_connected for card in cards.values())
    assert window.table.state is HostState.FREE
