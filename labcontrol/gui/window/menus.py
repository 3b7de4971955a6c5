"""The menus of the main window."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PyQt5.QtCore import QUrl
from PyQt5.QtGui import QDesktopServices, QKeySequence
from PyQt5.QtWidgets import QActionGroup, QMenu

from labcontrol.gui.log.file import log_folder
from labcontrol.gui.window.about import show_about
from labcontrol.gui.window.desktop import CHOICES

if TYPE_CHECKING:
    from labcontrol.gui.window.main_window import MainWindow


def fill_menus(window: MainWindow) -> None:
    """Run, View and Help, in the window's menu bar."""
    run = _menu(window, "&Run")
    run.addActions(window.header.actions())
    run.addSeparator()
    run.addAction("Attach to the run in progress", window.attach)
    _fill_view(window, _menu(window, "&View"))
    guide = _menu(window, "&Help")
    guide.addAction(window.welcome.title, partial(window.show_page, window.welcome))
    guide.addAction("Open the folder of the log", _open_log_folder)
    guide.addSeparator()
    guide.addAction("About labcontrol", lambda: show_about(window))


def _fill_view(window: MainWindow, view: QMenu) -> None:
    for number, page in enumerate(window.tabs.numbered, start=1):
        action = view.addAction(page.title, partial(window.show_page, page))
        assert action is not None
        action.setShortcut(QKeySequence(f"Ctrl+{number}"))
    view.addSeparator()
    for page in window.tabs.numbered:
        view.addActions(page.view_actions())
    view.addAction("Restore default layout", window.restore_default_layout)
    view.addSeparator()
    themes = QActionGroup(window)
    for choice in CHOICES:
        action = themes.addAction(f"{choice.capitalize()} theme" if choice != "desktop" else "Theme of the desktop")
        assert action is not None
        action.setCheckable(True)
        action.setChecked(choice == window.appearance.choice)
        action.triggered.connect(lambda _, choice=choice: window.appearance.choose(choice))
    view.addActions(themes.actions())


def _menu(window: MainWindow, title: str) -> QMenu:
    menu = window.menus.addMenu(title)
    assert menu is not None
    return menu


def _open_log_folder() -> None:
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(log_folder())))
