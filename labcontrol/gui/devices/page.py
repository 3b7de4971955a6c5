"""The page of the devices: all of them at a glance, and each of them by hand while no run owns the table."""

from __future__ import annotations

from collections.abc import Callable

from PyQt5.QtCore import QSettings, Qt, pyqtSignal
from PyQt5.QtGui import QHideEvent
from PyQt5.QtWidgets import QHBoxLayout, QLabel, QScrollArea, QSplitter, QVBoxLayout, QWidget

from drivers.interfaces import Frame, Roi
from labcontrol.config import BenchConfig
from labcontrol.errors import UserError
from labcontrol.gui.devices.camera import CameraCard
from labcontrol.gui.devices.card import DeviceCard
from labcontrol.gui.devices.detector import DetectorCard
from labcontrol.gui.devices.laser import LaserCard
from labcontrol.gui.devices.link import BenchLink
from labcontrol.gui.devices.modulator import ModulatorCard
from labcontrol.gui.shared.buttons import button
from labcontrol.gui.shared.theme import Theme
from labcontrol.host.jobs.manual import DeviceReport

_HINT = (
    "Devices connect with the light off. Arm before switching emission on; it ends when this window closes or hangs."
)


class DevicesPage(QWidget):
    """Signals: `light` (on, power in W) of the laser by hand; `problem` (error, what could not be done); `lost` (error)
    when the process that held the devices has ended by itself; `laser_read` when the state of the laser was read.

    bench: gives the bench to use, as the experiment form names it; may raise UserError.
    """

    light = pyqtSignal(bool, float)
    problem = pyqtSignal(object, str)
    lost = pyqtSignal(object)
    laser_read = pyqtSignal()

    def __init__(self, bench: Callable[[], BenchConfig], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bench = bench
        self._config: BenchConfig | None = None
        self._then: Callable[[], None] | None = None
        self._lock_words = ""
        self.link = BenchLink(self)
        self.laser, self.camera, self.detector = LaserCard(), CameraCard(), DetectorCard()
        self.slm, self.dmd = ModulatorCard("SLM", "slm"), ModulatorCard("DMD", "dmd")
        self.cards: dict[str, DeviceCard] = {
            "laser": self.laser,
            "slm": self.slm,
            "dmd": self.dmd,
            "camera": self.camera,
            "detector": self.detector,
        }
        self.bench_name = QLabel("")
        self.bench_name.setProperty("role", "title")
        self.words = QLabel(_HINT)
        self.words.setProperty("role", "muted")
        self.words.setMinimumWidth(1)
        self.connect_button = button("Connect all", "Open every device, dark", self.connect_all)
        self.release_button = button("Disconnect all", "Light off, and close every device", self.release)
        self._lay_out()
        self._connect()
        self._show_buttons()

    # --- what others ask ----------------------------------------------------------------------------------------
    @property
    def light_is_on(self) -> bool:
        return self.link.light_is_on

    @property
    def power_w(self) -> float:
        """Setpoint of the laser by hand, as last read."""
        return self.link.power_w

    @property
    def is_in_use(self) -> bool:
        """Whether a device is, or may still be, in this page's hands."""
        return self.link.is_held

    def read_bench(self) -> None:
        """Show the bench that would be opened now; while one is open it stays."""
        if self.link.is_held:
            return
        try:
            self._config = config = self._bench()
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

    def light_off(self) -> None:
        """At once, from any state; what waits for the devices to be let go does not happen."""
        self._then = None
        self.laser.disarm()
        self.link.light_off()

    def release(self, then: Callable[[], None] | None = None) -> None:
        """Light off and let go of every device; then do this, at once where nothing is held."""
        self._then = then
        self.laser.disarm()
        self.link.release()
        self._show_buttons()

    def set_locked(self, words: str) -> None:
        """Keep hands off while someone else owns the table, and say who; empty to open the page again."""
        if words == self._lock_words:
            return
        self._lock_words = words
        self.words.setText(words or _HINT)
        self._show_buttons()

    def show_frame(self, frame: Frame) -> None:
        """A frame that a run has seen."""
        if self._lock_words:
            self.camera.show_frame(frame)

    def set_theme(self, theme: Theme) -> None:
        for card in self.cards.values():
            card.set_theme(theme)

    def close_bench(self) -> None:
        """Light off, let go of every device, and wait until it is done."""
        self.link.close()

    def save_layout(self, settings: QSettings) -> None:
        for name, splitter in (("columns", self.splitter), ("rows", self.rows)):
            settings.setValue(f"devices/{name}", splitter.saveState())

    def restore_layout(self, settings: QSettings) -> None:
        for name, splitter in (("columns", self.splitter), ("rows", self.rows)):
            state = settings.value(f"devices/{name}")
            if state is not None:
                splitter.restoreState(state)

    def restore_default_layout(self) -> None:
        self.splitter.setSizes([2, 3])
        self.rows.setSizes([3, 2])

    def hideEvent(self, event: QHideEvent | None) -> None:
        self.laser.disarm()
        super().hideEvent(event)

    # --- parts --------------------------------------------------------------------------------------------------
    def _connect_device(self, role: str) -> None:
        self.read_bench()
        if self._config is None:
            return
        try:
            self.link.connect_device(self._config, role)
        except UserError as error:
            self.problem.emit(error, "The bench cannot be opened.")
            return
        self.cards[role].show_connecting()
        self._show_buttons()

    def _on_report(self, role: str, report: DeviceReport) -> None:
        self.cards[role].show_report(report)
        if role == "laser":
            self.laser_read.emit()

    def _on_refused(self, role: str, error: BaseException) -> None:
        self.cards[role].show_problem(error)

    def _on_lost(self, error: BaseException) -> None:
        for card in self.cards.values():
            card.show_disconnected()
        self.lost.emit(error)

    def _on_released(self) -> None:
        self._show_buttons()
        then, self._then = self._then, None
        if then is not None:
            then()

    def _show_buttons(self) -> None:
        free = not self._lock_words
        self.connect_button.setEnabled(free)
        self.release_button.setEnabled(self.link.is_held)
        for card in self.cards.values():
            card.setEnabled(free)

    def _connect(self) -> None:
        link = self.link
        for role, card in self.cards.items():
            card.connect_asked.connect(lambda role=role: self._connect_device(role))
            card.disconnect_asked.connect(lambda role=role: link.disconnect_device(role))
        link.reported.connect(self._on_report)
        link.refused.connect(self._on_refused)
        link.disconnected.connect(lambda role: self.cards[role].show_disconnected())
        link.lost.connect(self._on_lost)
        link.released.connect(self._on_released)
        link.light.connect(self.light.emit)
        link.framed.connect(self.camera.show_frame)
        link.traced.connect(self.detector.show_trace)
        self.laser.light_on.connect(link.light_on)
        self.laser.light_off.connect(self.light_off)
        self.laser.set_power.connect(link.set_power)
        self.camera.frame_asked.connect(link.ask_frame)
        self.camera.set_camera.connect(self._set_camera)
        self.detector.trace_asked.connect(link.ask_trace)
        for card in (self.slm, self.dmd):
            card.show_pattern.connect(lambda name, level, period, role=card.role: link.show(role, name, level, period))

    def _set_camera(self, exposure_s: float, gain_db: float, roi: Roi) -> None:
        self.link.set_camera(exposure_s, gain_db, roi)

    def _lay_out(self) -> None:
        bar = QHBoxLayout()
        bar.addWidget(self.bench_name)
        bar.addSpacing(12)
        bar.addWidget(self.words, 1)
        bar.addWidget(self.connect_button)
        bar.addWidget(self.release_button)
        left = QWidget()
        self.rows = right = QSplitter(Qt.Orientation.Vertical)
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 2, 0)
        column.setSpacing(8)
        for card in (self.laser, self.slm, self.dmd):
            column.addWidget(card)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(left)
        scroll.setMinimumWidth(460)
        right.addWidget(self.camera)
        right.addWidget(self.detector)
        right.setStretchFactor(0, 3)
        right.setStretchFactor(1, 2)
        right.setSizes([420, 240])
        right.setChildrenCollapsible(False)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.addWidget(scroll)
        self.splitter.addWidget(right)
        self.splitter.setStretchFactor(0, 2)
        self.splitter.setStretchFactor(1, 3)
        self.splitter.setChildrenCollapsible(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 8, 12, 12)
        layout.addLayout(bar)
        layout.addWidget(self.splitter, 1)
