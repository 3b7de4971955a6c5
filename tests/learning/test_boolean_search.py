"""The search in software, on readouts small enough to know the best mask, and at its own optimum."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from numpy.typing import NDArray

from labcontrol.learning.boolean_search import GLOBAL, LOCAL, Effort
from labcontrol.learning.field_search import FieldReadout, search_fields
from labcontrol.learning.linear_search import search_linear
from labcontrol.learning.readout_models import covariance_of

Floats = NDArray[np.float64]


class Readout:
    """Random correlated responses (N, T), a background and a target."""

    def __init__(self, neurons: int, seed: int, steps: int = 120) -> None:
        rng = np.random.default_rng(seed)
        values = rng.standard_normal((neurons, 5)) @ rng.standard_normal((5, steps)) + 0.2 * rng.standard_normal(
            (neurons, steps)
        )
        self.responses = values - values.mean(axis=1, keepdims=True)
        background, target = rng.standard_normal((2, steps))
        self.background = background - background.mean()
        target = self.responses[rng.random(neurons) < 0.5].sum(axis=0) + target - target.mean()
        self.target = target / target.std()
        self.gain = 0.3 * neurons

    def error(self, mask: NDArray[np.bool_], gain: float) -> float:
        output = self.background + mask.astype(np.float64) @ self.responses
        scale = gain or float(output.std())
        return float(np.mean((output / scale - self.target) ** 2))

    def search(self, gain: float, effort: Effort, seed: int = 1) -> tuple[NDArray[np.bool_], float]:
        steps, rng = len(self.target), np.random.default_rng(seed)
        masks, errors = search_linear(
            covariance_of(self.responses),
            self.responses @ self.background / steps,
            self.responses @ self.target / steps,
            float(np.mean(self.background**2)),
            float(np.mean(self.background * self.target)),
            gain,
            rng.random(len(self.responses)) < 0.5,
            effort,
            rng,
        )
        assert list(errors) == sorted(errors)
        return masks[0], float(errors[0])


@pytest.mark.parametrize("loss", ["mse", "nmse"])
def test_the_best_of_all_masks_is_found_where_all_can_be_tried(loss: str) -> None:
    for seed in range(10):
        readout = Readout(12, seed)
        gain = readout.gain if loss == "mse" else 0.0
        best = min(readout.error(np.array(bits), gain) for bits in product((False, True), repeat=12))
        mask, error = readout.search(gain, Effort(starts=8))
        assert readout.error(mask, gain) == pytest.approx(best, rel=1e-4)
        assert error == pytest.approx(best, rel=1e-4)


@pytest.mark.parametrize("effort", [GLOBAL, LOCAL, Effort(starts=1, length=0.05)], ids=["global", "local", "short"])
@pytest.mark.parametrize("loss", ["mse", "nmse"])
def test_no_flip_of_one_or_two_mirrors_lowers_the_error_further(loss: str, effort: Effort) -> None:
    for seed in range(3):
        readout = Readout(40, seed)
        gain = readout.gain if loss == "mse" else 0.0
        mask, _ = readout.search(gain, effort)
        found = readout.error(mask, gain)
        for flips in [(i,) for i in range(40)] + list(combinations(range(40), 2)):
            other = mask.copy()
            other[list(flips)] ^= True
            assert readout.error(other, gain) >= found * (1 - 1e-5)


def test_pairs_find_better_masks_than_single_flips_do() -> None:
    ratios = []
    for seed in range(5):
        readout = Readout(150, seed, steps=400)
        mask, _ = readout.search(readout.gain, GLOBAL)
        rng, best = np.random.default_rng(seed), np.inf
        for _ in range(4):  # descent of single flips
            single = rng.random(150) < 0.5
            error = readout.error(single, readout.gain)
            for i in np.tile(np.arange(150), 20):
                single[i] ^= True
                if (changed := readout.error(single, readout.gain)) < error:
                    error = changed
                else:
                    single[i] ^= True
            best = min(best, error)
        ratios.append(readout.error(mask, readout.gain) / best)
    assert np.median(ratios) < 0.9


def test_a_search_is_the_same_again_and_does_less_in_less_time() -> None:
    readout = Readout(150, 3)
    mask, error = readout.search(0.0, GLOBAL)
    again, same = readout.search(0.0, GLOBAL)
    assert np.array_equal(mask, again)
    assert error == same
    singles, pairs, starts = GLOBAL.schedules(10_000)
    assert starts == GLOBAL.starts
    less, fewer, one = Effort(seconds=2.0).schedules(10_000)
    assert (one, less.sweeps < singles.sweeps, fewer.sweeps < pairs.sweeps) == (1, True, True)


def test_progress_rises_to_the_end() -> None:
    shares: list[float] = []
    Readout(40, 1).search(0.0, Effort(progress=shares.append))
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_an_output_that_is_anticorrelated_with_the_target_is_no_trap() -> None:
    readout = Readout(40, 2)
    readout.background = -50 * readout.target
    mask, error = readout.search(0.0, GLOBAL)
    assert error == pytest.approx(readout.error(mask, 0.0), rel=1e-4)


def test_the_best_of_several_starts_is_taken_for_fields_too() -> None:
    readout = Readout(30, 4)
    rng = np.random.default_rng(5)
    fields = 2.0 + 0.2 * readout.responses
    none, correction = np.zeros(fields.shape[1]), np.zeros(fields.shape[1])

    def search(starts: int) -> float:
        start = rng.random(30) < 0.5
        effort = Effort(starts=starts)
        coherent = FieldReadout(fields, none, correction, readout.target, 0.0, 0.0)
        _, errors = search_fields(coherent, start, effort, rng)
        return float(errors[0])

    assert search(12) <= min(search(1) for _ in range(3))
