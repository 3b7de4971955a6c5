"""A window without a display, settings of its own, and nothing left behind after a test."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from gui_helpers import MakeWindow, ScriptedRun, ScriptedRuns
from PyQt5.QtCore import QEvent, QSettings
from PyQt5.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from labcontrol.engine import RunStatus
from labcontrol.gui.window.desktop import Appearance
from labcontrol.gui.window.main_window import MainWindow


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A warning of Qt fails a test; the one that the offscreen platform gives for every window is not ours."""
    for item in items:
        if Path(item.path).parent == Path(__file__).parent:
            item.add_marker(pytest.mark.qt_log_level_fail("WARNING"))
            item.add_marker(pytest.mark.qt_log_ignore("propagateSizeHints"))


@pytest.fixture(scope="session", autouse=True)
def _runtime_directory(tmp_path_factory: pytest.TempPathFactory) -> None:
    if "XDG_RUNTIME_DIR" not in os.environ:
        directory = tmp_path_factory.mktemp("runtime")
        directory.chmod(0o700)
        os.environ["XDG_RUNTIME_DIR"] = str(directory)


@pytest.fixture(autouse=True)
def _nothing_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    threads = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= threads
    if "qtbot" in request.fixturenames:
        assert [widget for widget in QApplication.topLevelWidgets() if widget.isVisible()] == []
        # Outside an event loop Qt puts deletions off for ever; every later test would style the old widgets again.
        QApplication.sendPostedEvents(None, QEvent.DeferredDelete)


@pytest.fixture
def settings(tmp_path: Path) -> QSettings:
    return QSettings(str(tmp_path / "settings.ini"), QSettings.IniFormat)


@pytest.fixture
def make_window(qapp: QApplication, qtbot: QtBot, settings: QSettings) -> MakeWindow:
    def make(runs: ScriptedRuns) -> MainWindow:
        run = runs._run
        window = MainWindow(run.experiment, run.bench_config, runs, Appearance(qapp, settings), settings)
        qtbot.addWidget(window, before_close_func=lambda _: setattr(run, "status", RunStatus()))
        window.show()
        return window

    return make


@pytest.fixture
def scripted_run() -> ScriptedRun:
    return ScriptedRun()
