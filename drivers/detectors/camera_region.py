"""A region of a camera as detector: the sum of its pixels, one frame a sample."""

from __future__ import annotations

import math
from typing import Any, Self

import numpy as np
from pydantic import Field

from drivers.detectors.pacing import take_paced
from drivers.interfaces import (
    Camera,
    Detector,
    DeviceFaultError,
    DeviceRefusedError,
    DeviceStatus,
    DriverContext,
    DriverOptions,
    Frame,
    Identity,
    Roi,
    Samples,
)

_MOST_SAMPLES = 100_000


class CameraRegionOptions(DriverOptions):
    """Settings of a camera region. The camera belongs to this detector alone; it cannot be the bench's camera."""

    camera: str = Field(description="name of the camera's driver")
    camera_options: dict[str, Any] = Field(default_factory=dict, description="settings of the camera's driver")
    exposure_s: float = Field(gt=0, description="exposure of one sample, in s")
    gain_db: float = Field(0.0, description="gain of the camera, in dB")
    row: int = Field(ge=0, description="first row of the region on the sensor")
    column: int = Field(ge=0, description="first column of the region")
    rows: int = Field(ge=1, description="rows of the region")
    columns: int = Field(ge=1, description="columns of the region")
    dark_counts: float = Field(0.0, ge=0, description="counts of a dark pixel, subtracted from each")
    watts_per_count: float | None = Field(
        None, gt=0, description="calibration of the sum, in W per count; without it samples are in counts"
    )


class CameraRegionDetector(Detector):
    """The light on a region of a camera. address: that of the camera.

    A saturated pixel marks the samples as overload. Every frame is triggered for its sample, and its time proves it.
    """

    Options = CameraRegionOptions

    def __init__(self, context: DriverContext, camera: Camera, options: CameraRegionOptions) -> None:
        super().__init__(context)
        self.clock = camera.clock
        self._camera = camera
        self._options = options
        self._counter = 0

    @classmethod
    def from_bench(cls, address: str, options: CameraRegionOptions, context: DriverContext) -> Self:
        from drivers.registry import load_driver  # looks at all installed packages

        driver = load_driver(options.camera)
        if not issubclass(driver, Camera):
            raise DeviceRefusedError(
                context.device, f"{options.camera!r} is not a camera.", "Name a camera's driver in the bench file."
            )
        camera = driver.from_bench(address, driver.Options.model_validate(options.camera_options), context)
        return cls(context, camera, options)

    @property
    def max_rate_hz(self) -> float:
        self._require_open()
        return 1.0 / (self._options.exposure_s + self._camera.readout_time_s)

    @property
    def max_samples(self) -> int:
        return _MOST_SAMPLES

    # --- device -------------------------------------------------------------------------------------------------
    def _open(self) -> None:
        options = self._options
        self._counter = 0
        self._camera.open()
        self._camera.roi = Roi(options.row, options.column, options.rows, options.columns)
        self._camera.exposure_s = options.exposure_s
        self._camera.gain_db = options.gain_db

    def _close(self) -> None:
        self._camera.close()

    def _read_identity(self) -> Identity:
        camera, options = self._camera.identity, self._options
        model = f"{options.rows} x {options.columns} region of {camera.model}"
        return Identity(camera.vendor, model, camera.serial_number, camera.firmware)

    def _read_status(self) -> DeviceStatus:
        return self._camera.status()

    # --- detector -----------------------------------------------------------------------------------------------
    def _read(self, samples: int, rate_hz: float) -> Samples:
        self._camera.discard_frames()
        start_s, frames = take_paced(self.name, self.clock, samples, rate_hz, self._one_frame)
        self._counter += 1
        data = np.array([self._light(frame) for frame in frames])
        return Samples(data, start_s, rate_hz, self._counter, any(frame.saturated_share > 0.0 for frame in frames))

    def _one_frame(self) -> Frame:
        asked_s = self.clock.now_s()
        frame = self._camera.snap(1.0 + 2.0 * self._options.exposure_s)
        if frame.time_s < asked_s - 1e-9 * math.fabs(asked_s):
            raise DeviceFaultError(
                self.name, f"got a frame from {asked_s - frame.time_s:.3g} s before it was triggered.", "Try again."
            )
        return frame

    def _light(self, frame: Frame) -> float:
        counts = float(frame.data.sum(dtype=np.int64)) - self._options.dark_counts * frame.data.size
        return counts * (self._options.watts_per_count or 1.0)
