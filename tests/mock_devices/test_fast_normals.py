"""The fast normal numbers of the camera."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mock_devices.physics.gaussian import QUANTILES, random_indices


def test_moments_are_those_of_a_normal_number() -> None:
    values = QUANTILES.astype(float)
    assert values.mean() == pytest.approx(0, abs=1e-6)
    assert np.mean(values**2) == pytest.approx(1, abs=1e-6)
    assert np.mean(values**4) == pytest.approx(3, rel=2e-3)


def test_draws_pass_a_test_of_normality_and_are_independent() -> None:
    generator = np.random.Generator(np.random.PCG64(4))
    draws = QUANTILES[random_indices(generator, 100_000)][:100_000].astype(float)
    assert stats.kstest(draws, "norm").pvalue > 1e-3
    for lag in range(1, 6):
        assert abs(np.corrcoef(draws[:-lag], draws[lag:])[0, 1]) < 5 / np.sqrt(draws.size)


def test_asking_for_none_draws_nothing() -> None:
    generator = np.random.Generator(np.random.PCG64(4))
    before = generator.bit_generator.state
    assert random_indices(generator, 0).size == 0
    assert generator.bit_generator.state == before
