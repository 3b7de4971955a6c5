"""The driver printed in docs/add-a-driver.md is a driver."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from peers import LASER, ScriptedLine

from drivers.interfaces import Identity, Laser
from drivers.lasers.wired_laser import SerialLaserOptions

PAGE = Path(__file__).parents[2] / "docs" / "add-a-driver.md"


def test_the_laser_of_the_page_works_as_the_page_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.transports.conversation.SHORTEST_QUIET_S", 1e-3)
    block = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    names: dict[str, Any] = {"__name__": "my_laser"}
    exec(compile(block[1], str(PAGE), "exec"), names)
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
