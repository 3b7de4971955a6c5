"""The desktop portal of Linux: whether dark windows are preferred, now and when it changes."""

from __future__ import annotations

from PyQt5.QtCore import QObject, pyqtSignal, pyqtSlot
from PyQt5.QtDBus import QDBusConnection, QDBusInterface, QDBusVariant

_PORTAL = ("org.freedesktop.portal.Desktop", "/org/freedesktop/portal/desktop", "org.freedesktop.portal.Settings")
_NAMESPACE, _KEY = "org.freedesktop.appearance", "color-scheme"
_TIMEOUT_MS = 200
_DARK, _LIGHT = 1, 2


class DesktopPortal(QObject):
    """Signal: `changed` when the desktop has another preference now."""

    changed = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self._bus = QDBusConnection.sessionBus()
        if self._bus.isConnected():
            self._bus.connect(*_PORTAL, "SettingChanged", self.on_setting)  # type: ignore[call-arg]  # the stubs lack it

    def prefers_dark(self) -> bool | None:
        """None where the desktop says nothing."""
        if not self._bus.isConnected():
            return None
        portal = QDBusInterface(*_PORTAL, self._bus)
        portal.setTimeout(_TIMEOUT_MS)
        answer = portal.call("Read", _NAMESPACE, _KEY).arguments()
        return {_DARK: True, _LIGHT: False}.get(answer[0]) if answer else None

    @pyqtSlot(str, str, QDBusVariant)
    def on_setting(self, namespace: str, key: str, _value: QDBusVariant) -> None:
        """A setting of the desktop has changed."""
        if (namespace, key) == (_NAMESPACE, _KEY):
            self.changed.emit()
