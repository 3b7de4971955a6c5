"""A window without a display, settings of its own, and nothing left behind after a test."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from gui_helpers import MakeWindow, ScriptedHost, host_here
from PyQt5.QtCore import QEvent, QSettings
from PyQt5.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from labcontrol.gui.window.desktop import Appearance
from labcontrol.gui.window.main_window import MainWindow

_WIDGETS_LEFT = 1000  # of about ten windows
_LEAVING_S = 5.0  # for a thread that has been told to end, on a busy computer
_REAPER = "host-reaper"  # waits for a host that ends some seconds after its last client


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
    left = [thread for thread in set(threading.enumerate()) - threads if thread.name != _REAPER]
    for thread in left:
        thread.join(_LEAVING_S)
    assert [thread.name for thread in left if thread.is_alive()] == []
    if "qtbot" in request.fixturenames:
        assert [widget for widget in QApplication.topLevelWidgets() if widget.isVisible()] == []
        # Outside an event loop Qt puts deletions off for ever; every later test would style the old widgets again.
        QApplication.sendPostedEvents(None, QEvent.DeferredDelete)
        if len(QApplication.allWidgets()) > _WIDGETS_LEFT:  # of plots, which only the garbage collector ends
            gc.collect()


@pytest.fixture
def settings(tmp_path: Path) -> QSettings:
    return QSettings(str(tmp_path / "settings.ini"), QSettings.IniFormat)


@pytest.fixture(autouse=True)
def _hosts_of_its_own(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test attaches to what another one runs."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))


@pytest.fixture
def host(tmp_path: Path) -> ScriptedHost:
    return ScriptedHost(tmp_path)


@pytest.fixture
def make_window(qapp: QApplication, qtbot: QtBot, settings: QSettings) -> MakeWindow:
    def make(host: ScriptedHost) -> MainWindow:
        window = MainWindow(host.experiment, host.bench, host.folder, Appearance(qapp, settings), settings)
        host.table = window.table
        window.table.host.use(host)  # type: ignore[arg-type]
        qtbot.addWidget(window, before_close_func=lambda _: window.end_now())
        window.show()
        return window

    return make


@pytest.fixture
def make_real_window(qapp: QApplication, qtbot: QtBot, settings: QSettings) -> MakeWindow:
    """A window that starts a host of its own when it needs one; of the scripted one only its settings are used."""

    def make(host: ScriptedHost) -> MainWindow:
        window = MainWindow(host.experiment, host.bench, host.folder, Appearance(qapp, settings), settings)
        qtbot.addWidget(window, before_close_func=lambda _: window.end_now())
        window.show()
        return window

    return make


@pytest.fixture
def window_here(qapp: QApplication, qtbot: QtBot, settings: QSettings, host: ScriptedHost) -> Iterator[MainWindow]:
    """A window whose host is in this process; of the scripted one only its settings are used."""
    here, client = host_here()
    window = MainWindow(host.experiment, host.bench, host.folder, Appearance(qapp, settings), settings)
    window.table.host.use(client)
    qtbot.addWidget(window, before_close_func=lambda _: window.end_now())
    window.show()
    yield window
    window.end_now()
    here.stop()
