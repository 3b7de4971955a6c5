"""How an SLM settles, from frames taken while it does.

An exponential ``r = exp(-(t - onset) / tau)`` of the share r of a step that is still missing gives time constant and
onset of each step. Onsets lie on the ticks of the refresh, which gives its period; what is between the command and the
first tick it can still reach is the latency.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from labcontrol.calibration.result import SIGMAS

Values = NDArray[np.float64]

# Share of a step that is missing when it counts as settled.
RESIDUAL = 1e-3
# Frames behind each of the two brightnesses between which the steps are measured.
END_FRAMES = 8
_USABLE = (0.03, 0.9)  # shares of the step that say when it happened


@dataclass(frozen=True)
class Steps:
    """Frames after steps of the SLM: number of the step (F,), seconds since its command (F,), share missing (F,) and
    its error (F,). commands_s: (K,) when each step was commanded.
    """

    number: NDArray[np.int64]
    since_s: Values
    missing: Values
    error: Values
    commands_s: Values

    @property
    def are_over_at_once(self) -> bool:
        """Whether nothing is missing in any frame."""
        return bool(np.all(self.missing < _USABLE[0]))


@dataclass(frozen=True)
class Settling:
    """tau_s: time constant. onsets_s: (K,) of the steps that could be timed, after their commands. period_s: of the
    refresh, NaN where there is none. latency_s: it lies anywhere within latency_half_s of it.
    """

    tau_s: float
    tau_error_s: float
    onsets_s: Values
    period_s: float
    period_error_s: float
    latency_s: float
    latency_half_s: float

    @property
    def settle_s(self) -> float:
        """From a command, at worst, until 0.1 % of the step is missing."""
        wait = self.period_s if np.isfinite(self.period_s) else 0.0
        return float(self.latency_s + wait - np.log(RESIDUAL) * self.tau_s)

    @property
    def settle_error_s(self) -> float:
        """Standard error of settle_s; that of an even distribution for the latency."""
        return float(np.hypot(np.log(RESIDUAL) * self.tau_error_s, self.latency_half_s / np.sqrt(3)))


def fit_steps(steps: Steps) -> Settling:
    """``ln r = (onset - t) / tau``, one tau for all and an onset for each step, by weighted least squares.

    Raises ValueError when too few frames fall into the steps.
    """
    usable = (steps.missing > _USABLE[0]) & (steps.missing < _USABLE[1]) & (steps.since_s > 0)
    number, since, missing = steps.number[usable], steps.since_s[usable], steps.missing[usable]
    error = steps.error[usable]
    timed, index = np.unique(number, return_inverse=True)
    if len(timed) < 8:
        raise ValueError(f"only {len(timed)} of {len(steps.commands_s)} steps of the SLM could be timed")
    weight = (missing / error) ** 2
    lines = _Lines.through(index, since, np.log(missing), weight)
    # The brightnesses at the ends are measured too: their error moves all shares of a kind of step together.
    common = float(np.median(error) * np.sqrt(lines.residual / END_FRAMES))
    up, down = (_Lines.through(index, since, np.log(missing + shift), weight).rate for shift in (common, -common))
    rate_error = float(np.hypot(np.sqrt(lines.residual / lines.moment), (up - down) / 2))
    onsets, onset_error = lines.onsets, float(np.sqrt(lines.residual / np.median(lines.total)) / lines.rate)
    period, period_error = _period(onsets + steps.commands_s[timed], onsets)
    # Every command waits for a tick, less than a period: the latency is between these.
    low, high = (onsets.max() - period, onsets.min()) if np.isfinite(period) else (onsets.min(), onsets.min())
    half = float(np.hypot(0.95 * (high - low) / 2, SIGMAS * onset_error))
    latency = max(0.0, float(low + high) / 2)
    return Settling(1 / lines.rate, rate_error / lines.rate**2, onsets, period, period_error, latency, half)


@dataclass(frozen=True)
class _Lines:
    """Parallel lines through the logarithms of the steps. rate: -slope. onsets, total: (K,) where each is zero, and
    its weight. moment: weighted, of the times. residual: chi2 a point.
    """

    rate: float
    onsets: Values
    total: Values
    moment: float
    residual: float

    @classmethod
    def through(cls, index: NDArray[np.int64], since_s: Values, log_missing: Values, weight: Values) -> Self:
        total = np.bincount(index, weight).astype(np.float64)
        mean_t, mean_l = np.bincount(index, weight * since_s) / total, np.bincount(index, weight * log_missing) / total
        dt, dl = since_s - mean_t[index], log_missing - mean_l[index]
        moment = float(np.sum(weight * dt * dt))
        rate = -float(np.sum(weight * dt * dl)) / moment
        freedom = max(1, len(dt) - len(total) - 1)
        residual = float(np.sum(weight * (dl + rate * dt) ** 2)) / freedom
        return cls(rate, mean_t + mean_l / rate, total, moment, residual)


def _period(ticks_s: Values, onsets_s: Values) -> tuple[float, float]:
    """Period of the ticks and its error, NaN where they have none: the longest at which all are in step."""
    span = float(np.ptp(ticks_s))
    frequencies = np.arange(10.0, 260.0, 0.1 / span)
    since = ticks_s - ticks_s.mean()
    coherence = np.abs(np.exp(2j * np.pi * np.outer(frequencies, since)).mean(axis=1))
    # Onsets wait for a tick: they cannot spread over more than a period.
    allowed = 1 / frequencies > 0.9 * np.ptp(onsets_s)
    if not allowed.any() or coherence[allowed].max() < 0.8:
        return np.nan, np.nan
    good = allowed & (coherence > 0.97 * coherence[allowed].max())
    best = int(np.flatnonzero(good)[0])
    near = slice(max(0, best - 20), best + 21)
    rough_s = 1 / frequencies[near][int(np.argmax(coherence[near]))]
    # In step with it the ticks can be counted; a line through them is exact.
    phase = np.angle(np.exp(2j * np.pi * since / rough_s).mean()) / (2 * np.pi)
    number = np.rint(since / rough_s - phase)
    line, covariance = np.polyfit(number, since, 1, cov=True)
    return float(line[0]), float(np.sqrt(covariance[0, 0]))
