"""Powers at the detector for DMD patterns, as one sequence where the devices can, one by one where they cannot."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from drivers.interfaces import Pattern
from labcontrol.calibration.stand import Stand

Values = NDArray[np.float64]

# Samples left out at both ends of a pattern, as a share of it: mirrors and amplifier settle there.
_GUARD = 0.15
_SAMPLES = 16


def can_play(stand: Stand) -> bool:
    """Whether the DMD steps through patterns by itself and triggers the detector."""
    return stand.bench.detector.has_trigger and stand.bench.dmd.max_sequence_length > 1


def all_mirrors(stand: Stand, on: int) -> Pattern:
    return np.full(stand.bench.dmd.shape, on, dtype=np.uint8)


def steady_power(stand: Stand, samples: int = 256) -> float:
    """Power of what is shown, mean of samples."""
    detector = stand.bench.detector
    return float(detector.read(min(samples, detector.max_samples), _rate_hz(stand)).data.mean())


def powers(stand: Stand, patterns: Pattern) -> Values:
    """Power (B,) of each of the DMD patterns (B, rows, columns)."""
    if not can_play(stand):
        values = []
        for pattern in patterns:
            stand.bench.dmd.show_settled(pattern)
            values.append(steady_power(stand, _SAMPLES))
        return np.array(values)
    longest = min(stand.bench.dmd.max_sequence_length, stand.bench.detector.max_samples // (2 * _SAMPLES))
    return np.concatenate([_played(stand, patterns[k : k + longest]) for k in range(0, len(patterns), longest)])


def _played(stand: Stand, patterns: Pattern) -> Values:
    bench = stand.bench
    rate_hz = min(
        bench.config.dmd.pattern_rate_hz, bench.dmd.max_pattern_rate_hz, bench.detector.max_rate_hz / _SAMPLES
    )
    delay_s = trigger_delay_s(stand)
    bench.dmd.load_sequence(patterns)
    bench.detector.arm(len(patterns) * _SAMPLES, _SAMPLES * rate_hz)
    bench.dmd.play(rate_hz)
    data = bench.detector.fetch(1.0 + len(patterns) / rate_hz).data
    # Sample k is in the middle of its interval, which began a delay after the trigger.
    place = (np.arange(len(data)) + 0.5) / _SAMPLES + delay_s * rate_hz
    pattern = np.floor(place).astype(np.int64)
    inside = (np.abs(place - pattern - 0.5) < 0.5 - _GUARD) & (pattern < len(patterns))
    count = np.bincount(pattern[inside], minlength=len(patterns))
    total = np.bincount(pattern[inside], data[inside], len(patterns))
    values: Values = total / np.maximum(count, 1)
    return values


def trigger_delay_s(stand: Stand) -> float:
    """From the DMD's trigger to the first sample as measured; zero where it was not."""
    detector = stand.results.get("detector")
    quantity = detector.outcome.quantities.get("trigger_delay_s") if detector is not None else None
    return quantity.value if quantity is not None else 0.0


def levels_for_detector(stand: Stand, levels: int = 17) -> tuple[int, int]:
    """The grey levels of the whole SLM at which the detector, all mirrors on, sees least and most."""
    stand.bench.dmd.show_settled(all_mirrors(stand, 1))
    tried = np.linspace(0, 2**stand.bench.slm.bit_depth - 1, levels).astype(int)
    seen = []
    for level in tried:
        stand.show(stand.uniform(int(level)))
        seen.append(steady_power(stand, 64))
    return int(tried[int(np.argmin(seen))]), int(tried[int(np.argmax(seen))])


def _rate_hz(stand: Stand) -> float:
    return min(stand.config.detector.rate_hz, stand.bench.detector.max_rate_hz)


def chunk(stand: Stand, total: int) -> int:
    """How many patterns to make at once, so that they take at most some 64 MB."""
    pixels = math.prod(stand.bench.dmd.shape)
    return max(1, min(total, 64_000_000 // pixels))
