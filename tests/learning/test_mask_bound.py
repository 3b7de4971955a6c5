"""The bound is one: below the error of every mask; and it comes close where that is possible."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from labcontrol.learning.mask_bound import mask_bound

N, T = 10, 60
RIDGE = 1e-2
ALL = np.array(list(product((False, True), repeat=N)))


def errors(responses: np.ndarray, background: np.ndarray, target: np.ndarray, gain: float) -> np.ndarray:
    """Of all masks, ridge included."""
    outputs = background + ALL.astype(float) @ responses
    outputs -= outputs.mean(axis=1, keepdims=True)
    variance = outputs.var(axis=1) + RIDGE * responses.var(axis=1).mean() * ALL.sum(axis=1)
    overlap = outputs @ target / T
    if gain > 0:
        return variance / gain**2 - 2 * overlap / gain + 1
    return 2 * (1 - overlap / np.sqrt(variance))


def table(seed: int, neurons: int = N, steps: int = T) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    responses = rng.standard_normal((neurons, 4)) @ rng.standard_normal((4, steps))
    responses += 0.3 * rng.standard_normal((neurons, steps)) + 5.0
    target = responses[rng.random(neurons) < 0.5].sum(axis=0) + 2 * rng.standard_normal(steps)
    return responses, 0.3 * rng.standard_normal(steps), (target - target.mean()) / target.std()


@pytest.mark.parametrize("loss", ["mse", "nmse"])
def test_no_mask_is_below_the_bound(loss: str) -> None:
    gaps = []
    for seed in range(12):
        responses, background, target = table(seed)
        gain = float(np.sqrt(N) * responses.std(axis=1).mean()) if loss == "mse" else 0.0
        found = errors(responses, background, target, gain)
        best = int(np.argmin(found))
        bound = mask_bound(responses, background, target, ALL[best], ridge=RIDGE, gain=gain)
        assert bound.error == pytest.approx(found[best])
        assert bound.bound <= found[best] * (1 + 1e-9)
        gaps.append(found[best] / bound.bound - 1)
    assert np.median(gaps) < 0.5


def test_it_says_so_where_it_says_nothing() -> None:
    responses, background, target = table(1, neurons=150, steps=50)
    mask = np.random.default_rng(2).random(150) < 0.5
    bound = mask_bound(responses, background, target, mask, ridge=0.0)
    assert bound.gap is None
    assert "says nothing" in str(bound)


def test_a_mask_that_is_anticorrelated_gets_a_bound_of_nothing() -> None:
    responses, background, target = table(3)
    assert mask_bound(responses, background - 100 * target, target, ALL[-1], ridge=RIDGE).bound == 0.0


def test_the_gap_is_said_in_words() -> None:
    responses, background, target = table(4)
    best = int(np.argmin(errors(responses, background, target, 0.0)))
    assert "above the best possible mask" in str(mask_bound(responses, background, target, ALL[best], ridge=RIDGE))
