"""The driver printed in docs/add-a-driver.md is a driver."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from peers import LASER, ScriptedLine

from drivers.discovery import ThisComputer
from drivers.interfaces import Identity, Laser
from drivers.lasers.wired_laser import SerialLaserOptions

PAGE = Path(__file__).parents[2] / "docs" / "add-a-driver.md"


@pytest.fixture
def pages_modules(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The two modules that the page prints: the driver, and its test."""
    monkeypatch.setattr("drivers.transports.conversation.SHORTEST_QUIET_S", 3e-3)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    modules = []
    for name, block in zip(("my_laser", "test_my_laser"), blocks, strict=True):
        module = ModuleType(name)
        monkeypatch.setitem(sys.modules, name, module)
        if name == "my_laser" or sys.platform != "win32":
            exec(compile(block, str(PAGE), "exec"), module.__dict__)
        modules.append(module.__dict__)
    return modules


@pytest.mark.skipif(sys.platform == "win32", reason="instruments are emulated on other systems")
def test_the_emulated_laser_of_the_page_is_opened_and_found(
    pages_modules: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    driver, test = pages_modules
    test["test_the_power_that_is_set_comes_out"]()
    monkeypatch.setattr("drivers.discovery.here.ANSWER_S", 0.02)
    with test["PtyPort"](test["AcmeInstrument"]()) as port:
        search = ThisComputer(identify=True, named=[port.address])
        found = [each for each in driver["AcmeLaser"].discover(search) if each.address == port.address]
    assert [each.sure for each in found] == [True]


def test_the_entry_point_of_the_page_leads_to_its_class(pages_modules: list[dict[str, Any]]) -> None:
    entry = re.search(r'^my-laser = "my_laser:(\w+)"$', PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert entry is not None
    assert issubclass(pages_modules[0][entry[1]], Laser)


def test_the_laser_of_the_page_works_as_the_page_says(pages_modules: list[dict[str, Any]]) -> None:
    names = pages_modules[0]
    script = [
        ("SN?", "4711"),
        ("FW?", "1.2"),
        ("FW?", "1.2"),
        ("L 0", "OK"),
        ("L?", "0"),
        ("MODE CW", "OK"),
        ("PMAX?", "50.0"),
        ("P 20.0", "OK"),
        ("P?", "20.0"),
        ("ILK?", "1"),
        ("F?", "0"),
        ("L 1", "OK"),
        ("L?", "1"),
        ("L 0", "OK"),
        ("L?", "0"),
    ]
    line = ScriptedLine([(said.encode() + b"\r", heard.encode() + b"\r\n") for said, heard in script])
    laser = names["AcmeLaser"](LASER, line, SerialLaserOptions(timeout_s=0.01))
    assert isinstance(laser, Laser)
    with laser:
        assert laser.identity == Identity("Acme", "100", "4711", "1.2")
        assert laser.power_limits_w == (0.0, 0.05)
        laser.power_setpoint_w = 0.02
        laser.emission_on()
    assert line.all_said()
