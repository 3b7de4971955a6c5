"""The closed loop on the simulated table, and what it refuses to use."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from drivers.interfaces import DeviceFaultError, Frame
from labcontrol.bench import Bench, simulated_bench
from labcontrol.config import BenchConfig, ReservoirConfig, TaskConfig
from labcontrol.errors import UserError
from labcontrol.reservoir import Reservoir
from labcontrol.tasks import make_task
from mock_devices.table import SimulatedTable

SIDE = 6
INPUTS = make_task(TaskConfig(steps=60, washout=20), seed=1).training_sequence


def quiet_bench(**changes: Any) -> BenchConfig:
    """A simulated bench without noise, so that equal means equal."""
    bench = simulated_bench(SIDE * SIDE, seed=1)
    assert bench.table is not None
    options = bench.table.options | {"noise": 0.0, "laser": {"warm_up_share": 0.0}} | changes
    return bench.model_copy(update={"table": bench.table.model_copy(update={"options": options})})


def reservoir_on(bench: Bench) -> Reservoir:
    reservoir = Reservoir(bench, ReservoirConfig(feedback=0.1), SIDE, np.random.default_rng(2))
    reservoir.prepare()
    return reservoir


def masks(count: int) -> np.ndarray:
    return np.random.default_rng(3).random((count, SIDE * SIDE)) < 0.5


def test_many_masks_in_one_replay_give_what_each_gives_alone() -> None:
    with Bench(quiet_bench()) as bench:
        reservoir = reservoir_on(bench)
        together = reservoir.replay(masks(5), INPUTS, washout=20)
        alone = [reservoir.replay(mask, INPUTS, washout=20).outputs[0] for mask in masks(5)]
    assert together.outputs.shape == (5, 60)
    assert set(together.replays) == {0}
    # What is left without noise is the table's flicker-free settling and float32: far below one neuron's light.
    spread = np.std(alone, axis=1).min()
    assert np.abs(together.outputs - np.stack(alone)).max() < 0.01 * spread


@pytest.mark.parametrize(
    ("role", "ability", "value"), [("detector", "has_trigger", False), ("dmd", "max_sequence_length", 1)]
)
def test_a_device_without_trigger_or_sequences_gets_one_replay_a_mask(
    role: str, ability: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Bench(quiet_bench()) as bench:
        reservoir = reservoir_on(bench)
        monkeypatch.setattr(type(getattr(bench, role)), ability, property(lambda _: value))
        readout = reservoir.replay(masks(3), INPUTS, washout=20)
    assert list(readout.replays) == [0, 1, 2]


def test_incoherent_readout_adds_up_neuron_by_neuron() -> None:
    with Bench(quiet_bench(dmd={"contrast": 1e9})) as bench:
        reservoir = reservoir_on(bench)
        single = reservoir.replay(np.eye(SIDE * SIDE, dtype=bool), INPUTS, washout=20).outputs
        chosen = masks(1)
        total = reservoir.replay(chosen, INPUTS, washout=20).outputs[0]
    assert np.allclose(single[chosen[0]].sum(axis=0), total, rtol=2e-3)


def test_the_input_drives_the_reservoir_and_old_input_is_forgotten() -> None:
    """Echo state property: after the washout the start no longer matters, and other input gives other output."""
    with Bench(quiet_bench()) as bench:
        reservoir = reservoir_on(bench)
        other_start = INPUTS.copy()
        other_start[:5] = 1 - other_start[:5]
        other_end = INPUTS.copy()
        other_end[40:] = 1 - other_end[40:]
        first, started, ended = (
            reservoir.replay(masks(1), inputs, washout=20).outputs[0] for inputs in (INPUTS, other_start, other_end)
        )
    assert np.abs(first - started).max() < 0.02 * np.std(first)
    assert np.abs(first - ended)[20:].max() > np.std(first)
    assert np.abs(first - ended)[:20].max() < 0.02 * np.std(first)


def test_the_camera_scale_does_not_depend_on_the_exposure() -> None:
    outputs = []
    for exposure_s in (1e-3, 2e-3):
        config = quiet_bench()
        config = config.model_copy(update={"camera": config.camera.model_copy(update={"exposure_s": exposure_s})})
        with Bench(config) as bench:
            outputs.append(reservoir_on(bench).replay(masks(1), INPUTS, washout=20).outputs[0])
    # Fewer counts are coarser: the loop amplifies rounding, but it is the same reservoir.
    assert np.corrcoef(*outputs)[0, 1] > 0.99


def test_a_saturated_camera_is_named() -> None:
    config = quiet_bench()
    bright = config.model_copy(update={"camera": config.camera.model_copy(update={"exposure_s": 0.05})})
    with Bench(bright) as bench, pytest.raises(UserError, match="saturated"):
        reservoir_on(bench)


def test_a_camera_that_gets_no_light_is_named() -> None:
    with Bench(quiet_bench(camera={"electrons_per_joule": 1.0})) as bench, pytest.raises(UserError, match="no light"):
        reservoir_on(bench)


@pytest.mark.parametrize("seen", [0, 3, 15])
def test_a_laser_that_goes_off_while_the_table_is_prepared_is_named(seen: int) -> None:
    """And not the camera, which has seen its light on none of the patterns, or on some of them only."""
    with Bench(quiet_bench()) as bench:
        reservoir = Reservoir(bench, ReservoirConfig(reference_patterns=8), SIDE, np.random.default_rng(2))
        table = bench.table
        assert isinstance(table, SimulatedTable)
        frames = itertools.count(-4)  # those in the dark come first

        def between_frames() -> None:
            if next(frames) == seen:
                table.laser.switch(False, table.clock.now_s())

        reservoir.between_steps = between_frames
        with pytest.raises(DeviceFaultError, match="laser: has stopped emission"):
            reservoir.prepare()
        assert reservoir.preparation is None


def _tampered(bench: Bench, monkeypatch: pytest.MonkeyPatch, change: Callable[[Frame, int], Frame]) -> list[int]:
    """Let every frame pass through `change`, which also gets how many frames were read before."""
    read, calls = bench.camera.read, list[int]()

    def tampered(timeout_s: float = 1.0) -> Frame:
        calls.append(len(calls))
        return change(read(timeout_s), calls[-1])

    monkeypatch.setattr(bench.camera, "read", tampered)
    return calls


def test_a_stale_frame_is_taken_again_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def stale(frame: Frame, index: int) -> Frame:
        return Frame(frame.data, frame.counter, frame.time_s - 1.0, frame.exposure_s, 0.0) if index == 30 else frame

    with Bench(quiet_bench()) as bench:
        reservoir = reservoir_on(bench)
        clean = reservoir.replay(masks(1), INPUTS, washout=20)
        _tampered(bench, monkeypatch, stale)
        readout = reservoir.replay(masks(1), INPUTS, washout=20)
    assert (clean.retried, readout.retried) == (0, 1)
    assert np.allclose(readout.outputs, clean.outputs, rtol=1e-3)


def test_frames_that_stay_wrong_end_the_replay_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def saturated(frame: Frame, index: int) -> Frame:
        return Frame(frame.data, frame.counter, frame.time_s, frame.exposure_s, 0.01)

    with Bench(quiet_bench()) as bench:
        reservoir = reservoir_on(bench)
        calls = _tampered(bench, monkeypatch, saturated)
        with pytest.raises(DeviceFaultError, match=r"camera: is saturated in 1\.00% of its pixels, 4 times"):
            reservoir.replay(masks(1), INPUTS, washout=20)
    assert len(calls) == 4


def test_the_observer_sees_every_step_and_between_steps_can_end_a_replay() -> None:
    with Bench(quiet_bench()) as bench:
        reservoir = reservoir_on(bench)
        seen = []
        reservoir.observer = lambda view: seen.append((view.step, view.output))
        outputs = reservoir.replay(masks(1), INPUTS, washout=20).outputs[0]
        assert [step for step, _ in seen] == list(range(80))
        assert np.allclose([output for _, output in seen[20:]], outputs)

        def end() -> None:
            raise KeyboardInterrupt

        reservoir.between_steps = end
        with pytest.raises(KeyboardInterrupt):
            reservoir.replay(masks(1), INPUTS, washout=20)
    assert not bench.laser.is_open
