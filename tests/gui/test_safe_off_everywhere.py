"""The laser can be switched off from every dialog and menu of the window, by key and by mouse."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from gui_helpers import MakeWindow, ScriptedHost
from PyQt5.QtCore import QPoint, Qt, QTimer
from PyQt5.QtWidgets import QApplication, QFileDialog, QLineEdit, QMenu, QMessageBox, QPushButton, QWidget
from pytestqt.qtbot import QtBot

import labcontrol.gui
from labcontrol.bench import simulated_bench
from labcontrol.config import LaserEntry
from labcontrol.engine import RunState, RunStatus
from labcontrol.errors import UserError
from labcontrol.gui.experiment.page import ExperimentPage
from labcontrol.gui.log.page import LogPage
from labcontrol.gui.runs.page import RunsPage
from labcontrol.gui.session.arming import arm
from labcontrol.gui.window.about import show_about
from labcontrol.gui.window.main_window import MainWindow
from labcontrol.host.protocol import SafeOff

OPENERS = ("QMessageBox", "QDialog", "QMenu", "QInputDialog", "QFileDialog", "QColorDialog", "QFontDialog", "QWizard")


def ask_to_arm(window: MainWindow) -> None:
    bench = simulated_bench(16, 1).model_copy(
        update={"laser": LaserEntry(driver="cobolt-06", address="socket://127.0.0.1:1", power_w=0.02)}
    )
    with pytest.raises(UserError):
        arm(window, bench, "This run lights", is_run=True)


def close(window: MainWindow) -> None:
    window.starter.start_form()
    window.table.host.client.run_is(RunStatus(RunState.PREPARING, laser_on=True))  # type: ignore[union-attr]
    window.close()


DIALOGS: dict[str, Callable[[MainWindow], object]] = {
    "window/about.py": show_about,
    "session/arming.py": ask_to_arm,
    "log/page.py": lambda window: QFileDialog.getSaveFileName(window.page(LogPage), "Save the log as shown"),
    "experiment/page.py": lambda window: QFileDialog.getOpenFileName(window.page(ExperimentPage), "Open an experiment"),
    "scaling/page.py": lambda window: QFileDialog.getExistingDirectory(window, "Folder of a scaling study"),
    "runs/page.py": lambda window: QMessageBox.question(window.page(RunsPage), "Delete", "Really?"),
    "window/closing.py": close,
}
"""What opens a dialog, by the module that has it, in the way that module does."""


def test_every_module_that_opens_a_dialog_or_a_menu_is_tried_here() -> None:
    folder = Path(labcontrol.gui.__file__).parent
    found = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = node.func if isinstance(node, ast.Call) else node
            bases = node.bases if isinstance(node, ast.ClassDef) else []
            roots = [called.value if isinstance(called, ast.Attribute) else called, *bases]
            if any(isinstance(root, ast.Name) and root.id in OPENERS for root in roots):
                opens = isinstance(node, ast.Call) or bases
                found |= {path.relative_to(folder).as_posix()} if opens else set()
    assert found - {"window/safe_off_everywhere.py"} == set(DIALOGS)


@pytest.fixture
def window(make_window: MakeWindow, host: ScriptedHost) -> MainWindow:
    window = make_window(host)
    host.set_laser(True, 0.02)
    return window


def in_front(act: Callable[[QWidget], None], done: list[str]) -> None:
    """Do something with what is in front as soon as it is there, then close it."""

    def look() -> None:
        front = QApplication.activePopupWidget() or QApplication.activeModalWidget()
        if front is None:
            QTimer.singleShot(20, look)
            return
        done.append(type(front).__name__)
        try:
            act(front)
        finally:
            front.close()

    QTimer.singleShot(0, look)


@pytest.mark.parametrize("how", ["key", "mouse"])
@pytest.mark.parametrize("name", DIALOGS)
def test_the_laser_goes_off_with_a_dialog_in_front(
    window: MainWindow, host: ScriptedHost, qtbot: QtBot, name: str, how: str
) -> None:
    def act(dialog: QWidget) -> None:
        if how == "key":
            qtbot.keyClick(dialog, Qt.Key.Key_F12)
        else:
            button = dialog.findChild(QPushButton, "safeOff")
            assert button is not None
            assert button.isVisible()
            qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
        assert dialog.isVisible()  # it is another question, and still to be answered
        assert len(host.requests(SafeOff)) == 1

    done: list[str] = []
    in_front(act, done)
    DIALOGS[name](window)
    assert done


def test_the_laser_goes_off_with_a_menu_in_front(window: MainWindow, host: ScriptedHost, qtbot: QtBot) -> None:
    menu = QMenu(window)
    menu.addAction("Something")
    done: list[str] = []
    in_front(lambda front: qtbot.keyClick(front, Qt.Key.Key_F12), done)
    menu.exec_(window.mapToGlobal(QPoint(10, 10)))
    assert done == ["QMenu"]
    assert len(host.requests(SafeOff)) == 1


def test_the_key_works_while_somebody_types(window: MainWindow, host: ScriptedHost, qtbot: QtBot) -> None:
    window.show_page(window.page(ExperimentPage))
    field = window.page(ExperimentPage).findChild(QLineEdit)
    assert field is not None
    qtbot.keyClick(field, Qt.Key.Key_F12)
    assert len(host.requests(SafeOff)) == 1


def test_without_light_a_dialog_has_no_button_for_it(window: MainWindow, host: ScriptedHost, qtbot: QtBot) -> None:
    host.set_laser(False)
    found: list[QPushButton | None] = []
    done: list[str] = []
    in_front(lambda dialog: found.append(dialog.findChild(QPushButton, "safeOff")), done)
    show_about(window)
    assert found == [None]


def test_a_program_whose_window_is_closed_ends_in_order() -> None:
    """What sees every event must be gone before Python is."""
    script = (
        "import sys; from PyQt5.QtCore import QTimer; from labcontrol.gui.app import make_application\n"
        "app = make_application(); QTimer.singleShot(1000, app.closeAllWindows)\n"
        "sys.argv = ['labcontrol', 'window']; from labcontrol.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
