"""Whether the desktop asks for light or dark windows, and what the user chose instead."""

from __future__ import annotations

import sys

from PyQt5.QtCore import QObject, QSettings, pyqtSignal
from PyQt5.QtGui import QPalette
from PyQt5.QtWidgets import QApplication

from labcontrol.gui.theme import DARK, LIGHT, THEMES, Theme, apply_theme

CHOICES = ("desktop", *THEMES)

_KEY = "appearance/theme"
_PORTAL = ("org.freedesktop.portal.Desktop", "/org/freedesktop/portal/desktop", "org.freedesktop.portal.Settings")
_PORTAL_TIMEOUT_MS = 200
_PREFERS_DARK, _PREFERS_LIGHT = 1, 2
_PERSONALISE = r"HKEY_CURRENT_USER\Software\Microsoft\Windows\CurrentVersion\Themes\Personalize"


class Appearance(QObject):
    """The theme in force. `changed` tells a new one, after the application has its colours."""

    changed = pyqtSignal(object)

    def __init__(self, app: QApplication, settings: QSettings) -> None:
        super().__init__()
        self._app, self._settings = app, settings
        self._started_dark = app.palette().color(QPalette.Window).lightness() < 128
        self.choice = str(settings.value(_KEY, CHOICES[0]))
        self.theme = self._wanted()
        apply_theme(app, self.theme)

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

    def _wanted(self) -> Theme:
        if self.choice in THEMES:
            return THEMES[self.choice]
        dark = desktop_prefers_dark()
        return DARK if (self._started_dark if dark is None else dark) else LIGHT


def desktop_prefers_dark() -> bool | None:
    """What the desktop says; None where it says nothing."""
    if sys.platform == "win32":
        return int(QSettings(_PERSONALISE, QSettings.NativeFormat).value("AppsUseLightTheme", 1)) == 0
    return _portal_prefers_dark()


def _portal_prefers_dark() -> bool | None:
    """The desktop portal of Linux."""
    try:
        from PyQt5.QtDBus import QDBusConnection, QDBusInterface
    except ImportError:
        return None
    bus = QDBusConnection.sessionBus()
    if not bus.isConnected():
        return None
    portal = QDBusInterface(*_PORTAL, bus)
    portal.setTimeout(_PORTAL_TIMEOUT_MS)
    answer = portal.call("Read", "org.freedesktop.appearance", "color-scheme").arguments()
    return {_PREFERS_DARK: True, _PREFERS_LIGHT: False}.get(answer[0]) if answer else None
