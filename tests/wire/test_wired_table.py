"""The whole bench over wires: real drivers, real stacks, and one simulated table behind all of them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

if sys.platform == "win32":
    pytest.skip("needs an X server", allow_module_level=True)

from labcontrol.bench.bench import Bench
from labcontrol.config import BenchConfig, ExperimentConfig
from labcontrol.engine import Run
from labcontrol.guardian import GuardedLaser
from labcontrol.records import RunReader
from mock_devices.wire import __main__ as command
from mock_devices.wire.desktop import why_not
from mock_devices.wire.wired_table import WiredTable

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60.0
pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())


@pytest.fixture(scope="module")
def table() -> Iterator[WiredTable]:
    pytest.importorskip("pypylon", reason='needs pypylon: pip install "labcontrol[basler]"')
    with WiredTable(neurons=16, screen=(1920, 1080)) as made:
        yield made


def test_light_goes_from_the_serial_laser_over_two_screens_to_camera_and_oscilloscope(table: WiredTable) -> None:
    with Bench(BenchConfig.model_validate(tomllib.loads(table.bench))) as bench:
        row, column = bench.config.geometry.slm.origin_px
        patterns = [np.zeros(bench.slm.shape, dtype=np.uint8) for _ in range(2)]
        patterns[1][row : row + 8, column : column + 16 : 2] = 115  # half a wave on part of the cells
        bench.slm.show_settled(patterns[0])
        dark = bench.camera.snap().data.astype(float)
        bench.light.arm("the test: no laser here is real")
        bench.light_on()
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


def test_every_frame_is_taken_at_its_trigger_and_shows_what_is_on_the_screen_then(table: WiredTable) -> None:
    with Bench(BenchConfig.model_validate(tomllib.loads(table.bench))) as bench:
        bench.light.arm("the test: no laser here is real")
        bench.light_on()
        (row, column), edge = bench.config.geometry.slm.origin_px, 4
        brightness = []
        taken = table.images.taken
        for step in range(20):
            pattern = np.zeros(bench.slm.shape, dtype=np.uint8)
            if step % 3 == 0:  # half a wave on every second column of pixels: fields of a cell cancel
                pattern[row : row + 4 * edge, column : column + 4 * edge : 2] = 115
            bench.slm.show(pattern)
            brightness.append(float(bench.camera.snap().data.mean()))
        assert table.images.taken - taken == 20
    dim, bright = np.array(brightness[::3]), np.delete(np.array(brightness), np.s_[::3])
    assert dim.max() < bright.min()


def test_a_guardian_that_switched_off_is_named_and_not_a_camera_without_light(
    table: WiredTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program falls silent right after its light went on, as one does that a busy computer keeps waiting."""
    light_on, silences = Bench.light_on, [0]

    def falls_silent(bench: Bench, *arguments: Any, **options: Any) -> None:
        light_on(bench, *arguments, **options)
        silences[0] += 1
        if silences[0] == 1:
            assert isinstance(bench.laser, GuardedLaser)
            bench.light.expect_heartbeats(0.0)
            give_up_s = time.monotonic() + PATIENCE_S
            while not bench.laser.tripped:
                assert time.monotonic() < give_up_s, "the guardian did not switch off"
                time.sleep(0.01)
            bench.light.expect_heartbeats(PATIENCE_S)

    monkeypatch.setattr(Bench, "light_on", falls_silent)
    experiment = ExperimentConfig.model_validate(
        {
            "neurons": 16,
            "task": {"steps": 10, "test_steps": 0, "washout": 2},
            "prediction": {"pilot_masks": 8},
            "stop": {"epochs": 2},
            "faults": {"first_wait_s": 0.0},
        }
    )
    bench = BenchConfig.model_validate(tomllib.loads(table.bench))
    run = Run(experiment, bench, tmp_path, armed_by="the test: no laser here is real")
    run.execute()
    with RunReader(run.record) as record:
        assert [(fault.device, fault.kind) for fault in record.faults] == [("laser", "timeout")]
        assert "no sign of the application" in record.faults[0].text
        assert len(record.epochs) == 2


def test_the_experiment_learns_over_wires_what_it_learns_in_process() -> None:
    """A short form of the benchmark: the same curve, though instruments are asked at other times.

    Errors are far above the noise for twenty epochs and agree within it; where it ends, chance has decided a few masks.
    """
    pytest.importorskip("pypylon", reason='needs pypylon: pip install "labcontrol[basler]"')
    script = [sys.executable, str(ROOT / "benchmarks" / "wire_run.py"), "--json"]
    short = ["--steps", "20", "--washout", "4", "--epochs", "30", "--pilot", "8", "--noise", "0", "--tolerance", "1"]
    run = subprocess.run([*script, *short], capture_output=True, text=True, timeout=240, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    found = json.loads(run.stdout)
    wired, in_process = found["wired"]["curve"], found["in_process"]["curve"]
    assert wired[:20] == pytest.approx(in_process[:20], rel=0.01)
    assert wired[-1] < 0.15 * wired[0]


def test_a_run_goes_on_after_any_device_was_unplugged_in_the_dark() -> None:
    """A short form of the campaign: it pauses and names the device, the light is off, and nothing is lost."""
    pytest.importorskip("pypylon", reason='needs pypylon: pip install "labcontrol[basler]"')
    script = [sys.executable, str(ROOT / "benchmarks" / "unplug_campaign.py"), "--json", "--times", "1"]
    run = subprocess.run(
        [*script, "--devices", "laser,detector,slm,camera"], capture_output=True, text=True, timeout=240
    )
    assert run.returncode == 0, run.stdout + run.stderr
    pulled = json.loads(run.stdout)["pulled"]
    assert {one["device"] for one in pulled} == {"laser", "detector", "slm", "camera"}
    assert not any(one["missed"] for one in pulled)


def test_a_table_that_hides_its_truth_states_what_it_was_meant_to_be() -> None:
    stated, hidden = WiredTable(16, misalignment_seed=None), WiredTable(16, misalignment_seed=4)
    try:
        assert hidden.table.ground_truth.camera_matrix != hidden.table.options.camera_matrix
        files = [tomllib.loads(table.bench) for table in (stated, hidden)]
        assert files[0]["geometry"]["camera"] == files[1]["geometry"]["camera"]
        assert files[0]["response"] == files[1]["response"]
    finally:
        for table in (stated, hidden):
            table.close()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--neurons", "65"], "should be a square number from 1 to 14400, found 65"),
        (["--screen", "large"], "should be columns x rows, such as 1920x1080, found 'large'"),
        (["--neurons", "14400", "--misalignment-seed", "1"], "do not fit on a screen"),
    ],
)
def test_the_command_refuses_what_it_cannot_build(
    options: list[str], words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["wire", *options])
    with pytest.raises(SystemExit):
        command.main()
    assert words in capsys.readouterr().err
