"""Manual control as a job: one device after the other, opened when it is asked for."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from drivers.interfaces import (
    Camera,
    Detector,
    Device,
    DeviceStatus,
    Frame,
    Identity,
    Laser,
    Modulator,
    Roi,
    Samples,
)
from labcontrol.bench import Bench
from labcontrol.bench.test_patterns import make_pattern
from labcontrol.config import BenchConfig
from labcontrol.errors import UserError
from labcontrol.host.jobs.job import BenchSettings, Handler, Job, TakeFrame
from labcontrol.host.protocol import HostState, Request

Role = Literal["laser", "slm", "dmd", "camera", "detector"]


@dataclass(frozen=True)
class LaserFacts:
    """power_w: as the laser measures it. setpoint_w: as it would emit."""

    emission: bool
    interlock_closed: bool
    faults: tuple[str, ...]
    power_w: float
    setpoint_w: float
    power_limits_w: tuple[float, float]
    warm_up_time_s: float


@dataclass(frozen=True)
class ModulatorFacts:
    shape: tuple[int, int]
    bit_depth: int
    settle_time_s: float
    max_pattern_rate_hz: float
    max_sequence_length: int


@dataclass(frozen=True)
class CameraFacts:
    sensor_shape: tuple[int, int]
    bit_depth: int
    readout_time_s: float
    exposure_s: float
    exposure_limits_s: tuple[float, float]
    gain_db: float
    gain_limits_db: tuple[float, float]
    roi: Roi


@dataclass(frozen=True)
class DetectorFacts:
    max_rate_hz: float
    max_samples: int
    has_trigger: bool


Facts = LaserFacts | ModulatorFacts | CameraFacts | DetectorFacts


@dataclass(frozen=True)
class DeviceReport:
    """What one device is and says now."""

    identity: Identity
    status: DeviceStatus
    facts: Facts


class Connect(Request):
    """Open a device, closing it first where it was open. Answered with its `DeviceReport`."""

    name = "connect"

    role: Role


class Disconnect(Request):
    """Leave a device in its safe state and let go of it."""

    name = "disconnect"

    role: Role


class Report(Request):
    """Answered with the `DeviceReport` of an open device."""

    name = "report"

    role: Role


class LightOn(Request):
    """Emission on, without waiting until the laser is warm. A client asks for it only after a person has armed it."""

    name = "light-on"
    lights = True

    power_w: float


class SetPower(Request):
    """Set the power that the laser emits, or would emit."""

    name = "set-power"

    power_w: float


class SetCamera(Request):
    """Set exposure, gain and region of interest."""

    name = "set-camera"

    exposure_s: float
    gain_db: float
    roi: tuple[int, int, int, int]
    """Row, column, rows, columns."""


class Show(Request):
    """Show a test pattern on the SLM or the DMD, settled when it is answered; see `labcontrol.bench.test_patterns`."""

    name = "show"

    role: Literal["slm", "dmd"]
    pattern: str
    level: int
    period_px: int


class TakeTrace(Request):
    """Answered with new `Samples` of the detector."""

    name = "trace"

    samples: int
    rate_hz: float


class ManualJob(Job):
    """Opens devices singly, so that one that is missing does not keep the others from being used.

    `light_off` may be called from any thread at any time, and holds against a `light_on` that was asked for before:
    each `light_on` names the `darks` count it knew when it was asked for. journal: where the guardian of a real laser
    writes what it does when this program is gone.
    """

    state = HostState.MANUAL
    leased = True
    settings = BenchSettings
    carries = (DeviceReport, Frame, Samples)

    def __init__(self, config: BenchConfig, journal: Path) -> None:
        self.bench = config
        self._bench, self._journal = Bench(config), journal
        self._laser_lock = threading.RLock()
        self._laser: LaserFacts | None = None  # as last read
        self._ended = False
        self.darks = 0

    @classmethod
    def make(cls, settings: BenchSettings) -> ManualJob:
        return cls(settings.bench, Path(settings.journal))

    @property
    def requests(self) -> Mapping[type[Request], Handler]:
        return {
            Connect: lambda asked: self.connect(asked.role),
            Disconnect: lambda asked: self.disconnect(asked.role),
            Report: lambda asked: self.report(asked.role),
            LightOn: lambda asked, darks: self.light_on(asked.power_w, darks),
            SetPower: lambda asked: self.set_power(asked.power_w),
            SetCamera: lambda asked: self.set_camera(asked.exposure_s, asked.gain_db, Roi(*asked.roi)),
            Show: lambda asked: self.show(asked.role, asked.pattern, asked.level, asked.period_px),
            TakeFrame: lambda _: self.frame(),
            TakeTrace: lambda asked: self.trace(asked.samples, asked.rate_hz),
        }

    @property
    def is_over(self) -> bool:
        return self._ended

    def begin(self) -> None:
        """Nothing yet: each device is opened when it is asked for."""

    def status(self) -> dict[str, Any]:
        laser = self._laser
        facts = {} if laser is None else {"laser_on": laser.emission, "power_w": laser.setpoint_w}
        return {"journal": str(self._journal)} | facts

    def end(self) -> None:
        if self._ended:
            return
        self._ended = True
        try:
            self.light_off("manual control has ended")
        finally:
            for device in reversed(self._bench.devices.values()):
                device.close()
            self._bench.close()

    def drain(self) -> list[Any]:
        return []

    # --- devices ------------------------------------------------------------------------------------------------
    def connect(self, role: str) -> DeviceReport:
        """Open a device, closing it first where it was open: also the way to get a lost one back."""
        device = self._bench.devices[role]
        self.disconnect(role)
        try:
            device.open()
            if role == "laser":
                self.light_off("connected")
                self._bench.light.keep_journal(self._journal)
            elif isinstance(device, Camera):
                device.exposure_s = self._bench.config.camera.exposure_s
                device.gain_db = self._bench.config.camera.gain_db
            return self.report(role)
        except BaseException:
            device.close()
            raise

    def disconnect(self, role: str) -> None:
        """Leave a device in its safe state and let go of it."""
        if role == "laser":
            self.light_off("disconnected")
        self._bench.devices[role].close()

    def report(self, role: str) -> DeviceReport:
        device = self._bench.devices[role]
        if isinstance(device, Laser):
            with self._laser_lock:
                return DeviceReport(device.identity, device.status(), self._read_laser(device))
        return DeviceReport(device.identity, device.status(), facts_of(device))

    def light_on(self, power_w: float, darks: int) -> None:
        """Emission on at this power. Does not wait until the laser is warm."""
        with self._laser_lock:
            if darks != self.darks:
                raise UserError("The light was switched off meanwhile; it stays off.", "Arm the laser again.")
            self._bench.light.arm("armed manually")
            self._bench.light_on(lambda _: None, power_w=power_w)
            self._read_laser(self._bench.laser)

    def light_off(self, reason: str = "") -> None:
        """Emission off, whatever else is going on."""
        self.darks += 1
        with self._laser_lock:
            self._bench.light_off(reason)
            if self._bench.laser.is_open:
                self._read_laser(self._bench.laser)

    def set_power(self, power_w: float) -> None:
        with self._laser_lock:
            self._bench.laser.power_setpoint_w = power_w
            self._read_laser(self._bench.laser)

    def _read_laser(self, laser: Laser) -> LaserFacts:
        self._laser = facts = _laser_facts(laser)
        return facts

    def set_camera(self, exposure_s: float, gain_db: float, roi: Roi) -> None:
        camera = self._bench.camera
        camera.exposure_s, camera.gain_db, camera.roi = exposure_s, gain_db, roi

    def show(self, role: str, name: str, level: int, period_px: int) -> None:
        """A test pattern on the SLM or the DMD, settled when this returns."""
        modulator = self._bench.devices[role]
        assert isinstance(modulator, Modulator)
        modulator.show_settled(make_pattern(name, modulator.shape, modulator.bit_depth, level, period_px))

    def frame(self) -> Frame:
        """A new frame."""
        return self._bench.camera.snap()

    def trace(self, samples: int, rate_hz: float) -> Samples:
        return self._bench.detector.read(samples, rate_hz)


def facts_of(device: Device) -> Facts:
    """What can be set and read of an open device, with its limits."""
    if isinstance(device, Laser):
        return _laser_facts(device)
    for role, kind in ((Camera, CameraFacts), (Modulator, ModulatorFacts), (Detector, DetectorFacts)):
        if isinstance(device, role):
            return kind(**{field.name: getattr(device, field.name) for field in fields(kind)})
    raise TypeError(f"{device.name} has none of the roles of a bench")


def _laser_facts(laser: Laser) -> LaserFacts:
    return LaserFacts(
        laser.emission,
        laser.interlock_closed,
        laser.faults,
        laser.power_w,
        laser.power_setpoint_w,
        laser.power_limits_w,
        laser.warm_up_time_s,
    )
