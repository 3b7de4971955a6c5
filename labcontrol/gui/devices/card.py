"""One device on the Devices page: its identity, its status, and its manual control."""

from __future__ import annotations

from abc import abstractmethod

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import QFrame, QWidget

from drivers.interfaces import DeviceStatus, Identity
from labcontrol.config import DeviceEntry
from labcontrol.gui.shared.abstract import AbstractQt
from labcontrol.gui.shared.banner import message_and_remedy
from labcontrol.gui.shared.buttons import button
from labcontrol.gui.shared.elided import ElidedLabel
from labcontrol.gui.shared.layouts import chip, column, holder, label, row
from labcontrol.gui.shared.theme import Theme, set_kind
from labcontrol.host.jobs.manual import DeviceReport, Facts

_UNITS = {"c": "°C", "w": "W", "a": "A", "v": "V", "hz": "Hz", "s": "s", "db": "dB", "h": "h", "nm": "nm", "k": "K"}


class DeviceCard(QFrame, metaclass=AbstractQt):
    """Base of the cards. Signals: `connect_requested`, `disconnect_requested`."""

    connect_requested = pyqtSignal()
    disconnect_requested = pyqtSignal()
    title: str
    role: str

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self.is_connected = self._is_in_trouble = False
        self.state = chip()
        self.connect_button = button("Connect", "Connect and read its identity", self._toggle)
        self.identity, self.facts, self.summary = ElidedLabel(), ElidedLabel(), ElidedLabel()
        self.problem = label("", "problem", wraps=True, selectable=True)
        self.body = column(spacing=6, margins=(0, 4, 0, 0))
        self.controls = holder(self.body)
        name, state = label(self.title, "title"), (self.state, 0, Qt.AlignmentFlag.AlignVCenter)
        head = row(name, state, (self.summary, 1), self.connect_button, spacing=10)
        lines = (self.identity, self.facts, self.problem)
        self.setLayout(column(head, *lines, (self.controls, 1), spacing=2, margins=(14, 8, 14, 10)))
        self._driver = ""
        self.show_disconnected()

    # --- what is known ------------------------------------------------------------------------------------------
    def show_entry(self, entry: DeviceEntry) -> None:
        """What the bench file says of the device."""
        self._driver = entry.driver + (f" at {entry.address}" if entry.address else "")
        if not self.is_connected:
            self.identity.setText(self._driver)

    def show_report(self, report: DeviceReport) -> None:
        self.is_connected, self._is_in_trouble = True, False
        self.identity.setText(identity_words(report.identity))
        self.identity.setToolTip(f"{self.identity.text()}\nDriver {self._driver}; the rest as the device reports it")
        self.summary.setText(status_words(report.status))
        self.summary.setToolTip(status_words(report.status))
        self._set_state("good" if report.status.ok else "danger", "connected" if report.status.ok else "not ready")
        self.connect_button.setText("Disconnect")
        self.connect_button.setEnabled(True)
        self.controls.setEnabled(True)
        self.show_facts(report.facts)
        self.facts.setVisible(bool(self.facts.text()))

    @abstractmethod
    def show_facts(self, facts: Facts) -> None:
        """What is special to this kind of device."""

    def show_connecting(self) -> None:
        self.problem.hide()
        self._set_state("active", "connecting…")
        self.connect_button.setEnabled(False)

    def show_disconnected(self) -> None:
        self.is_connected = self._is_in_trouble = False
        self._set_state("idle", "not connected")
        self.identity.setText(self._driver)
        self.facts.hide()
        self.summary.clear()
        self.problem.hide()
        self.controls.setEnabled(False)
        self.connect_button.setText("Connect")
        self.connect_button.setEnabled(True)

    def show_problem(self, error: BaseException) -> None:
        """What went wrong, and what to do."""
        message, remedy = message_and_remedy(error)
        self.problem.setText(f"{message}\n{remedy}" if remedy else message)
        self.problem.show()
        self.connect_button.setEnabled(True)
        self._is_in_trouble = self.is_connected
        if self.is_connected:
            self.connect_button.setText("Reconnect")
            self._set_state("danger", "trouble")
        else:
            self._set_state("danger", "not connected")

    def clear_problem(self) -> None:
        self.problem.hide()

    def set_theme(self, theme: Theme) -> None:
        """Colours of what the style sheet does not reach."""

    def _toggle(self) -> None:
        if self.is_connected and not self._is_in_trouble:
            self.disconnect_requested.emit()
        else:
            self.connect_requested.emit()

    def _set_state(self, kind: str, words: str) -> None:
        self.state.setText(words)
        set_kind(self.state, kind)


def identity_words(identity: Identity) -> str:
    """Who a device is, in one line."""
    parts = [f"{identity.vendor} {identity.model}".strip()]
    if identity.serial_number:
        parts.append(f"no. {identity.serial_number}")
    if identity.firmware:
        parts.append(f"firmware {identity.firmware}")
    return " · ".join(parts)


def status_words(status: DeviceStatus) -> str:
    """A device's report on itself: its own words, and the readings that these do not name."""
    readings = [
        f"{name} {value:.4g} {unit}"
        for key, value in status.values.items()
        if isinstance(value, float) and key.startswith(("temperature", "current", "voltage", "hours", "humidity"))
        for name, unit in [_name_and_unit(key)]
    ]
    return " · ".join([status.summary, *readings])


def _name_and_unit(key: str) -> tuple[str, str]:
    name, _, unit = key.rpartition("_")
    return (name.replace("_", " "), _UNITS[unit]) if name and unit in _UNITS else (key.replace("_", " "), "")
