"""Powers at the detector for DMD patterns, as one sequence where the devices can, one by one where they cannot."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from drivers.interfaces import Pattern
from labcontrol.calibration.context import CalibrationContext

Values = NDArray[np.float64]

# Samples left out at both ends of a pattern, as a share of it: mirrors and amplifier settle there.
_GUARD = 0.15
_LEVELS = 17  # of grey that are tried
_SAMPLES = 16


def can_play(context: CalibrationContext) -> bool:
    """Whether the DMD steps through patterns by itself and triggers the detector."""
    return context.bench.detector.has_trigger and context.bench.dmd.max_sequence_length > 1


def all_mirrors(context: CalibrationContext, on: int) -> Pattern:
    return np.full(context.bench.dmd.shape, on, dtype=np.uint8)


def steady_power(context: CalibrationContext, samples: int = 256) -> float:
    """Power of what is shown, mean of samples."""
    detector = context.bench.detector
    return float(detector.read(min(samples, detector.max_samples), _rate_hz(context)).data.mean())


def powers(context: CalibrationContext, patterns: Pattern) -> Values:
    """Power (B,) of each of the DMD patterns (B, rows, columns)."""
    if not can_play(context):
        values = []
        for pattern in patterns:
            context.bench.dmd.show_settled(pattern)
            values.append(steady_power(context, _SAMPLES))
        return np.array(values)
    longest = min(context.bench.dmd.max_sequence_length, context.bench.detector.max_samples // (2 * _SAMPLES))
    return np.concatenate([_played(context, patterns[k : k + longest]) for k in range(0, len(patterns), longest)])


def _played(context: CalibrationContext, patterns: Pattern) -> Values:
    bench = context.bench
    rate_hz = min(
        bench.config.dmd.pattern_rate_hz, bench.dmd.max_pattern_rate_hz, bench.detector.max_rate_hz / _SAMPLES
    )
    delay_s = trigger_delay_s(context)
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


def trigger_delay_s(context: CalibrationContext) -> float:
    """From the DMD's trigger to the first sample as measured; zero where it was not."""
    detector = context.results.get("detector")
    quantity = detector.outcome.quantities.get("trigger_delay_s") if detector is not None else None
    return quantity.value if quantity is not None else 0.0


def levels_for_detector(context: CalibrationContext) -> tuple[int, int]:
    """The grey levels of the whole SLM at which the detector, all mirrors on, sees least and most."""
    context.bench.dmd.show_settled(all_mirrors(context, 1))
    tried = np.linspace(0, 2**context.bench.slm.bit_depth - 1, _LEVELS).astype(int)
    seen = []
    for level in tried:
        context.show(context.uniform(int(level)))
        seen.append(steady_power(context, 64))
    return int(tried[int(np.argmin(seen))]), int(tried[int(np.argmax(seen))])


def _rate_hz(context: CalibrationContext) -> float:
    return min(context.config.detector.rate_hz, context.bench.detector.max_rate_hz)


def chunk(context: CalibrationContext, total: int) -> int:
    """How many patterns to make at once, so that they take at most some 64 MB."""
    pixels = math.prod(context.bench.dmd.shape)
    return max(1, min(total, 64_000_000 // pixels))
