"""What a modulator, camera, laser and detector is. Drivers fill these; the rest of the program knows only these."""

from drivers.interfaces.camera import Camera, Frame, Roi
from drivers.interfaces.clock import Clock, RealClock
from drivers.interfaces.detector import Detector, Samples
from drivers.interfaces.device import Device, DeviceStatus, DriverContext, DriverOptions, Identity, Table
from drivers.interfaces.discovery import Found, Search
from drivers.interfaces.errors import (
    DeviceDisconnectedError,
    DeviceError,
    DeviceFaultError,
    DeviceLimitError,
    DeviceNotOpenError,
    DeviceRefusedError,
    DeviceReplyError,
    DeviceTimeoutError,
)
from drivers.interfaces.laser import Laser
from drivers.interfaces.modulator import Modulator, Pattern, Shown

__all__ = [
    "Camera",
    "Clock",
    "Detector",
    "Device",
    "DeviceDisconnectedError",
    "DeviceError",
    "DeviceFaultError",
    "DeviceLimitError",
    "DeviceNotOpenError",
    "DeviceRefusedError",
    "DeviceReplyError",
    "DeviceStatus",
    "DeviceTimeoutError",
    "DriverContext",
    "DriverOptions",
    "Found",
    "Frame",
    "Identity",
    "Laser",
    "Modulator",
    "Pattern",
    "RealClock",
    "Roi",
    "Samples",
    "Search",
    "Shown",
    "Table",
]
