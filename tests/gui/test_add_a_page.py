"""A page is one module with one class and one entry: the window does everything else with it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from gui_helpers import ScriptedHost
from PyQt5.QtCore import QSettings
from PyQt5.QtWidgets import QAction, QApplication, QLabel, QMenu, QPushButton
from pytestqt.qtbot import QtBot

from labcontrol.engine import FaultSeen
from labcontrol.errors import UserError
from labcontrol.gui.session.context import WindowContext
from labcontrol.gui.session.page import Invitation, Page
from labcontrol.gui.shared.theme import DARK, Theme
from labcontrol.gui.window.desktop import Appearance
from labcontrol.gui.window.main_window import MainWindow
from labcontrol.gui.window.pages import PAGES
from labcontrol.records.contents import Fault


class NotesPage(Page):
    """As a module of its own would have it."""

    title = "Notes"
    invitation = Invitation("Write notes", "beside the runs")

    def __init__(self, context: WindowContext) -> None:
        super().__init__(context)
        self.calls: list[Any] = []
        self.label = QLabel("empty", self)
        self._action = QAction("Large notes", self)

    def refresh(self) -> None:
        self.calls.append("refresh")

    def begin(self) -> None:
        self.calls.append("begin")

    def set_theme(self, theme: Theme) -> None:
        self.calls.append(theme)

    def view_actions(self) -> list[QAction]:
        return [self._action]

    def save(self, settings: QSettings) -> None:
        settings.setValue("notes/text", self.label.text())

    def restore(self, settings: QSettings) -> None:
        self.label.setText(str(settings.value("notes/text", "empty")))

    def restore_default_layout(self) -> None:
        self.calls.append("default layout")

    def shut_down(self) -> None:
        self.calls.append("shut down")


def make_window(qapp: QApplication, qtbot: QtBot, settings: QSettings, folder: Path) -> MainWindow:
    host = ScriptedHost(folder)
    look = Appearance(qapp, settings)
    window = MainWindow(host.experiment, host.bench, folder, look, settings, kinds=(*PAGES, NotesPage))
    qtbot.addWidget(window)
    window.show()
    return window


@pytest.fixture
def window(qapp: QApplication, qtbot: QtBot, settings: QSettings, tmp_path: Path) -> MainWindow:
    return make_window(qapp, qtbot, settings, tmp_path)


def test_it_has_a_tab_a_shortcut_and_its_part_of_the_menu(window: MainWindow) -> None:
    page = window.page(NotesPage)
    number = len(PAGES) + 1
    assert window.tabs.tabToolTip(window.tabs.pages.indexOf(page)) == f"Notes (Ctrl+{number})"
    entries = {action.text(): action for menu in window.menus.findChildren(QMenu) for action in menu.actions()}
    assert "Large notes" in entries
    page.calls.clear()
    entries["Notes"].trigger()
    assert page.isVisible()
    assert page.calls == ["refresh"]


def test_it_can_be_begun_with_from_the_welcome(window: MainWindow) -> None:
    window.show_page(window.welcome)
    way = next(button for button in window.welcome.findChildren(QPushButton) if button.text() == "Write notes")
    way.click()
    assert window.page(NotesPage).isVisible()
    assert window.page(NotesPage).calls[-1] == "begin"


def test_it_reaches_banner_tab_and_front(window: MainWindow) -> None:
    page = window.page(NotesPage)
    page.problem.emit(UserError("The disk is full.", "Make room."), "The note was not kept.")
    assert "Make room." in window.banner.text.text()
    page.note.emit("kept")
    assert window.banner.text.text() == "kept"
    page.tab_text.emit("Notes · 1")
    assert window.tabs.tabText(window.tabs.pages.indexOf(page)) == "Notes · 1"
    page.wants_front.emit()
    assert page.isVisible()


def test_theme_layout_and_end_reach_it(window: MainWindow) -> None:
    page = window.page(NotesPage)
    window.set_theme(DARK)
    window.restore_default_layout()
    assert page.calls[-2:] == [DARK, "default layout"]
    window.close()
    assert page.calls[-1] == "shut down"


def test_what_it_saves_comes_back(
    window: MainWindow, qapp: QApplication, qtbot: QtBot, settings: QSettings, tmp_path: Path
) -> None:
    window.page(NotesPage).label.setText("first light")
    window.close()
    assert make_window(qapp, qtbot, settings, tmp_path).page(NotesPage).label.text() == "first light"


def test_the_page_of_the_guide_works_as_it_stands(
    qapp: QApplication, qtbot: QtBot, settings: QSettings, tmp_path: Path
) -> None:
    guide = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    source = next(
        block for block in re.findall(r"```python\n(.*?)```", guide, re.DOTALL) if "class FaultsPage" in block
    )
    module: dict[str, Any] = {}
    exec(compile(source, "faults/page.py", "exec", dont_inherit=True), module)
    host = ScriptedHost(tmp_path)
    look, kinds = Appearance(qapp, settings), (*PAGES, module["FaultsPage"])
    window = MainWindow(host.experiment, host.bench, tmp_path, look, settings, kinds=kinds)
    host.table = window.table
    window.table.host.use(host)  # type: ignore[arg-type]
    qtbot.addWidget(window, before_close_func=lambda _: window.end_now())
    window.show()
    window.starter.start_form()
    for text in ("gave no frame", "gave no frame again"):
        host.emit(FaultSeen(Fault(1001.0, "camera", "timeout", text, "retried", epoch=12)))
    host.tick()
    page = window.page(module["FaultsPage"])
    assert page.list.item(0).text() == "camera: gave no frame again"
    assert window.tabs.tabText(window.tabs.pages.indexOf(page)) == "Faults · 2"
