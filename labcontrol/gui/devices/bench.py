"""A bench used by hand, one device after the other, in the process that owns it. Knows no Qt."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

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
from labcontrol.bench import Bench, fresh_frame
from labcontrol.config import BenchConfig
from labcontrol.errors import UserError
from labcontrol.gui.devices.patterns import make_pattern


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


class BenchByHand:
    """Opens devices singly, so that one that is missing does not keep the others from being used.

    `light_off` may be called from any thread at any time, and holds against a `light_on` that was asked for before:
    each `light_on` names the `lights_off` count it knew when it was asked for. journal: where the guardian of a real
    laser writes what it does when this program is gone.
    """

    def __init__(self, config: BenchConfig, journal: Path) -> None:
        self._bench, self._journal = Bench(config), journal
        self._laser_lock = threading.RLock()
        self.lights_off = 0

    # --- commands -----------------------------------------------------------------------------------------------
    def connect(self, role: str) -> DeviceReport:
        """Open a device, closing it first where it was open: also the way to get a lost one back."""
        device = self._bench.devices[role]
        self.disconnect(role)
        try:
            device.open()
            if role == "laser":
                self.light_off()
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
            self.light_off()
        self._bench.devices[role].close()

    def report(self, role: str) -> DeviceReport:
        device = self._bench.devices[role]
        if isinstance(device, Laser):
            with self._laser_lock:
                return DeviceReport(device.identity, device.status(), facts_of(device))
        return DeviceReport(device.identity, device.status(), facts_of(device))

    def light_on(self, power_w: float, lights_off: int) -> None:
        """Emission on at this power. Does not wait until the laser is warm."""
        with self._laser_lock:
            if lights_off != self.lights_off:
                raise UserError("The light was switched off meanwhile; it stays off.", "Arm the laser again.")
            self._bench.light.arm("armed by hand in the window")
            self._bench.light_on(lambda _: None, power_w=power_w)

    def light_off(self) -> None:
        """Emission off, whatever else is going on."""
        self.lights_off += 1
        with self._laser_lock:
            self._bench.light_off()

    def set_power(self, power_w: float) -> None:
        with self._laser_lock:
            self._bench.laser.power_setpoint_w = power_w

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
        return fresh_frame(self._bench.camera)

    def trace(self, samples: int, rate_hz: float) -> Samples:
        return self._bench.detector.read(samples, rate_hz)

    def close(self) -> None:
        """Light off, then let go of every device."""
        try:
            self.light_off()
        finally:
            for device in reversed(self._bench.devices.values()):
                device.close()
            self._bench.close()


def bench_by_hand(config: BenchConfig, journal: Path, _tell: object) -> BenchByHand:
    """For `BenchProcess`; says nothing that it was not asked for."""
    return BenchByHand(config, journal)


def facts_of(device: Device) -> Facts:
    """What can be set and read of an open device, with its limits."""
    if isinstance(device, Laser):
        return LaserFacts(
            device.emission,
            device.interlock_closed,
            device.faults,
            device.power_w,
            device.power_setpoint_w,
            device.power_limits_w,
            device.warm_up_time_s,
        )
    if isinstance(device, Camera):
        return CameraFacts(
            device.sensor_shape,
            device.bit_depth,
            device.readout_time_s,
            device.exposure_s,
            device.exposure_limits_s,
            device.gain_db,
            device.gain_limits_db,
            device.roi,
        )
    if isinstance(device, Modulator):
        return ModulatorFacts(
            device.shape, device.bit_depth, device.settle_time_s, device.max_pattern_rate_hz, device.max_sequence_length
        )
    assert isinstance(device, Detector)
    return DetectorFacts(device.max_rate_hz, device.max_samples, device.has_trigger)
