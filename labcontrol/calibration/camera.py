"""Camera: dark level, read noise, gain by photon transfer, linearity, saturation.

The variance of a pixel over frames of constant light is ``read noise^2 + gain * (mean - dark)`` in counts, because
electrons come one by one (photon transfer, Janesick, Photon Transfer, SPIE Press 2007; EMVA 1288). Differences of
pairs of frames cancel what is fixed in the image, and their common part the laser's fluctuation.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from labcontrol.calibration.context import CalibrationContext, Image
from labcontrol.calibration.procedure import Figure, Procedure
from labcontrol.calibration.result import Calibration, Outcome, Quantity

_DARK_FRAMES = 32
_PAIRS = 8
_EXPOSURES = 10
_BINS = 24
_LARGEST_NONLINEARITY = 0.02
_LEVELS = 24


def measure(context: CalibrationContext) -> Outcome:
    """Dark frames, then pairs of frames at a range of exposures of the brightest uniform pattern."""
    camera = context.bench.camera
    steps = _LEVELS + _EXPOSURES + 1
    asked_s = camera.exposure_s
    context.light_off()
    dark = np.stack([context.frame().data for _ in range(_DARK_FRAMES)]).astype(np.float64)
    context.progress(1, steps)

    context.light_on()
    saturated_share = _brightest_level(context, steps)
    full_s = camera.exposure_s
    exposures_s = full_s * np.geomspace(0.04, 1.0, _EXPOSURES)
    exposures_s = np.maximum(exposures_s, camera.exposure_limits_s[0])
    means, differences = [], []
    for k, exposure_s in enumerate(exposures_s):
        camera.exposure_s = float(exposure_s)
        pairs = [_pair(context) for _ in range(_PAIRS)]
        means.append(np.mean([(a + b) / 2 for a, b in pairs], axis=0))
        differences.append(np.mean([_own_difference(a, b) ** 2 / 2 for a, b in pairs], axis=0))
        context.progress(_LEVELS + k + 2, steps)
    camera.exposure_s = asked_s
    return _evaluate(context, dark, exposures_s, np.array(means), np.array(differences), saturated_share)


def _brightest_level(context: CalibrationContext, steps: int) -> float:
    """Leave the SLM at its brightest level and the exposure right for it.

    Returns the share of saturated pixels there at the exposure of the bench file.
    """
    levels = np.linspace(0, 2**context.bench.slm.bit_depth - 1, _LEVELS).astype(int)
    asked_s = context.bench.camera.exposure_s
    context.expose_for(context.uniform(int(levels[0])))
    brightness = []
    for k, level in enumerate(levels):
        image = context.image(context.uniform(int(level)))
        brightness.append(image.sum())
        if image.max() >= 0.9 * context.full_scale:
            context.bench_exposure(context.frame, 0.3)
            brightness = [0.0] * k + [context.image().sum()]
        context.progress(1 + k, steps)
    brightest = context.uniform(int(levels[int(np.argmax(brightness))]))
    context.bench.camera.exposure_s = asked_s
    saturated_share = context.frame(context.show(brightest)).saturated_share
    context.expose_for(brightest)
    return saturated_share


def _pair(context: CalibrationContext) -> tuple[Image, Image]:
    return context.frame().data.astype(np.float64), context.frame().data.astype(np.float64)


def _own_difference(a: Image, b: Image) -> Image:
    """Difference of two frames without the part that comes from the laser's power alone."""
    difference = a - b
    light = a + b
    light -= light.min()
    share = float(np.sum(difference * light) / max(np.sum(light * light), 1.0))
    own: Image = difference - share * light
    return own


def _evaluate(
    context: CalibrationContext,
    dark: NDArray[np.float64],
    exposures_s: NDArray[np.float64],
    means: NDArray[np.float64],
    variances: NDArray[np.float64],
    saturated_share: float,
) -> Outcome:
    top = context.full_scale
    pixels = dark[0].size
    level = float(dark.mean())
    level_error = float(dark.std() / np.sqrt(dark.size)) + 0.02  # rounding to whole counts hides the rest
    read_variance = dark.var(axis=0, ddof=1)
    read_noise = float(np.sqrt(read_variance.mean()))

    # Photon transfer on bins of equal light, saturated pixels left out.
    x, y, n = _bins(means - level, variances, 0.01 * top, 0.85 * top - level)
    gain, gain_error, offset = _line(x, y, n)

    lit = means[-1] - level > 0.1 * top
    linear, nonlinearity, growth = np.zeros(len(exposures_s)), 0.0, np.inf
    if lit.any():
        signal = np.array([mean[lit].mean() for mean in means]) - level
        linear = signal / np.polyval(np.polyfit(exposures_s, signal, 1, w=1 / np.maximum(signal, 1)), exposures_s) - 1
        nonlinearity, growth = float(np.abs(linear).max()), float(signal[-1] / signal[0])

    read_noise_error = read_noise / np.sqrt(2 * pixels * (_DARK_FRAMES - 1))
    quantities = {
        "dark_counts": Quantity.normal(level, level_error, "counts", "mean of a dark pixel"),
        "read_noise_counts": Quantity.normal(
            read_noise, read_noise_error, "counts", "rms of a dark pixel, rounding to whole counts included"
        ),
        "gain_counts_per_e": Quantity.normal(gain, gain_error, "counts/e", "counts for one electron"),
        "nonlinearity": Quantity(
            nonlinearity, 0.0, nonlinearity, "", "largest departure from a straight line against exposure"
        ),
        "full_well_e": Quantity.normal(
            (top - level) / max(gain, 1e-9), (top - level) / max(gain, 1e-9) ** 2 * gain_error, "e",
            "electrons at full scale",
        ),
        "saturated_share": Quantity(
            saturated_share, saturated_share, saturated_share, "",
            "pixels at full scale at the exposure of the bench file, brightest pattern",
        ),
    }  # fmt: skip
    failures, notices = [], []
    if not lit.any():
        failures.append(
            f"no pixel sees light: the brightest is {means[-1].max() - level:.1f} counts above dark at "
            f"{exposures_s[-1] * 1e3:g} ms; check laser, shutter and beam path"
        )
    elif not 0 < gain_error < 0.2 * gain:
        failures.append(f"the photon transfer shows no gain ({gain:.3g} ± {gain_error:.2g} counts/e)")
    if nonlinearity > _LARGEST_NONLINEARITY:
        failures.append(f"the camera is not linear: {nonlinearity:.1%} off a straight line; is a gamma switched on?")
    if growth < 1.5 < exposures_s[-1] / exposures_s[0]:
        notices.append(
            f"the image does not follow the exposure: {exposures_s[-1] / exposures_s[0]:.0f} times as long gives "
            f"{growth:.2f} times the light; is the exposure automatic, or the camera an emulation? Linearity is unknown"
        )
    if saturated_share > 0:
        notices.append(
            f"saturated camera: at the {context.config.camera.exposure_s * 1e3:g} ms of the bench file "
            f"{saturated_share:.1%} of the pixels are at full scale; 'labcontrol calibrate exposure' finds a better"
        )
    if level < 3 * read_noise and level < 2:
        notices.append(f"the dark level of {level:.1f} counts cuts off noise below zero; raise the camera's offset")
    hot = int(np.count_nonzero(dark.mean(axis=0) > level + max(20.0, 20 * read_noise)))
    if hot:
        notices.append(f"{hot} hot pixels")
    arrays = {
        "signal_counts": x, "variance_counts2": y, "variance_fit": offset + gain * x, "exposures_s": exposures_s,
        "nonlinearity": linear, "dark_image": dark.mean(axis=0).astype(np.float32),
    }  # fmt: skip
    return Outcome(quantities, arrays, {}, tuple(failures), tuple(notices))


def _bins(
    signal: NDArray[np.float64], variance: NDArray[np.float64], smallest: float, largest: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Mean signal, mean variance and number of pixels in bins of equal light."""
    s, v = signal.ravel(), variance.ravel()
    use = (s > smallest) & (s < largest)
    s, v = s[use], v[use]
    if s.size < 10:
        return np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.int64)
    edges = np.unique(np.quantile(s, np.linspace(0, 1, _BINS + 1)))
    index = np.clip(np.searchsorted(edges, s, side="right") - 1, 0, len(edges) - 2)
    count = np.bincount(index, minlength=len(edges) - 1)
    full = count > 0
    x = np.bincount(index, s, len(edges) - 1)[full] / count[full]
    y = np.bincount(index, v, len(edges) - 1)[full] / count[full]
    return x, y, count[full].astype(np.int64)


def _line(x: NDArray[np.float64], y: NDArray[np.float64], n: NDArray[np.int64]) -> tuple[float, float, float]:
    """Slope, its standard error and offset of ``y = offset + slope x``; n: pixels behind each point.

    The offset is free: rounding to whole counts adds more to a bright pixel than to a dark one.
    """
    if len(x) < 4:
        return 0.0, 0.0, 0.0
    # The variance of a variance from m differences is 2 y^2 / m.
    weight = 1 / (np.maximum(y, 1e-6) ** 2 * (2 / (_PAIRS * n)))
    design = np.column_stack([x, np.ones_like(x)])
    covariance = np.linalg.inv(design.T @ (weight[:, None] * design))
    slope, offset = covariance @ (design.T @ (weight * y))
    residual = float(np.sum(weight * (y - slope * x - offset) ** 2) / (len(x) - 2))
    return float(slope), float(np.sqrt(max(1.0, residual) * covariance[0, 0])), float(offset)


def draw(calibration: Calibration, figure: Figure) -> None:
    """Photon transfer curve and departure from linearity."""
    from matplotlib.ticker import LogLocator, NullFormatter

    arrays, q = calibration.outcome.arrays, calibration.outcome.quantities
    left, right = figure.subplots(1, 2)
    signal = arrays["signal_counts"]
    left.loglog(signal, arrays["variance_counts2"], "o", ms=4, label="measured")
    left.loglog(signal, arrays["variance_fit"], "-", label=f"gain {q['gain_counts_per_e'].value:.4g} counts/e")
    left.set(xlabel="signal (counts)", ylabel="variance (counts²)", title="photon transfer")
    left.legend()
    right.semilogx(1e3 * arrays["exposures_s"], 100 * arrays["nonlinearity"], "o-", ms=4)
    right.axhline(0, color="0.7", lw=0.8)
    right.set(xlabel="exposure (ms)", ylabel="departure from a line (%)", title="linearity")
    right.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    right.xaxis.set_major_formatter("{x:g}")
    right.xaxis.set_minor_formatter(NullFormatter())


PROCEDURE = Procedure(
    "camera",
    "Camera: dark level, read noise, gain, linearity",
    "The image is dark at first, then an even blob that gets brighter with the exposure and never clips.",
    ("camera", "laser"),
    (),
    30 * 24,
    measure,
    draw,
)
