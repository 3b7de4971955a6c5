"""Every driver of this repository in front of a simulated table or an emulated instrument, not open yet."""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slmsuite_stand_in

from drivers.cameras.introspection import import_aravis
from drivers.interfaces import Camera, Device, DriverContext, Table
from drivers.registry import load_driver
from labcontrol.testing import gige_camera, network_port, second_screen, serial_port, simulated_table

Opener = Callable[[str], AbstractContextManager[Device]]

# What stays up from one test to the next, until its tests are over.
STANDING = ExitStack()


def build(name: str, address: str, options: dict[str, Any], table: Table | None = None) -> Device:
    driver = load_driver(name)
    assert issubclass(driver, Device)
    context = DriverContext("thing") if table is None else DriverContext("thing", table.clock, table)
    return driver.from_bench(address, driver.Options.model_validate(options), context)


@contextmanager
def on_a_simulated_table(name: str) -> Iterator[Device]:
    with simulated_table(rows=6, columns=5) as table:
        yield build(name, "", {}, table)


@contextmanager
def wired_laser(name: str) -> Iterator[Device]:
    from mock_devices.wire.cobolt import CoboltInstrument
    from mock_devices.wire.ibeam import IBeamInstrument
    from mock_devices.wire.obis import ObisInstrument

    instruments = {
        "cobolt-06": CoboltInstrument,
        "coherent-obis": ObisInstrument,
        "toptica-ibeam-smart": IBeamInstrument,
    }
    with serial_port(instruments[name]()) as port:
        spacing = {"command_spacing_s": 0.0} if name == "cobolt-06" else {}
        yield build(name, port.address, {"warm_up_time_s": 0.0} | spacing)


@contextmanager
def wired_diode(name: str) -> Iterator[Device]:
    from mock_devices.wire.thorlabs_diode import ThorlabsDiodeInstrument

    diode = {"threshold_a": 0.05, "slope_w_per_a": 0.8, "temperature_c": 25.0, "warm_up_time_s": 0.0}
    with network_port(ThorlabsDiodeInstrument()) as port:
        yield build(name, port.visa_address, diode)


HAND_OPERATED = {"max_power_w": 0.05, "time_to_act_s": 0.0, "behind_a_shutter": True}


@contextmanager
def laser_behind_a_shutter(name: str) -> Iterator[Device]:
    from mock_devices.wire.relay import RelayInstrument

    options = {"laser": "hand-operated", "laser_options": HAND_OPERATED, "settle_s": 0.0}
    with serial_port(RelayInstrument()) as port:
        yield build(name, port.address, options)


@contextmanager
def laser_operated_by_hand(name: str) -> Iterator[Device]:
    yield build(name, "", HAND_OPERATED)


class Daylight:
    def power_w(self) -> float:
        return 1e-3


@contextmanager
def wired_meter(name: str) -> Iterator[Device]:
    from mock_devices.wire.pm100 import Pm100Instrument

    with network_port(Pm100Instrument(Daylight())) as port:
        yield build(name, port.visa_address, {"wavelength_nm": 661.0, "max_rate_hz": 20.0})


@contextmanager
def wired_scope(name: str) -> Iterator[Device]:
    from mock_devices.wire.infiniivision import InfiniiVisionInstrument
    from mock_devices.wire.signals import FunctionSignal

    with network_port(InfiniiVisionInstrument(FunctionSignal(np.ones_like))) as port:
        yield build(name, port.visa_address, {"range_v": 4.0})


@contextmanager
def region_of_a_simulated_camera(name: str) -> Iterator[Device]:
    part = {"row": 1, "column": 1, "rows": 8, "columns": 8}
    with simulated_table(rows=4, columns=4) as table:
        yield build(name, "", {"camera": "simulated-camera", "exposure_s": 1e-3, **part}, table)


@cache
def desktop() -> Any:
    STANDING.callback(desktop.cache_clear)
    return STANDING.enter_context(second_screen())


@contextmanager
def window_on_a_desktop(name: str) -> Iterator[Device]:
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
    STANDING.callback(camera_on_the_network.cache_clear)
    return STANDING.enter_context(gige_camera())


@contextmanager
def camera_through_aravis(name: str) -> Iterator[Device]:
    try:
        import_aravis()
    except (ImportError, ValueError) as error:
        pytest.skip(f"needs Aravis for this Python (apt-get install gir1.2-aravis-0.8 python3-gi): {error}")
    device = build(name, camera_on_the_network().serial_number, {"readout_time_s": 0.1})  # by its own clock of 25 Hz
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


OPENERS: dict[str, Opener] = {
    **dict.fromkeys(
        (f"simulated-{part}" for part in ("slm", "dmd", "camera", "laser", "detector")), on_a_simulated_table
    ),
    "slmsuite": slmsuites_simulated_modulator,
    "basler": emulated_basler,
    "hand-operated": laser_operated_by_hand,
    "camera-region": region_of_a_simulated_camera,
    "micro-manager": micro_managers_demo_camera,
}
if sys.platform != "win32":
    OPENERS |= dict.fromkeys(("cobolt-06", "coherent-obis", "toptica-ibeam-smart"), wired_laser)
    OPENERS |= {"thorlabs-laser-diode": wired_diode, "shuttered-laser": laser_behind_a_shutter}
    OPENERS |= {"thorlabs-pm100": wired_meter, "keysight-infiniivision": wired_scope}
    OPENERS |= {"display-slm": window_on_a_desktop, "display-dmd": window_on_a_desktop}
    OPENERS |= {"vialux-dmd": mirrors_behind_the_alp_library, "aravis": camera_through_aravis}
