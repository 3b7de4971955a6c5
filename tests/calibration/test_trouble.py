"""Deliberate trouble on the table is found, and named in words a person can act on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hidden_tables import calibrate_on, ground_truth, hidden_table

from drivers.interfaces import DeviceError, Frame, Pattern, Samples, Table
from labcontrol.bench import Bench
from labcontrol.calibration import Calibration, Session, store_of, with_needs
from labcontrol.calibration.context import CalibrationContext
from labcontrol.calibration.session import with_settings
from labcontrol.config import BenchConfig
from mock_devices.ground_truth import true_phase
from mock_devices.table import SimulatedTable


def words(results: dict[str, Calibration]) -> str:
    """Everything calibration had to say."""
    return "\n".join(line for c in results.values() for line in (*c.outcome.failures, *c.outcome.notices))


def table_of(bench: Bench) -> SimulatedTable:
    table: Table | None = bench.table
    assert isinstance(table, SimulatedTable)
    return table


@pytest.fixture
def bench(config: BenchConfig) -> Iterator[Bench]:
    with Bench(config) as opened:
        yield opened


def with_matrix(config: BenchConfig, matrix: Any, folder: Path) -> BenchConfig:
    """The same hidden table with its image turned over: `matrix` from the grid it had to the one it gets."""
    true = ground_truth(config)
    turned = np.array(true.camera_matrix) @ np.array(matrix)
    size = (true.rows, true.columns)
    corners = turned @ np.array([[0, 0, size[0] - 1, size[0] - 1], [0, size[1] - 1, 0, size[1] - 1]])
    offset = 10 - corners.min(axis=1)
    shape = np.ceil(np.ptp(corners, axis=1) + 21).astype(int)
    camera = {
        "matrix": turned.tolist(), "offset_px": offset.tolist(), "sensor_shape": shape.tolist(),
        "electrons_per_joule": true.camera.electrons_per_joule,
    }  # fmt: skip
    bench = hidden_table(folder, 3, camera=camera)
    assert bench.table is not None
    options = {key: value for key, value in bench.table.options.items() if key != "misalignment_seed"}
    return bench.model_copy(update={"table": bench.table.model_copy(update={"options": options})})


def test_a_saturated_camera(config: BenchConfig) -> None:
    bright = config.model_copy(update={"camera": config.camera.model_copy(update={"exposure_s": 0.05})})
    with Bench(bright) as bench:
        results = calibrate_on(bench, bright, "exposure")
    assert "saturated camera: at the 50 ms of the bench file" in words(results)
    assert results["exposure"].outcome.settings["camera"]["exposure_s"] < 0.02


def test_swapped_axes(config: BenchConfig, tmp_path: Path) -> None:
    swapped = with_matrix(config, [[0, 1], [1, 0]], tmp_path)
    with Bench(swapped) as bench:
        assert "swapped axes: rows of neurons are columns" in words(calibrate_on(bench, swapped, "registration"))


def test_a_mirrored_image(config: BenchConfig, tmp_path: Path) -> None:
    mirrored = with_matrix(config, [[1, 0], [0, -1]], tmp_path)
    with Bench(mirrored) as bench:
        results = calibrate_on(bench, mirrored, "registration")
    assert "mirrored image: its columns run backwards" in words(results)
    assert results["registration"].passed  # the map allows for it


def test_patterns_that_go_to_another_screen(bench: Bench, config: BenchConfig) -> None:
    table_of(bench).slm.faults.add("skip", 1_000_000)
    results = calibrate_on(bench, config, "registration")
    assert not results["phase-response"].passed
    assert "another screen" in words(results)
    assert "window" not in results


def test_a_response_for_another_wavelength(config: BenchConfig) -> None:
    levels = tuple(range(0, 256, 15))
    phase = true_phase(ground_truth(config))[list(levels)] * 661 / 1064
    wrong = with_settings(config, {"response": {"levels": levels, "phase_rad": phase.tolist()}})
    with Bench(wrong) as bench:
        said = words(calibrate_on(bench, wrong, "phase-response"))
    assert "wrong wavelength table" in said
    assert "1.61 times the laser's wavelength" in said


def test_a_detector_offset(tmp_path: Path) -> None:
    config = hidden_table(tmp_path, 3, detector={"offset_w": 2e-4})
    with Bench(config) as bench:
        results = calibrate_on(bench, config, "detector")
    assert "detector offset: 0.0002 W without light, 12% of the signal" in words(results)
    assert not results["detector"].passed


def test_a_camera_trigger_one_frame_late(bench: Bench, config: BenchConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session(bench, config, store_of(config))
    for kind in ("camera", "phase-response"):
        session.run(kind)
    camera = table_of(bench).camera
    take, before = camera.take, [np.zeros(bench.camera.sensor_shape, dtype=np.uint16)]

    def late() -> Frame | None:
        """Counter and time are right, the image is the last one's: what a late trigger looks like from outside."""
        frame = take()
        assert frame is not None
        before.append(frame.data)
        return replace(frame, data=before.pop(0))

    monkeypatch.setattr(camera, "take", late)
    assert "trigger late: every frame is one frame late" in words({"timing": session.run("timing")})


def test_a_frame_that_comes_twice_is_taken_again(bench: Bench, config: BenchConfig) -> None:
    calibrate_on(bench, config, "camera")
    table_of(bench).camera.faults.add("stale")
    assert calibrate_on(bench, config, "camera")["camera"].passed


def test_a_detector_trigger_one_pattern_late(tmp_path: Path) -> None:
    config = hidden_table(tmp_path, 3)
    assert config.table is not None
    options = {"rows": 12, "columns": 12, "detector": {"trigger_delay_s": 1e-4}}
    late = config.model_copy(update={"table": config.table.model_copy(update={"options": options})})
    with Bench(late) as bench:
        results = calibrate_on(bench, late, "detector")
    assert "trigger late: the samples belong to patterns one later" in words(results)


def test_a_blocked_beam(tmp_path: Path) -> None:
    config = hidden_table(tmp_path, 3, camera={"electrons_per_joule": 1.0})
    with Bench(config) as bench:
        results = calibrate_on(bench, config)
    assert "no pixel sees light" in words(results)


@pytest.mark.parametrize("pattern", [5, 40])  # while the exposure is sought, and after
def test_a_laser_that_goes_off_meanwhile(
    bench: Bench, config: BenchConfig, monkeypatch: pytest.MonkeyPatch, pattern: int
) -> None:
    session = Session(bench, config, store_of(config))
    laser, uniform, shown = table_of(bench).laser, CalibrationContext.uniform, [0]

    def going_off(context: CalibrationContext, level: int) -> Pattern:
        shown[0] += 1
        if shown[0] == pattern:
            laser.switch(False, table_of(bench).clock.now_s())
        return uniform(context, level)

    session.run("camera")
    monkeypatch.setattr(CalibrationContext, "uniform", going_off)
    with pytest.raises(DeviceError, match="has stopped emission"):
        session.run("phase-response")
    assert store_of(config).newest("phase-response") is None


@pytest.mark.parametrize(("kind", "reading"), [("detector", 3), ("mirrors", 6), ("laser", 64)])
def test_a_laser_that_goes_off_while_the_detector_is_read(
    calibrated_table: tuple[BenchConfig, dict[str, Calibration]],
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    reading: int,
) -> None:
    config, _ = calibrated_table
    with Bench(config) as bench:
        session = Session(bench, config, store_of(config))
        for need in with_needs([kind])[:-1]:
            assert session.take_over(need)
        read, done = bench.detector.read, [0]

        def going_off(*arguments: Any, **options: Any) -> Samples:
            done[0] += 1
            if done[0] == reading:
                table_of(bench).laser.switch(False, bench.clock.now_s())
            return read(*arguments, **options)

        monkeypatch.setattr(bench.detector, "read", going_off)
        with pytest.raises(DeviceError, match="has stopped emission"):
            session.run(kind, save=False)
        assert done[0] > reading
