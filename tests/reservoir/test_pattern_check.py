"""Patterns that the modulators did not show are noticed by the light, and never used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from drivers.interfaces import DeviceFaultError
from labcontrol.bench import Bench, simulated_bench
from labcontrol.config import BenchConfig, ReservoirConfig
from labcontrol.reservoir import Reservoir

SIDE = 6
STEPS = 40
WASHOUT = 10
INPUTS = np.random.default_rng(5).random(STEPS)


def noisy_bench(seed: int = 1, samples_per_mask: int = 4, **changes: Any) -> BenchConfig:
    bench = simulated_bench(SIDE * SIDE, seed)
    assert bench.table is not None
    options = bench.table.options | {"laser": {"warm_up_time_s": 0.0}} | changes
    table = bench.table.model_copy(update={"options": options})
    detector = bench.detector.model_copy(update={"samples_per_mask": samples_per_mask})
    return bench.model_copy(update={"table": table, "detector": detector})


class Stand:
    """A prepared reservoir whose table can be made to fail between steps."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.table: Any = bench.table
        self.reservoir = Reservoir(bench, ReservoirConfig(), SIDE, np.random.default_rng(2))
        self.reservoir.prepare()
        self.told: list[tuple[str, str]] = []
        self.reservoir.retries.on_retry = lambda device, fault: self.told.append((device, fault))

    def replay(self, mask: np.ndarray, faults: dict[int, tuple[str, str, int]] | None = None) -> np.ndarray:
        """Outputs (T,) of a mask; faults: device, kind and times before a step."""
        step = [0]

        def inject() -> None:
            if faults and step[0] in faults:
                device, kind, times = faults[step[0]]
                self.table.inject(device, kind, times=times)
            step[0] += 1

        self.reservoir.between_steps = inject
        outputs: np.ndarray = self.reservoir.replay(mask, INPUTS, WASHOUT).outputs[0]
        return outputs


@pytest.fixture
def stand() -> Iterator[Stand]:
    with Bench(noisy_bench()) as bench:
        yield Stand(bench)


@pytest.fixture(params=[1, 4])
def sampled_stand(request: pytest.FixtureRequest) -> Iterator[Stand]:
    """With so many samples of each mask."""
    with Bench(noisy_bench(samples_per_mask=request.param)) as bench:
        yield Stand(bench)


def some_mask(seed: int, share: float = 0.5) -> np.ndarray:
    return np.random.default_rng(seed).random(SIDE * SIDE) < share


def noise_of(stand: Stand, mask: np.ndarray) -> float:
    """Rms difference of two replays of one mask."""
    return float(np.sqrt(np.mean((stand.replay(mask) - stand.replay(mask)) ** 2)))


def test_without_a_fault_nothing_is_suspect(stand: Stand) -> None:
    for seed in range(20):
        stand.replay(some_mask(seed))
    assert stand.told == []


@pytest.mark.parametrize("kind", ["skip", "unsettled"])
@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_pattern_that_the_slm_did_not_show_in_time_is_noticed_and_shown_again(
    stand: Stand, kind: str, times: int
) -> None:
    mask = some_mask(1)
    good, noise = stand.replay(mask), noise_of(stand, mask)
    disturbed = stand.replay(mask, {13: ("slm", kind, times), 27: ("slm", kind, times)})
    assert {device for device, _ in stand.told} == {"slm"}
    assert np.abs(disturbed - good).max() < 8 * noise


def test_an_slm_that_shows_nothing_any_more_is_a_fault_of_the_slm(stand: Stand) -> None:
    with pytest.raises(DeviceFaultError, match="slm: does not show its patterns"):
        stand.replay(some_mask(1), {13: ("slm", "skip", 1000)})


@pytest.mark.parametrize("share", [0.5, 0.06, 0.95])
@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_mask_that_the_dmd_did_not_show_is_noticed_and_shown_again(
    sampled_stand: Stand, times: int, share: float
) -> None:
    stand = sampled_stand
    before, mask = some_mask(1, share), some_mask(1, share)
    mask[7:10] ^= True
    stand.replay(before)
    good, noise = stand.replay(mask), noise_of(stand, mask)
    stand.replay(before)
    disturbed = stand.replay(mask, {0: ("dmd", "skip", times)})
    assert {device for device, _ in stand.told} == ({"dmd"} if times > 1 else set())  # the first is the marker
    assert np.abs(disturbed - good).max() < 8 * noise


def test_a_dmd_that_shows_nothing_any_more_is_a_fault_of_the_dmd(sampled_stand: Stand) -> None:
    with pytest.raises(DeviceFaultError, match="dmd: did not show"):
        sampled_stand.replay(some_mask(1), {0: ("dmd", "skip", 1000)})


def test_an_open_interlock_is_not_blamed_on_the_modulators(stand: Stand) -> None:
    mask = some_mask(1)
    for step in range(-1, 4):
        faults = {} if step < 0 else {step: ("laser", "interlock", 1)}
        if step < 0:
            stand.table.inject("laser", "interlock")
        with pytest.raises(DeviceFaultError, match="laser: stopped because its interlock is open"):
            stand.replay(mask, faults)
        stand.table.mend()
        stand.bench.light_on()
        stand.reservoir.reset()
    assert {device for device, _ in stand.told} <= {"camera"}


@pytest.mark.parametrize("seed", range(1, 7))
def test_masks_whose_fields_interfere_to_nothing_are_no_fault(seed: int) -> None:
    with Bench(
        noisy_bench(seed, noise=0.0, readout="coherent", path_phases=True, detector={"full_scale_w": 16e-3})
    ) as bench:
        stand = Stand(bench)
        stand.reservoir.measure_reference_replay(INPUTS)
        for k in range(30):
            stand.replay(some_mask(k))
        assert "dmd" not in {device for device, _ in stand.told}


def test_an_slm_without_life_is_found_before_the_run() -> None:
    with Bench(noisy_bench()) as bench:
        table: Any = bench.table
        reservoir = Reservoir(bench, ReservoirConfig(), SIDE, np.random.default_rng(2))
        table.inject("slm", "skip", times=1000)
        with pytest.raises(Exception, match=r"no light|does not show its patterns"):
            reservoir.prepare()


@pytest.mark.parametrize("readout", ["incoherent", "coherent"])
def test_other_tables_give_no_false_alarm(readout: str) -> None:
    with Bench(noisy_bench(seed=4, readout=readout, noise=2.0)) as bench:
        stand = Stand(bench)
        for seed in range(10):
            stand.replay(some_mask(seed))
        assert stand.told == []


@pytest.mark.parametrize("side", [2, 3, 5])
def test_small_tables_are_not_suspected_before_a_run(side: int) -> None:
    for seed in range(1, 26):
        with Bench(simulated_bench(side**2, seed)) as bench:
            Reservoir(bench, ReservoirConfig(), side, np.random.default_rng([seed, 1])).prepare()
