"""The compiled loop of a noise-aware descent: candidate and incumbent measured in turn, until they can be told apart.

The decisions are those of the strategy (`labcontrol.learning.noise_aware`, where the boundary is derived); the
measurements are made of three numbers each, as in `descent`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from labcontrol.compiled import compiled
from labcontrol.learning.selection import RuleState, draw
from labcontrol.theory.descent import Settings, add_flips, error_of, measured_moments, product

Floats = NDArray[np.float64]


class SequentialTest(NamedTuple):
    """Settings of noise-aware acceptance; see `NoiseAwareSettings`."""

    error_probability: float
    largest_repeats: int
    incumbent_repeats: int
    tightest: float


@compiled
def _error_noise(variance: float, covariance: float, settings: Settings, steps: int) -> float:
    """Standard deviation that noise gives one error of a mask with this measured variance and covariance."""
    if variance <= 0.0:
        return 0.0
    if settings.normalised:
        unit, left = np.sqrt(variance), 1.0 - covariance**2 / variance
    else:
        unit, left = settings.gain, error_of(variance, covariance, settings)
    relative = settings.noise_std / unit
    return float(np.sqrt((4.0 * left * relative**2 + 2.0 * relative**4) / steps))


@compiled
def _verdict(held: float, held_count: int, tried: float, tried_count: int, noise: float, test: SequentialTest) -> int:
    """1 for the candidate, 0 for the incumbent, -1 to go on."""
    count = 1.0 / (1.0 / tried_count + 1.0 / held_count)
    spread = count + test.tightest
    boundary = noise * np.sqrt(spread * np.log(spread / (test.tightest * test.error_probability**2))) / count
    if abs(held - tried) > boundary or tried_count >= test.largest_repeats:
        return 1 if held > tried else 0
    return -1


@compiled
def descend_noise_aware(
    responses: NDArray[Any],
    background: Floats,
    target: Floats,
    settings: Settings,
    test: SequentialTest,
    mask: NDArray[np.bool_],
    rule: RuleState,
    rng: np.random.Generator,
    noise_rng: np.random.Generator,
    errors: Floats,
) -> None:
    """Fill `errors` (K + 1,) with the error the incumbent is held to have after each measurement. Changes `mask`.

    Other arguments as for `descend_incoherent`.
    """
    neurons, steps = responses.shape
    mirrors = np.empty(neurons, dtype=np.int64)
    output = background.copy()
    for i in range(neurons):
        if mask[i]:
            output += responses[i]
    variance, covariance = product(output, output) / steps, product(output, target) / steps
    change = np.zeros(steps)
    new_variance, new_covariance = variance, covariance
    held, tried, noise = 0.0, 0.0, 0.0
    held_count, tried_count, flipped = 0, 0, 0
    for k in range(len(errors)):
        if held_count < max(test.incumbent_repeats, tried_count):
            v, c = measured_moments(variance, covariance, settings, steps, noise_rng)
            held_count += 1
            held += (error_of(v, c, settings) - held) / held_count
            noise = _error_noise(v, c, settings, steps)
        else:
            if flipped == 0:
                flipped = draw(rule, rng, mirrors)
                change[:] = 0.0
                add_flips(change, responses, mask, mirrors[:flipped])
                new_variance = variance + (2.0 * product(change, output) + product(change, change)) / steps
                new_covariance = covariance + product(change, target) / steps
            v, c = measured_moments(new_variance, new_covariance, settings, steps, noise_rng)
            tried_count += 1
            tried += (error_of(v, c, settings) - tried) / tried_count
        if tried_count:
            verdict = _verdict(held, held_count, tried, tried_count, noise, test)
            if verdict >= 0:
                if verdict == 1:
                    output += change
                    mask[mirrors[:flipped]] = ~mask[mirrors[:flipped]]
                    variance, covariance = new_variance, new_covariance
                    held, held_count = tried, 1  # low by selection: together they count as one
                tried, tried_count, flipped = 0.0, 0, 0
        errors[k] = held
