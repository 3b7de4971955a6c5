"""Law 2: the rate at the start mask."""

from __future__ import annotations

import numpy as np
import pytest

from labcontrol.tasks import ErrorMeasure
from labcontrol.theory import planted_states, start_rate


def test_the_rate_of_independent_neurons_is_one() -> None:
    rates = []
    for seed in range(8):
        states = planted_states(100, 2000, np.random.default_rng(seed))
        mask = np.random.default_rng([seed, 1]).random(100) < 0.5
        rates.append(start_rate(states, mask, "mse"))
    # Correlations of order sqrt(N/T) help a little; the trial this was derived with gave 1/0.96.
    assert np.mean(rates) == pytest.approx(1.04, abs=4 * np.std(rates) / np.sqrt(len(rates)) + 0.03)


@pytest.mark.parametrize("loss", ["mse", "nmse"])
def test_it_is_the_sum_of_what_single_flips_win(loss: str) -> None:
    states = planted_states(20, 300, np.random.default_rng(3))
    mask = np.random.default_rng(1).random(20) < 0.5
    measure = ErrorMeasure(states.target, states.gain)
    flips = mask ^ np.concatenate([np.zeros((1, 20), dtype=bool), np.eye(20, dtype=bool)])
    errors = measure.errors(loss, (flips @ states.responses).astype(np.float32))
    expected = np.sum(np.maximum(0.0, errors[0] - errors[1:])) / (errors[0] - 0.01)
    assert start_rate(states, mask, loss, floor=0.01) == pytest.approx(expected, rel=1e-4)


def test_a_floor_above_the_start_is_refused() -> None:
    states = planted_states(20, 300, np.random.default_rng(3))
    with pytest.raises(ValueError, match="below the error of the start mask"):
        start_rate(states, np.zeros(20, dtype=bool), "mse", floor=2.0)
