"""Many masks in one replay: that samples belong to their masks is verified, and how long it takes is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from drivers.interfaces import DeviceFaultError, DeviceTimeoutError
from labcontrol.bench import Bench, simulated_bench
from labcontrol.config import BenchConfig, ReservoirConfig
from labcontrol.reservoir import Reservoir
from labcontrol.reservoir.markers import COUNT, misalignment, with_markers, without_markers
from labcontrol.reservoir.timing import TimingProfile

SIDE, STEPS = 5, 12
INPUTS = np.random.default_rng(0).random(STEPS)
MASKS = np.random.default_rng(3).random((10, SIDE * SIDE)) < 0.5


def bench_with(**options: Any) -> BenchConfig:
    bench = simulated_bench(SIDE * SIDE, seed=1)
    assert bench.table is not None
    return bench.model_copy(update={"table": bench.table.model_copy(update={"options": bench.table.options | options})})


def reservoir_on(bench: Bench) -> Reservoir:
    return Reservoir(bench, ReservoirConfig(feedback=0.1, reference_patterns=2), SIDE, np.random.default_rng(2))


def prepared(bench: Bench) -> Reservoir:
    reservoir = reservoir_on(bench)
    reservoir.prepare()
    return reservoir


def trains(shift: int = 0, noise: float = 0.0, per_mask: int = 8) -> np.ndarray:
    """Samples of a sequence with markers, that begin `shift` samples late."""
    levels = with_markers(MASKS).mean(axis=1)
    line = np.roll(np.repeat(levels, per_mask), -shift)
    return (line + noise * np.random.default_rng(1).standard_normal(line.size)).reshape(len(levels), per_mask)


def test_markers_go_around_the_masks_and_come_off_again() -> None:
    marked = with_markers(MASKS)
    assert marked.shape == (len(MASKS) + COUNT, SIDE * SIDE)
    assert np.array_equal(without_markers(marked), MASKS)


def test_aligned_samples_pass_with_and_without_noise() -> None:
    assert misalignment(trains()) is None
    assert misalignment(trains(noise=0.02)) is None


@pytest.mark.parametrize("shift", [-8, -1, 1, 4, 8, 16])
def test_a_trigger_that_is_off_by_a_sample_or_more_is_named(shift: int) -> None:
    assert "trigger" in str(misalignment(trains(shift)))


def test_a_dropped_mask_is_named() -> None:
    aligned = trains()
    dropped = np.concatenate([aligned[:5], aligned[6:], aligned[-1:]])
    assert "dropped" in str(misalignment(dropped))


def test_a_sequence_that_was_not_played_is_named() -> None:
    still = 0.7 + 0.01 * np.random.default_rng(1).standard_normal((14, 8))
    assert "not played" in str(misalignment(still))


@pytest.mark.parametrize("seed", range(20))
def test_a_sequence_that_was_not_played_is_named_by_single_samples_too(seed: int) -> None:
    still = 0.7 + 0.01 * np.random.default_rng(seed).standard_normal((8, 1))
    assert "not played" in str(misalignment(still, known_noise=0.01))


def test_markers_that_interfere_to_nothing_are_silent() -> None:
    values = trains()
    values[[0, -2]] = values[[1, -1]] + 1e-3
    assert misalignment(values) is None


@pytest.mark.parametrize(
    ("device", "fault"),
    [
        ("slm", "timeout"),
        ("dmd", "timeout"),
        ("dmd", "skip"),
        ("detector", "timeout"),
        ("detector", "no_trigger"),
        ("camera", "timeout"),
        ("camera", "stale"),
        ("camera", "drop"),
    ],
)
def test_one_fault_costs_a_retry_and_changes_no_output(device: str, fault: str) -> None:
    with Bench(bench_with(noise=0.0)) as bench:
        reservoir = prepared(bench)
        clean = reservoir.replay(MASKS, INPUTS, washout=2)
        table: Any = bench.table
        started = []

        def strike() -> None:
            started.append(None)
            if len(started) == 6:
                getattr(table, device).faults.add(fault)

        reservoir.between_steps = strike
        struck = reservoir.replay(MASKS, INPUTS, washout=2)
    assert struck.retried >= 1
    assert np.allclose(struck.outputs, clean.outputs, rtol=1e-3)


@pytest.mark.parametrize("device", ["slm", "dmd", "detector", "camera"])
def test_one_mask_alone_and_the_preparation_survive_a_command_without_answer(device: str) -> None:
    with Bench(bench_with(noise=0.0)) as bench:
        table: Any = bench.table
        faults = getattr(table, device).faults
        reservoir = reservoir_on(bench)
        if device in ("slm", "camera"):  # the others are not used before the first replay
            faults.add("timeout")
        reservoir.prepare()
        clean = reservoir.replay(MASKS[:1], INPUTS, washout=2)
        faults.add("timeout")
        struck = reservoir.replay(MASKS[:1], INPUTS, washout=2)
        assert not faults.waiting
    assert struck.retried == 1
    assert np.allclose(struck.outputs, clean.outputs, rtol=1e-3)


def test_a_device_that_never_answers_is_named() -> None:
    with Bench(bench_with()) as bench:
        reservoir = prepared(bench)
        table: Any = bench.table
        table.detector.faults.add("no_trigger", 100)
        with pytest.raises(DeviceFaultError, match=r"detector: did not do its part .* 4 times in a row"):
            reservoir.replay(MASKS, INPUTS, washout=2)
        table.dmd.faults.add("timeout", 100)
        with pytest.raises(DeviceTimeoutError, match="dmd"):
            reservoir.replay(MASKS, INPUTS, washout=2)


def test_a_detector_that_is_always_late_ends_the_replay_and_names_the_trigger() -> None:
    with Bench(bench_with(detector={"trigger_delay_s": 1.5e-4})) as bench:
        reservoir = prepared(bench)
        with pytest.raises(DeviceFaultError, match=r"trigger comes early or late, 4 times in a row"):
            reservoir.replay(MASKS, INPUTS, washout=2)


def test_the_timing_model_is_the_time_the_table_takes() -> None:
    with Bench(bench_with()) as bench:
        reservoir = prepared(bench)
        profile = TimingProfile(slm_settle_s=bench.slm.settle_time_s)
        for count in (1, 10, 120):
            masks = np.random.default_rng(count).random((count, SIDE * SIDE)) < 0.5
            before = bench.clock.now_s()
            reservoir.replay(masks, INPUTS, washout=2)
            took_s = bench.clock.now_s() - before
            assert profile.replay_s(count, STEPS) == pytest.approx(took_s, rel=0.02)


def test_masks_beside_the_camera_are_free() -> None:
    profile = TimingProfile()
    assert profile.free_masks == 60 - COUNT
    assert profile.step_s(1) == profile.step_s(profile.free_masks)
    assert profile.step_s(profile.free_masks + 10) == pytest.approx(profile.step_s(1) + 10 / profile.mask_rate_hz)


def test_masks_that_do_not_fit_one_replay_take_several() -> None:
    profile = TimingProfile()
    assert profile.masks_s(64, 64, 100) == profile.replay_s(64, 100)
    assert profile.masks_s(70, 64, 100) == profile.replay_s(64, 100) + profile.replay_s(6, 100)
    assert profile.masks_s(3, 1, 100) == pytest.approx(3 * profile.replay_s(1, 100))
