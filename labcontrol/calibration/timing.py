"""Timing: how the SLM settles, what the camera and a whole step take, and whether frames belong to their patterns.

The SLM steps between two levels while frames are taken at known times after the command. With the measured response,
every frame gives the share of the step that is still missing; what follows from it is in `settling`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from labcontrol.calibration.context import CalibrationContext
from labcontrol.calibration.procedure import Figure, Procedure
from labcontrol.calibration.result import Calibration, Outcome, Quantity
from labcontrol.calibration.settling import END_FRAMES, RESIDUAL, Settling, Steps, fit_steps

Values = NDArray[np.float64]

_STEPS = 60
_STEP_TIMES = 40
_BELONGING = 24


def measure(context: CalibrationContext) -> Outcome:
    """Belonging of frames first: without it nothing else means anything."""
    context.light_on()
    dark, bright = _two_levels(context)
    context.expose_for(context.uniform(bright))
    total = _BELONGING + _STEPS + _STEP_TIMES
    late, offsets_s = _frames_late(context, dark, bright)
    context.progress(_BELONGING, total)
    if late:
        q = Quantity(float(late), late, late, "frames", "frames later than the pattern they should show")
        words = "one frame late" if late == 1 else f"{late} frames late" if late > 0 else "not of the pattern shown"
        return Outcome(
            {"frames_late": q}, {}, {},
            (f"trigger late: every frame is {words}; check the trigger line, its edge, and the camera's buffer",),
        )  # fmt: skip
    readout_s = _readout_times(context)
    steps = _watch_steps(context, dark, bright)
    context.progress(_BELONGING + _STEPS, total)
    step_s = _step_times(context, dark, bright)
    context.progress(total, total)
    return _outcome(context, steps, readout_s, step_s, offsets_s)


# --- measuring --------------------------------------------------------------------------------------------------------
def _frames_late(context: CalibrationContext, dark: int, bright: int) -> tuple[int, Values]:
    """How many frames late (0, 1, 2; -1 for none of these) frames are against a random order of two patterns.

    Frames are taken as they come here: nothing is checked or acquired again. Returns also the times between trigger and
    start of the exposure, as the camera states it.
    """
    camera, clock = context.bench.camera, context.bench.clock
    order = np.random.default_rng(4).integers(0, 2, _BELONGING)
    brightness, offsets_s = [], []
    for bit in order:
        context.show(context.uniform(bright if bit else dark))
        triggered_s = clock.now_s()
        camera.trigger()
        frame = camera.read()
        brightness.append(float(frame.data.mean()))
        offsets_s.append(frame.time_s - triggered_s)
    context.reset_frames()
    alike = [np.corrcoef(order[: len(order) - lag], brightness[lag:])[0, 1] for lag in range(3)]
    best = int(np.argmax(alike))
    return (best if alike[best] > 0.8 else -1), np.array(offsets_s)


def _readout_times(context: CalibrationContext) -> Values:
    """From the end of the exposure until the frame is here."""
    times = []
    for _ in range(_STEP_TIMES):
        started_s = context.bench.clock.now_s()
        context.frame()
        times.append(context.bench.clock.now_s() - started_s - context.bench.camera.exposure_s)
    return np.array(times)


def _watch_steps(context: CalibrationContext, dark: int, bright: int) -> Steps:
    """Frames as fast as the camera gives them, over many steps from dark to bright and back."""
    camera, clock = context.bench.camera, context.bench.clock
    exposure_s = camera.exposure_s
    camera.exposure_s = max(min(exposure_s, 1e-3), camera.exposure_limits_s[0])
    phase = context.results["phase-response"].outcome.arrays["phase_rad"]
    ends = {level: context.image(context.uniform(level), END_FRAMES).sum() for level in (dark, bright)}
    noise = np.std([context.frame().data.sum(dtype=np.float64) for _ in range(8)]) + 1.0
    watched_s = 1.5 * context.bench.slm.settle_time_s
    number, since_s, missing, error, commands_s = [], [], [], [], []
    for k in range(_STEPS):
        start, end = (dark, bright) if k % 2 == 0 else (bright, dark)
        context.show(context.uniform(start))
        clock.sleep(context.bench.slm.settle_time_s + float(context.rng.uniform(0, 0.05)))
        commanded_s = context.bench.slm.show(context.uniform(end)).time_s
        commands_s.append(commanded_s)
        clock.sleep(float(context.rng.uniform(0, 0.004)))
        more = True
        while more:
            frame = context.frame()
            more = clock.now_s() - commanded_s < watched_s
            share, share_error = _missing(frame.data.sum(dtype=np.float64), start, end, ends, phase, float(noise))
            number.append(k)
            since_s.append(frame.time_s + frame.exposure_s / 2 - commanded_s)
            missing.append(share)
            error.append(share_error)
        context.progress(_BELONGING + k, _BELONGING + _STEPS + _STEP_TIMES)
    camera.exposure_s = exposure_s
    return Steps(np.array(number), np.array(since_s), np.array(missing), np.array(error), np.array(commands_s))


def _missing(
    total: float, start: int, end: int, ends: dict[int, float], phase: Values, noise: float
) -> tuple[float, float]:
    """The share of a step between two levels that is missing at a brightness, and its error."""
    way = np.linspace(0, 1, 1001)
    on_the_way = phase[end] + (phase[start] - phase[end]) * way
    power = np.cos(on_the_way) ** 2
    scale = (ends[end] - ends[start]) / (power[0] - power[-1])
    level = power[0] + (total - ends[end]) / scale
    rising = slice(None) if power[-1] > power[0] else slice(None, None, -1)
    found = float(np.interp(level, power[rising], way[rising]))
    slope = abs(np.sin(2 * (phase[end] + (phase[start] - phase[end]) * found)) * (phase[start] - phase[end]))
    return found, float((noise / abs(scale) + 5e-4) / slope)


def _two_levels(context: CalibrationContext) -> tuple[int, int]:
    """A dim and a bright level with no extreme of the intensity at or between them: every phase there shows."""
    phase = context.results["phase-response"].outcome.arrays["phase_rad"]
    dim, bright = (int(np.argmin(np.abs(phase - share * np.pi))) for share in (0.6, 0.9))
    return dim, bright


def _step_times(context: CalibrationContext, dark: int, bright: int) -> Values:
    """What a step of a run takes: show, settle, trigger, frame."""
    times = []
    for k in range(_STEP_TIMES):
        started_s = context.bench.clock.now_s()
        context.frame(context.show(context.uniform(bright if k % 2 else dark)))
        times.append(context.bench.clock.now_s() - started_s)
    return np.array(times)


# --- telling ----------------------------------------------------------------------------------------------------------
def _outcome(
    context: CalibrationContext, steps: Steps, readout_s: Values, step_s: Values, offsets_s: Values
) -> Outcome:
    quantities = {
        "frames_late": Quantity(0, 0, 0, "frames", "frames later than the pattern they should show"),
        "trigger_offset_s": _distribution(offsets_s, "camera: from trigger to start of the exposure, as it states"),
        "camera_latency_s": _distribution(readout_s, "camera: from the end of the exposure to the frame"),
        "step_s": _distribution(step_s, "one step of a run: show, settle, expose, read"),
    }
    arrays = {
        "since_s": steps.since_s, "missing": steps.missing, "number": steps.number, "step_s": step_s,
        "camera_latency_s": readout_s,
    }  # fmt: skip
    failures, notices = [], []
    stated = context.bench.slm.settle_time_s
    if steps.are_over_at_once:
        first_s = float(steps.since_s.min())
        quantities["settle_s"] = Quantity(
            first_s, 0.0, first_s, "s", "SLM: from command to the end of the step, at most"
        )
        notices.append(f"the SLM has settled before the first frame, {first_s * 1e3:.1f} ms after the command")
        return Outcome(quantities, arrays, {}, (), tuple(notices))
    try:
        settling = fit_steps(steps)
    except ValueError as error:
        return Outcome(quantities, arrays, {}, (f"{error}; does it settle later than its driver says?",))
    settle = settling.settle_s
    if settle > stated * 1.05 + 1e-3:
        missing = np.exp(-(stated - settle) / settling.tau_s) * RESIDUAL
        failures.append(
            f"the SLM settles in {settle * 1e3:.1f} ms, its driver waits {stated * 1e3:.1f} ms: up to {missing:.1%} of "
            "a step is then missing; correct the options of slm in the bench file"
        )
    elif settle < 0.7 * stated:
        notices.append(f"the SLM settles in {settle * 1e3:.1f} ms, its driver waits {stated * 1e3:.1f} ms")
    arrays["onsets_s"] = settling.onsets_s
    return Outcome(_settling(settling) | quantities, arrays, {}, tuple(failures), tuple(notices))


def _settling(found: Settling) -> dict[str, Quantity]:
    latency, half = found.latency_s, found.latency_half_s
    quantities = {
        "settle_s": Quantity.normal(
            found.settle_s, found.settle_error_s, "s", "SLM: from command to 0.1 % of the step, at worst"
        ),
        "tau_s": Quantity.normal(found.tau_s, found.tau_error_s, "s", "SLM: time constant"),
        "latency_s": Quantity(
            latency, max(0.0, latency - half), latency + half, "s",
            "SLM: from command to the first refresh it can reach",
        ),
    }  # fmt: skip
    if np.isfinite(found.period_s):
        quantities["refresh_hz"] = Quantity.normal(
            1 / found.period_s, found.period_error_s / found.period_s**2, "Hz", "SLM: refresh rate"
        )
    return quantities


def _distribution(times_s: Values, meaning: str) -> Quantity:
    """Median, and the interval that holds 95 % of the times."""
    low, middle, high = np.percentile(times_s, [2.5, 50, 97.5])
    return Quantity(float(middle), float(low), float(high), "s", f"{meaning}; interval: 95 % of all")


def draw(calibration: Calibration, figure: Figure) -> None:
    """The steps on each other, the onsets, and the times of a step."""
    arrays, q = calibration.outcome.arrays, calibration.outcome.quantities
    left, middle, right = figure.subplots(1, 3)
    onsets = arrays.get("onsets_s", np.zeros(0))
    timed = np.unique(arrays["number"])[: len(onsets)]
    onset = dict(zip(timed.tolist(), onsets.tolist(), strict=False))
    shift = np.array([onset.get(int(k), np.nan if onset else 0.0) for k in arrays["number"]])
    left.semilogy(1e3 * (arrays["since_s"] - shift), np.maximum(arrays["missing"], 1e-4), ".", ms=3)
    left.set(xlabel="time since the refresh (ms)", ylabel="share of the step missing", title="SLM settling")
    if "tau_s" in q:
        t = np.linspace(0, 8 * q["tau_s"].value, 100)
        left.semilogy(1e3 * t, np.exp(-t / q["tau_s"].value), "-", label=f"{1e3 * q['tau_s'].value:.2f} ms")
        left.legend()
    middle.hist(1e3 * onsets, bins=15)
    middle.set(xlabel="command to refresh (ms)", ylabel="steps", title="SLM latency")
    right.hist(1e3 * arrays["step_s"], bins=15)
    right.set(xlabel="one step (ms)", title="step time")


PROCEDURE = Procedure(
    "timing",
    "Timing: SLM settling, camera latency, step time",
    "The image blinks, at first slowly and in no rhythm, then in quick steps.",
    ("slm", "camera", "laser"),
    ("camera", "phase-response"),
    30 * 24,
    measure,
    draw,
)
