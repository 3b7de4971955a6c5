"""The whole bench over wires: real drivers, real stacks, and one simulated table behind all of them."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

if sys.platform == "win32":
    pytest.skip("needs an X server", allow_module_level=True)

from labcontrol.bench.bench import Bench
from labcontrol.config import BenchConfig
from mock_devices.wire import __main__ as command
from mock_devices.wire.desktop import why_not
from mock_devices.wire.wired_table import WiredTable

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())


@pytest.fixture(scope="module")
def table() -> Iterator[WiredTable]:
    with WiredTable(neurons=16) as made:
        yield made


def test_light_goes_from_the_serial_laser_over_two_screens_to_camera_and_oscilloscope(table: WiredTable) -> None:
    pytest.importorskip("pypylon", reason='needs pypylon: pip install "labcontrol[basler]"')
    with Bench(BenchConfig.model_validate(tomllib.loads(table.bench))) as bench:
        patterns = [np.zeros(bench.slm.shape, dtype=np.uint8) for _ in range(2)]
        patterns[1][:, ::2] = patterns[1][8:16] = 115  # half a wave on part of the cells
        bench.slm.show_settled(patterns[0])
        dark = bench.camera.snap().data.astype(float)
        bench.laser.power_setpoint_w = 0.02
        bench.laser.emission_on()
        frames = []
        for pattern in patterns:
            bench.slm.show_settled(pattern)
            frames.append(bench.camera.snap().data - dark)
        light_w = []
        for mirrors in (0, 1):
            bench.dmd.show_settled(np.full(bench.dmd.shape, mirrors, dtype=np.uint8))
            light_w.append(bench.detector.read(16, 1e5).data.mean())
    assert abs(frames[0]).max() > 20
    assert abs(frames[0] - frames[1]).max() > 10  # counts; frames of the same pattern differ by two or three
    assert light_w[1] > 50 * abs(light_w[0])
    assert [on for _, on in table.laser_head.emission_log] == [True, False]


def test_the_command_refuses_what_it_cannot_build(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "argv", ["wire", "--neurons", "65"])
    with pytest.raises(SystemExit):
        command.main()
    assert "should be a square number from 1 to 14400, found 65" in capsys.readouterr().err
