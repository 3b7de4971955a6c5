"""Exposure: as long as possible without saturation on the patterns a reservoir shows.

They are shown on the grid as `window` found it: a grid off by some pixels averages neighbouring phases within a cell,
and its light never gets as bright.
"""

from __future__ import annotations

import numpy as np

from drivers.interfaces import Pattern
from labcontrol.calibration.context import CalibrationContext
from labcontrol.calibration.procedure import Figure, Procedure
from labcontrol.calibration.result import Calibration, Outcome, Quantity

_UNIFORM, _RANDOM, _TWO_VALUED = 4, 24, 12
# Brightest pixel of all patterns, as a share of full scale: learning will meet brighter ones than a few at random.
SHARE = 0.5


def measure(context: CalibrationContext) -> Outcome:
    """Brightest pixels of uniform and random patterns, scaled to a share of full scale."""
    camera = context.bench.camera
    dark = context.quantity("camera", "dark_counts").value
    context.light_on()
    patterns = _patterns(context)
    since_s = context.show(patterns[0])
    context.bench_exposure(lambda: context.frame(since_s), 0.4)
    rates = []
    for k, pattern in enumerate(patterns):
        image = context.image(pattern)
        while image.max() >= 0.95 * context.full_scale:
            context.bench_exposure(context.frame, 0.4)
            image = context.image()
        rates.append((image.max() - dark) / camera.exposure_s)
        context.progress(k + 1, len(patterns))
    brightest = max(rates)
    wanted_s = (SHARE * context.full_scale - dark) / max(brightest, 1e-9)
    shortest_s, longest_s = camera.exposure_limits_s
    failures, notices = [], []
    if brightest * shortest_s > 0.9 * context.full_scale:
        failures.append("the camera is saturated at its shortest exposure; lower laser.power_w or add a filter")
    if wanted_s > min(longest_s, 0.2):
        notices.append(f"little light: {wanted_s * 1e3:.0f} ms would be right; raise laser.power_w or open the beam")
    exposure_s = float(f"{min(max(wanted_s, shortest_s), longest_s, 0.2):.3g}")
    camera.exposure_s = exposure_s
    share = float(brightest * exposure_s + dark) / context.full_scale
    spread = float(np.std(rates) / np.mean(rates))
    quantities = {
        "exposure_s": Quantity(exposure_s, exposure_s * 0.95, exposure_s * 1.05, "s", "exposure set"),
        "peak_share": Quantity(
            share, share * 0.97, share * 1.03, "", "brightest pixel of all patterns, as a share of full scale"
        ),
        "peak_spread": Quantity(spread, 0, 2 * spread, "", "rms spread of the brightest pixel between patterns"),
    }
    arrays = {"peak_counts": np.array(rates) * exposure_s + dark}
    settings = {"camera": {"exposure_s": exposure_s}}
    return Outcome(quantities, arrays, settings, tuple(failures), tuple(notices))


def _patterns(context: CalibrationContext) -> list[Pattern]:
    """All neurons alike, each at a phase of its own, and each at one of two phases a quarter turn apart."""
    shape = (context.config.geometry.rows, context.config.geometry.columns)
    rng = context.rng
    phases = [np.full(shape, phase) for phase in np.linspace(0, np.pi / 2, _UNIFORM, endpoint=False)]
    phases += [2 * np.pi * rng.random(shape) for _ in range(_RANDOM)]
    phases += [np.pi * (k / _TWO_VALUED + rng.integers(0, 2, shape) / 2) for k in range(_TWO_VALUED)]
    return [context.cells_pattern(phase) for phase in phases]


def draw(calibration: Calibration, figure: Figure) -> None:
    """Brightest pixel of each pattern at the exposure chosen."""
    axes = figure.subplots()
    peaks = calibration.outcome.arrays["peak_counts"]
    axes.bar(np.arange(len(peaks)), peaks)
    share = calibration.outcome.quantities["peak_share"].value
    axes.axhline(peaks.max() / share, color="tab:red", label="full scale")
    axes.set(xlabel="pattern", ylabel="brightest pixel (counts)", title="exposure")
    axes.legend()


PROCEDURE = Procedure(
    "exposure",
    "Exposure for the patterns of a reservoir",
    "The image flickers from pattern to pattern; nothing in it is white.",
    ("camera", "laser", "slm"),
    ("camera", "phase-response", "window"),
    24,
    measure,
    draw,
)
