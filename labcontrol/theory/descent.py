"""The twin's compiled loops: Boolean coordinate descent on known states.

Both errors depend on the output y only through its variance v over time and its covariance c with the target:
mse = v/g^2 - 2c/g + 1, nmse = 2 (1 - c/sqrt(v)). Flipping mirror i changes v by 2 delta <x_i, y> + C_ii and c by
delta b_i, so an epoch costs one scalar product of length T, and only an accepted flip touches y.
Detector noise enters v and c through three numbers, drawn from their exact joint distribution: noise costs O(1).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from labcontrol.compiled import compiled, compiled_sum
from labcontrol.learning.acceptance import accept
from labcontrol.learning.selection import RuleState, draw

Floats = NDArray[np.float64]


class Settings(NamedTuple):
    """gain: of the fixed-gain error. normalised: descend on nmse. remeasure: the incumbent, beside each candidate.

    noise_std: of one output sample.
    """

    gain: float
    normalised: bool
    remeasure: bool
    noise_std: float


class Record(NamedTuple):
    """What the loops fill, all (K + 1,), index 0 being the start mask; see TwinRun."""

    mirrors: NDArray[np.int64]
    errors: Floats
    accepted: NDArray[np.bool_]
    incumbent_errors: Floats
    true_errors: Floats


@compiled_sum
def product(a: NDArray[Any], b: Floats) -> float:
    total = 0.0
    for t in range(len(b)):
        total += a[t] * b[t]
    return total


@compiled
def add_flips(
    total: NDArray[Any], responses: NDArray[Any], mask: NDArray[np.bool_], mirrors: NDArray[np.int64]
) -> None:
    """Add what flipping these mirrors of the mask changes."""
    for i in mirrors:
        if mask[i]:
            total -= responses[i]
        else:
            total += responses[i]


@compiled
def error_of(variance: float, covariance: float, settings: Settings) -> float:
    if settings.normalised:
        return 2.0 * (1.0 - covariance / np.sqrt(variance)) if variance > 0.0 else 2.0
    return variance / settings.gain**2 - 2.0 * covariance / settings.gain + 1.0


@compiled
def measured_moments(
    variance: float, covariance: float, settings: Settings, steps: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Variance and covariance of one noisy measurement of an output that has these.

    The noise n, without its mean, has T - 1 dimensions: one along the target, one along the rest of the output, and
    T - 3 that only add their energy.
    """
    if settings.noise_std == 0.0:
        return variance, covariance
    along_target = rng.standard_normal()
    along_rest = rng.standard_normal()
    energy = along_target**2 + along_rest**2 + rng.chisquare(steps - 3.0)
    scale = settings.noise_std / np.sqrt(steps)
    rest = np.sqrt(max(variance - covariance**2, 0.0))
    noisy_variance = variance + 2.0 * scale * (covariance * along_target + rest * along_rest) + scale**2 * energy
    return noisy_variance, covariance + scale * along_target


@compiled
def _measured_error(
    variance: float, covariance: float, settings: Settings, steps: int, rng: np.random.Generator
) -> float:
    """Error of one noisy measurement."""
    noisy_variance, noisy_covariance = measured_moments(variance, covariance, settings, steps, rng)
    return error_of(noisy_variance, noisy_covariance, settings)


@compiled
def descend_incoherent(
    responses: NDArray[Any],
    background: Floats,
    target: Floats,
    variances: Floats,
    overlaps: Floats,
    settings: Settings,
    mask: NDArray[np.bool_],
    rule: RuleState,
    rng: np.random.Generator,
    noise_rng: np.random.Generator,
    record: Record,
) -> None:
    """Descend on y = background + sum_i w_i x_i, as many epochs as the record has room for. Changes `mask`.

    responses: (N, T), background: (T,), all without mean. variances, overlaps: (N,) C_ii and b_i.
    """
    neurons, steps = responses.shape
    mirrors = np.empty(neurons, dtype=np.int64)
    output = background.copy()
    for i in range(neurons):
        if mask[i]:
            output += responses[i]
    change = np.empty(steps)
    variance, covariance = product(output, output) / steps, product(output, target) / steps
    held = _measured_error(variance, covariance, settings, steps, noise_rng)
    _note(record, 0, -1, held, True, held, error_of(variance, covariance, settings))
    for k in range(1, len(record.errors)):
        count = draw(rule, rng, mirrors)
        mirror = mirrors[0]
        if count == 1:
            sign = -1.0 if mask[mirror] else 1.0
            new_variance = variance + 2.0 * sign * product(responses[mirror], output) / steps + variances[mirror]
            new_covariance = covariance + sign * overlaps[mirror]
        else:
            mirror = -1
            change[:] = 0.0
            add_flips(change, responses, mask, mirrors[:count])
            new_variance = variance + (2.0 * product(change, output) + product(change, change)) / steps
            new_covariance = covariance + product(change, target) / steps
        if settings.remeasure:
            held = _measured_error(variance, covariance, settings, steps, noise_rng)
        error = _measured_error(new_variance, new_covariance, settings, steps, noise_rng)
        accepted = accept(error, held)
        if accepted:
            add_flips(output, responses, mask, mirrors[:count])
            mask[mirrors[:count]] = ~mask[mirrors[:count]]
            variance, covariance, held = new_variance, new_covariance, error
        _note(record, k, mirror, error, accepted, held, error_of(variance, covariance, settings))


@compiled
def _note(
    record: Record, k: int, mirror: int, error: float, accepted: bool, incumbent_error: float, true_error: float
) -> None:
    record.mirrors[k] = mirror
    record.errors[k] = error
    record.accepted[k] = accepted
    record.incumbent_errors[k] = incumbent_error
    record.true_errors[k] = true_error
