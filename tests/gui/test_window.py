"""The window as a whole: welcome, log, crashes, what is kept between sessions, and how it ends."""

from __future__ import annotations

import gc
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from gui_helpers import MakeWindow, ScriptedHost, is_running, page_context
from PyQt5.QtCore import QEvent, QSettings, qWarning
from PyQt5.QtGui import QGuiApplication
from PyQt5.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from labcontrol.config import ExperimentConfig
from labcontrol.engine import RunState, RunStatus
from labcontrol.gui.app import _logging_into
from labcontrol.gui.experiment.page import ExperimentPage
from labcontrol.gui.live.page import LivePage
from labcontrol.gui.log.file import logging_to_file
from labcontrol.gui.log.model import LINES_KEPT
from labcontrol.gui.log.page import LogPage
from labcontrol.gui.shared.log_relay import LogRelay
from labcontrol.gui.shared.theme import DARK, LIGHT
from labcontrol.gui.window.about import AboutDialog
from labcontrol.gui.window.crashes import CrashWatch
from labcontrol.gui.window.desktop import Appearance
from labcontrol.gui.window.main_window import MainWindow
from labcontrol.host.protocol import Note


@pytest.fixture
def window(make_window: MakeWindow, host: ScriptedHost) -> MainWindow:
    return make_window(host)


# --- welcome and about ----------------------------------------------------------------------------------------------
def test_one_click_on_the_welcome_starts_a_simulated_run(window: MainWindow, host: ScriptedHost) -> None:
    window.page(ExperimentPage).form.set_value("neurons", "99")  # whatever stands in the form
    window.welcome_if_wanted()
    assert window.welcome.isVisible()
    window.welcome.start_button.click()
    assert is_running(window)
    assert host.begun[0].experiment == ExperimentConfig()
    assert window.page(LivePage).isVisible()
    assert not window.tabs.isTabVisible(0)


def test_who_does_not_want_the_welcome_is_not_shown_it_again(
    window: MainWindow, make_window: MakeWindow, host: ScriptedHost
) -> None:
    window.welcome.at_start.setChecked(False)
    window.close()
    again = make_window(ScriptedHost(host.folder))
    again.welcome_if_wanted()
    assert again.page(LivePage).isVisible()
    again.show_page(again.welcome)
    assert again.welcome.isVisible()


def test_about_copies_the_versions(qtbot: QtBot) -> None:
    dialog = AboutDialog()
    qtbot.addWidget(dialog)
    dialog.copy()
    clipboard = QGuiApplication.clipboard()
    assert clipboard is not None
    lines = dict(line.split(": ", 1) for line in clipboard.text().splitlines())
    assert lines["Python"] == sys.version.split()[0]
    assert {"labcontrol", "Revision", "Qt", "numpy", "System"} <= set(lines)


# --- the log --------------------------------------------------------------------------------------------------------
@pytest.fixture
def log_page(qtbot: QtBot, tmp_path: Path) -> LogPage:
    page = LogPage(page_context(tmp_path))
    qtbot.addWidget(page, before_close_func=lambda page: page.shut_down())
    return page


def record(level: int, text: str, name: str = "labcontrol.engine.run") -> logging.LogRecord:
    return logging.LogRecord(name, level, "", 0, text, None, None)


def shown(page: LogPage) -> list[str]:
    return [str(page.filter.data(page.filter.index(row, 3))) for row in range(page.filter.rowCount())]


def test_the_log_is_chosen_by_level_and_searched(log_page: LogPage) -> None:
    log_page.add([record(logging.INFO, "opened laser"), record(logging.WARNING, "camera is late")])
    log_page.add([record(logging.ERROR, "the interlock is open")])
    assert shown(log_page) == ["opened laser", "camera is late", "the interlock is open"]
    log_page.level.setCurrentText("warnings and errors")
    assert shown(log_page) == ["camera is late", "the interlock is open"]
    log_page.search.setText("INTERLOCK")
    assert shown(log_page) == ["the interlock is open"]
    assert "error labcontrol.engine.run: the interlock is open" in log_page.text()


def test_a_line_is_shown_whole_with_its_traceback(log_page: LogPage) -> None:
    line = record(logging.ERROR, "it failed")
    line.exc_text = "Traceback: the end of the world"
    log_page.add([line])
    log_page.table.selectRow(0)
    assert "the end of the world" in log_page.whole.toPlainText()


def test_the_log_keeps_the_newest_lines_only(log_page: LogPage) -> None:
    log_page.add([record(logging.INFO, str(number)) for number in range(LINES_KEPT)])
    log_page.add([record(logging.INFO, "newest")])
    assert log_page.model.rowCount() == LINES_KEPT
    assert shown(log_page)[0] == "1"
    assert shown(log_page)[-1] == "newest"


def test_saving_where_nothing_can_be_written_says_so(log_page: LogPage, qtbot: QtBot, tmp_path: Path) -> None:
    log_page.add([record(logging.INFO, "hello")])
    log_page.save_file(tmp_path / "it.log")
    assert (tmp_path / "it.log").read_text(encoding="utf-8").endswith("hello\n")
    with qtbot.waitSignal(log_page.problem, timeout=1000):
        log_page.save_file(tmp_path / "no" / "such" / "folder.log")


def test_lines_of_any_thread_reach_the_log_and_errors_are_counted_on_its_tab(window: MainWindow, qtbot: QtBot) -> None:
    with _logging_into(window):
        thread = threading.Thread(target=logging.getLogger("drivers.x").error, args=("from elsewhere",))
        thread.start()
        thread.join()
        qtbot.waitUntil(lambda: window.page(LogPage).model.rowCount() > 0, timeout=5000)
    index = window.tabs.pages.indexOf(window.page(LogPage))
    assert window.tabs.tabText(index) == "Log · 1 new"
    window.show_page(window.page(LogPage))
    assert window.tabs.tabText(index) == "Log"


def test_the_log_is_on_disk_too(tmp_path: Path) -> None:
    logger = logging.getLogger("labcontrol.test")
    with logging_to_file(tmp_path / "log"):
        logger.error("kept")
    logger.error("not kept")
    text = (tmp_path / "log" / "window.log").read_text(encoding="utf-8")
    assert "kept" in text
    assert "not kept" not in text


def test_without_a_place_for_the_log_the_window_still_works(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with logging_to_file(tmp_path / "file"):
        pass


# --- crashes --------------------------------------------------------------------------------------------------------
@pytest.fixture
def watch(qapp: QApplication) -> Iterator[CrashWatch]:
    watch = CrashWatch()
    yield watch
    watch.close()


def fail() -> None:
    raise ZeroDivisionError("the view fell over")


def call_hook(act: Callable[[], None]) -> None:
    try:
        act()
    except Exception:
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]  # what PyQt does with an error in a slot


def test_a_crash_in_a_view_is_shown_and_noted_in_the_record_and_the_run_goes_on(
    window: MainWindow, host: ScriptedHost, watch: CrashWatch
) -> None:
    window.starter.start_form()
    watch.caught.connect(window.show_crash)
    call_hook(fail)
    assert "the run is not affected" in window.banner.text.text()
    assert [note.text for note in host.requests(Note)] == [
        "the window had an error: ZeroDivisionError: the view fell over"
    ]
    assert is_running(window)


def test_the_same_error_at_every_frame_is_said_once(watch: CrashWatch, caplog: pytest.LogCaptureFixture) -> None:
    caught: list[BaseException] = []
    watch.caught.connect(caught.append)
    with caplog.at_level(logging.WARNING, "labcontrol.gui.window.crashes"):
        for _ in range(100):
            call_hook(fail)
    assert len(caught) == 1
    assert [entry.levelname for entry in caplog.records] == ["CRITICAL"]


def test_an_error_in_a_thread_is_told_in_the_window(watch: CrashWatch, qtbot: QtBot) -> None:
    with qtbot.waitSignal(watch.caught, timeout=5000):
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()


@pytest.mark.qt_no_exception_capture
def test_what_qt_complains_about_is_logged(watch: CrashWatch, caplog: pytest.LogCaptureFixture) -> None:
    qWarning("something is odd")
    assert ("qt", logging.WARNING, "something is odd") in caplog.record_tuples


# --- appearance -----------------------------------------------------------------------------------------------------
def test_the_theme_follows_the_desktop_until_another_is_chosen(
    qapp: QApplication, settings: QSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    dark = True
    monkeypatch.setattr(Appearance, "_desktop_is_dark", lambda _: dark)
    appearance = Appearance(qapp, settings)
    assert appearance.theme is DARK
    dark = False
    appearance.update()
    assert appearance.theme is LIGHT
    appearance.choose("dark")
    assert Appearance(qapp, settings).theme is DARK


def test_every_page_has_a_shortcut_and_every_button_says_what_it_does(window: MainWindow) -> None:
    from PyQt5.QtWidgets import QAbstractButton, QDialogButtonBox

    for number, page in enumerate(window.tabs.numbered, start=1):
        assert window.tabs.tabToolTip(window.tabs.pages.indexOf(page)) == f"{page.title} (Ctrl+{number})"
    silent = [
        button.text()
        for page in (*window.tabs.all, window.header)
        for button in page.findChildren(QAbstractButton)
        if button.text() and not button.toolTip() and not isinstance(button.parent(), QDialogButtonBox)
    ]
    assert silent == []


# --- the end --------------------------------------------------------------------------------------------------------
def test_the_end_of_the_session_leaves_the_run_to_its_host(window: MainWindow, host: ScriptedHost) -> None:
    window.starter.start_form()
    window.end_now()
    assert not window.isVisible()
    assert host.steering == []


def test_relayed_lines_are_bounded_when_nobody_takes_them() -> None:
    relay = LogRelay()
    for number in range(30_000):
        relay.emit(record(logging.INFO, str(number)))
    lines = relay.drain()
    assert len(lines) == 20_000
    assert lines[-1].getMessage() == "29999"
    assert relay.drain() == []


def test_a_closed_window_leaves_no_widgets(qapp: QApplication, settings: QSettings, tmp_path: Path) -> None:
    def left_after_a_window() -> int:
        host = ScriptedHost(tmp_path)
        window = MainWindow(host.experiment, host.bench, tmp_path, Appearance(qapp, settings), settings)
        window.show()
        window.close()
        window.deleteLater()
        del window
        QApplication.sendPostedEvents(None, QEvent.DeferredDelete)
        qapp.processEvents()
        gc.collect()
        return len(qapp.allWidgets())

    left_after_a_window()  # pyqtgraph keeps the menus of the last plot
    assert left_after_a_window() >= left_after_a_window()


@pytest.mark.parametrize("state", RunState)
def test_the_strip_fits_a_small_screen_in_every_state(window: MainWindow, state: RunState) -> None:
    status = RunStatus(state, epoch=1000, epochs=1024, error=0.00764, accepted=300, laser_on=True, epoch_s=3.0)
    doing = "measuring the table" if state is RunState.PREPARING else ""
    window.header.show_status(replace(status, doing=doing), "nmse")
    assert doing in window.header.state.text()
    QApplication.processEvents()
    assert window.header.minimumSizeHint().width() <= 1280
