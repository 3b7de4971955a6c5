"""The camera of the simulated table."""

from __future__ import annotations

from drivers.interfaces import (
    Camera,
    DeviceFaultError,
    DeviceRefusedError,
    DeviceStatus,
    DeviceTimeoutError,
    Frame,
    Roi,
)
from mock_devices.on_table import OnTable


class SimulatedCamera(OnTable, Camera):
    """An area camera in software-triggered acquisition."""

    model = "area camera"
    part = "camera"

    @property
    def sensor_shape(self) -> tuple[int, int]:
        return self._table.ground_truth.sensor_shape

    @property
    def bit_depth(self) -> int:
        return self._table.options.camera.bit_depth

    @property
    def readout_time_s(self) -> float:
        return self._table.options.camera.readout_time_s

    @property
    def exposure_limits_s(self) -> tuple[float, float]:
        return 2e-5, 1.0

    @property
    def gain_limits_db(self) -> tuple[float, float]:
        return 0.0, 24.0

    def _get_exposure(self) -> float:
        with self._command:
            return self._table.camera.exposure_s

    def _set_exposure(self, seconds: float) -> None:
        with self._command:
            self._table.camera.exposure_s = seconds

    def _get_gain(self) -> float:
        with self._command:
            return self._table.camera.gain_db

    def _set_gain(self, decibel: float) -> None:
        with self._command:
            self._table.camera.gain_db = decibel

    def _get_roi(self) -> Roi:
        with self._command:
            return self._table.camera.sensor.roi

    def _set_roi(self, roi: Roi) -> None:
        with self._command:
            self._table.camera.sensor.roi = roi

    def _trigger(self) -> None:
        with self._command as now_s:
            if now_s < self._table.camera.busy_until_s:
                raise DeviceRefusedError(
                    self.name, "was triggered before the last exposure had ended.", "Wait for the exposure time."
                )
            self._table.camera.trigger(now_s)

    def _read(self, timeout_s: float) -> Frame:
        deadline_s = self.clock.now_s() + timeout_s
        while True:
            with self._command as now_s:
                if self._table.camera.next_s <= now_s:
                    frame = self._table.camera.take()
                    break
                ready_s = self._table.camera.next_s
            if ready_s > deadline_s:
                self._wait_until(deadline_s)
                raise DeviceTimeoutError(
                    self.name, f"gave no frame within {timeout_s:g} s.", "Was it triggered, and for long enough?"
                )
            self._wait_until(ready_s)
        if frame is None:
            raise DeviceFaultError(self.name, "delivered an incomplete frame.", "Take it again.")
        return frame

    def _discard_frames(self) -> int:
        with self._command:
            return self._table.camera.discard()

    def _open(self) -> None:
        with self._command:
            self._table.camera.reset()

    def _close(self) -> None:
        with self._table.lock:
            self._table.catch_up(self.clock.now_s())
            self._table.camera.reset()

    def _read_status(self) -> DeviceStatus:
        with self._command:
            camera = self._table.camera
            return DeviceStatus(
                True,
                f"{camera.counter} frames triggered",
                {"frames": camera.counter, "exposure_s": camera.exposure_s, "gain_db": camera.gain_db},
            )
