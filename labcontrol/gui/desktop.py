"""Whether the desktop asks for light or dark windows."""

from __future__ import annotations

import sys

from PyQt5.QtCore import QSettings
from PyQt5.QtGui import QPalette
from PyQt5.QtWidgets import QApplication

from labcontrol.gui.theme import DARK, LIGHT, Theme

_PORTAL = ("org.freedesktop.portal.Desktop", "/org/freedesktop/portal/desktop", "org.freedesktop.portal.Settings")
_PERSONALISE = r"HKEY_CURRENT_USER\Software\Microsoft\Windows\CurrentVersion\Themes\Personalize"
_PREFERS_DARK = 1


def desktop_theme(app: QApplication) -> Theme:
    """The theme that fits the desktop. Ask before a palette of our own is set."""
    if sys.platform == "win32":
        dark = int(QSettings(_PERSONALISE, QSettings.NativeFormat).value("AppsUseLightTheme", 1)) == 0
    else:
        dark = _portal_prefers_dark() or app.palette().color(QPalette.Window).lightness() < 128
    return DARK if dark else LIGHT


def _portal_prefers_dark() -> bool:
    """What the desktop portal of Linux says; False where there is none."""
    try:
        from PyQt5.QtDBus import QDBusConnection, QDBusInterface
    except ImportError:
        return False
    bus = QDBusConnection.sessionBus()
    if not bus.isConnected():
        return False
    portal = QDBusInterface(*_PORTAL, bus)
    portal.setTimeout(500)
    answer = portal.call("Read", "org.freedesktop.appearance", "color-scheme").arguments()
    return bool(answer) and answer[0] == _PREFERS_DARK
