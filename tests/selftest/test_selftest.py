"""The self-test tells good operating points from bad ones, and a scan leaves a bad one."""

from __future__ import annotations

import numpy as np
import pytest

from labcontrol.bench import Bench, simulated_bench
from labcontrol.config import BenchConfig, ExperimentConfig, ReservoirConfig, TaskConfig
from labcontrol.errors import UserError
from labcontrol.selftest import Report, memory_capacity, scan, selftest
from labcontrol.tasks import make_task

NEURONS = 64
TASK = TaskConfig(steps=100, test_steps=20)
BADLY_TUNED = ReservoirConfig(feedback=0.8, injection=0.25)


def with_small_coupling() -> BenchConfig:
    bench = simulated_bench(NEURONS, 1)
    assert bench.table is not None
    table = bench.table.model_copy(update={"options": bench.table.options | {"optics": {"kernel_size": 3}}})
    return bench.model_copy(update={"table": table})


def report_at(reservoir: ReservoirConfig) -> Report:
    experiment = ExperimentConfig(neurons=NEURONS, task=TASK, reservoir=reservoir)
    with Bench(with_small_coupling()) as bench:
        return selftest(bench, experiment, make_task(TASK, 1))


def test_a_good_point_can_learn() -> None:
    report = report_at(ReservoirConfig())
    assert report.advice == ()
    assert report.figures.consistency > 0.99
    assert report.figures.floor < 0.05
    assert report.memory.sum() > 1


def test_a_chaotic_point_is_named() -> None:
    report = report_at(BADLY_TUNED)
    assert not report.can_learn
    assert "chaotic" in report.advice[0]


def test_a_scan_leaves_the_badly_tuned_table() -> None:
    with Bench(with_small_coupling()) as bench:
        found = scan(bench, BADLY_TUNED, 8, make_task(TASK, 1), seed=1, trials=12, method="sobol")
    assert found.gain > 5
    assert len(found.trials) == 12


def test_an_adaptive_scan_goes_on_from_what_it_found() -> None:
    pytest.importorskip("nevergrad")
    with Bench(with_small_coupling()) as bench:
        found = scan(bench, BADLY_TUNED, 8, make_task(TASK, 1), seed=1, trials=12)
    assert found.gain > 5


def test_an_unknown_scan_is_refused() -> None:
    with Bench(with_small_coupling()) as bench, pytest.raises(UserError, match="Known are: adaptive"):
        scan(bench, BADLY_TUNED, 8, make_task(TASK, 1), seed=1, trials=3, method="magic")


def test_memory_of_a_delay_line_is_its_length() -> None:
    inputs = np.random.default_rng(1).random(600)
    states = np.stack([np.roll(inputs, k) for k in range(5)])
    capacity = memory_capacity(states, inputs)
    assert capacity[:5] == pytest.approx(np.ones(5), abs=1e-3)
    assert capacity.sum() == pytest.approx(5, abs=0.3)


def test_noise_remembers_nothing() -> None:
    rng = np.random.default_rng(2)
    assert memory_capacity(rng.random((20, 600)), rng.random(600)).sum() < 0.5
