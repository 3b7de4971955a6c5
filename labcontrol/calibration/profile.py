"""Illumination and coupling, from what registration saw: no new measurement.

How bright each neuron is by itself follows the beam, ``E0^2 = exp(-2 (x/w)^2)`` along each axis; how bright its
neighbours are beside it are the squared amplitudes of the coupling kernel. Phases of the kernel are not measured.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from labcontrol.calibration.context import CalibrationContext
from labcontrol.calibration.procedure import Figure, Procedure
from labcontrol.calibration.result import Calibration, Outcome, Quantity

Values = NDArray[np.float64]

_WEAKEST = 0.05
# What the light of neurons that should be dark changes over half the grid, as a share; it is too smooth to be noise.
_DARK_LIGHT = 0.001


def measure(context: CalibrationContext) -> Outcome:
    """Fit a Gaussian to the neurons' brightness, an exponential to the coupling."""
    arrays = context.results["registration"].outcome.arrays
    cells, brightness = arrays["fiducials"].astype(np.float64), arrays["brightness"]
    coupling, coupling_error = arrays["coupling"], arrays["coupling_error"]
    good = np.isfinite(brightness) & (brightness > 0)
    cells, brightness = cells[good], brightness[good]
    design = np.column_stack([np.ones(len(cells)), cells, cells**2])
    logs = np.log(brightness)
    covariance = np.linalg.inv(design.T @ design)
    found = covariance @ (design.T @ logs)
    variance = float(np.sum((logs - design @ found) ** 2)) / max(1, len(cells) - 5)
    half = np.maximum(np.ptp(cells, axis=0) / 2, 1.0)
    smooth = _DARK_LIGHT**2 * np.diag(np.concatenate([[1.0], half**-2.0, half**-4.0]))
    draws = np.random.default_rng(6).multivariate_normal(found, covariance * variance + smooth, 4000)
    context.progress(1, 1)
    quantities, failures, notices = {}, [], []
    size = (context.config.geometry.rows, context.config.geometry.columns)
    every = np.indices(size).reshape(2, -1).T.astype(np.float64)
    light = np.exp(np.column_stack([np.ones(len(every)), every, every**2]) @ found)
    for axis, name in enumerate(("row", "column")):
        curved = draws[draws[:, 3 + axis] < 0]
        if len(curved) < len(draws) // 2:
            notices.append(f"the light does not fall off along the {name}s: it is even, or the beam misses the grid")
            continue
        centre = _interval(-curved[:, 1 + axis] / (2 * curved[:, 3 + axis]))
        waist = _interval(np.sqrt(-2 / curved[:, 3 + axis]))
        quantities[f"centre_{name}"] = Quantity(*centre, "neurons", f"{name} at which the beam is brightest")
        quantities[f"waist_{name}"] = Quantity(*waist, "neurons", f"beam radius along the {name}s, field at 1/e")
        if not 0 <= centre[0] <= size[axis] - 1:
            notices.append(f"the beam is brightest outside the grid, at {name} {centre[0]:.1f}; centre it")
    evenness = float(light.min() / light.max())
    quantities["evenness"] = Quantity(evenness, evenness, evenness, "", "dimmest neuron over the brightest")
    if evenness < _WEAKEST:
        failures.append(
            f"the dimmest neuron has {evenness:.1%} of the light of the brightest; widen or centre the beam"
        )
    quantities |= _decay(coupling)
    return Outcome(
        quantities,
        {"light": light.reshape(size), "coupling": coupling, "coupling_error": coupling_error},
        {},
        tuple(failures),
        tuple(notices),
    )


def _interval(draws: Values) -> tuple[float, float, float]:
    low, middle, high = np.percentile(draws, [2.5, 50, 97.5])
    return float(middle), float(low), float(high)


def _decay(coupling: Values) -> dict[str, Quantity]:
    """The distance at which the coupled amplitude falls to 1/e, and the share of light that stays with its neuron."""
    reach = coupling.shape[0] // 2
    distance = np.hypot(*(np.indices(coupling.shape) - reach))
    use = (coupling > 1e-3) & (distance > 0)
    quantities = {}
    if np.count_nonzero(use) > 3:
        # ln K^2 = -2 d / decay
        slopes = -np.log(coupling[use]) / (2 * distance[use])
        slope, error = float(np.mean(slopes)), float(np.std(slopes) / np.sqrt(np.count_nonzero(use)))
        if slope > 0:
            quantities["coupling_decay"] = Quantity.normal(
                1 / slope, error / slope**2, "neurons", "distance at which the coupled amplitude falls to 1/e"
            )
    own = float(1 / max(np.nansum(coupling), 1e-9))
    quantities["own_share"] = Quantity(own, own, own, "", "share of a neuron's light that stays at its own place")
    return quantities


def draw(calibration: Calibration, figure: Figure) -> None:
    """Light over the grid and the coupling around a neuron."""
    arrays = calibration.outcome.arrays
    left, right = figure.subplots(1, 2)
    shown = left.imshow(arrays["light"] / arrays["light"].max(), vmin=0)
    left.set(title="illumination", xlabel="neuron column", ylabel="neuron row")
    figure.colorbar(shown, ax=left)
    reach = arrays["coupling"].shape[0] // 2
    extent = (-reach - 0.5, reach + 0.5, reach + 0.5, -reach - 0.5)
    shown = right.imshow(arrays["coupling"], extent=extent, vmin=0)
    right.set(title="coupling, power", xlabel="neurons away (columns)", ylabel="(rows)")
    figure.colorbar(shown, ax=right)


PROCEDURE = Procedure(
    "profile",
    "Illumination and coupling",
    "Nothing moves: this is computed from the images of registration.",
    ("laser", "slm", "camera"),
    ("registration",),
    12,
    measure,
    draw,
)
