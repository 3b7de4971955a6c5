"""What every driver of a role promises, as test classes to derive from."""

from labcontrol.testing.conformance.camera import CameraConformance
from labcontrol.testing.conformance.detector import DetectorConformance
from labcontrol.testing.conformance.device import DeviceConformance
from labcontrol.testing.conformance.driver_class import DriverClassConformance
from labcontrol.testing.conformance.laser import LaserConformance
from labcontrol.testing.conformance.modulator import ModulatorConformance

__all__ = [
    "CameraConformance",
    "DetectorConformance",
    "DeviceConformance",
    "DriverClassConformance",
    "LaserConformance",
    "ModulatorConformance",
]
