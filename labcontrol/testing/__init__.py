"""Tests that every driver must pass, and what a driver can be opened against where there is no hardware.

For whoever writes a driver, in this project or in a package of their own; docs/add-a-driver.md shows a whole one. Needs
pytest: ``pip install "labcontrol[testing]"``. A test module derives a class from the conformance suite of its role and
says how the driver is built::

    class TestAcmeLaser(LaserConformance):
        @pytest.fixture
        def device(self):
            with serial_port(AcmeInstrument()) as port:
                yield AcmeLaser.from_bench(port.address, AcmeLaser.Options(), DriverContext("laser"))

- `conformance`: one suite for each role, `ModulatorConformance`, `CameraConformance`, `LaserConformance` and
  `DetectorConformance`.
- `emulators`: serial and network ports for emulated instruments, a second screen, a camera on the network, a simulated
  table. The instruments themselves are in `mock_devices.wire`.
- `lines`: the other end of a line, byte for byte.
"""

try:
    import pytest
except ImportError as error:
    raise ImportError(
        'labcontrol.testing needs pytest, which is not installed. Install it: pip install "labcontrol[testing]".'
    ) from error

# Before they are imported: pytest then says which values a failed assertion compared.
pytest.register_assert_rewrite("labcontrol.testing.conformance")

from labcontrol.testing.conformance import (  # noqa: E402
    CameraConformance,
    DetectorConformance,
    DeviceConformance,
    DriverClassConformance,
    LaserConformance,
    ModulatorConformance,
)
from labcontrol.testing.emulators import (  # noqa: E402
    EmulatedPort,
    gige_camera,
    network_port,
    second_screen,
    serial_port,
    simulated_table,
)
from labcontrol.testing.lines import AnsweringLine, ScriptedLine, UnexpectedBytes  # noqa: E402

__all__ = [
    "AnsweringLine",
    "CameraConformance",
    "DetectorConformance",
    "DeviceConformance",
    "DriverClassConformance",
    "EmulatedPort",
    "LaserConformance",
    "ModulatorConformance",
    "ScriptedLine",
    "UnexpectedBytes",
    "gige_camera",
    "network_port",
    "second_screen",
    "serial_port",
    "simulated_table",
]
