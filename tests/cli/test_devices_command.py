"""`labcontrol devices`: what is found is shown, chosen and written into a bench file."""

from __future__ import annotations

import sys
import threading
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from serial.tools import list_ports

from drivers.discovery import ThisComputer
from drivers.interfaces import DeviceDisconnectedError, Found
from drivers.lasers.cobolt import CoboltLaser
from drivers.lasers.obis import ObisLaser
from drivers.modulators.screen_events import ScreenFacts
from labcontrol.bench.discover import Fit, choices, chosen, discover, sure_choices
from labcontrol.errors import UserError

if sys.platform == "win32":
    pytest.skip("instruments are emulated on other systems", allow_module_level=True)

from mock_devices.wire.cobolt import CoboltInstrument
from mock_devices.wire.ports import PtyPort, TcpPort
from mock_devices.wire.thorlabs_diode import ThorlabsDiodeInstrument

SCREENS = [
    ScreenFacts(1080, 1920, 60.0, "eDP-1", "", "", "", primary=True),
    ScreenFacts(1080, 1920, 60.0, "HDMI-1", "HOLOEYE", "PLUTO", "6010"),
]
LOOKING = ["cobolt-06", "coherent-obis", "display-slm", "display-dmd", "thorlabs-laser-diode", "thorlabs-pm100"]


@pytest.fixture(autouse=True)
def _a_bare_computer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_ports, "comports", list)
    monkeypatch.setattr("pyvisa.ResourceManager.list_resources", lambda *_: ())
    monkeypatch.setattr("drivers.discovery.here.list_screens", lambda _: SCREENS)
    monkeypatch.setattr("drivers.discovery.here.ANSWER_S", 0.02)
    monkeypatch.setattr("labcontrol.bench.discover.driver_names", lambda: LOOKING)


@pytest.fixture
def laser() -> Iterator[PtyPort]:
    with PtyPort(CoboltInstrument()) as port:
        yield port


def fit(driver: str, *roles: str, **found: Any) -> Fit:
    return Fit(driver, CoboltLaser, roles, Found(**({"address": "there", "what": "thing"} | found)))


def test_what_is_there_is_shown_with_the_drivers_that_fit(cli: Callable[..., Any], laser: PtyPort) -> None:
    outcome = cli("devices", "--at", laser.address)
    assert outcome.code == 0
    assert "cobolt-06? coherent-obis?" in outcome.out
    assert "HOLOEYE PLUTO 6010, 1920 x 1080 at 60 Hz" in outcome.out
    assert "primary screen, where people work" in outcome.out
    assert "--identify asks" in outcome.out
    assert "slm: choose with --use slm=display-slm@HDMI-1" in outcome.out
    assert laser.received == []


def test_what_said_who_it_is_comes_as_lines_for_a_bench_file(cli: Callable[..., Any], laser: PtyPort) -> None:
    outcome = cli("devices", "--at", laser.address, "--identify")
    assert f'[laser]\ndriver = "cobolt-06"\naddress = "{laser.address}"\n' in outcome.out
    assert "answers '0661-06-01-0050-100'" in outcome.out


def test_a_port_without_an_answer_is_said_to_have_none(cli: Callable[..., Any], laser: PtyPort) -> None:
    laser.line_faults.plan("silent", times=100)
    outcome = cli("devices", "--at", laser.address, "--identify")
    assert outcome.code == 0
    assert "does not answer" in outcome.out
    assert "laser: none found" in outcome.out


def test_a_port_with_another_device_is_said_to_have_no_driver(cli: Callable[..., Any], laser: PtyPort) -> None:
    laser.line_faults.plan("garbled", times=100)
    outcome = cli("devices", "--at", laser.address, "--identify")
    assert "answers as no device that a driver knows" in outcome.out


def test_devices_are_written_into_a_bench_file_with_its_comments(
    cli: Callable[..., Any], laser: PtyPort, tmp_path: Path
) -> None:
    bench = tmp_path / "bench.toml"
    cli("init", "--bench", "cobolt-vialux-oscilloscope", tmp_path)
    before = bench.read_text(encoding="utf-8")
    outcome = cli("devices", "--at", laser.address, "--identify", "--use", "slm=HDMI-1", "--write", bench)
    assert outcome.code == 0, outcome.err
    after = tomllib.loads(bench.read_text(encoding="utf-8"))
    assert after["laser"]["address"] == laser.address
    assert after["laser"]["power_w"] == 0.02
    assert after["slm"] == tomllib.loads(before)["slm"]
    assert bench.read_text(encoding="utf-8").count("#") == before.count("#")
    assert (tmp_path / "bench.toml.bak").read_text(encoding="utf-8") == before
    assert cli("check", bench).code == 0


def test_a_new_file_starts_from_the_nearest_example(cli: Callable[..., Any], tmp_path: Path) -> None:
    bench = tmp_path / "new.toml"
    with TcpPort(ThorlabsDiodeInstrument()) as port:
        outcome = cli("devices", "--at", port.visa_address, "--identify", "--write", bench)
    assert "slm, dmd, camera, detector: as in the example" in outcome.out
    written = tomllib.loads(bench.read_text(encoding="utf-8"))
    assert written["name"] == "diode-display-powermeter"
    assert written["laser"]["address"] == port.visa_address
    assert not (tmp_path / "new.toml.bak").exists()


def test_what_a_new_driver_needs_is_asked_for(cli: Callable[..., Any], tmp_path: Path) -> None:
    cli("init", "--bench", "cobolt-vialux-oscilloscope", tmp_path)
    bench = tmp_path / "bench.toml"
    outcome = cli("devices", "--use", "laser=thorlabs-laser-diode@USB0::1::2::3::INSTR", "--write", bench)
    assert outcome.code == 0
    assert "to be filled in" in outcome.out
    assert "threshold_a" in outcome.out


def test_nothing_chosen_is_nothing_written(cli: Callable[..., Any], tmp_path: Path) -> None:
    bench = tmp_path / "new.toml"
    outcome = cli("devices", "--write", bench)
    assert outcome.code == 2
    assert "--use ROLE=ADDRESS" in outcome.err
    assert not bench.exists()


# --- choosing ------------------------------------------------------------------------------------------------------
def test_only_what_is_sure_free_and_alone_is_taken_unasked() -> None:
    laser = fit("cobolt-06", "laser")
    assert sure_choices([laser, fit("display-slm", "slm", sure=False)]) == {"laser": laser}
    assert sure_choices([laser, fit("coherent-obis", "laser")]) == {}
    assert sure_choices([fit("cobolt-06", "laser", in_use="another program")]) == {}
    assert sure_choices([fit("third-party", "slm", "dmd")]) == {}


def test_a_person_chooses_by_address_driver_or_name() -> None:
    fits = [
        fit("basler", "camera", address="1"),
        fit("aravis", "camera", address="1"),
        fit("micro-manager", "camera", address="", options={"adapter": "Demo", "camera": "DCam"}),
    ]
    assert chosen(fits, "camera=basler@1") == ("camera", fits[0])
    assert chosen(fits, "camera=DCam") == ("camera", fits[2])
    assert fits[2].name == "micro-manager@DCam"
    with pytest.raises(UserError, match="camera=basler@1, camera=aravis@1"):
        chosen(fits, "camera=1")
    with pytest.raises(UserError, match="Found for this role: basler@1, aravis@1, micro-manager@DCam"):
        chosen(fits, "camera=2")
    with pytest.raises(UserError, match="role of laser, slm"):
        chosen(fits, "lazer=1")
    with pytest.raises(UserError, match="not one of a camera"):
        chosen(fits, "camera=cobolt-06@COM3")
    role, named = chosen(fits, "laser=cobolt-06@COM3")
    assert (role, named.driver, named.found.address) == ("laser", "cobolt-06", "COM3")


def test_one_device_does_not_play_two_roles() -> None:
    fits = [fit("display-slm", "slm", sure=False), fit("display-dmd", "dmd", sure=False), fit("cobolt-06", "laser")]
    with pytest.raises(UserError, match="there cannot be both slm and dmd"):
        choices(fits, ["slm=there", "dmd=there"])
    assert choices(fits, ["slm=there"]) == {"slm": fits[0]}  # what is sure gives way to what a person says
    assert choices(fits, []) == {"laser": fits[2]}


# --- looking -------------------------------------------------------------------------------------------------------
def test_a_library_that_hangs_or_fails_does_not_end_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def hang(_: ThisComputer) -> list[Found]:
        release.wait(30.0)
        return []

    def fail(_: ThisComputer) -> list[Found]:
        raise ZeroDivisionError("of a maker's library")

    monkeypatch.setattr(CoboltLaser, "discover", hang)
    monkeypatch.setattr(ObisLaser, "discover", fail)
    told: list[tuple[str, int, int]] = []
    start_s = time.monotonic()
    discovery = discover(ThisComputer(), lambda *progress: told.append(progress), patience_s=0.05)
    release.set()
    assert time.monotonic() - start_s < 10.0
    assert "did not come to an end" in discovery.troubles["cobolt-06"]
    assert "ZeroDivisionError" in discovery.troubles["coherent-obis"]
    assert {each.driver for each in discovery.fits} == {"display-slm", "display-dmd"}
    assert [number for _, number, _ in told] == list(range(len(LOOKING)))


def test_a_package_that_is_missing_is_told_with_its_remedy(
    cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(_: ThisComputer) -> list[Found]:
        raise DeviceDisconnectedError("cameras", "needs the package x.", 'Install it: pip install "labcontrol[x]".')

    monkeypatch.setattr(ObisLaser, "discover", missing)
    outcome = cli("devices")
    assert outcome.code == 0
    assert 'coherent-obis: needs the package x. Install it: pip install "labcontrol[x]".' in outcome.out
