"""Law 2: the learning rate from measured amplitude statistics, before learning starts.

Uniform selection flips each mirror with probability 1/N and keeps the flip if the error falls, so the expected drop of
the error in one epoch is the mean over mirrors of max(0, -dE_i). With excess = error - floor,

    error(k) = floor + (start - floor) exp(-kappa k / N),    kappa = sum_i max(0, -dE_i) / (start - floor),

dE_i being what the flip of mirror i changes at the start mask. A pilot of P single flips measures P of them. They tell
more than their own drops: compare the mask without mirror i, which has the error A_i, with the one that has it, A_i +
h_i. A flip changes the error by +h_i if the mirror was off and by -h_i if it was on, whatever the loss. In a random
start mask a share q of the mirrors is on, independently of h_i, so a mirror that was not measured is expected to drop
the error by q max(0, h) + (1 - q) max(0, -h), averaged over the measured h. Half of the drops are zero, none of these
averages are: the pilot needs about a third of the flips for the same standard error.

Derivation: our own, for the claim of Andreoli et al., arXiv 2305.07908, that amplitude statistics set the speed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from labcontrol.errors import UserError
from labcontrol.tasks import ErrorMeasure

Floats = NDArray[np.float64]

_NORMAL_95 = 1.96


@dataclass(frozen=True)
class FlipResponses:
    """What single flips of a start mask did to the output.

    neurons: N. mirrors: (P,) flipped, each once. signs: (P,) +1 where the mirror was switched on, -1 where off.
    responses: (P, T) change of the output per mirror switched on, without its mean over time; for an incoherent readout
    this is the neuron's response x_i. noise_std: noise of one output sample, in the unit of the output.
    """

    neurons: int
    mirrors: NDArray[np.int64]
    signs: Floats
    responses: Floats
    noise_std: float

    @property
    def amplitudes(self) -> Floats:
        """(P,) standard deviation of each response over time, the measured noise removed."""
        # A response is the difference of two outputs: it has twice the noise variance of one.
        variances: Floats = np.mean(self.responses**2, axis=1) - 2 * self.noise_std**2
        return np.sqrt(np.maximum(variances, 0.0))

    def overlaps(self, target: Floats) -> Floats:
        """(P,) b_i: mean over time of response times target (T,)."""
        return self.responses @ target / len(target)


def flip_responses(
    initial_output: NDArray[np.floating],
    flip_outputs: NDArray[np.floating],
    mirrors: NDArray[np.int64],
    initial_mask: NDArray[np.bool_],
    noise_std: float = 0.0,
) -> FlipResponses:
    """Responses of the mirrors flipped in a pilot.

    initial_output: (T,) of the start mask; a mean over repeats has less noise. flip_outputs: (P, T) of the start mask
    with one mirror flipped. mirrors: (P,) which. initial_mask: (N,). noise_std: of one sample, see
    `noise_from_repeats`. Raises ValueError if the shapes do not fit.
    """
    if flip_outputs.shape != (len(mirrors), len(initial_output)) or len(mirrors) == 0:
        raise ValueError(
            f"a pilot of {len(mirrors)} flips of {len(initial_output)} steps should have outputs of shape "
            f"{(len(mirrors), len(initial_output))} with at least one flip, found {flip_outputs.shape}"
        )
    signs = np.where(initial_mask[mirrors], -1.0, 1.0)
    change = flip_outputs.astype(np.float64) - initial_output.astype(np.float64)
    responses = signs[:, None] * (change - change.mean(axis=1, keepdims=True))
    return FlipResponses(len(initial_mask), np.asarray(mirrors), signs, responses, noise_std)


def noise_from_repeats(outputs: NDArray[np.floating]) -> float:
    """Noise of one output sample from repeated measurements (R >= 2, T) of the same mask."""
    return float(np.sqrt(np.mean(np.var(outputs.astype(np.float64), axis=0, ddof=1))))


def gain_from_pilot(responses: FlipResponses, target: Floats) -> float:
    """Gain of the fixed-gain error: a quarter of the sum of |b_i| over all mirrors, estimated from those measured.

    Noise makes |b_i| larger on average; the expected excess is removed. Raises UserError if no flip changed the output
    along the target.
    """
    overlaps = responses.overlaps(target)
    noise_variance = 2 * responses.noise_std**2 / len(target)
    gain = 0.25 * responses.neurons * float(np.mean(np.abs(overlaps))) * _folding(overlaps, noise_variance)
    if not gain > 0:
        raise UserError(
            f"None of {len(overlaps)} flipped mirrors changed the output measurably, so no gain can be set.",
            "Check laser emission, the position of the mask on the neurons, and the detector.",
        )
    return gain


@dataclass(frozen=True)
class AmplitudeLaw:
    """The predicted learning curve under uniform selection.

    neurons: N. mirrors, amplitudes: (P,) flipped in the pilot, and the standard deviation of their responses over time.
    gain: of the fixed-gain error, in the unit of the output. start, floor: error at epoch 0 and expected in the end.
    kappa: rate in units of 1/N per epoch; kappa_error: its standard error from measuring P of N mirrors.
    step_variance: variance of the relative drop in one epoch, which makes runs differ.
    """

    neurons: int
    mirrors: NDArray[np.int64]
    amplitudes: Floats
    gain: float
    start: float
    floor: float
    kappa: float
    kappa_error: float
    step_variance: float

    @property
    def tau(self) -> float:
        """Time constant in epochs; infinite if no measured flip can lower the error."""
        return self.neurons / self.kappa if self.kappa > 0 else math.inf

    @property
    def run_kappa(self) -> tuple[float, float]:
        """95 % interval of the rate that an exponential fitted to one single run has.

        Two runs differ although nothing else does, because few flips make most of the drop: relative drops of one
        epoch have the variance step_variance, and the rate is made in about one time constant.
        """
        if not self.kappa > 0:
            return 0.0, math.inf
        spread = math.sqrt((self.kappa_error / self.kappa) ** 2 + self.step_variance * self.tau)
        return self.kappa * math.exp(-_NORMAL_95 * spread), self.kappa * math.exp(_NORMAL_95 * spread)

    def curve(self, epochs: NDArray[np.integer] | Floats) -> Floats:
        """Expected error after `epochs` (K,)."""
        return self.floor + (self.start - self.floor) * np.exp(-self.kappa * epochs / self.neurons)

    def band(self, epochs: NDArray[np.integer] | Floats) -> tuple[Floats, Floats]:
        """95 % interval of a single run's error after `epochs` (K,), if the law holds: uncertain rate, and chance."""
        k = np.asarray(epochs, dtype=np.float64)
        spread = _NORMAL_95 * np.sqrt((self.kappa_error * k / self.neurons) ** 2 + self.step_variance * k)
        exponent = self.kappa * k / self.neurons
        excess = self.start - self.floor
        return (
            self.floor + excess * np.exp(-exponent - spread),
            self.floor + excess * np.exp(np.minimum(spread - exponent, 0.0)),
        )


def amplitude_law(
    outputs: NDArray[np.floating],
    mirrors: NDArray[np.int64],
    initial_mask: NDArray[np.bool_],
    target: Floats,
    *,
    loss: str = "mse",
    gain: float | None = None,
    noise_std: float = 0.0,
    floor: float | None = None,
) -> AmplitudeLaw:
    """The law from a pilot.

    outputs: (P + 1, T) of the start mask, then of that mask with each of `mirrors` (P,) flipped alone. initial_mask:
    (N,) drawn at random. target: (T,) standardised. loss: `mse` or `nmse`. gain: default `gain_from_pilot`. noise_std:
    of one output sample, see `noise_from_repeats`. floor: expected final error; without one it is taken as what the
    noise alone leaves, because the floor of a Boolean readout is small against the start once N is large.
    Raises UserError if no mirror changes the output, ValueError if shapes do not fit or the floor is not below the
    start error.
    """
    responses = flip_responses(outputs[0], outputs[1:], mirrors, initial_mask, noise_std)
    measure = ErrorMeasure(target, gain_from_pilot(responses, target) if gain is None else gain)
    kept = outputs.astype(np.float32)
    errors = measure.errors(loss, kept)
    start, differences = float(errors[0]), errors[1:] - errors[0]
    noise_variance, noise_floor = _noise_in_errors(noise_std, outputs[0], measure, loss, start)
    floor = noise_floor if floor is None else floor
    if not floor < start:
        raise ValueError(f"the floor should be below the error of the start mask, {start:.4g}; found {floor:.4g}")

    share_on = float(np.mean(initial_mask))
    unmeasured = responses.neurons - len(differences)
    with_mirror = responses.signs * differences
    folding = _folding(with_mirror, noise_variance)
    drops = np.maximum(0.0, -differences) * folding
    rises, falls = np.maximum(0.0, with_mirror) * folding, np.maximum(0.0, -with_mirror) * folding
    expected = share_on * rises + (1 - share_on) * falls
    mean_square = share_on * np.mean(rises**2) + (1 - share_on) * np.mean(falls**2)
    drop_variance = float(mean_square - np.mean(expected) ** 2)
    # The mean of the unmeasured drops is known as well as the pilot tells it; their actual sum scatters about it.
    mean_variance = np.var(expected, ddof=1) / len(expected) if len(expected) > 1 else np.mean(expected) ** 2
    total = float(np.sum(drops) + unmeasured * np.mean(expected))
    total_variance = float(unmeasured**2 * mean_variance + unmeasured * drop_variance)
    excess = start - floor
    return AmplitudeLaw(
        neurons=responses.neurons,
        mirrors=responses.mirrors,
        amplitudes=responses.amplitudes,
        gain=measure.gain,
        start=start,
        floor=floor,
        kappa=total / excess,
        kappa_error=math.sqrt(total_variance) / excess,
        step_variance=drop_variance / excess**2,
    )


def _noise_in_errors(
    noise_std: float, output: NDArray[np.floating], measure: ErrorMeasure, loss: str, start: float
) -> tuple[float, float]:
    """Variance that noise gives a difference of two errors, and the error it leaves of a perfect output.

    First order in the noise n of T samples: d(mse) = 2 r.n / (g T) with residual r; d(nmse) = -2 (t - c y).n / (s T)
    with the standardised output y, its spread s and correlation c.
    """
    variance = noise_std**2
    if loss == "mse":
        spread, sensitivity = measure.gain, start
    else:
        correlation = 1 - start / 2
        spread, sensitivity = float(np.std(output.astype(np.float64))), 1 - correlation**2
    if spread == 0:
        return 0.0, 0.0
    return 8 * variance * sensitivity / (spread**2 * len(output)), variance / spread**2


def _folding(values: Floats, noise_variance: float) -> float:
    """Factor that takes the noise's share out of a mean of |values|, both distributions taken as normal."""
    mean, variance = float(np.mean(values)), float(np.var(values))
    noisy = _mean_of_absolute(mean, math.sqrt(variance))
    return _mean_of_absolute(mean, math.sqrt(max(variance - noise_variance, 0.0))) / noisy if noisy > 0 else 1.0


def _mean_of_absolute(mean: float, spread: float) -> float:
    """Mean of |z| for normal z."""
    if spread == 0:
        return abs(mean)
    z = mean / spread
    return spread * math.sqrt(2 / math.pi) * math.exp(-z * z / 2) + mean * (1 - 2 * float(ndtr(-z)))
