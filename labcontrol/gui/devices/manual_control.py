"""Manual control of the devices, as the Devices page asks for it: without waiting, answered by signals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PyQt5.QtCore import QObject, pyqtSignal

from drivers.interfaces import Roi
from labcontrol.bench import driver_classes
from labcontrol.config import BenchConfig
from labcontrol.gui.session.lost_laser import guardian_journal
from labcontrol.gui.session.table import TableSession
from labcontrol.gui.shared.ticking import ticking
from labcontrol.host import HostState
from labcontrol.host.jobs.job import BenchSettings, TakeFrame
from labcontrol.host.jobs.manual import (
    Connect,
    DeviceReport,
    Disconnect,
    LightOn,
    Report,
    SetCamera,
    SetPower,
    Show,
    TakeTrace,
)
from labcontrol.host.protocol import Request

_REPORT_MS = 1000


class ManualControl(QObject):
    """Takes the table with the first device, and holds it until it is released or lost.

    Signals
    -------
    reported : (role, DeviceReport)
        Whenever something is known of a device.
    refused : (role, error)
        A request was not fulfilled.
    disconnected : (role)
    not_begun : (error)
        The table cannot be taken.
    framed : (Frame)
    traced : (Samples)
    """

    reported = pyqtSignal(str, object)
    refused = pyqtSignal(str, object)
    disconnected = pyqtSignal(str)
    not_begun = pyqtSignal(object)
    framed = pyqtSignal(object)
    traced = pyqtSignal(object)

    def __init__(self, table: TableSession, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.connected: set[str] = set()
        self._table = table
        self._holds = False
        self._pending: set[type[Request] | tuple[type[Request], str]] = set()
        self._report_timer = ticking(self, _REPORT_MS, self._report_all)
        table.changed.connect(self._on_table)

    def connect_device(self, config: BenchConfig, role: str) -> None:
        """Open a device, again if it was open. Raises UserError when the bench file does not hold together."""
        if self._table.state is not HostState.MANUAL:
            driver_classes(config)
            settings = BenchSettings(bench=config, journal=str(guardian_journal()))
            self._table.begin(HostState.MANUAL, settings, config, lambda _: None, self.not_begun.emit)
            self._report_timer.start()

        def then(report: DeviceReport) -> None:
            self.connected.add(role)
            self.reported.emit(role, report)

        self._ask(role, Connect(role=role), then)

    def disconnect_device(self, role: str) -> None:
        def then(_: None) -> None:
            self.connected.discard(role)
            self.disconnected.emit(role)

        self._ask(role, Disconnect(role=role), then)

    # --- what they do -------------------------------------------------------------------------------------------
    def light_on(self, power_w: float) -> None:
        self._ask_and_report("laser", LightOn(power_w=power_w))

    def light_off(self) -> None:
        """At once, from any state."""
        self._table.safe_off()
        self._report("laser")

    def set_power(self, power_w: float) -> None:
        self._ask_and_report("laser", SetPower(power_w=power_w))

    def set_camera(self, exposure_s: float, gain_db: float, roi: Roi) -> None:
        region = (roi.row, roi.column, roi.rows, roi.columns)
        self._ask_and_report("camera", SetCamera(exposure_s=exposure_s, gain_db=gain_db, roi=region))

    def show(self, role: str, pattern: str, level: int, period_px: int) -> None:
        self._ask_and_report(role, Show(role=role, pattern=pattern, level=level, period_px=period_px))

    def take_frame(self) -> None:
        """A new frame, unless one is under way."""
        self._ask_once(TakeFrame, "camera", TakeFrame(), self.framed.emit)

    def take_trace(self, samples: int, rate_hz: float) -> None:
        """A new trace, unless one is under way."""
        self._ask_once(TakeTrace, "detector", TakeTrace(samples=samples, rate_hz=rate_hz), self.traced.emit)

    # --- parts --------------------------------------------------------------------------------------------------
    def _ask(
        self,
        role: str,
        request: Request,
        then: Callable[[Any], None],
        refused: Callable[[Exception], None] = lambda _: None,
    ) -> None:
        def on_refused(error: Exception) -> None:
            refused(error)
            if self._table.state is HostState.MANUAL:  # otherwise the table was taken away, which is said elsewhere
                self.refused.emit(role, error)

        if self._table.state is HostState.MANUAL:
            self._table.ask(request, then, on_refused)

    def _ask_once(
        self,
        key: type[Request] | tuple[type[Request], str],
        role: str,
        request: Request,
        then: Callable[[Any], None],
    ) -> None:
        if key in self._pending:
            return
        self._pending.add(key)

        def done(value: Any) -> None:
            self._pending.discard(key)
            then(value)

        self._ask(role, request, done, lambda _: self._pending.discard(key))

    def _ask_and_report(self, role: str, request: Request) -> None:
        self._ask(role, request, lambda _: self._report(role))

    def _report(self, role: str) -> None:
        if role not in self.connected:
            return

        def then(report: DeviceReport) -> None:
            if role in self.connected:
                self.reported.emit(role, report)

        self._ask_once((Report, role), role, Report(role=role), then)

    def _report_all(self) -> None:
        for role in sorted(self.connected):
            self._report(role)

    def _on_table(self) -> None:
        """What was known of the devices holds no more when the table is somebody else's or nobody's."""
        held, self._holds = self._holds, self._table.state is HostState.MANUAL
        if held and not self._holds:
            self._report_timer.stop()
            self._pending.clear()
            for role in sorted(self.connected):
                self.disconnected.emit(role)
            self.connected.clear()
