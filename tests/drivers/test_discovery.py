"""Devices are found without being disturbed: no byte goes to a port unless asked for, and none to what is in use."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from openers import STANDING, desktop, mirrors
from serial.tools import list_ports

from drivers.discovery import ThisComputer
from drivers.discovery.places import holder_of
from drivers.interfaces import Device, DeviceDisconnectedError, Found
from drivers.registry import load_driver
from drivers.transports import SerialLine

if sys.platform == "win32":
    pytest.skip("instruments are emulated on other systems", allow_module_level=True)

from mock_devices.wire.cobolt import CoboltInstrument
from mock_devices.wire.ibeam import IBeamInstrument
from mock_devices.wire.infiniivision import InfiniiVisionInstrument
from mock_devices.wire.obis import ObisInstrument
from mock_devices.wire.pm100 import Pm100Instrument
from mock_devices.wire.ports import PtyPort, TcpPort
from mock_devices.wire.signals import FunctionSignal
from mock_devices.wire.thorlabs_diode import ThorlabsDiodeInstrument

LASERS: dict[str, Any] = {
    "cobolt-06": CoboltInstrument,
    "coherent-obis": ObisInstrument,
    "toptica-ibeam-smart": IBeamInstrument,
}
METERS: dict[str, Any] = {
    "keysight-infiniivision": lambda: InfiniiVisionInstrument(FunctionSignal(lambda seconds: 0.0 * seconds)),
    "thorlabs-laser-diode": ThorlabsDiodeInstrument,
    "thorlabs-pm100": lambda: Pm100Instrument(SimpleNamespace(power_w=lambda: 1e-3)),
}


@pytest.fixture(scope="module", autouse=True)
def _nothing_left_standing() -> Iterator[None]:
    yield
    STANDING.close()


@pytest.fixture(autouse=True)
def _a_bare_computer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_ports, "comports", list)
    monkeypatch.setattr("drivers.discovery.here.ANSWER_S", 0.1)  # emulated instruments answer at once
    monkeypatch.setattr("pyvisa.ResourceManager.list_resources", lambda *_: ())


def discovered(name: str, search: ThisComputer) -> list[Found]:
    driver = load_driver(name)
    assert issubclass(driver, Device)
    return list(driver.discover(search))


def usb_port(device: str, vendor: int | None, product: int = 0x6001) -> Any:
    port = list_ports_common(device)
    port.vid, port.pid = vendor, None if vendor is None else product
    port.manufacturer, port.product, port.serial_number = "Maker", "Port", "42"
    return port


def list_ports_common(device: str) -> Any:
    from serial.tools.list_ports_common import ListPortInfo

    return ListPortInfo(device)


# --- lasers on serial lines ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", LASERS)
def test_a_laser_is_not_sent_a_byte_unless_it_may_be_asked(kind: str) -> None:
    with PtyPort(LASERS[kind]()) as port:
        search = ThisComputer(named=[port.address])
        found = {name: discovered(name, search) for name in LASERS}
        assert port.received == []
    assert all([(f.address, f.sure) for f in each] == [(port.address, False)] for each in found.values())


@pytest.mark.parametrize("kind", LASERS)
def test_a_laser_that_is_asked_is_known_by_its_own_driver_only(kind: str) -> None:
    instrument = LASERS[kind]()
    with PtyPort(instrument) as port:
        search = ThisComputer(identify=True, named=[port.address])
        found = {name: discovered(name, search) for name in LASERS}
        assert {command.strip() for command in port.received} <= {b"glm?", b"*IDN?", b"show serial", b""}
    assert [name for name, each in found.items() if each] == [kind]
    assert found[kind][0].sure
    assert "answers" in found[kind][0].what
    assert not instrument.electronics.emission_log


def test_a_port_that_another_program_holds_is_not_asked_and_said_to_be_in_use() -> None:
    with PtyPort(CoboltInstrument()) as port:
        line = SerialLine("laser", port.address)
        line.open()
        try:
            search = ThisComputer(identify=True, named=[port.address])
            found = discovered("cobolt-06", search)
            assert port.received == []
        finally:
            line.close()
        assert holder_of(port.address) == ""
    assert [f.sure for f in found] == [False]
    assert "process" in found[0].in_use


def test_who_has_a_port_open_or_has_left_a_lock_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux tells")
    monkeypatch.setattr("drivers.discovery.places._LOCK_FILES", (tmp_path,))
    port, number = tmp_path / "ttyS9", str(os.getpid())
    port.touch()
    assert holder_of(str(port)) == ""
    with port.open():
        assert number in holder_of(str(port))
    (tmp_path / "LCK..ttyS9").write_text(f"{number:>10}\n")
    assert number in holder_of(str(port))
    (tmp_path / "LCK..ttyS9").write_text("999999999\n")  # of a program that is gone
    assert holder_of(str(port)) == ""


def test_a_port_that_cannot_be_opened_is_told_with_its_reason(tmp_path: Path) -> None:
    search = ThisComputer(identify=True, named=[str(tmp_path / "no-port")])
    assert [discovered(name, search) for name in LASERS] == [[], [], []]
    assert "cannot open" in search.places[0].note


def test_usb_numbers_of_the_maker_are_enough_and_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    ports = [usb_port("COM3", 0x25DC), usb_port("COM4", 0x0D4D), usb_port("COM5", 0x2341)]  # the last an Arduino
    monkeypatch.setattr(list_ports, "comports", lambda: ports)
    monkeypatch.setattr(SerialLine, "open", lambda self: pytest.fail(f"{self.address} was opened"))
    search = ThisComputer(identify=True)
    found = {name: [(f.address, f.sure) for f in discovered(name, search)] for name in LASERS}
    # Cobolt's number may also be a head of another generation, which speaks other commands.
    assert found == {"cobolt-06": [("COM3", False)], "coherent-obis": [("COM4", True)], "toptica-ibeam-smart": []}


def test_behind_a_converter_may_be_any_laser(monkeypatch: pytest.MonkeyPatch) -> None:
    ports = [usb_port("COM3", 0x0403), usb_port("COM1", None)]
    monkeypatch.setattr(list_ports, "comports", lambda: ports)
    search = ThisComputer()
    for name in LASERS:
        assert [(f.address, f.sure) for f in discovered(name, search)] == [("COM1", False), ("COM3", False)]


# --- instruments behind VISA ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", METERS)
def test_an_instrument_is_known_by_its_own_driver_only_and_asked_once(kind: str) -> None:
    with TcpPort(METERS[kind]()) as port:
        silent = ThisComputer(named=[port.visa_address])
        assert all([f.sure for f in discovered(name, silent)] == [False] for name in METERS)
        assert port.received == []
        search = ThisComputer(identify=True, named=[port.visa_address])
        found = {name: discovered(name, search) for name in METERS}
        assert port.received == [b"*IDN?"]
    assert {name: [f.sure for f in each] for name, each in found.items() if each} == {kind: [True]}


def test_usb_instruments_are_known_by_their_numbers_in_either_way_of_writing(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {
        "meter": "USB0::0x1313::0x8078::P0012345::INSTR",
        "meter of pyvisa-py": "USB0::4883::32888::P0012346::0::INSTR",
        "controller": "USB0::0x1313::0x804A::M00123456::INSTR",
        "other Thorlabs": "USB0::0x1313::0x8048::M00324477::INSTR",
        "scope": "USB0::0x0957::0x17A4::MY12345678::INSTR",
    }
    monkeypatch.setattr("pyvisa.ResourceManager.list_resources", lambda *_: (*names.values(), "ASRL/dev/ttyS0::INSTR"))
    search = ThisComputer()
    known = {name: {f.address: f.sure for f in discovered(name, search)} for name in METERS}
    unsure = {names["other Thorlabs"]: False}
    meters = {names["meter"]: True, names["meter of pyvisa-py"]: True}
    assert known["thorlabs-pm100"] == meters | unsure | {names["controller"]: False}
    assert known["thorlabs-laser-diode"] == {names["controller"]: True} | unsure | dict.fromkeys(meters, False)
    assert known["keysight-infiniivision"] == {names["scope"]: False}


def test_what_usb_instruments_need_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoBackendError(ValueError):
        pass

    def find() -> None:
        raise NoBackendError

    def note(core: Any) -> list[str]:
        monkeypatch.setitem(sys.modules, "usb.core", core)
        search = ThisComputer()
        assert discovered("thorlabs-pm100", search) == []
        return search.notes

    monkeypatch.setitem(sys.modules, "usb", SimpleNamespace())
    assert "labcontrol[usb]" in note(None)[0]
    assert "libusb" in note(SimpleNamespace(find=find, NoBackendError=NoBackendError))[0]
    assert note(SimpleNamespace(find=lambda: None, NoBackendError=NoBackendError)) == []


def test_a_visa_library_that_fails_is_a_note_and_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    search = ThisComputer(visa_backend="@no-such-library")
    assert discovered("thorlabs-pm100", search) == []
    assert "VISA resources are not seen" in search.notes[0]


# --- screens, cameras, DMDs ----------------------------------------------------------------------------------------
def test_screens_are_listed_without_a_window_and_the_primary_one_is_nobodys() -> None:
    from mock_devices.wire.desktop import why_not

    if why_not():
        pytest.skip(why_not())
    stand = desktop()
    before = stand.see(stand.names[1])
    search = ThisComputer(display=stand.display)
    for name, role in (("display-slm", "slm"), ("display-dmd", "dmd")):
        (found,) = discovered(name, search)
        assert (found.address, found.role, found.sure) == (stand.names[1], role, False)
        assert found.options == {"display": stand.display}
        assert "640 x 480" in found.what
    assert (stand.see(stand.names[1]) == before).all()
    assert [bool(place.note) for place in search.places] == [True, False]


def test_no_desktop_is_a_note_and_no_end() -> None:
    search = ThisComputer(display=":4711")
    assert discovered("display-slm", search) == []
    assert "Screens are not seen" in search.notes[0]


def test_the_camera_that_is_found_can_be_opened_by_what_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pypylon", reason='needs pypylon: pip install "labcontrol[basler]"')
    monkeypatch.setenv("PYLON_CAMEMU", "1")
    found = next(f for f in discovered("basler", ThisComputer()) if f.options == {"emulated": True})
    assert found.address == "0815-0000"


def test_cameras_of_micro_manager_are_named_by_adapter_and_camera() -> None:
    pytest.importorskip("pymmcore_plus", reason='needs pymmcore-plus: pip install "labcontrol[micromanager]"')
    pytest.importorskip("mm_test_adapters", reason="needs mm-test-adapters")
    silent = ThisComputer()
    assert discovered("micro-manager", silent) == []
    assert "Micro-Manager" in silent.notes[0]
    found = discovered("micro-manager", ThisComputer(identify=True))
    assert {"adapter": "DemoCamera", "camera": "DCam"} in [f.options for f in found]


def test_a_dmd_is_opened_only_where_it_may_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    from drivers.modulators.vialux import VialuxDmd, VialuxOptions
    from mock_devices.wire.alp import why_not

    pytest.importorskip("ALP4", reason='needs ALP4lib: pip install "labcontrol[alp]"')
    if why_not():
        pytest.skip(why_not())
    folder = mirrors().folder
    monkeypatch.setattr(VialuxDmd, "Options", lambda: VialuxOptions(library_folder=folder))
    silent = ThisComputer()
    assert list(VialuxDmd.discover(silent)) == []
    assert "ViALUX" in silent.notes[0]
    (found,) = VialuxDmd.discover(ThisComputer(identify=True))
    assert found.role == "dmd"
    assert found.address.isdigit()
    mirrors().reset()


@pytest.mark.parametrize(
    ("name", "package"), [("basler", "pypylon"), ("micro-manager", "pymmcore_plus"), ("vialux-dmd", "ALP4")]
)
def test_a_package_that_is_missing_is_named_with_how_to_get_it(
    name: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(DeviceDisconnectedError, match=r"pip install \"labcontrol\["):
        discovered(name, ThisComputer())
