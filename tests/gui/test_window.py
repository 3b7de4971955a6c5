"""The window as a whole: welcome, log, crashes, what is kept between sessions, and how it ends."""

from __future__ import annotations

import gc
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from gui_helpers import MakeWindow, ScriptedRun, ScriptedRuns
from PyQt5.QtCore import QEvent, QSettings, qWarning
from PyQt5.QtGui import QGuiApplication
from PyQt5.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from labcontrol.engine import RunState, RunStatus
from labcontrol.gui.app import _logging_into
from labcontrol.gui.log.file import logging_to_file
from labcontrol.gui.log.model import LINES_KEPT
from labcontrol.gui.log.page import LogPage, LogRelay
from labcontrol.gui.shared.theme import DARK, LIGHT
from labcontrol.gui.window.about import AboutDialog
from labcontrol.gui.window.crashes import CrashWatch
from labcontrol.gui.window.desktop import Appearance
from labcontrol.gui.window.main_window import MainWindow


@pytest.fixture
def window(make_window: MakeWindow, scripted_run: ScriptedRun, tmp_path: Path) -> MainWindow:
    return make_window(ScriptedRuns(scripted_run, tmp_path))


# --- welcome and about ----------------------------------------------------------------------------------------------
def test_one_click_on_the_welcome_starts_a_simulated_run(window: MainWindow, scripted_run: ScriptedRun) -> None:
    window.experiment.form.set_value("neurons", "99")  # whatever stands in the form
    window.welcome_if_wanted()
    assert window.welcome.isVisible()
    window.welcome.start_button.click()
    assert scripted_run.status.state is RunState.PREPARING
    assert window.live.isVisible()
    assert not window.tabs.isTabVisible(0)


def test_who_does_not_want_the_welcome_is_not_shown_it_again(
    window: MainWindow, make_window: MakeWindow, scripted_run: ScriptedRun, tmp_path: Path
) -> None:
    window.welcome.at_start.setChecked(False)
    window.close()
    again = make_window(ScriptedRuns(scripted_run, tmp_path))
    again.welcome_if_wanted()
    assert again.live.isVisible()
    again.show_welcome()
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
def log_page(qtbot: QtBot) -> LogPage:
    page = LogPage()
    qtbot.addWidget(page)
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
    log_page.save(tmp_path / "it.log")
    assert (tmp_path / "it.log").read_text(encoding="utf-8").endswith("hello\n")
    with qtbot.waitSignal(log_page.problem, timeout=1000):
        log_page.save(tmp_path / "no" / "such" / "folder.log")


def test_lines_of_any_thread_reach_the_log_and_errors_are_counted_on_its_tab(window: MainWindow, qtbot: QtBot) -> None:
    with _logging_into(window):
        thread = threading.Thread(target=logging.getLogger("drivers.x").error, args=("from elsewhere",))
        thread.start()
        thread.join()
        qtbot.waitUntil(lambda: window.log.model.rowCount() > 0, timeout=5000)
    index = window.tabs.pages.indexOf(window.log)
    assert window.tabs.tabText(index) == "Log · 1 new"
    window.show_page(window.log)
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
    window: MainWindow, scripted_run: ScriptedRun, watch: CrashWatch
) -> None:
    window.starter.start_form()
    watch.caught.connect(window.show_crash)
    call_hook(fail)
    assert "the run is not affected" in window.banner.text.text()
    assert scripted_run.asked == ["note the window had an error: ZeroDivisionError: the view fell over"]
    assert scripted_run.status.state is RunState.PREPARING


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

    for number, (title, page) in enumerate(window.tabs.numbered.items(), start=1):
        assert window.tabs.tabToolTip(window.tabs.pages.indexOf(page)) == f"{title} (Ctrl+{number})"
    silent = [
        button.text()
        for page in (window.devices, window.experiment, window.log, window.header)
        for button in page.findChildren(QAbstractButton)
        if button.text() and not button.toolTip() and not isinstance(button.parent(), QDialogButtonBox)
    ]
    assert silent == []


# --- the end --------------------------------------------------------------------------------------------------------
class LongRun(ScriptedRun):
    """A run that takes its time to end."""

    def abort(self) -> None:
        self.asked.append("abort")


def test_the_window_stays_until_the_run_is_safe_and_then_closes_itself(
    make_window: MakeWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    run = LongRun()
    window = make_window(ScriptedRuns(run, tmp_path))
    window.starter.start_form()
    window.end_now()
    assert window.isVisible()
    assert "closes when laser and record are safe" in window.banner.text.text()
    run.status = RunStatus(RunState.ABORTED)
    qtbot.waitUntil(lambda: not window.isVisible(), timeout=5000)
    assert run.asked == ["abort"]


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
        run = ScriptedRun()
        runs = ScriptedRuns(run, tmp_path)
        window = MainWindow(run.experiment, run.bench_config, runs, Appearance(qapp, settings), settings)
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
    status = RunStatus(state, "", None, 1000, 1024, 0.00764, 300, 0, laser_on=True, epoch_s=3.0)
    window.header.show_status(status, "nmse", 0.02)
    QApplication.processEvents()
    assert window.header.minimumSizeHint().width() <= 1280
