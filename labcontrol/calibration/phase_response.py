"""SLM: phase against grey level at the laser's wavelength, from the intensity behind the polariser.

With the whole SLM at one level every field is ``E0 cos(phase)``, so that every intensity behind any linear optics is
``B + A cos^2(phase(level))``, B being stray light. Extremes lie at multiples of a quarter turn; between them the phase
unfolds, and a smooth curve (cubic spline) through all levels is fitted with A and B. Sign and multiples of half a turn
cannot be seen; the phase is taken to rise with the level, from near zero.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BSpline
from scipy.optimize import least_squares

from labcontrol.calibration.context import CalibrationContext
from labcontrol.calibration.procedure import Figure, Procedure
from labcontrol.calibration.result import SIGMAS, Calibration, Outcome, Quantity

Values = NDArray[np.float64]

_LEVEL_STEP = 2
_PASSES = 2
_SPLINE_PIECES = 24
_SETTING_STEP = 4
_ALL_LEVELS = 256
# A measured response beyond this factor from the one in the bench file is another wavelength's.
_OTHER_WAVELENGTH = 0.2
_SMALLEST_CONTRAST = 5.0
# What a spline of this many pieces and the SLM's flicker leave out, as a standard error.
_MODEL_ERROR_RAD = 3e-4
_LARGEST_RESIDUAL_RAD = 2 * np.pi / 50


@dataclass(frozen=True)
class Response:
    """A fitted response. phase_rad, error_rad: (256,) and their standard error."""

    phase_rad: Values
    error_rad: Values
    amplitude: float
    stray: float
    residual_rad: float


def measure(context: CalibrationContext) -> Outcome:
    """Sum of the image at every second level, in two passes of random order."""
    top = 2**context.bench.slm.bit_depth - 1
    levels = np.unique(np.append(np.arange(0, top, _LEVEL_STEP * (top + 1) // _ALL_LEVELS), top))
    dark = context.dark_image()
    context.light_on()
    _expose_for_brightest(context, levels)
    if context.bench.camera.exposure_s:
        dark = context.dark_image()
        context.light_on()
    sums = np.zeros((_PASSES, len(levels)))
    done = 0
    for passed in range(_PASSES):
        for index in context.rng.permutation(len(levels)):
            image = context.image(context.uniform(int(levels[index])))
            sums[passed, index] = float((image - dark).sum())
            done += 1
            context.progress(done, _PASSES * len(levels))
    return evaluate(context, levels, sums, float(np.sqrt(dark.size)))


def _expose_for_brightest(context: CalibrationContext, levels: NDArray[np.int64]) -> None:
    context.expose_for(context.uniform(int(levels[0])), 0.3)
    for level in levels[:: max(1, len(levels) // 24)]:
        image = context.image(context.uniform(int(level)))
        if image.max() > 0.75 * context.full_scale:
            context.bench_exposure(context.frame, 0.7)


def evaluate(
    context: CalibrationContext, levels: NDArray[np.int64], sums: NDArray[np.float64], root_pixels: float
) -> Outcome:
    """The response from intensities (passes, levels); root_pixels: square root of the pixels summed."""
    mean = sums.mean(axis=0)
    noise = float(np.sqrt(np.mean((sums - mean) ** 2) * _PASSES / (_PASSES - 1)))
    contrast = float(np.ptp(mean)) / max(noise, root_pixels * 0.05)
    if contrast < _SMALLEST_CONTRAST:
        lit = mean.mean() > 20 * root_pixels
        reason = (
            "the camera sees light, but it does not change with the grey level: the patterns do not reach this SLM. "
            "Is it on another screen, or the polariser missing?"
            if lit
            else "the camera sees no light at any grey level; check laser, shutter and beam path"
        )
        q = Quantity(contrast, contrast, contrast, "", "change of the intensity over its noise")
        return Outcome({"contrast": q}, {"levels": levels, "intensity": mean}, {}, (reason,))
    try:
        response = fit(levels, mean)
    except ValueError as error:
        q = Quantity(contrast, contrast, contrast, "", "change of the intensity over its noise")
        return Outcome({"contrast": q}, {"levels": levels, "intensity": mean}, {}, (str(error),))
    return _outcome(context, levels, mean, response)


def fit(levels: NDArray[np.int64], intensity: Values) -> Response:
    """Fit the model of this module to intensities (levels,). Raises ValueError when they are no cos^2 of a phase."""
    start = unfold(levels, intensity)
    top = int(levels[-1])
    grid = np.arange(top + 1)
    basis_at = _basis(levels, top)
    coefficients = np.linalg.lstsq(basis_at, start, rcond=None)[0]
    low, high = float(intensity.min()), float(intensity.max())
    scale = high - low

    def model(parameters: Values) -> Values:
        phase = basis_at @ parameters[2:]
        values: Values = parameters[1] + parameters[0] * np.cos(phase) ** 2
        return values

    def jacobian(parameters: Values) -> Values:
        phase = basis_at @ parameters[2:]
        by_phase = -parameters[0] * np.sin(2 * phase)
        return np.column_stack([np.cos(phase) ** 2, np.ones(len(levels)), by_phase[:, None] * basis_at])

    measured = (intensity - low) / scale

    def residual(parameters: Values) -> Values:
        return model(parameters) - measured

    found = least_squares(residual, np.concatenate([[1.0, 0.0], coefficients]), jac=jacobian, x_scale="jac")
    freedom = max(1, len(levels) - len(found.x))
    variance = float(np.sum(found.fun**2)) / freedom
    derivative = jacobian(found.x)
    covariance = np.linalg.pinv(derivative.T @ derivative, rcond=1e-12) * variance
    basis = _basis(grid, top)
    phase = basis @ found.x[2:]
    phase -= np.pi * np.round(phase[0] / np.pi)
    error = np.sqrt(np.einsum("ij,jk,ik->i", basis, covariance[2:, 2:], basis) + _MODEL_ERROR_RAD**2)
    left_over = float(np.sqrt(variance) / abs(found.x[0]))
    return Response(phase, error, float(found.x[0] * scale), float(found.x[1] * scale + low), left_over)


def unfold(levels: NDArray[np.int64], intensity: Values) -> Values:
    """A first phase (levels,) from where the intensity has its extremes. Raises ValueError when there are none."""
    from scipy.signal import find_peaks, savgol_filter  # takes long to import, and every run imports this module

    window = max(5, len(levels) // 16 | 1)
    smooth = savgol_filter(intensity, window, 2)
    s = np.clip((smooth - smooth.min()) / np.ptp(smooth), 0, 1)
    top, bottom = find_peaks(s, prominence=0.1)[0], find_peaks(-s, prominence=0.1)[0]
    turns = np.sort(np.concatenate([top, bottom]))
    if len(turns) < 2:
        raise ValueError(
            f"the intensity has {len(turns)} extremes over all levels: the phase does not reach a full turn; "
            "is this the right SLM for the wavelength, and its maker's correction right?"
        )
    edges = [0, *turns.tolist(), len(levels)]
    doubled = np.empty(len(levels))
    turn = 0.0
    for first, end in itertools.pairwise(edges):
        piece = s[first:end]
        falling = s[min(end, len(levels) - 1)] < s[first]
        folded = np.arccos(2 * piece - 1)
        if first == 0:
            turn = 0.0 if falling else -2 * np.pi
        elif falling:
            turn += 2 * np.pi
        doubled[first:end] = turn + folded if falling else turn + 2 * np.pi - folded
    return _rising(doubled / 2)


def _rising(phase: Values) -> Values:
    """The phase with its ends unfolded where they turn back after an extreme too close to them to be seen."""
    last, first = int(np.argmax(phase)), int(np.argmin(phase))
    rising = phase.copy()
    rising[last:] = 2 * phase[last] - phase[last:]
    rising[:first] = 2 * phase[first] - phase[:first]
    return rising


def _basis(levels: NDArray[np.int64], top: int) -> Values:
    """Cubic B-splines (levels, pieces + 3) on evenly spaced knots."""
    inner = np.linspace(0, top, _SPLINE_PIECES + 1)
    knots = np.concatenate([np.full(3, inner[0]), inner, np.full(3, inner[-1])])
    basis: Values = BSpline.design_matrix(levels.astype(np.float64), knots, 3).toarray()
    return basis


def _outcome(context: CalibrationContext, levels: NDArray[np.int64], intensity: Values, response: Response) -> Outcome:
    phase, error = response.phase_rad, response.error_rad
    span = float(np.ptp(phase))
    span_error = float(np.hypot(error[0], error[-1]))
    stray = response.stray / (response.amplitude + response.stray)
    failures, notices = [], []
    step = float(np.diff(phase).max())
    if span < 2 * np.pi - step:
        failures.append(f"the phase spans {span / np.pi:.2f} pi, less than a full turn: not every phase can be shown")
    if response.residual_rad > _LARGEST_RESIDUAL_RAD:
        failures.append(f"the intensity is no cos^2 of a smooth phase (residual {response.residual_rad:.2g})")
    if np.any(np.diff(phase) < -3 * error[1:]):
        notices.append("the phase does not rise everywhere with the grey level")
    nominal = context.config.response
    ratio = span / abs(nominal.phase_rad[-1] - nominal.phase_rad[0])
    if abs(ratio - 1) > _OTHER_WAVELENGTH:
        notices.append(
            f"wrong wavelength table: the response in the bench file spans {1 / ratio:.2f} times the measured phase, "
            f"as if it were made for {ratio:.2f} times the laser's wavelength; runs use the response measured here"
        )
    given = np.interp(np.arange(len(phase)), nominal.levels, nominal.phase_rad)
    off = float(np.sqrt(np.mean((np.angle(np.exp(1j * (given - phase)))) ** 2)))
    quantities = {
        "span_rad": Quantity.normal(span, span_error, "rad", "phase between the lowest and the highest level"),
        "rms_error_rad": Quantity(
            float(np.sqrt(np.mean(error**2))), 0.0, float(SIGMAS * np.sqrt(np.mean(error**2))), "rad",
            "standard error of the phase, rms over the levels",
        ),
        "stray_share": Quantity(stray, stray, stray, "", "light that does not obey the SLM"),
        "bench_file_off_rad": Quantity(off, off, off, "rad", "rms between this and the response in the bench file"),
    }  # fmt: skip
    used = np.unique(np.append(np.arange(0, len(phase), _SETTING_STEP), len(phase) - 1))
    settings = {"response": {"levels": used.tolist(), "phase_rad": [round(float(phase[i]), 5) for i in used]}}
    arrays = {
        "levels": levels, "intensity": intensity, "phase_rad": phase, "error_rad": error,
        "fitted": response.stray + response.amplitude * np.cos(phase[levels]) ** 2,
    }  # fmt: skip
    return Outcome(quantities, arrays, settings, tuple(failures), tuple(notices))


def draw(calibration: Calibration, figure: Figure) -> None:
    """Intensity with its fit, and the phase."""
    arrays = calibration.outcome.arrays
    left, right = figure.subplots(1, 2)
    left.plot(arrays["levels"], arrays["intensity"], ".", ms=4, label="measured")
    left.set(xlabel="grey level", ylabel="intensity (counts)", title="behind the polariser")
    if "phase_rad" in arrays:
        left.plot(arrays["levels"], arrays["fitted"], "-", lw=1, label="fit")
        phase, error = arrays["phase_rad"] / np.pi, SIGMAS * arrays["error_rad"] / np.pi
        grid = np.arange(len(phase))
        right.plot(grid, phase)
        right.fill_between(grid, phase - error, phase + error, alpha=0.4)
        right.set(xlabel="grey level", ylabel="phase (π)", title="phase response")
    left.legend()


PROCEDURE = Procedure(
    "phase-response",
    "SLM: phase against grey level",
    "The whole image brightens and darkens together as the grey level runs, at least twice.",
    ("slm", "laser"),
    ("camera",),
    7 * 24,
    measure,
    draw,
)
