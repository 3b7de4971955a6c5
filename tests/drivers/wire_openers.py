"""Real drivers in front of emulated instruments, for the tests of what every driver promises."""

from __future__ import annotations

import importlib.util
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slmsuite_stand_in

from drivers.cameras.introspection import import_aravis
from drivers.interfaces import Camera, Device, DeviceDisconnectedError, DriverContext, Table
from drivers.registry import load_driver

Opener = Callable[[str], AbstractContextManager[Device]]

# What stays up from one test to the next, until its tests are over.
STANDING = ExitStack()


def build(name: str, address: str, options: dict[str, Any], table: Table | None = None) -> Device:
    driver = load_driver(name)
    assert issubclass(driver, Device)
    return driver.from_bench(address, driver.Options.model_validate(options), DriverContext("thing", table=table))


@contextmanager
def wired_laser(name: str) -> Iterator[Device]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("drivers.transports.conversation.SHORTEST_QUIET_S", 0.003)  # emulated lasers answer at once
        yield from _plugged_in(name)


def _plugged_in(name: str) -> Iterator[Device]:
    from mock_devices.wire.cobolt import CoboltInstrument
    from mock_devices.wire.ibeam import IBeamInstrument
    from mock_devices.wire.obis import ObisInstrument
    from mock_devices.wire.ports import PtyPort, TcpPort
    from mock_devices.wire.thorlabs_diode import ThorlabsDiodeInstrument

    settled = {"warm_up_time_s": 0.0}
    if name == "thorlabs-laser-diode":
        diode = {"threshold_a": 0.05, "slope_w_per_a": 0.8, "temperature_c": 25.0}
        with TcpPort(ThorlabsDiodeInstrument()) as port:
            yield build(name, port.visa_address, settled | diode)
        return
    instrument = {
        "cobolt-06": CoboltInstrument,
        "coherent-obis": ObisInstrument,
        "toptica-ibeam-smart": IBeamInstrument,
    }[name]()
    with PtyPort(instrument) as port:
        yield build(name, port.address, settled | ({"command_spacing_s": 0.0} if name == "cobolt-06" else {}))


class Daylight:
    def power_w(self) -> float:
        return 1e-3


@contextmanager
def wired_meter(name: str) -> Iterator[Device]:
    from mock_devices.wire.pm100 import Pm100Instrument
    from mock_devices.wire.ports import TcpPort

    with TcpPort(Pm100Instrument(Daylight())) as port:
        yield build(name, port.visa_address, {"wavelength_nm": 661.0, "max_rate_hz": 20.0})


@contextmanager
def wired_scope(name: str) -> Iterator[Device]:
    from mock_devices.wire.infiniivision import InfiniiVisionInstrument
    from mock_devices.wire.ports import TcpPort
    from mock_devices.wire.signals import FunctionSignal

    with TcpPort(InfiniiVisionInstrument(FunctionSignal(np.ones_like))) as port:
        yield build(name, port.visa_address, {"range_v": 4.0})


@contextmanager
def region_of_a_simulated_camera(name: str) -> Iterator[Device]:
    kind = load_driver("simulated-table")
    assert issubclass(kind, Table)
    table = kind.from_bench(kind.Options.model_validate({"rows": 4, "columns": 4}))
    part = {"row": 1, "column": 1, "rows": 8, "columns": 8}
    yield build(name, "", {"camera": "simulated-camera", "exposure_s": 1e-3, **part}, table)
    table.close()


@cache
def desktop() -> Any:
    from mock_devices.wire.desktop import VirtualDesktop

    STANDING.callback(desktop.cache_clear)
    return STANDING.enter_context(VirtualDesktop((640, 480), (640, 480)))


@contextmanager
def window_on_a_desktop(name: str) -> Iterator[Device]:
    from mock_devices.wire.desktop import why_not

    if why_not():
        pytest.skip(why_not())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DISPLAY", desktop().display)
        yield build(name, desktop().names[1], {"refresh_hz": 200.0, "response_time_s": 0.0})


@cache
def mirrors() -> Any:
    from mock_devices.wire.alp import MirrorArray

    STANDING.callback(mirrors.cache_clear)
    folder = STANDING.enter_context(tempfile.TemporaryDirectory(prefix="labcontrol-alp-"))
    return MirrorArray(Path(folder), rows=48, columns=64)


@contextmanager
def mirrors_behind_the_alp_library(name: str) -> Iterator[Device]:
    from mock_devices.wire.alp import why_not

    pytest.importorskip("ALP4", reason='needs ALP4lib: pip install "labcontrol[alp]"')
    if why_not():
        pytest.skip(why_not())
    yield build(name, "", {"library_folder": mirrors().folder})
    mirrors().reset()


@contextmanager
def emulated_basler(name: str) -> Iterator[Device]:
    pytest.importorskip("pypylon", reason='needs pypylon: pip install "labcontrol[basler]"')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYLON_CAMEMU", "1")
        yield build(name, "0815-0000", {})


@contextmanager
def micro_managers_demo_camera(name: str) -> Iterator[Device]:
    pytest.importorskip("pymmcore_plus", reason='needs pymmcore-plus: pip install "labcontrol[micromanager]"')
    adapters = pytest.importorskip("mm_test_adapters", reason="needs mm-test-adapters")
    twelve_bits = {"PixelType": "16bit", "BitDepth": 12}
    folder = adapters.device_adapter_path()
    camera = {"adapter": "DemoCamera", "camera": "DCam", "adapter_folder": folder, "properties": twelve_bits}
    yield build(name, "", camera)


@cache
def camera_on_the_network() -> Any:
    from mock_devices.wire.gige import GigECamera

    STANDING.callback(camera_on_the_network.cache_clear)
    made = STANDING.enter_context(GigECamera())
    deadline = time.monotonic() + 30.0
    while True:  # until the process answers on the network
        try:
            build("aravis", made.serial_number, {}).open().close()
        except DeviceDisconnectedError:
            if time.monotonic() > deadline:
                raise
        else:
            return made


@contextmanager
def gige_camera(name: str) -> Iterator[Device]:
    from mock_devices.wire.gige import why_not

    try:
        import_aravis()
    except (ImportError, ValueError) as error:
        pytest.skip(f"needs Aravis for this Python (apt-get install gir1.2-aravis-0.8 python3-gi): {error}")
    if why_not():
        pytest.skip(why_not())
    device = build(name, camera_on_the_network().serial_number, {})
    assert isinstance(device, Camera)
    with device:
        device.exposure_s = 1e-2  # whatever the last test left
        device.gain_db = device.gain_limits_db[0]
    yield device


@contextmanager
def slmsuites_simulated_modulator(name: str) -> Iterator[Device]:
    """That of slmsuite itself where it is installed, in an environment of its own; a stand-in elsewhere."""
    if importlib.util.find_spec("slmsuite") is not None:
        arguments = {"resolution": [64, 48], "settle_time_s": 0.01}
        yield build(name, "", {"model": "simulated.SimulatedSLM", "arguments": arguments})
        return
    with pytest.MonkeyPatch.context() as monkeypatch:
        slmsuite_stand_in.install(monkeypatch)
        yield build(name, "", {"model": "maker.Maker", "arguments": {"shape": [48, 64], "settle_time_s": 0.01}})


WIRE_OPENERS: dict[str, Opener] = {
    "slmsuite": slmsuites_simulated_modulator,
    "basler": emulated_basler,
    "camera-region": region_of_a_simulated_camera,
    "micro-manager": micro_managers_demo_camera,
}
if sys.platform != "win32":
    LASERS = ("cobolt-06", "coherent-obis", "thorlabs-laser-diode", "toptica-ibeam-smart")
    WIRE_OPENERS |= dict.fromkeys(LASERS, wired_laser)
    WIRE_OPENERS |= {"thorlabs-pm100": wired_meter, "keysight-infiniivision": wired_scope}
    WIRE_OPENERS |= {"display-slm": window_on_a_desktop, "display-dmd": window_on_a_desktop}
    WIRE_OPENERS |= {"vialux-dmd": mirrors_behind_the_alp_library, "aravis": gige_camera}
