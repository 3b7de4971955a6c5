"""SLM -> camera registration: affine map and radial distortion, from single neurons shown on the SLM.

A neuron that is bright alone lights its own cell and, through the diffractive coupling, those around it. Its own cell
is taken to be the brightest of them; the edges between the cells then give the geometry (see `fiducials`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from labcontrol.calibration.context import CalibrationContext, Image
from labcontrol.calibration.fiducials import REACH, FiducialFit, cut_out
from labcontrol.calibration.footprint import NAMES, Lens
from labcontrol.calibration.procedure import Figure, Procedure
from labcontrol.calibration.result import SIGMAS, Calibration, Outcome, Quantity
from labcontrol.calibration.rough_map import affine, brightest, pitch_of, refined

Values = NDArray[np.float64]

_MOST_FIDUCIALS_AN_EDGE = 8
_FRAMES = 4
# The background is taken off every image: its noise is theirs together, and must be small beside their own.
_BACKGROUND_FRAMES = 32
_LARGEST_ERROR_PX = 0.2


def measure(context: CalibrationContext) -> Outcome:
    """Five single neurons for a rough map, then sets of neurons far enough apart to be told from each other."""
    geometry = context.config.geometry
    context.light_on()
    rough_cells = _rough_cells(geometry.rows, geometry.columns)
    chosen = _chosen(geometry.rows, geometry.columns)
    groups = _apart(chosen, 2 * REACH + 2)
    steps = len(rough_cells) + len(groups) + 1
    _expose_for_neurons(context, rough_cells)
    background = context.image(_alone(context, []), _BACKGROUND_FRAMES)
    context.progress(1, steps)

    spots = []
    for k, cell in enumerate(rough_cells):
        spots.append(brightest(context.image(_alone(context, [cell]), _FRAMES) - background, _nominal_pitch(context)))
        context.progress(k + 2, steps)
    contrasts = np.array([contrast for _, contrast in spots])
    if contrasts.min() < 8:
        return _unseen(contrasts)
    rough = affine(np.array(rough_cells), np.array([spot for spot, _ in spots]))

    images = []
    for k, group in enumerate(groups):
        images.append(context.image(_alone(context, group), _FRAMES) - background)
        context.progress(k + 2 + len(rough_cells), steps)
    return _evaluate(context, rough, groups, np.array(images), background)


def _evaluate(
    context: CalibrationContext,
    rough: Values,
    groups: list[list[tuple[int, int]]],
    images: NDArray[np.float64],
    background: Image,
) -> Outcome:
    geometry = context.config.geometry
    shape = background.shape
    centre = np.array([(shape[0] - 1) / 2, (shape[1] - 1) / 2])
    lens = Lens(centre, float(np.hypot(*centre)))
    gain = context.quantity("camera", "gain_counts_per_e").value * 10 ** (context.bench.camera.gain_db / 20)
    read = context.quantity("camera", "read_noise_counts").value
    grid = (geometry.rows, geometry.columns)
    rough = refined(rough, groups, images)
    shown = [(image, cell) for group, image in zip(groups, images, strict=True) for cell in group]
    spots = [cut_out(image, cell, lens, rough, grid) for image, cell in shown]
    start = np.concatenate([rough, [0.0, 0.2 * pitch_of(rough)]])
    # Pixels of one neuron get the same light, which is rounded alike in all of them.
    rounding = _rounding_counts2(read) * pitch_of(rough) ** 2
    noise = read**2 * (1 / _FRAMES + 1 / _BACKGROUND_FRAMES) + rounding
    fit = FiducialFit.of(spots, lens, start, gain / _FRAMES, noise)
    coupling, coupling_error = fit.coupling()

    every = np.stack(np.meshgrid(np.arange(geometry.rows), np.arange(geometry.columns), indexing="ij"), -1)
    cells = every.reshape(-1, 2).astype(np.float64)
    pixels = lens.pixels(cells, fit.geometry)
    error = _position_errors(lens, cells, fit.geometry, fit.covariance)
    rms_error = float(np.sqrt(np.mean(np.sum(error**2, axis=1))))
    matrix, offset = fit.geometry[:4].reshape(2, 2), fit.geometry[4:6]
    camera = {
        "matrix": matrix.tolist(),
        "offset_px": offset.tolist(),
        "distortion_per_px2": float(fit.geometry[6] / lens.scale_px**2),
        "centre_px": centre.tolist(),
        "window_px": _window(pitch_of(matrix.ravel())),
    }
    failures = []
    if rms_error > _LARGEST_ERROR_PX:
        failures.append(f"the positions are known to {rms_error:.2f} px rms only, {_LARGEST_ERROR_PX} is needed")
    if fit.misfit > 30:
        failures.append(f"the images do not follow the model (chi2 {fit.misfit:.0f} a pixel); is the image sharp?")
    outside = np.any((pixels < 1) | (pixels > np.array(shape) - 2), axis=1)
    if outside.any():
        failures.append(f"{np.count_nonzero(outside)} neurons lie outside the image; move the camera or its region")
    notices = _orientation(matrix, np.asarray(geometry.camera.matrix))
    return Outcome(
        _quantities(fit.geometry, fit.covariance, lens, rms_error, fit.misfit),
        {
            "cells": cells, "pixels": pixels, "error_px": error, "image": images.max(axis=0).astype(np.float32),
            "parameters": fit.geometry, "covariance": fit.covariance, "coupling": coupling,
            "coupling_error": coupling_error, "fiducials": np.array([cell for _, cell in shown]),
            "brightness": fit.light[:, REACH, REACH],
        },
        {"geometry": {"camera": camera}},
        tuple(failures),
        tuple(notices),
    )  # fmt: skip


def _rounding_counts2(noise_counts: float) -> float:
    """Variance of what rounding to whole counts adds and a mean of frames does not take away: noise dithers it."""
    return float(np.exp(-((2 * np.pi * noise_counts) ** 2))) / 12


def _quantities(
    geometry: Values, covariance: Values, lens: Lens, rms_error: float, misfit: float
) -> dict[str, Quantity]:
    errors = np.sqrt(np.diag(covariance))
    words = {
        "m00": "pixel rows a row of neurons", "m01": "pixel rows a column of neurons",
        "m10": "pixel columns a row of neurons", "m11": "pixel columns a column of neurons",
        "row": "pixel row of neuron (0, 0), distortion left out", "column": "pixel column of neuron (0, 0)",
        "distortion": f"radial distortion {lens.scale_px:.0f} px from the centre", "blur": "rms radius of the blur",
    }  # fmt: skip
    quantities = {
        name: Quantity.normal(geometry[k], errors[k], "" if name == "distortion" else "px", words[name])
        for k, name in enumerate(NAMES)
    }
    quantities["rms_error_px"] = Quantity(
        rms_error, 0.0, SIGMAS * rms_error, "px", "standard error of a neuron's position, rms over all neurons"
    )
    quantities["misfit"] = Quantity(misfit, misfit, misfit, "", "chi2 a pixel; 1 where noise explains everything")
    return quantities


def _position_errors(lens: Lens, cells: Values, geometry: Values, covariance: Values) -> Values:
    """Standard errors (N, 2) of the neurons' pixels, from the covariance of the parameters."""
    derivative = []
    for k in range(7):
        step = np.zeros(8)
        step[k] = 1e-4
        derivative.append((lens.pixels(cells, geometry + step) - lens.pixels(cells, geometry - step)) / 2e-4)
    jacobian = np.stack(derivative, axis=-1)
    errors: Values = np.sqrt(np.einsum("nij,jk,nik->ni", jacobian, covariance[:7, :7], jacobian))
    return errors


def _orientation(measured: Values, nominal: Values) -> list[str]:
    """What is turned over against the bench file, in words."""
    turned = measured @ np.linalg.inv(nominal)
    turned /= np.sqrt(abs(np.linalg.det(turned)))
    ways = {
        "mirrored image: its rows run backwards": [[-1, 0], [0, 1]],
        "mirrored image: its columns run backwards": [[1, 0], [0, -1]],
        "the image is upside down": [[-1, 0], [0, -1]],
        "swapped axes: rows of neurons are columns of the image": [[0, 1], [1, 0]],
        "swapped axes: the image is turned by a quarter": [[0, 1], [-1, 0]],
        "swapped axes: the image is turned by a quarter the other way": [[0, -1], [1, 0]],
        "swapped axes and mirrored image": [[0, -1], [-1, 0]],
        "": [[1, 0], [0, 1]],
    }
    nearest = min(ways, key=lambda way: float(np.linalg.norm(turned - np.array(ways[way]))))
    return [f"{nearest}, against what the bench file says; the map measured here allows for it"] if nearest else []


def _unseen(contrasts: Values) -> Outcome:
    seen = int(np.count_nonzero(contrasts >= 8))
    return Outcome(
        {"contrast": Quantity(float(contrasts.min()), 0, float(contrasts.max()), "", "brightest spot over noise")},
        {},
        {},
        (f"only {seen} of {len(contrasts)} neurons shown alone are seen by the camera; does it see the whole grid?",),
    )


# --- what is shown ----------------------------------------------------------------------------------------------------
def _rough_cells(rows: int, columns: int) -> list[tuple[int, int]]:
    """The centre and one neuron towards each side."""
    r, c = rows // 2, columns // 2
    low_r, low_c = min(rows // 4, max(0, r - 1)), min(columns // 4, max(0, c - 1))
    return [(r, c), (low_r, c), (rows - 1 - low_r, c), (r, low_c), (r, columns - 1 - low_c)]


def _chosen(rows: int, columns: int) -> list[tuple[int, int]]:
    """Neurons spread evenly over the grid."""
    return [
        (int(r), int(c))
        for r in np.unique(np.rint(np.linspace(0, rows - 1, min(rows, _MOST_FIDUCIALS_AN_EDGE))))
        for c in np.unique(np.rint(np.linspace(0, columns - 1, min(columns, _MOST_FIDUCIALS_AN_EDGE))))
    ]


def _apart(cells: list[tuple[int, int]], distance: int) -> list[list[tuple[int, int]]]:
    """Groups of cells that keep a distance from each other along one axis at least."""
    groups: list[list[tuple[int, int]]] = []
    for cell in cells:
        for group in groups:
            if all(max(abs(cell[0] - r), abs(cell[1] - c)) >= distance for r, c in group):
                group.append(cell)
                break
        else:
            groups.append([cell])
    return groups


def _alone(context: CalibrationContext, cells: list[tuple[int, int]]) -> NDArray[np.uint8]:
    phase = np.full((context.config.geometry.rows, context.config.geometry.columns), np.pi / 2)
    for cell in cells:
        phase[cell] = 0.0
    return context.cells_pattern(phase)


def _expose_for_neurons(context: CalibrationContext, cells: list[tuple[int, int]]) -> None:
    """An exposure at which no neuron shown alone saturates the camera."""
    context.expose_for(_alone(context, cells[:1]))
    for cell in cells[1:]:
        if context.image(_alone(context, [cell])).max() > 0.9 * context.full_scale:
            context.bench_exposure(context.frame, 0.7)


def _nominal_pitch(context: CalibrationContext) -> float:
    return pitch_of(np.asarray(context.config.geometry.camera.matrix).ravel())


def _window(pitch_px: float) -> int:
    """The largest odd window that stays within a neuron."""
    return max(1, 2 * int((pitch_px - 1) // 2) + 1)


def draw(calibration: Calibration, figure: Figure) -> None:
    """Neurons' positions on the image, and how well they are known."""
    arrays = calibration.outcome.arrays
    left, right = figure.subplots(1, 2)
    pixels, error = arrays["pixels"], SIGMAS * np.hypot(*arrays["error_px"].T)
    left.imshow(np.sqrt(np.maximum(arrays["image"], 0)), cmap="gray")
    left.plot(pixels[:, 1], pixels[:, 0], "+", ms=3, color="tab:cyan")
    left.plot(pixels[0, 1], pixels[0, 0], "o", mfc="none", color="tab:red", label="neuron (0, 0)")
    left.set(title="neurons on the camera", xlabel="column (px)", ylabel="row (px)")
    left.legend(loc="upper right")
    spots = right.scatter(pixels[:, 1], pixels[:, 0], c=error, s=8)
    right.set(title="95 % radius of the position (px)", xlabel="column (px)")
    right.invert_yaxis()
    right.set_aspect("equal")
    figure.colorbar(spots, ax=right)


PROCEDURE = Procedure(
    "registration",
    "SLM -> camera: where each neuron is seen",
    "Single bright spots, one at a time and then in groups, sharp and well inside the image.",
    ("slm", "camera", "laser"),
    ("camera", "phase-response", "window"),
    12,
    measure,
    draw,
)
