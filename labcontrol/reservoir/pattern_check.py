"""Whether SLM and DMD really show what they were told to show, judged by the light alone.

Both take commands without an answer from their pixels: a pattern that got lost looks like one that was shown. But the
light must change when the pattern does, and mirrors that are all off must be dark.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labcontrol.bench.response import PHASES
from labcontrol.compiled import compiled

Floats = NDArray[np.float64]

_POWER = np.cos(np.arange(PHASES) * 2 * np.pi / PHASES) ** 2
_LEAST_SHARE = 0.4  # of the change expected; steps shown properly gave 0.6 or more of the median on all tables tried
_SURELY = 4.0  # times the noise: smaller changes cannot be told from it
_LEAST_MIRRORS = 0.005  # of the light of half the mirrors: masks that differ by less are not told apart
_NEARLY_DARK = 0.25  # of the mirrors on
_SAMPLES_SURELY = 6.0
LEAST_NOISE = 1e-3
"""Of the reference signal: what an SLM has left of its last pattern when it is settled as its maker means it."""


class PatternCheck:
    """Compares how much the camera's picture changed with how much the SLM's pattern did.

    gain: change of the signals, in units of the reference signal, for a change of cos^2 of the phases; both rms over
    neurons. noise: rms difference of two pictures of one pattern, same unit. With a gain of 0 nothing is suspect.
    """

    def __init__(self, gain: float, noise: float) -> None:
        self.gain, self.noise = gain, noise
        self._phases: NDArray[np.int64] | None = None
        self._signals: Floats | None = None

    def is_suspect(self, phases: NDArray[np.int64], signals: Floats, reference: float) -> bool:
        """Whether a picture looks like that of the pattern before. phases: (N,) indices. signals: (N,) counts."""
        if self._phases is None or self._signals is None or self.gain == 0:
            return False
        wanted, seen = _changes(self._phases, phases, self._signals, signals, _POWER)
        expected = self.gain * wanted
        return expected > _SURELY * self.noise and seen / reference < _LEAST_SHARE * expected

    def remember(self, phases: NDArray[np.int64], signals: Floats) -> None:
        """What is on the SLM now."""
        self._phases, self._signals = phases.copy(), signals

    def reset(self) -> None:
        """Nobody knows what is on the SLM now."""
        self._phases = self._signals = None

    def state(self) -> dict[str, Any] | None:
        return None if self._phases is None else {"phases": self._phases, "signals": self._signals}

    def restore(self, state: dict[str, Any] | None) -> None:
        self._phases = self._signals = None
        if state is not None:
            self._phases, self._signals = state["phases"], state["signals"]


def pattern_gain(phases: NDArray[np.int64], signals: Floats, reference: float, noises: Floats) -> float:
    """Gain of `PatternCheck` from pictures of random patterns, in the order shown; 0 where too few to tell.

    phases, signals: (P, N). noises: (P,) as for `PatternCheck`, of each pattern shown a second time. Raises ValueError
    when one of them cannot have been shown.
    """
    pairs = range(len(phases) - 1)
    changes = np.array([_changes(phases[k], phases[k + 1], signals[k], signals[k + 1], _POWER) for k in pairs])
    if not len(changes):
        return 0.0
    usual = max(float(np.median(noises)), LEAST_NOISE)
    if noises.max() > _SURELY * usual:
        raise ValueError("the camera sees different pictures of one and the same pattern")
    gains = changes[:, 1] / reference / changes[:, 0]
    gain = float(np.median(gains))
    # A share of what is usual would not do: of few neurons some patterns happen to look much alike.
    if float(changes[:, 1].min()) / reference <= _SURELY * usual:
        raise ValueError("the camera sees no change between two different patterns")
    return gain


def different(a: Floats, b: Floats, noise_counts: float) -> bool:
    """Whether two pictures (N,) are of different patterns: by far more than noise, and by a fifth of their light."""
    light = max(_rms(a), _rms(b))
    return _rms(a - b) > max(_SURELY * noise_counts, 0.2 * light)


def same(a: Floats, b: Floats, noise_counts: float) -> bool:
    """Whether two pictures (N,) differ by no more than noise: the crystal has come to rest."""
    return _rms(a - b) <= _SURELY * noise_counts


def _rms(values: Floats) -> float:
    return math.sqrt(float(np.mean(values**2)))


@compiled
def _changes(
    old: NDArray[np.int64], new: NDArray[np.int64], before: Floats, after: Floats, power: Floats
) -> tuple[float, float]:
    """Rms change over the neurons, of cos^2 of the phases and of the signals."""
    wanted = seen = 0.0
    for i in range(old.size):
        a = power[new[i]] - power[old[i]]
        b = after[i] - before[i]
        wanted += a * a
        seen += b * b
    return math.sqrt(wanted / old.size), math.sqrt(seen / old.size)


@dataclass(frozen=True)
class MirrorLevels:
    """Mean readings of the detector before the run, in its unit: all mirrors off, and every second one on.

    noise: rms of a reading of every second mirror, from readings of the same patterns.
    """

    off: float
    half: float
    noise: float = 0.0

    @property
    def known(self) -> bool:
        return self.half > self.off

    def differ(self, a: Floats, b: Floats) -> bool:
        """Whether two short series of samples are of different mirrors.

        Their own scatter is not enough to tell: there may be one sample of each.
        """
        scale = max(1.0, (max(float(a.mean()), float(b.mean())) - self.off) / (self.half - self.off))
        known = 2 * (scale * self.noise) ** 2
        seen = float(a.var() / a.size + b.var() / b.size)
        least = _LEAST_MIRRORS * (self.half - self.off)
        return abs(float(a.mean() - b.mean())) > max(least, _SAMPLES_SURELY * math.sqrt(max(known, seen)))


def marker_masks(mask: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """Masks (N,) to show before a mask, that which differs most from it first.

    All mirrors off, or all on where the mask itself is nearly dark. Fields that interfere can make any of them look
    like the mask at some steps; so there are others.
    """
    on, half = np.ones_like(mask), np.arange(mask.size) % 2 == 0
    first = [on, ~on] if mask.mean() < _NEARLY_DARK else [~on, on]
    return [*first, half, ~half]
