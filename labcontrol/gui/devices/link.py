"""The devices view's connection to the bench used by hand: asks without waiting, tells by signals."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from PyQt5.QtCore import QObject, pyqtSignal

from drivers.interfaces import Roi
from labcontrol.config import BenchConfig
from labcontrol.errors import UserError
from labcontrol.gui.processes.held_bench import HeldBench
from labcontrol.gui.shared.ticking import ticking
from labcontrol.host.jobs.manual import DeviceReport, LaserFacts, ManualJob

_POLL_MS = 1000
ROLES = ("laser", "slm", "dmd", "camera", "detector")


class BenchLink(HeldBench):
    """Opens the bench when the first device is connected, and lets go of it on `release`.

    Signals: `reported` (role, DeviceReport) whenever something is known of a device; `refused` (role, error) when a
    wish was not fulfilled; `disconnected` (role), after `lost`; `framed` (Frame) and `traced` (Samples).
    """

    reported = pyqtSignal(str, object)
    refused = pyqtSignal(str, object)
    disconnected = pyqtSignal(str)
    framed = pyqtSignal(object)
    traced = pyqtSignal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.connected: set[str] = set()
        self._busy: set[str] = set()
        self._poll_timer = ticking(self, _POLL_MS, self._look)

    def connect_device(self, config: BenchConfig, role: str) -> None:
        """Open a device, again if it was open. Raises UserError when the bench file does not hold together."""
        if self._releasing:
            raise UserError("The devices are still being let go.", "Try again in a second.")
        self._hold(config, lambda config, journal: partial(_manual, config, journal))
        self._poll_timer.start()

        def then(report: DeviceReport) -> None:
            self.connected.add(role)
            self._on_report(role, report)

        self._ask(role, "connect", role, then=then)

    def disconnect_device(self, role: str) -> None:
        def then(_: None) -> None:
            self.connected.discard(role)
            if role == "laser":
                self._set_light(False, 0.0)
            self.disconnected.emit(role)

        self._ask(role, "disconnect", role, then=then)

    # --- the laser ----------------------------------------------------------------------------------------------
    def light_on(self, power_w: float) -> None:
        self._ask("laser", "light_on", power_w, then=lambda _: self._look_at("laser"))

    def light_off(self) -> None:
        """At once, from any state."""
        self._ask("laser", "light_off", then=lambda _: self._look_at("laser"))

    def set_power(self, power_w: float) -> None:
        self._ask("laser", "set_power", power_w, then=lambda _: self._look_at("laser"))

    # --- the others ---------------------------------------------------------------------------------------------
    def set_camera(self, exposure_s: float, gain_db: float, roi: Roi) -> None:
        self._ask("camera", "set_camera", exposure_s, gain_db, roi, then=lambda _: self._look_at("camera"))

    def show(self, role: str, name: str, level: int, period_px: int) -> None:
        self._ask(role, "show", role, name, level, period_px, then=lambda _: self._look_at(role))

    def ask_frame(self) -> None:
        """A new frame, unless one is under way."""
        self._ask_once("frame", "camera", "frame", then=self.framed.emit)

    def ask_trace(self, samples: int, rate_hz: float) -> None:
        """A new trace, unless one is under way."""
        self._ask_once("trace", "detector", "trace", samples, rate_hz, then=self.traced.emit)

    def close(self) -> None:
        self._poll_timer.stop()
        super().close()

    # --- parts --------------------------------------------------------------------------------------------------
    def _ask(self, role: str, command: str, *arguments: Any, then: Callable[[Any], None]) -> None:
        if self._process is not None:
            self._process.ask(command, *arguments, then=then, refused=lambda error: self.refused.emit(role, error))

    def _ask_once(self, key: str, role: str, command: str, *arguments: Any, then: Callable[[Any], None]) -> None:
        if self._process is None or key in self._busy:
            return
        self._busy.add(key)

        def done(value: Any) -> None:
            self._busy.discard(key)
            then(value)

        def refused(error: BaseException) -> None:
            self._busy.discard(key)
            self.refused.emit(role, error)

        self._process.ask(command, *arguments, then=done, refused=refused)

    def _look_at(self, role: str) -> None:
        def then(report: DeviceReport) -> None:
            if role in self.connected:
                self._on_report(role, report)

        self._ask_once(f"report {role}", role, "report", role, then=then)

    def _look(self) -> None:
        for role in ROLES:
            if role in self.connected:
                self._look_at(role)

    def _on_report(self, role: str, report: DeviceReport) -> None:
        if isinstance(report.facts, LaserFacts):
            self._set_light(report.facts.emission, report.facts.setpoint_w)
        self.reported.emit(role, report)

    def _forget(self) -> None:
        self._poll_timer.stop()
        self._busy.clear()
        for role in sorted(self.connected):
            self.disconnected.emit(role)
        self.connected.clear()
        super()._forget()


def _manual(config: BenchConfig, journal: Path, _emit: object) -> ManualJob:
    return ManualJob(config, journal)
