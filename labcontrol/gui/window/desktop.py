"""Whether the desktop asks for light or dark windows, and what the user chose instead."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from PyQt5.QtCore import QObject, QSettings, pyqtSignal
from PyQt5.QtGui import QPalette
from PyQt5.QtWidgets import QApplication

from labcontrol.gui.shared.theme import DARK, LIGHT, THEMES, Theme, apply_theme

if TYPE_CHECKING:
    from labcontrol.gui.window.desktop_portal import DesktopPortal

CHOICES = ("desktop", *THEMES)

_KEY = "appearance/theme"
_PERSONALISE = r"HKEY_CURRENT_USER\Software\Microsoft\Windows\CurrentVersion\Themes\Personalize"


class Appearance(QObject):
    """The theme in force. `changed` emits a new one, after the application has its colours."""

    changed = pyqtSignal(object)

    def __init__(self, app: QApplication, settings: QSettings) -> None:
        super().__init__()
        self._app, self._settings = app, settings
        self._portal = _portal()
        self._started_dark = app.palette().color(QPalette.Window).lightness() < 128
        self.choice = str(settings.value(_KEY, CHOICES[0]))
        self.theme = self._wanted()
        apply_theme(app, self.theme)
        if self._portal is not None:
            self._portal.changed.connect(self.update)

    def choose(self, choice: str) -> None:
        """One of `CHOICES`; kept in the settings."""
        self.choice = choice
        self._settings.setValue(_KEY, choice)
        self.update()

    def update(self) -> None:
        """Follow the desktop if it has changed since."""
        wanted = self._wanted()
        if wanted is not self.theme:
            self.theme = wanted
            apply_theme(self._app, wanted)
            self.changed.emit(wanted)

    def _desktop_is_dark(self) -> bool | None:
        """What the desktop says; None where it says nothing."""
        if sys.platform == "win32":
            return int(QSettings(_PERSONALISE, QSettings.NativeFormat).value("AppsUseLightTheme", 1)) == 0
        return None if self._portal is None else self._portal.prefers_dark()

    def _wanted(self) -> Theme:
        if self.choice in THEMES:
            return THEMES[self.choice]
        dark = self._desktop_is_dark()
        return DARK if (self._started_dark if dark is None else dark) else LIGHT


def _portal() -> DesktopPortal | None:
    """The desktop portal of Linux, where Qt was built with what it needs."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        from labcontrol.gui.window.desktop_portal import DesktopPortal
    except ImportError:
        return None
    return DesktopPortal()
