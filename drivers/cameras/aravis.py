"""GigE Vision and USB3 Vision cameras of any maker, through Aravis (Linux).

Needs Aravis of the system with its Python bindings (Debian: gir1.2-aravis-0.8 python3-gi). Source: Aravis 0.8 API
reference and the GenICam Standard Features Naming Convention.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from pydantic import Field

from drivers.cameras.features import Features
from drivers.cameras.frames import pixels_of
from drivers.cameras.genicam import GenICamCamera, GenICamOptions
from drivers.cameras.introspection import import_aravis
from drivers.cameras.numbering import FrameNumbers
from drivers.cameras.settings import require_exposure_taken, require_gain_taken
from drivers.interfaces import (
    DeviceDisconnectedError,
    DeviceError,
    DeviceFaultError,
    DeviceRefusedError,
    DriverContext,
    Found,
    Frame,
    Identity,
    Roi,
    Search,
)


class AravisOptions(GenICamOptions):
    """Settings of a GenICam camera that Aravis reaches."""

    stream: dict[str, int | float | bool] = Field(
        default_factory=dict,
        description="settings of the line to the camera, by Aravis' names for its stream, as socket-buffer-size",
    )


class AravisCamera(GenICamCamera):
    """A GenICam camera of any maker. address: its name in Aravis, or part of it; empty for the only one."""

    Options = AravisOptions
    _options: AravisOptions

    def __init__(self, context: DriverContext, address: str, options: AravisOptions) -> None:
        super().__init__(context, address, options)
        self._aravis: Any = None
        self._error: type[Exception] = OSError
        self._stream: Any = None
        self._lost = False

    @classmethod
    def discover(cls, search: Search) -> Iterable[Found]:  # noqa: ARG003 (asks in its own way)
        aravis, _ = _load("cameras of Aravis")
        aravis.update_device_list()
        for number in range(aravis.get_n_devices()):
            ask = (aravis.get_device_vendor, aravis.get_device_model, aravis.get_device_serial_nbr)
            what = " ".join(filter(None, (words(number) for words in ask)))
            yield Found(str(aravis.get_device_id(number)), f"{what} at {aravis.get_device_address(number)}")

    # --- camera -------------------------------------------------------------------------------------------------
    @property
    def sensor_shape(self) -> tuple[int, int]:
        self._require_open()
        with self._asking("asking for its sensor"):
            columns, rows = self._camera.get_sensor_size()
        return rows, columns

    @property
    def readout_time_s(self) -> float:
        return self._options.readout_time_s

    @property
    def exposure_limits_s(self) -> tuple[float, float]:
        self._require_open()
        with self._asking("asking for its exposure"):
            low, high = self._camera.get_exposure_time_bounds()
        return 1e-6 * low, 1e-6 * high

    @property
    def gain_limits_db(self) -> tuple[float, float]:
        self._require_open()
        with self._asking("asking for its gain"):
            if not self._camera.is_gain_available():
                return 0.0, 0.0
            low, high = self._camera.get_gain_bounds()
        return float(low), float(high)

    def _get_exposure(self) -> float:
        with self._asking("asking for its exposure"):
            return 1e-6 * float(self._camera.get_exposure_time())

    def _set_exposure(self, seconds: float) -> None:
        low, high = self.exposure_limits_s
        with self._asking("setting its exposure"):
            # The limits were checked; this takes back what rounding between seconds and microseconds adds to them.
            self._camera.set_exposure_time(1e6 * min(max(seconds, low), high))
        self._exposure_s = self._get_exposure()
        require_exposure_taken(self.name, seconds, self._exposure_s)

    def _get_gain(self) -> float:
        with self._asking("asking for its gain"):
            return float(self._camera.get_gain()) if self._camera.is_gain_available() else 0.0

    def _set_gain(self, decibel: float) -> None:
        with self._asking("setting its gain"):
            if not self._camera.is_gain_available():
                return
            self._camera.set_gain(decibel)
        require_gain_taken(self.name, decibel, self._get_gain())

    def _set_roi(self, roi: Roi) -> None:
        before = self._roi
        with self._asking("setting its region"):
            self._camera.stop_acquisition()
            self._stream = None
            try:
                taken = self._choose_region(roi)
                if taken != roi:
                    self._choose_region(before)
                    raise DeviceRefusedError(
                        self.name, f"was told the region {roi} and took {taken}.", "Choose a region on its grid."
                    )
            finally:
                self._start()

    def _trigger_by_software(self) -> None:
        self._camera.software_trigger()

    def _read(self, timeout_s: float) -> Frame:
        with self._asking("reading a frame"):
            buffer = self._stream.timeout_pop_buffer(max(1, round(1e6 * timeout_s)))
            if buffer is None:
                raise self._numbers.none_within(timeout_s)
            if self._is_untouched(buffer):
                self._camera.stop_acquisition()
                self._start()
                raise DeviceFaultError(
                    self.name, "handed out a buffer without a frame; its stream was begun anew.", "Take it again."
                )
            try:
                return self._frame(buffer)
            finally:
                self._stream.push_buffer(buffer)

    def _discard_frames(self) -> int:
        discarded = 0
        with self._asking("discarding frames"):
            while (buffer := self._stream.try_pop_buffer()) is not None:
                if not self._is_untouched(buffer):
                    self._numbers.number(buffer.get_frame_id())
                self._stream.push_buffer(buffer)
                discarded += 1
        return discarded

    # --- device -------------------------------------------------------------------------------------------------
    def _open(self) -> None:
        aravis, glib = _load(self.name)
        self._aravis, self._error = aravis, glib.Error
        self._numbers, self._lost = FrameNumbers(self.name, self.clock), False
        with self._asking("connecting"):
            self._camera = aravis.Camera.new(self._find())
            self._camera.get_device().connect("control-lost", self._note_loss)
        with self._asking("setting up"):
            features = AravisFeatures(self.name, glib.Error, self._camera.get_device())
            self._stuck = features.set_neutral(but=self._options.features)
            formats = self._camera.dup_available_pixel_formats_as_strings()
            if self._options.pixel_format not in formats:
                raise DeviceRefusedError(
                    self.name,
                    f"has no pixel format {self._options.pixel_format}, only {', '.join(formats)}.",
                    "Choose another in the bench file.",
                )
            self._camera.set_pixel_format_from_string(self._options.pixel_format)
            self._camera.set_acquisition_mode(aravis.AcquisitionMode.CONTINUOUS)
            self._set_up_trigger(features, self._options.trigger_line)
            for name, value in self._options.features.items():
                features.set(name, value)
            self._roi = self._read_roi()
            self._exposure_s = self._get_exposure()
            self._start()

    def _close(self) -> None:
        camera, stream, self._camera, self._stream = self._camera, self._stream, None, None
        if self._lost:
            # Aravis says goodbye when the last reference goes, and waits long for a camera that cannot hear it.
            goodbye, camera, stream = [stream, camera], None, None
            threading.Thread(target=goodbye.clear, name="camera that is gone", daemon=True).start()
        elif camera is not None and stream is not None:
            with suppress(self._error):
                camera.stop_acquisition()

    def _read_identity(self) -> Identity:
        camera = self._camera
        with self._asking("asking for its identity"):
            firmware = camera.get_string("DeviceVersion") if camera.is_feature_available("DeviceVersion") else ""
            return Identity(
                camera.get_vendor_name(),
                camera.get_model_name(),
                camera.get_device_serial_number() or camera.get_device_id(),
                firmware or "unknown",
            )

    def _readings(self) -> dict[str, float]:
        with self._asking("asking for its state"):
            available = self._camera.is_frame_rate_available()
            return {"frame_rate_hz": float(self._camera.get_frame_rate())} if available else {}

    # --- inner workings -----------------------------------------------------------------------------------------
    def _find(self) -> str:
        """The camera's full name. Asking the network takes a second; what was heard before is enough for a name."""
        aravis = self._aravis
        names = self._names() if self._address else []
        if sum(self._address in name for name in names) != 1:
            aravis.update_device_list()
            names = self._names()
        return str(
            self._only_one(
                [name for name in names if self._address in name],
                names,
                "Write the name of one into the bench file; check its cable, and the network settings of its port.",
            )
        )

    def _names(self) -> list[str]:
        return [str(self._aravis.get_device_id(number)) for number in range(self._aravis.get_n_devices())]

    def _set_up_trigger(self, features: AravisFeatures, line: str | None) -> None:
        if line is not None:
            self._require_trigger_line(line, self._camera.dup_available_trigger_sources())
        self._camera.set_trigger(line or "Software")
        if line is not None:
            features.set("TriggerActivation", f"{self._options.trigger_edge.capitalize()}Edge")

    def _choose_region(self, roi: Roi) -> Roi:
        self._camera.set_region(roi.column, roi.row, roi.columns, roi.rows)
        self._roi = self._read_roi()
        return self._roi

    def _read_roi(self) -> Roi:
        column, row, columns, rows = self._camera.get_region()
        return Roi(row, column, rows, columns)

    def _start(self) -> None:
        self._numbers.start()
        self._stream = self._camera.create_stream(None, None)
        for name, value in self._options.stream.items():
            try:
                self._stream.set_property(name, value)
            except (TypeError, ValueError) as error:
                raise DeviceRefusedError(
                    self.name,
                    f"did not take {value!r} as {name} of its stream: {error}.",
                    f"It has {', '.join(sorted(each.name for each in self._stream.list_properties()))}.",
                ) from error
        payload = self._camera.get_payload()
        for _ in range(self._options.buffer_frames):
            self._stream.push_buffer(self._aravis.Buffer.new_allocate(payload))
        self._camera.start_acquisition()

    def _note_loss(self, *_: object) -> None:
        self._lost = True

    def _is_untouched(self, buffer: Any) -> bool:
        """Whether nothing was ever written into it: now and then, a stream of Aravis 0.8 gives nothing but these."""
        return bool(buffer.get_status() == self._aravis.BufferStatus.CLEARED)

    def _frame(self, buffer: Any) -> Frame:
        numbered = self._numbers.number(buffer.get_frame_id())
        status = buffer.get_status()
        if status != self._aravis.BufferStatus.SUCCESS:
            raise DeviceFaultError(
                self.name,
                f"frame {numbered.counter} failed on its way: {status.value_nick}.",
                "Take it again; if it persists, check cable, packet size and bandwidth.",
            )
        shape = buffer.get_image_height(), buffer.get_image_width()
        return self._checked(pixels_of(self.name, buffer.get_data(), shape, self.bit_depth), numbered)

    @contextmanager
    def _asking(self, doing: str) -> Iterator[None]:
        remedy = "Check its cable and power, then close it and open it again."
        if self._lost:
            raise DeviceDisconnectedError(self.name, f"stopped answering, noticed {doing}.", remedy)
        try:
            yield
        except DeviceError:
            raise
        except self._error as error:
            message = f"failed {doing}: {str(error).strip()}"
            if self._camera is None or "timeout" in str(error).lower():
                self._lost = True
                raise DeviceDisconnectedError(self.name, message, remedy) from error
            raise DeviceFaultError(self.name, message, remedy) from error


class AravisFeatures(Features):
    """The features of an Aravis.Device. error: GLib's."""

    def __init__(self, device: str, error: type[Exception], camera: Any) -> None:
        super().__init__(device)
        self._camera = camera
        self.errors = (error,)

    def read(self, name: str) -> str | None:
        try:
            available = self._camera.is_feature_available(name)
            return str(self._camera.get_feature(name).get_value_as_string()) if available else None
        except self.errors:
            return None

    def _write(self, name: str, text: str) -> None:
        self._camera.get_feature(name).set_value_from_string(text)

    def _takes(self, name: str) -> str:
        try:
            return ", ".join(self._camera.dup_available_enumeration_feature_values_as_strings(name))
        except self.errors:
            pass
        for bounds in (self._camera.get_integer_feature_bounds, self._camera.get_float_feature_bounds):
            try:
                low, high = bounds(name)
            except self.errors:
                continue
            return f"{low:g} to {high:g}"
        return "another kind of value"


def _load(name: str) -> tuple[Any, Any]:
    try:
        return import_aravis()
    except (ImportError, ValueError) as error:
        raise DeviceDisconnectedError(
            name,
            f"needs Aravis and its Python bindings ({error}).",
            "Install them with the system (Debian: apt install gir1.2-aravis-0.8 python3-gi); they serve the system's "
            "version of Python, here or in an environment made with it.",
        ) from error
