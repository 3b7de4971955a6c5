"""The times of an SLM are found from shares of steps that are missing, with honest intervals."""

from __future__ import annotations

import numpy as np
import pytest

from labcontrol.calibration.settling import Settling, Steps, fit_steps

TAU_S, LATENCY_S, REFRESH_HZ, NOISE = 4e-3, 6e-3, 60.0, 2e-3


def settling(seed: int) -> Settling:
    """What is found of 60 steps commanded at any time, 15 frames each."""
    rng = np.random.default_rng(seed)
    commands = np.cumsum(rng.uniform(0.1, 0.2, 60))
    ticks = np.ceil((commands + LATENCY_S) * REFRESH_HZ) / REFRESH_HZ
    number = np.repeat(np.arange(60), 15)
    since = rng.uniform(0, 0.045, number.size)
    gone = np.maximum(since + commands[number] - ticks[number], 0)
    missing = np.exp(-gone / TAU_S) + NOISE * rng.standard_normal(number.size)
    return fit_steps(Steps(number, since, missing, np.full(number.size, NOISE), commands))


def test_intervals_hold_the_truth() -> None:
    found = [settling(seed) for seed in range(60)]
    distances = {
        "tau": [(s.tau_s - TAU_S) / (1.96 * s.tau_error_s) for s in found],
        "period": [(s.period_s - 1 / REFRESH_HZ) / (1.96 * s.period_error_s) for s in found],
        "latency": [(s.latency_s - LATENCY_S) / s.latency_half_s for s in found],
    }
    # 95 % of 60, less three standard deviations of that number.
    assert {name: int(np.sum(np.abs(off) < 1)) >= 52 for name, off in distances.items()} == dict.fromkeys(
        distances, True
    )


def test_too_few_steps_are_said() -> None:
    few = Steps(np.arange(3), np.full(3, 1e-2), np.full(3, 0.5), np.full(3, NOISE), np.arange(3.0))
    with pytest.raises(ValueError, match="only 3 of 3 steps"):
        fit_steps(few)
