"""What the camera saw in the reference replay it must see in every replay; what is not shown in time is never used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from labcontrol.bench import Bench, simulated_bench
from labcontrol.config import ReservoirConfig, TaskConfig
from labcontrol.reservoir import Reservoir
from labcontrol.tasks import make_task

SIDE = 4
WASHOUT = 5
INPUTS = make_task(TaskConfig(steps=25, test_steps=0, washout=WASHOUT), seed=1).training_sequence
MASK = np.random.default_rng(3).random(SIDE**2) < 0.5


class Stand:
    """A reservoir with a reference replay whose table can be made to fail before a step."""

    def __init__(self, bench: Bench) -> None:
        self.table: Any = bench.table
        self.reservoir = Reservoir(bench, ReservoirConfig(), SIDE, np.random.default_rng(2))
        self.told: list[str] = []
        self.reservoir.retries.on_retry = lambda device, _: self.told.append(device)
        self.reservoir.prepare()

    def fail_at(self, step: int, kind: str, times: int) -> None:
        left = [step]

        def between_steps() -> None:
            left[0] -= 1
            if left[0] == -1:
                self.table.inject("slm", kind, times=times)

        self.reservoir.between_steps = between_steps

    def replay(self) -> np.ndarray:
        outputs: np.ndarray = self.reservoir.replay(MASK, INPUTS, WASHOUT).outputs[0]
        return outputs


@pytest.fixture(params=[1, 2, 3])
def stand(request: pytest.FixtureRequest) -> Iterator[Stand]:
    with Bench(simulated_bench(SIDE**2, request.param)) as bench:
        yield Stand(bench)


def right(outputs: np.ndarray, good: list[np.ndarray], share: float = 0.0) -> bool:
    """Whether outputs are those of undisturbed replays: within their noise, or a share of their standard deviation."""
    noise = np.std(good, axis=0).mean() * np.sqrt(2)
    error = np.abs(outputs - np.mean(good, axis=0)).max()
    return bool(error < max(8 * noise, share * np.std(good[0])))


def test_without_a_fault_nothing_is_suspect(stand: Stand) -> None:
    stand.reservoir.measure_reference_replay(INPUTS)
    for _ in range(20):
        stand.replay()
    assert stand.told == []


# One that is late by less than the camera can see may leave some of itself in a single output.
@pytest.mark.parametrize(("kind", "share"), [("skip", 0.0), ("unsettled", 0.2)])
def test_a_pattern_late_or_lost_at_any_step_leaves_no_wrong_number(stand: Stand, kind: str, share: float) -> None:
    stand.reservoir.measure_reference_replay(INPUTS)
    good = [stand.replay() for _ in range(8)]
    for step in range(len(INPUTS)):
        stand.fail_at(step, kind, times=1 + step % 5)
        assert right(stand.replay(), good, share)
        stand.table.slm.faults.clear()
    assert len(stand.told) > len(INPUTS) // 2


@pytest.mark.parametrize("kind", ["skip", "unsettled"])
def test_a_fault_in_the_reference_replay_itself_is_put_right_by_playing_it_again(stand: Stand, kind: str) -> None:
    stand.reservoir.measure_reference_replay(INPUTS)
    good = [stand.replay() for _ in range(8)]
    for step in (3, len(INPUTS) + 7):
        stand.fail_at(step, kind, times=3)
        stand.reservoir.measure_reference_replay(INPUTS)
        assert set(stand.told) == {"slm"}
        stand.told.clear()
        assert right(stand.replay(), good)
        assert stand.told == []


def test_other_sequences_are_judged_without_the_reference_replay(stand: Stand) -> None:
    stand.reservoir.measure_reference_replay(INPUTS)
    known = stand.reservoir.reference_replay
    assert known is not None
    assert known.covers(INPUTS[:12])
    assert not known.covers(INPUTS[::-1])
    assert not known.covers(np.append(INPUTS, 0.5))
