"""The page of the devices: all of them at a glance, and manual control of each."""

from __future__ import annotations

from PyQt5.QtCore import QSettings, Qt
from PyQt5.QtGui import QHideEvent
from PyQt5.QtWidgets import QScrollArea

from labcontrol.config import BenchConfig
from labcontrol.engine import Event, RunStatus, Seen
from labcontrol.errors import UserError
from labcontrol.gui.devices.camera import CameraCard
from labcontrol.gui.devices.card import DeviceCard
from labcontrol.gui.devices.detector import DetectorCard
from labcontrol.gui.devices.laser import LaserCard
from labcontrol.gui.devices.manual_control import ManualControl
from labcontrol.gui.devices.modulator import ModulatorCard
from labcontrol.gui.session.context import WindowContext
from labcontrol.gui.session.page import Invitation, Page
from labcontrol.gui.shared.buttons import button
from labcontrol.gui.shared.layouts import ROOM, column, holder, label, row, splitter
from labcontrol.gui.shared.theme import Theme
from labcontrol.host import HostState
from labcontrol.host.jobs.manual import DeviceReport

_HINT = (
    "Devices connect with the light off. Arm before switching emission on; it ends when this window closes or hangs."
)
_HINTS = {
    HostState.FREE: _HINT,
    HostState.MANUAL: _HINT,
    HostState.CALIBRATION: "The calibration holds the table; 'Disconnect' there releases it.",
    HostState.RUN: "A run holds the table; the devices can be controlled manually when it is over.",
}


class DevicesPage(Page):
    """All devices at a glance, and each of them under manual control while nothing else holds the table."""

    title = "Devices"
    invitation = Invitation("Check the devices", "connect, test patterns, live camera, manual laser")

    def __init__(self, context: WindowContext) -> None:
        super().__init__(context)
        self._setup, self._table = context.setup, context.table
        self._config: BenchConfig | None = None
        self._state: HostState | None = None
        self.manual = ManualControl(self._table, self)
        self.laser, self.camera, self.detector = LaserCard(), CameraCard(), DetectorCard()
        self.slm, self.dmd = ModulatorCard("SLM", "slm"), ModulatorCard("DMD", "dmd")
        self.cards: dict[str, DeviceCard] = {
            "laser": self.laser,
            "slm": self.slm,
            "dmd": self.dmd,
            "camera": self.camera,
            "detector": self.detector,
        }
        self.bench_name = label("", "title")
        self.hint = label(_HINT, "muted", narrow=True)
        self.connect_button = button("Connect all", "Open every device, dark", self.connect_all)
        self.release_button = button("Disconnect all", "Light off, and close every device", self._table.release)
        self._lay_out()
        self._connect()
        self._show_table()

    def refresh(self) -> None:
        """Show the bench that would be opened now; while one is open it stays."""
        if self._table.state is HostState.MANUAL:
            return
        try:
            self._config = config = self._setup.bench()
        except UserError as error:
            self._config = None
            self.bench_name.setText("No bench")
            self.problem.emit(error, "The bench cannot be used.")
            return
        self.bench_name.setText(f"Bench “{config.name}”")
        for role, card in self.cards.items():
            card.show_entry(getattr(config, role))
        self.laser.choose_power(config.laser.power_w)
        self.detector.choose_rate(config.detector.rate_hz)

    def connect_all(self) -> None:
        for role, card in self.cards.items():
            if not card.is_connected:
                self._connect_device(role)

    def set_theme(self, theme: Theme) -> None:
        for card in self.cards.values():
            card.set_theme(theme)

    def save(self, settings: QSettings) -> None:
        for name, split in (("columns", self.splitter), ("rows", self.rows)):
            settings.setValue(f"devices/{name}", split.saveState())

    def restore(self, settings: QSettings) -> None:
        for name, split in (("columns", self.splitter), ("rows", self.rows)):
            state = settings.value(f"devices/{name}")
            if state is not None:
                split.restoreState(state)

    def restore_default_layout(self) -> None:
        self.splitter.setSizes([2, 3])
        self.rows.setSizes([3, 2])

    def hideEvent(self, event: QHideEvent | None) -> None:
        self.laser.disarm()
        super().hideEvent(event)

    # --- parts --------------------------------------------------------------------------------------------------
    def _connect_device(self, role: str) -> None:
        self.refresh()
        if self._config is None:
            return
        self.cards[role].show_connecting()
        try:
            self.manual.connect_device(self._config, role)
        except UserError as error:
            self._on_not_begun(error)

    def _on_not_begun(self, error: Exception) -> None:
        for card in self.cards.values():
            card.show_disconnected()
        self.problem.emit(error, "The bench cannot be opened.")

    def _on_report(self, role: str, report: DeviceReport) -> None:
        self.cards[role].show_report(report)
        if role == "laser":
            self._table.clear_loss()

    def _on_run_events(self, events: list[Event], _status: RunStatus, _over: bool) -> None:
        for event in events:
            if isinstance(event, Seen):
                self.camera.show_frame(event.view.frame)

    def _show_table(self) -> None:
        state, before = self._table.state, self._state
        self._state = state
        if state is before:
            return
        free = state in (HostState.FREE, HostState.MANUAL)
        if state is not HostState.MANUAL:
            self.laser.disarm()
        self.hint.setText(_HINTS[state])
        self.connect_button.setEnabled(free)
        self.release_button.setEnabled(state is HostState.MANUAL)
        for card in self.cards.values():
            card.setEnabled(free)

    def _connect(self) -> None:
        manual = self.manual
        for role, card in self.cards.items():
            card.connect_requested.connect(lambda role=role: self._connect_device(role))
            card.disconnect_requested.connect(lambda role=role: manual.disconnect_device(role))
        manual.reported.connect(self._on_report)
        manual.refused.connect(lambda role, error: self.cards[role].show_problem(error))
        manual.disconnected.connect(lambda role: self.cards[role].show_disconnected())
        manual.not_begun.connect(self._on_not_begun)
        manual.framed.connect(self.camera.show_frame)
        manual.traced.connect(self.detector.show_trace)
        self._table.changed.connect(self._show_table)
        self._table.run_events.connect(self._on_run_events)
        self.laser.light_on.connect(manual.light_on)
        self.laser.light_off.connect(manual.light_off)
        self.laser.set_power.connect(manual.set_power)
        self.camera.frame_requested.connect(manual.take_frame)
        self.camera.set_camera.connect(manual.set_camera)
        self.detector.trace_requested.connect(manual.take_trace)
        for card in (self.slm, self.dmd):
            card.show_pattern.connect(lambda *chosen, role=card.role: manual.show(role, *chosen))

    def _lay_out(self) -> None:
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(holder(column(self.laser, self.slm, self.dmd, ROOM, spacing=8, margins=(0, 0, 2, 0))))
        scroll.setMinimumWidth(460)
        self.rows = splitter(
            self.camera, self.detector, vertical=True, stretch=(3, 2), sizes=(420, 240), collapsible=False
        )
        self.splitter = splitter(scroll, self.rows, stretch=(2, 3), collapsible=False)
        self.setLayout(
            column(
                row(self.bench_name, 12, (self.hint, 1), self.connect_button, self.release_button),
                (self.splitter, 1),
                margins=(12, 8, 12, 12),
            )
        )
