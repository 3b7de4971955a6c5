"""Any camera Micro-Manager knows, through pymmcore-plus.

Needs `pip install "labcontrol[micromanager]"` and the device adapters of Micro-Manager (``mmcore install``). Source:
CMMCore API documentation.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYetError
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from pydantic import Field

from drivers.cameras.frames import Pixels, checked_frame, importing_swig
from drivers.cameras.settings import require_exposure_taken, require_gain_taken
from drivers.interfaces import (
    Camera,
    DeviceDisconnectedError,
    DeviceFaultError,
    DeviceRefusedError,
    DeviceStatus,
    DeviceTimeoutError,
    DriverContext,
    DriverOptions,
    Found,
    Frame,
    Identity,
    Roi,
    Search,
)

_LABEL = "camera"
_CAMERA = 2  # MMCore's number for the device type CameraDevice
_SHORTEST_S = 1e-5
_LONGEST_S = 3600.0


class MicroManagerOptions(DriverOptions):
    """Settings of a camera known to Micro-Manager."""

    adapter: str = Field(description="device adapter (library) of the camera, for example DemoCamera")
    camera: str = Field(description="camera within the adapter, for example DCam")
    properties: dict[str, str | float | int] = Field(
        default_factory=dict, description="properties set before and after the camera is initialised, by name"
    )
    initial: tuple[str, ...] = Field((), description="which of the properties must be set before it is initialised")
    gain_property: str | None = Field(None, description="property that holds the gain in dB, where there is one")
    readout_time_s: float = Field(0.02, ge=0, le=10, description="from the end of the exposure to the frame, in s")
    reports_exposure: bool = Field(
        True, description="whether the camera reports the exposure that it took; otherwise the one that was set counts"
    )
    saturation_counts: int | None = Field(
        None, ge=1, description="counts from which a pixel is saturated; by default the largest of its bit depth"
    )
    adapter_folder: Path | None = Field(
        None, description="folder of the device adapters; by default where pymmcore-plus finds them"
    )


class MicroManagerCamera(Camera):
    """A camera of Micro-Manager, one snap for each trigger. It takes no address.

    Micro-Manager numbers no frames: the counter counts the snaps. Each is taken in a thread of its own, one after the
    other, and dated when it begins.
    """

    Options = MicroManagerOptions

    def __init__(self, context: DriverContext, options: MicroManagerOptions) -> None:
        super().__init__(context)
        self._options = options
        self._core: Any = None
        self._thread: ThreadPoolExecutor | None = None
        self._frames: deque[Future[Frame]] = deque()
        self._sensor = (1, 1)
        self._bits = 8
        self._counter = 0
        self._set_s: float | None = None

    @classmethod
    def from_bench(cls, address: str, options: MicroManagerOptions, context: DriverContext) -> Self:
        if address:
            raise DeviceRefusedError(
                context.device, f"takes no address, got {address!r}.", "Name adapter and camera in its options."
            )
        return cls(context, options)

    @classmethod
    def discover(cls, search: Search) -> Iterable[Found]:
        # List cameras that the installed device adapters know, connected or not; adapters may look for their hardware.
        core = _load("cameras of Micro-Manager")()
        adapters = core.getDeviceAdapterNames()
        if not search.identify:
            search.note(
                f"Cameras of Micro-Manager ({len(adapters)} device adapters) are listed where devices may be asked."
                if adapters
                else "Micro-Manager has no device adapters; 'mmcore install' gets them."
            )
            return
        for adapter in adapters:
            with suppress(RuntimeError, OSError):  # an adapter whose own libraries are missing
                kinds = zip(core.getAvailableDevices(adapter), core.getAvailableDeviceTypes(adapter), strict=True)
                for camera, kind in kinds:
                    if kind == _CAMERA:
                        options = {"adapter": adapter, "camera": camera}
                        yield Found("", f"{camera} of the adapter {adapter}", sure=False, options=options)

    # --- camera -------------------------------------------------------------------------------------------------
    @property
    def sensor_shape(self) -> tuple[int, int]:
        self._require_open()
        return self._sensor

    @property
    def bit_depth(self) -> int:
        self._require_open()
        return self._bits

    @property
    def readout_time_s(self) -> float:
        return self._options.readout_time_s

    @property
    def exposure_limits_s(self) -> tuple[float, float]:
        self._require_open()
        low, high = self._limits("Exposure") or (0.0, 1e3 * _LONGEST_S)
        return max(_SHORTEST_S, 1e-3 * low), 1e-3 * high

    @property
    def gain_limits_db(self) -> tuple[float, float]:
        self._require_open()
        name = self._options.gain_property
        return (0.0, 0.0) if name is None else self._limits(name) or (0.0, 0.0)

    def _get_exposure(self) -> float:
        if self._set_s is not None and not self._options.reports_exposure:
            return self._set_s
        with self._asking("asking for its exposure"):
            return 1e-3 * float(self._core.getExposure())

    def _set_exposure(self, seconds: float) -> None:
        with self._asking("setting its exposure"):
            self._core.setExposure(1e3 * seconds)
        self._set_s = seconds
        require_exposure_taken(self.name, seconds, self._get_exposure())

    def _get_gain(self) -> float:
        name = self._options.gain_property
        if name is None:
            return 0.0
        with self._asking("asking for its gain"):
            return float(self._core.getProperty(_LABEL, name))

    def _set_gain(self, decibel: float) -> None:
        name = self._options.gain_property
        if name is not None:
            with self._asking("setting its gain"):
                self._core.setProperty(_LABEL, name, decibel)
            require_gain_taken(self.name, decibel, self._get_gain())

    def _get_roi(self) -> Roi:
        with self._asking("asking for its region"):
            column, row, columns, rows = self._core.getROI()
        return Roi(row, column, rows, columns)

    def _set_roi(self, roi: Roi) -> None:
        before = self._get_roi()
        with self._asking("setting its region"):
            self._core.setROI(roi.column, roi.row, roi.columns, roi.rows)
            taken = self._get_roi()
            if taken != roi:
                self._core.setROI(before.column, before.row, before.columns, before.rows)
                raise DeviceRefusedError(
                    self.name, f"was told the region {roi} and took {taken}.", "Choose a region on its grid."
                )

    def _trigger(self) -> None:
        assert self._thread is not None
        self._frames.clear()  # nobody waits any more for frames that were not read
        self._frames.append(self._thread.submit(self._snap_now))

    def _read(self, timeout_s: float) -> Frame:
        if not self._frames:
            self.clock.sleep(timeout_s)
            raise DeviceTimeoutError(self.name, f"gave no frame within {timeout_s:g} s.", "Trigger it first.")
        try:
            frame = self._frames[0].result(timeout_s)
        except NotYetError:
            raise DeviceTimeoutError(
                self.name, f"gave no frame within {timeout_s:g} s.", "Wait longer than exposure and readout."
            ) from None
        except BaseException:
            self._frames.popleft()
            raise
        self._frames.popleft()
        return frame

    def _discard_frames(self) -> int:
        discarded = 0
        while self._frames and self._frames[0].done():
            self._frames.popleft()
            discarded += 1
        return discarded

    # --- device -------------------------------------------------------------------------------------------------
    def _open(self) -> None:
        options = self._options
        self._counter, self._set_s = 0, None
        self._core = core = _load(self.name)()
        with self._asking(f"connecting to {options.camera} of {options.adapter}", DeviceDisconnectedError):
            if options.adapter_folder is not None:
                core.setDeviceAdapterSearchPaths([str(options.adapter_folder)])
            core.loadDevice(_LABEL, options.adapter, options.camera)
            self._set_properties(initial=True)
            core.initializeDevice(_LABEL)
            core.setCameraDevice(_LABEL)
        with self._asking("setting up"):
            self._set_properties(initial=False)
            core.clearROI()
            self._sensor = int(core.getImageHeight()), int(core.getImageWidth())
            self._bits = int(core.getImageBitDepth())
        if core.getNumberOfComponents() != 1 or core.getBytesPerPixel() > 2:
            raise DeviceRefusedError(
                self.name, "delivers colour or more than 16 bits.", "Choose a grey pixel type in its properties."
            )
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"{self.name} snaps")

    def _close(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.shutdown(wait=True, cancel_futures=True)
        self._frames.clear()
        core, self._core = self._core, None
        if core is not None:
            with suppress(RuntimeError):  # of a camera that is gone already
                core.unloadAllDevices()

    def _read_identity(self) -> Identity:
        options, core = self._options, self._core
        with self._asking("asking for its identity"):
            names = set(core.getDevicePropertyNames(_LABEL))
            number = next((name for name in ("SerialNumber", "Serial Number", "CameraID") if name in names), None)
            serial_number = core.getProperty(_LABEL, number) if number else ""
            return Identity(
                options.adapter,
                str(core.getDeviceDescription(_LABEL)) or options.camera,
                serial_number or options.camera,
                str(core.getVersionInfo()),
            )

    def _read_status(self) -> DeviceStatus:
        return DeviceStatus(
            True, f"{self._counter} frames", {"frames": self._counter, "exposure_s": self._get_exposure()}
        )

    # --- inner workings -----------------------------------------------------------------------------------------
    def _snap_now(self) -> Frame:
        with self._asking("taking a frame"):
            roi, exposure_s = self._get_roi(), self._get_exposure()
            time_s = self.clock.now_s()
            self._core.snapImage()
            pixels: Pixels = self._core.getImage()
        self._counter += 1
        return checked_frame(
            self.name, pixels, roi, self._bits, saturation=self._options.saturation_counts,
            counter=self._counter, time_s=time_s, exposure_s=exposure_s,
        )  # fmt: skip

    def _set_properties(self, initial: bool) -> None:
        for name, value in self._options.properties.items():
            if (name in self._options.initial) == initial:
                self._core.setProperty(_LABEL, name, value)

    def _limits(self, name: str) -> tuple[float, float] | None:
        with self._asking(f"asking for the limits of {name}"):
            core = self._core
            if not core.hasProperty(_LABEL, name) or not core.hasPropertyLimits(_LABEL, name):
                return None
            return float(core.getPropertyLowerLimit(_LABEL, name)), float(core.getPropertyUpperLimit(_LABEL, name))

    @contextmanager
    def _asking(
        self, doing: str, failure: type[DeviceDisconnectedError | DeviceFaultError] = DeviceFaultError
    ) -> Iterator[None]:
        try:
            yield
        except (RuntimeError, OSError, ValueError) as error:
            raise failure(
                self.name,
                f"failed {doing}: {str(error).strip().splitlines()[0] if str(error).strip() else error!r}",
                "Check the camera, and adapter and properties in the bench file; then open it again.",
            ) from error


def _load(name: str) -> Any:
    """The class of the core."""
    try:
        with importing_swig():
            from pymmcore_plus import CMMCorePlus
    except ImportError as error:
        raise DeviceDisconnectedError(
            name, "needs the package pymmcore-plus.", 'Install it: pip install "labcontrol[micromanager]".'
        ) from error
    # Where a window is open, it would otherwise send its signals through Qt, and need a package more.
    os.environ.setdefault("PYMM_SIGNALS_BACKEND", "psygnal")
    logging.getLogger("pymmcore-plus").propagate = False  # it logs every step, and has handlers of its own
    return CMMCorePlus
