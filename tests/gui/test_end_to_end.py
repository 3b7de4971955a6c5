"""A run from start to report, driven through the window by mouse and keys of a real display."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from faulty_runs import make_runs_faulty
from gui_helpers import ScriptedHost
from PyQt5.QtGui import QDesktopServices
from PyQt5.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from labcontrol.config import ExperimentConfig
from labcontrol.engine import RunState
from labcontrol.gui.runs.page import RunsPage
from labcontrol.gui.window.main_window import MainWindow
from labcontrol.records import RunReader

# Only on a display of its own: elsewhere the mouse belongs to a person.
display = pytest.importorskip("pytest_xvfb", reason="needs a display of its own")
pytestmark = pytest.mark.skipif(
    display.xvfb_instance is None or shutil.which("xdotool") is None, reason="needs Xvfb and xdotool"
)

_PATIENCE_MS = 180_000


@pytest.fixture
def window(
    monkeypatch: pytest.MonkeyPatch, host: ScriptedHost, request: pytest.FixtureRequest, qtbot: QtBot
) -> MainWindow:
    host.experiment = ExperimentConfig.model_validate(
        {"neurons": 16, "task": {"steps": 30, "test_steps": 10, "washout": 5}, "stop": {"epochs": 1_000_000}}
    )
    make_runs_faulty(monkeypatch)
    window: MainWindow = request.getfixturevalue("window_here")
    qtbot.waitExposed(window)
    window.activateWindow()
    return window


def click(widget: QWidget, x: int | None = None, y: int | None = None) -> None:
    """With the mouse of the display, in the middle of the widget or at a place in it."""
    place = widget.rect().center() if x is None or y is None else widget.rect().topLeft()
    place = widget.mapToGlobal(place)
    ratio = widget.devicePixelRatioF()
    xdotool("mousemove", str(round(ratio * (place.x() + (x or 0)))), str(round(ratio * (place.y() + (y or 0)))))
    xdotool("click", "1")


def xdotool(*words: str) -> None:
    subprocess.run(["xdotool", *words], check=True, timeout=10)


def test_from_start_to_report(
    window: MainWindow, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    header, table, runs = window.header, window.table, window.page(RunsPage)
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()) or True)

    def wait_for(state: RunState, words: Callable[[], bool] = lambda: True) -> None:
        qtbot.waitUntil(lambda: table.status.state is state and words(), timeout=_PATIENCE_MS)

    # start by mouse, pause and resume by key
    click(header.buttons[header.start_action])
    wait_for(RunState.RUNNING, lambda: header.laser.text().startswith("☀  Laser ON"))
    xdotool("key", "F6")
    wait_for(RunState.PAUSED, lambda: header.state.text() == "Paused")
    assert not window.pause_notice.isVisible()
    paused_at = table.status.epoch
    xdotool("key", "F6")

    # the interlock opens: dark, paused with its reason, until a person resumes
    wait_for(RunState.PAUSED, window.pause_notice.isVisible)
    qtbot.waitUntil(lambda: "waiting for a person" in table.status.reason, timeout=_PATIENCE_MS)
    assert "interlock" in window.pause_notice.text.text()
    qtbot.waitUntil(lambda: header.laser.text() == "○  Laser off", timeout=_PATIENCE_MS)
    faulted_at = table.status.epoch
    assert faulted_at > paused_at
    click(window.pause_notice.resume_button)
    wait_for(RunState.RUNNING, lambda: table.status.epoch > faulted_at + 5)
    assert not window.pause_notice.isVisible()

    # finish
    click(header.buttons[header.stop_action])
    wait_for(RunState.STOPPED, lambda: header.state.text() == "Stopped")
    assert header.laser.text() == "○  Laser off"
    record = table.status.record
    assert record is not None
    with RunReader(record) as run:
        assert run.state.name == "stopped"
        assert (np.diff(run.epochs.replay) == 1).all()
        assert any("interlock" in fault.text for fault in run.faults)

    # browse and report
    xdotool("key", f"ctrl+{window.tabs.numbered.index(runs) + 1}")
    qtbot.waitUntil(runs.isVisible, timeout=_PATIENCE_MS)
    qtbot.waitUntil(lambda: runs.model.rowCount() == 1, timeout=_PATIENCE_MS)
    viewport = runs.table.viewport()
    assert viewport is not None
    click(viewport, 60, 12)
    report = runs._buttons["report"]
    qtbot.waitUntil(report.isEnabled, timeout=_PATIENCE_MS)
    click(report)
    qtbot.waitUntil(lambda: bool(opened), timeout=_PATIENCE_MS)
    page = Path(opened[0])
    assert page.parent == record.parent
    assert "interlock" in page.read_text(encoding="utf-8")
