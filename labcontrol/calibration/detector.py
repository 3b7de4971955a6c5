"""Detector: offset, noise, range, bandwidth, and where its samples lie against the DMD's patterns.

Mirrors all on or all off in a pseudo-random order give steps whose place in the samples tells the delay of the trigger;
with a pattern rate that does not divide the sampling rate every step is sampled at another phase, which resolves the
first-order response ``exp(-2 pi B t)`` of the amplifier far below the sampling interval.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from labcontrol.calibration.context import CalibrationContext
from labcontrol.calibration.procedure import Figure, Procedure
from labcontrol.calibration.readout import all_mirrors, can_play, levels_for_detector
from labcontrol.calibration.result import Calibration, Outcome, Quantity

Values = NDArray[np.float64]

_DARK_SAMPLES = 1024  # an oscilloscope may hold two thousand points
_STEPS = 128
_PASSES = 4
# An offset above this share of the signal, or a delay above this share of a pattern, is trouble.
_LARGEST_OFFSET = 0.02
_LATE = 0.5


@dataclass(frozen=True)
class StepFit:
    """Delay and bandwidth with their standard errors."""

    delay_s: float
    delay_error_s: float
    bandwidth_hz: float
    bandwidth_error_hz: float
    fitted: Values


def measure(context: CalibrationContext) -> Outcome:
    """Dark samples, bright samples, then the response to a pseudo-random sequence."""
    detector, bench = context.bench.detector, context.bench
    rate_hz = min(context.config.detector.rate_hz, detector.max_rate_hz)
    samples = min(_DARK_SAMPLES, detector.max_samples)
    was_on = bench.laser.emission
    context.light_off()
    bench.dmd.show_settled(all_mirrors(context, 1))
    dark = detector.read(samples, rate_hz)
    context.progress(1, 4)
    context.light_on()
    if not was_on:
        context.progress(2, 4)
    _, bright_level = levels_for_detector(context)
    context.show(context.uniform(bright_level))
    bright = detector.read(samples, rate_hz)
    bench.dmd.show_settled(all_mirrors(context, 0))
    off = detector.read(samples, rate_hz)
    context.progress(3, 4)
    offset, noise = float(dark.data.mean()), float(dark.data.std(ddof=1))
    signal = float(bright.data.mean() - offset)
    leak = float(off.data.mean() - offset) / signal if signal > 0 else np.nan
    # Noise of neighbouring samples is correlated where the sampling is faster than the bandwidth.
    offset_error = noise * np.sqrt(_correlation_time(dark.data) / samples)
    bright_noise = float(bright.data.std(ddof=1))
    quantities = {
        "offset_w": Quantity.normal(offset, offset_error, "W", "reading without light"),
        "noise_w": Quantity.normal(noise, noise / np.sqrt(2 * samples), "W", "rms of a sample without light"),
        "signal_w": Quantity.normal(signal, bright_noise / np.sqrt(samples), "W", "all mirrors on, brightest pattern"),
        "noise_share": Quantity.normal(
            bright_noise / max(signal, 1e-15), bright_noise / max(signal, 1e-15) / np.sqrt(2 * samples), "",
            "rms of a sample as a share of the signal, in bright light",
        ),
        "leak_share": Quantity(leak, leak, leak, "", "light with all mirrors off over that with all on"),
    }  # fmt: skip
    failures, notices = [], []
    if signal < 5 * noise:
        failures.append(f"the detector sees no light: {signal:.3g} W with all mirrors on; check the path from the DMD")
        return Outcome(quantities, {"dark": dark.data}, {}, tuple(failures))
    if bright.overload:
        failures.append("the detector is overloaded with all mirrors on; lower its gain or put a filter before it")
    if abs(offset) > _LARGEST_OFFSET * signal:
        failures.append(
            f"detector offset: {offset:.3g} W without light, {offset / signal:.0%} of the signal; zero the amplifier "
            "or shut out the room's light"
        )
    arrays = {"dark": dark.data, "bright": bright.data}
    if not can_play(context):
        notices.append("the detector has no trigger or the DMD no sequences: masks are shown one by one")
        return Outcome(quantities, arrays, {}, tuple(failures), tuple(notices))
    times_s, levels, bits, pattern_rate_hz = _steps(context, rate_hz)
    fit = fit_steps(times_s, levels, bits, pattern_rate_hz)
    context.progress(4, 4)
    quantities |= {
        "trigger_delay_s": Quantity.normal(
            fit.delay_s, fit.delay_error_s, "s", "from the DMD's trigger to the first sample"
        ),
        "bandwidth_hz": Quantity.normal(fit.bandwidth_hz, fit.bandwidth_error_hz, "Hz", "-3 dB bandwidth"),
    }
    period_s = 1 / min(context.config.dmd.pattern_rate_hz, bench.dmd.max_pattern_rate_hz)
    if abs(fit.delay_s) > _LATE * period_s:
        late = round(fit.delay_s / period_s)
        failures.append(
            f"trigger late: the samples belong to patterns {'one' if late == 1 else late} later than they should "
            f"({fit.delay_s * 1e6:.1f} us at {1 / period_s:.0f} patterns/s); check the trigger line and its edge"
        )
    arrays |= {"times_s": times_s, "steps": levels, "fitted": fit.fitted}
    settings = {"detector": {"trigger_delay_s": round(max(0.0, fit.delay_s), 9)}} if not failures else {}
    return Outcome(quantities, arrays, settings, tuple(failures), tuple(notices))


def _correlation_time(data: Values) -> float:
    """Samples that count as one, from the correlation of neighbours."""
    centred = data - data.mean()
    neighbours = float(np.clip(np.mean(centred[1:] * centred[:-1]) / max(np.mean(centred**2), 1e-300), 0, 0.99))
    return (1 + neighbours) / (1 - neighbours)


def _steps(context: CalibrationContext, rate_hz: float) -> tuple[Values, Values, NDArray[np.int64], float]:
    """Mean samples (S,) of a pseudo-random sequence, their times after the trigger if there were no delay, the bits."""
    bench = context.bench
    bits = np.random.default_rng(5).integers(0, 2, _STEPS)
    bits[:4] = (1, 0, 0, 1)
    pattern_rate_hz = min(context.config.dmd.pattern_rate_hz, bench.dmd.max_pattern_rate_hz) / 1.0317
    patterns = np.stack([all_mirrors(context, int(bit)) for bit in bits])
    samples = int(min(bench.detector.max_samples, np.ceil((_STEPS + 2) / pattern_rate_hz * rate_hz)))
    bench.dmd.load_sequence(patterns)
    total = np.zeros(samples)
    for _ in range(_PASSES):
        bench.dmd.show_settled(all_mirrors(context, 0))
        bench.detector.arm(samples, rate_hz)
        bench.dmd.play(pattern_rate_hz)
        total += bench.detector.fetch(2.0 + samples / rate_hz).data
    times_s = np.asarray((np.arange(samples) + 0.5) / rate_hz, dtype=np.float64)
    return times_s, total / _PASSES, bits, pattern_rate_hz


def fit_steps(times_s: Values, samples: Values, bits: NDArray[np.int64], pattern_rate_hz: float) -> StepFit:
    """Delay and bandwidth from samples of a sequence; the first pattern is left out, for the amplifier to settle."""
    period_s = 1 / pattern_rate_hz
    interval_s = float(times_s[1] - times_s[0])
    low, high = np.percentile(samples, [10, 90])
    used = times_s > period_s

    def model(p: Values) -> Values:
        response = _response(times_s, bits, period_s, p[0] * interval_s, np.exp(p[1]) / interval_s)
        values: Values = p[2] + p[3] * response
        return values

    def residual(p: Values) -> Values:
        values: Values = np.where(used, model(p) - samples, 0.0) / (high - low)
        return values

    def alike(delay_s: float, bandwidth_hz: float) -> float:
        return float(np.corrcoef(_response(times_s, bits, period_s, delay_s, bandwidth_hz), samples)[0, 1])

    delays = np.arange(-1.0, 4.0, 0.02) * period_s
    coarse = max(delays, key=lambda delay: alike(float(delay), 0.3 / interval_s))
    step = max(0.02 * period_s, interval_s) / 8
    tries = [(coarse + k * step, b / interval_s) for k in range(-16, 17) for b in (0.03, 0.1, 0.2, 0.4, 0.8)]
    delay_s, bandwidth_hz = max(tries, key=lambda pair: alike(*pair))
    start = np.array([delay_s / interval_s, np.log(bandwidth_hz * interval_s), low, high - low])
    found = least_squares(residual, start, x_scale=np.array([1.0, 0.3, high, high]), diff_step=[1e-6] * 4)
    jacobian = np.asarray(found.jac)
    # Flicker of the SLM makes neighbouring residuals alike: fewer samples count than there are.
    variance = float(np.sum(found.fun**2)) / (len(samples) - 4) * _correlation_time(found.fun)
    errors = np.sqrt(np.diag(np.linalg.pinv(jacobian.T @ jacobian)) * variance)
    delay_s, bandwidth_hz = float(found.x[0] * interval_s), float(np.exp(found.x[1]) / interval_s)
    fitted = model(found.x)
    return StepFit(
        delay_s, float(errors[0] * interval_s), bandwidth_hz, bandwidth_hz * float(errors[1]), fitted,
    )  # fmt: skip


def _response(times_s: Values, bits: NDArray[np.int64], period_s: float, delay_s: float, bandwidth_hz: float) -> Values:
    """What a first-order low-pass makes of the bits, at times counted from a delay after the first of them."""
    time = times_s + delay_s
    index = np.clip(np.floor(time / period_s), -1, len(bits) - 1).astype(np.int64)
    padded = np.concatenate([[0], bits]).astype(np.float64)
    level, before = padded[index + 1], padded[np.maximum(index, 0)]
    since = np.where(index >= 0, time - index * period_s, np.inf)
    values: Values = level + (before - level) * np.exp(-2 * np.pi * bandwidth_hz * np.minimum(since, 1e3))
    return values


def draw(calibration: Calibration, figure: Figure) -> None:
    """Noise without light, and the steps with their fit."""
    arrays = calibration.outcome.arrays
    left, right = figure.subplots(1, 2)
    left.hist(1e6 * arrays["dark"], bins=40)
    left.set(xlabel="power (µW)", ylabel="samples", title="without light")
    if "steps" in arrays:
        shown = arrays["times_s"] < 12 * arrays["times_s"][-1] / _STEPS
        right.plot(1e6 * arrays["times_s"][shown], 1e3 * arrays["steps"][shown], ".", ms=3, label="measured")
        right.plot(1e6 * arrays["times_s"][shown], 1e3 * arrays["fitted"][shown], "-", lw=0.8, label="fit")
        right.set(xlabel="time since the first sample (µs)", ylabel="power (mW)", title="all mirrors on and off")
        right.legend()


PROCEDURE = Procedure(
    "detector",
    "Detector: offset, noise, bandwidth, trigger",
    "The camera image stands still and bright; the detector's trace jumps between two levels.",
    ("detector", "dmd", "laser"),
    (),
    7 * 24,
    measure,
    draw,
)
