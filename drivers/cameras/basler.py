"""Basler cameras (USB3 Vision, GigE Vision) through the maker's pylon.

Needs `pip install "labcontrol[basler]"`. Source: pylon API and the feature names of Basler's product documentation
(GenICam Standard Features Naming Convention).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

from pydantic import Field

from drivers.cameras.features import Features, Value
from drivers.cameras.frames import importing_swig
from drivers.cameras.genicam import GenICamCamera, GenICamOptions
from drivers.cameras.numbering import FrameNumbers
from drivers.cameras.settings import require_exposure_taken, require_gain_taken
from drivers.interfaces import (
    DeviceDisconnectedError,
    DeviceError,
    DeviceFaultError,
    DeviceRefusedError,
    DeviceTimeoutError,
    DriverContext,
    Found,
    Frame,
    Identity,
    Roi,
    Search,
)

_EXPOSURE_US = ("ExposureTime", "ExposureTimeAbs")  # newer models, older models
_READINGS = {
    "temperature_c": ("DeviceTemperature", "TemperatureAbs"),
    "frame_rate_hz": ("ResultingFrameRate", "ResultingFrameRateAbs"),
    "link_bytes_per_s": ("DeviceLinkSpeed", "GevLinkSpeed"),
}


class BaslerOptions(GenICamOptions):
    """Settings of a Basler camera."""

    pixel_format: Literal["Mono8", "Mono10", "Mono12"] = Field("Mono12", description="bits per pixel")
    readout_time_s: float = Field(
        0.02, ge=0, le=10, description="from the end of the exposure to the frame, in s, where the camera does not say"
    )
    region: tuple[int, int, int, int] | None = Field(
        None, description="row, column, rows and columns of the region read out; by default as the camera has it"
    )
    stream: dict[str, Value] = Field(
        default_factory=dict,
        description="settings of the line to the camera, by pylon's names for its stream grabber, as MaxTransferSize",
    )
    emulated: bool = Field(False, description="whether to use the maker's camera emulator instead of cameras")


class BaslerCamera(GenICamCamera):
    """A Basler camera. address: serial number or user-defined name; empty for the only one."""

    Options = BaslerOptions
    _options: BaslerOptions

    def __init__(self, context: DriverContext, address: str, options: BaslerOptions) -> None:
        super().__init__(context, address, options)
        self._pylon: Any = None
        self._genicam: Any = None

    @classmethod
    def discover(cls, search: Search) -> Iterable[Found]:  # noqa: ARG003 (asks in its own way)
        pylon, genicam = _load("cameras of Basler")
        factory = pylon.TlFactory.GetInstance()
        for info in factory.EnumerateDevices():
            emulated = info.GetDeviceClass() == "BaslerCamEmu"
            try:
                free = bool(factory.IsDeviceAccessible(info))
            except genicam.GenericException:  # where a kind of connection cannot tell
                free = True
            yield Found(
                info.GetSerialNumber(),
                " ".join(filter(None, (info.GetVendorName(), info.GetModelName(), info.GetUserDefinedName()))),
                in_use="" if free else "another program",
                options={"emulated": True} if emulated else {},
            )

    # --- camera -------------------------------------------------------------------------------------------------
    @property
    def sensor_shape(self) -> tuple[int, int]:
        self._require_open()
        with self._asking("asking for its sensor"):
            rows = self._first_feature("SensorHeight", "HeightMax")
            columns = self._first_feature("SensorWidth", "WidthMax")
            return int(rows.GetValue()), int(columns.GetValue())

    @property
    def readout_time_s(self) -> float:
        feature = self._feature("SensorReadoutTime")
        return self._options.readout_time_s if feature is None else 1e-6 * float(feature.GetValue())

    @property
    def exposure_limits_s(self) -> tuple[float, float]:
        self._require_open()
        with self._asking("asking for its exposure"):
            return 1e-6 * self._exposure.GetMin(), 1e-6 * self._exposure.GetMax()

    @property
    def gain_limits_db(self) -> tuple[float, float]:
        self._require_open()
        feature = self._feature("Gain")
        return (0.0, 0.0) if feature is None else (float(feature.GetMin()), float(feature.GetMax()))

    def _get_exposure(self) -> float:
        with self._asking("asking for its exposure"):
            return 1e-6 * float(self._exposure.GetValue())

    def _set_exposure(self, seconds: float) -> None:
        with self._asking("setting its exposure"):
            # The limits were checked; this takes back what rounding between seconds and microseconds adds to them.
            self._exposure.SetValue(min(max(1e6 * seconds, self._exposure.GetMin()), self._exposure.GetMax()))
        self._exposure_s = self._get_exposure()
        require_exposure_taken(self.name, seconds, self._exposure_s)

    def _get_gain(self) -> float:
        feature = self._feature("Gain")
        return 0.0 if feature is None else float(feature.GetValue())

    def _set_gain(self, decibel: float) -> None:
        feature = self._feature("Gain")
        if feature is not None:
            with self._asking("setting its gain"):
                feature.SetValue(decibel)
            require_gain_taken(self.name, decibel, self._get_gain())

    def _set_roi(self, roi: Roi) -> None:
        wanted = {"Width": roi.columns, "Height": roi.rows, "OffsetX": roi.column, "OffsetY": roi.row}
        for name, value in wanted.items():
            feature = getattr(self._camera, name)
            first, step = feature.GetMin(), feature.GetInc()
            if (value - first) % step:
                raise DeviceRefusedError(
                    self.name,
                    f"takes {name} from {first} in steps of {step}, not {value}.",
                    "Choose a region on its grid.",
                )
        with self._asking("setting its region"), self._stopped():
            for name in ("OffsetX", "OffsetY"):
                if (feature := getattr(self._camera, name)).GetValue() != feature.GetMin():
                    feature.SetValue(feature.GetMin())
            for name, value in wanted.items():
                if (feature := getattr(self._camera, name)).GetValue() != value:  # it may be fixed
                    feature.SetValue(value)
            self._roi = self._read_roi()

    def _wait_until_ready(self) -> None:
        if self._options.trigger_line is None and self._camera.CanWaitForFrameTriggerReady():
            # Where its state cannot be waited for, a trigger that comes too early is ignored, and noticed.
            patience_ms = round(1e3 * self.patience_s)
            if not self._camera.WaitForFrameTriggerReady(patience_ms, self._pylon.TimeoutHandling_Return):
                raise DeviceTimeoutError(self.name, "did not get ready for a trigger.", "Read its frames first.")

    def _trigger_by_software(self) -> None:
        self._camera.TriggerSoftware.Execute()

    def _read(self, timeout_s: float) -> Frame:
        with self._asking("reading a frame"):
            result = self._camera.RetrieveResult(max(1, round(1e3 * timeout_s)), self._pylon.TimeoutHandling_Return)
            if not result.IsValid():
                raise self._numbers.none_within(timeout_s)
            try:
                return self._frame(result)
            finally:
                result.Release()

    def _discard_frames(self) -> int:
        discarded = 0
        with self._asking("discarding frames"):
            while (result := self._camera.RetrieveResult(0, self._pylon.TimeoutHandling_Return)).IsValid():
                self._numbers.number(result.BlockID)
                result.Release()
                discarded += 1
        return discarded

    # --- device -------------------------------------------------------------------------------------------------
    def _open(self) -> None:
        pylon, genicam = _load(self.name)
        self._pylon, self._genicam = pylon, genicam
        if self._options.emulated:
            os.environ.setdefault("PYLON_CAMEMU", "1")  # how the maker's library is told
        self._numbers = FrameNumbers(self.name, self.clock)
        with self._asking("connecting"):
            self._camera = pylon.InstantCamera(pylon.TlFactory.GetInstance().CreateDevice(self._find()))
            self._camera.Open()
        with self._asking("setting up"):
            options, features = self._options, BaslerFeatures(self.name, genicam, self._camera.GetNodeMap())
            self._stuck = features.set_neutral(but=options.features)
            features.set("PixelFormat", options.pixel_format)
            self._set_up_trigger(features, options.trigger_line)
            self._camera.MaxNumBuffer.SetValue(options.buffer_frames)
            for name, value in options.features.items():
                features.set(name, value)
            stream = BaslerFeatures(self.name, genicam, self._camera.GetStreamGrabberNodeMap())
            for name, value in options.stream.items():
                stream.set(name, value)
            self._roi = self._read_roi()
            self._exposure_s = self._get_exposure()
            self._start()
        if self._options.region is not None:
            self._set_roi(Roi(*self._options.region))

    def _close(self) -> None:
        camera, self._camera = self._camera, None
        if camera is None:
            return
        for end in (camera.StopGrabbing, camera.Close, camera.DestroyDevice):
            try:
                end()
            except self._genicam.GenericException:  # of a camera that is gone already
                continue

    def _read_identity(self) -> Identity:
        info = self._camera.GetDeviceInfo()
        version = self._feature("DeviceFirmwareVersion")
        firmware = "" if version is None else str(version.GetValue())
        return Identity(info.GetVendorName(), info.GetModelName(), info.GetSerialNumber(), firmware or "unknown")

    def _readings(self) -> dict[str, float]:
        found = {key: next(filter(None, map(self._feature, names)), None) for key, names in _READINGS.items()}
        return {key: float(feature.GetValue()) for key, feature in found.items() if feature is not None}

    # --- inner workings -----------------------------------------------------------------------------------------
    @property
    def _exposure(self) -> Any:
        return self._first_feature(*_EXPOSURE_US)

    def _first_feature(self, *names: str) -> Any:
        """The one of several names of a feature that this model knows it by."""
        for name in names:
            if (feature := self._feature(name)) is not None:
                return feature
        raise DeviceRefusedError(
            self.name, f"has none of the features {', '.join(names)}.", "Use another driver for it."
        )

    def _feature(self, name: str) -> Any:
        """A feature of this model, or None where it has none of that name."""
        with self._asking(f"looking for {name}"):
            node = self._camera.GetNodeMap().GetNode(name)
            return node if node is not None and self._genicam.IsReadable(node) else None

    def _set_up_trigger(self, features: BaslerFeatures, line: str | None) -> None:
        if self._feature("TriggerSelector") is not None:  # some models have one trigger, and no choice
            features.set("TriggerSelector", "FrameStart")
        features.set("TriggerMode", "On")
        if line is None:
            features.set("TriggerSource", "Software")
            return
        lines = [source for source in self._camera.TriggerSource.Symbolics if source.startswith("Line")]
        self._require_trigger_line(line, lines)
        features.set("TriggerSource", line)
        features.set("TriggerActivation", f"{self._options.trigger_edge.capitalize()}Edge")

    def _find(self) -> Any:
        devices = list(self._pylon.TlFactory.GetInstance().EnumerateDevices())
        return self._only_one(
            [
                device
                for device in devices
                if not self._address or self._address in (device.GetSerialNumber(), device.GetUserDefinedName())
            ],
            [f"{device.GetModelName()} {device.GetSerialNumber()}" for device in devices],
            "Write the serial number of one into the bench file; check its cable, and that no other program uses it.",
        )

    def _read_roi(self) -> Roi:
        camera = self._camera
        return Roi(*(int(f.GetValue()) for f in (camera.OffsetY, camera.OffsetX, camera.Height, camera.Width)))

    def _start(self) -> None:
        self._numbers.start()
        self._camera.StartGrabbing(self._pylon.GrabStrategy_OneByOne)

    @contextmanager
    def _stopped(self) -> Iterator[None]:
        self._camera.StopGrabbing()
        try:
            yield
        finally:
            self._start()

    def _frame(self, result: Any) -> Frame:
        numbered = self._numbers.number(result.BlockID)
        if not result.GrabSucceeded():
            raise DeviceFaultError(
                self.name,
                f"frame {numbered.counter} failed on its way: {result.ErrorDescription} ({result.ErrorCode:#x}).",
                "Take it again; if it persists, check cable and bandwidth.",
            )
        return self._checked(result.Array, numbered)

    @contextmanager
    def _asking(self, doing: str) -> Iterator[None]:
        try:
            yield
        except DeviceError:
            raise
        except self._genicam.GenericException as error:
            message = f"failed {doing}: {str(error).strip()}"
            if self._camera is None or self._camera.IsCameraDeviceRemoved():
                raise DeviceDisconnectedError(
                    self.name, message, "Check its cable and that no other program uses it; then open it again."
                ) from error
            raise DeviceFaultError(self.name, message, "Close it and open it again.") from error


class BaslerFeatures(Features):
    """The features of a node map of pylon: of the camera, or of its stream grabber. genicam: pypylon's module."""

    def __init__(self, device: str, genicam: Any, nodes: Any) -> None:
        super().__init__(device)
        self._genicam, self._nodes = genicam, nodes
        self.errors = (genicam.GenericException, TypeError)

    def read(self, name: str) -> str | None:
        node = self._nodes.GetNode(name)
        return str(node.ToString()) if node is not None and self._genicam.IsReadable(node) else None

    def _write(self, name: str, text: str) -> None:
        self._nodes.GetNode(name).FromString(text)

    def _takes(self, name: str) -> str:
        node = self._nodes.GetNode(name)
        if not self._genicam.IsWritable(node):
            return "nothing now"
        if hasattr(node, "Symbolics"):
            return ", ".join(node.Symbolics)
        return f"{node.GetMin():g} to {node.GetMax():g}" if hasattr(node, "GetMin") else "true or false"


def _load(name: str) -> tuple[Any, Any]:
    try:
        with importing_swig():
            from pypylon import genicam, pylon
    except ImportError as error:
        raise DeviceDisconnectedError(
            name, "needs the package pypylon.", 'Install it: pip install "labcontrol[basler]".'
        ) from error
    return pylon, genicam
