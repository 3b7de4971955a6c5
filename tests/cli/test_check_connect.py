"""`labcontrol check --connect`: each device is opened in the dark, and none hides what is wrong with the others."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from drivers.interfaces import Device
from labcontrol.bench import Bench, simulated_bench
from labcontrol.bench.examine import examine
from labcontrol.cli.connect import connect_and_report
from labcontrol.config import AppliedCalibration, BenchConfig, CalibrationConfig, LaserEntry
from labcontrol.config.toml_text import commented_toml
from mock_devices.camera import SimulatedCamera

if sys.platform != "win32":
    from mock_devices.wire.cobolt import CoboltInstrument
    from mock_devices.wire.laser_electronics import LaserElectronics
    from mock_devices.wire.ports import PtyPort

needs_pty = pytest.mark.skipif(sys.platform == "win32", reason="instruments are emulated on other systems")
SIMULATED = simulated_bench(16, 1)
ROLES = ["laser", "slm", "dmd", "camera", "detector"]


def changed(**sections: Any) -> BenchConfig:
    """The simulated bench with other values in its sections."""
    config = SIMULATED
    for role, values in sections.items():
        config = config.model_copy(update={role: getattr(config, role).model_copy(update=values)})
    return config


def problems(config: BenchConfig) -> dict[str, list[str]]:
    return {f.role: f.problems for f in examine(Bench(config), lambda _: None, tries=2).findings if f.problems}


def test_every_device_is_examined_and_closed_again() -> None:
    bench = Bench(SIMULATED)
    said: list[str] = []
    examination = examine(bench, said.append, tries=3)
    assert examination.passed
    assert [finding.role for finding in examination.findings] == ROLES
    for finding in examination.findings:
        assert finding.identity is not None
        assert finding.facts
        assert finding.latency is not None
        assert len(finding.latency.times_s) == 3
    assert examination.step_s == pytest.approx(0.0384 + 2e-3 + 4e-3, abs=1e-4)
    assert not any(device.is_open for device in bench.devices.values())
    assert said[0] == "laser: opening simulated-laser"


def test_the_latency_is_what_the_device_takes() -> None:
    """A frame of the simulated camera: its exposure and its readout."""
    camera = examine(Bench(SIMULATED), lambda _: None, tries=3).findings[3]
    assert camera.latency is not None
    assert camera.latency.median_s == pytest.approx(2e-3 + 4e-3, rel=1e-6)


def test_a_step_takes_at_least_what_a_frame_took(monkeypatch: pytest.MonkeyPatch) -> None:
    """A camera that takes longer than its exposure and the stated readout, as one on a busy network does."""
    read = SimulatedCamera._read

    def slowly(camera: SimulatedCamera, timeout_s: float) -> Any:
        camera.clock.sleep(12.5e-3)
        return read(camera, timeout_s)

    monkeypatch.setattr(SimulatedCamera, "_read", slowly)
    examination = examine(Bench(SIMULATED), lambda _: None, tries=3)
    assert examination.step_s == pytest.approx(0.0384 + 12.5e-3, abs=1e-4)


@pytest.mark.parametrize(
    ("role", "values", "words"),
    [
        ("laser", {"power_w": 0.2}, "laser.power_w is 200 mW, it takes 0 mW to 50 mW"),
        ("camera", {"exposure_s": 100.0}, "the exposure must be from"),
        ("camera", {"gain_db": 99.0}, "the gain must be from"),
        ("detector", {"rate_hz": 1e9}, "detector.rate_hz is 1e+09"),
        ("slm", {"driver": "simulated-dmd"}, "are slm and dmd swapped?"),
    ],
)
def test_what_the_device_cannot_do_is_said_before_a_run_asks_for_it(
    role: str, values: dict[str, Any], words: str
) -> None:
    found = problems(changed(**{role: values}))
    assert list(found) == [role]
    assert words in found[role][0]


def test_a_grid_that_does_not_fit_the_devices_is_said() -> None:
    slm = SIMULATED.geometry.slm.model_copy(update={"pitch_px": 400})
    config = SIMULATED.model_copy(update={"geometry": SIMULATED.geometry.model_copy(update={"slm": slm})})
    examination = examine(Bench(config), lambda _: None, tries=1)
    assert not examination.passed
    assert "SLM" in examination.together[0]


@pytest.mark.parametrize("call", ["_open", "_read_status", "_read", "_close"])
def test_a_driver_that_breaks_its_word_does_not_hide_the_others(call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("of a driver from elsewhere")

    closed: list[str] = []
    close = Device.close
    monkeypatch.setattr(Device, "close", lambda self: (closed.append(self.name), close(self))[1])
    monkeypatch.setattr(SimulatedCamera, call, broken)
    bench = Bench(SIMULATED)
    examination = examine(bench, lambda _: None, tries=1)
    bad = [finding.role for finding in examination.findings if finding.problems]
    assert bad == ([] if call == "_close" else ["camera"])
    assert set(closed) == set(ROLES)
    assert not any(device.is_open for device in bench.devices.values())


def test_a_device_that_was_not_calibrated_with_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    other = AppliedCalibration(
        kind="camera", sha256="", measured="", state="fresh", devices={"camera": "Basler a2A, serial number 7"}
    )
    section = CalibrationConfig(store="", applied=(other,))
    bench = SIMULATED.model_copy(update={"calibration": section})
    assert not connect_and_report(Console(width=300), bench, None).passed
    assert "'camera' was measured with the camera Basler a2A, serial number 7, but" in capsys.readouterr().out
    assert connect_and_report(Console(width=300), SIMULATED, None).passed


@needs_pty
def test_a_real_laser_stays_dark_and_its_interlock_is_said(cli: Callable[..., Any], tmp_path: Path) -> None:
    head = LaserElectronics(max_power_w=0.05)
    with PtyPort(CoboltInstrument(head)) as port:
        options = {"command_spacing_s": 0.0, "warm_up_time_s": 0.0}
        laser = LaserEntry(driver="cobolt-06", address=port.address, power_w=0.02, options=options)
        path = tmp_path / "bench.toml"
        path.write_text(commented_toml(SIMULATED.model_copy(update={"laser": laser})), encoding="utf-8")
        outcome = cli("check", path, "--connect")
        assert outcome.code == 0, outcome.out
        assert "serial 12345" in outcome.out
        head.open_interlock()
        outcome = cli("check", path, "--connect")
        assert outcome.code == 1
        assert "interlock" in outcome.out
        port.unplug()
        outcome = cli("check", path, "--connect")
    assert outcome.code == 1
    assert "cannot open" in outcome.out
    assert outcome.out.count("ready: ") == 4
    assert "1 of 5 devices not ready" in outcome.out
    assert not any(emission for _, emission in head.emission_log)
