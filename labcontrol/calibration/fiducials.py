"""The fit behind registration: geometry and blur from images of neurons shown alone.

The light of every cell around every neuron is free: nothing is assumed about the coupling. Only where the cells have
their edges counts, which is the same geometry for all. The free brightnesses are eliminated for each neuron by itself
(variable projection; Golub and Pereyra, SIAM J. Numer. Anal. 10, 413, 1973).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from labcontrol.calibration.footprint import Lens, shares

Values = NDArray[np.float64]
Indices = NDArray[np.int64]

# Cells around a neuron whose light is modelled, in each direction.
REACH = 3
_EDGE = 2 * REACH + 1
_CENTRE = _EDGE * _EDGE // 2
_ITERATIONS = 20
# Light that noise does not explain, as a share of the light.
_MODEL_ERROR = 0.001
_STEPS = np.array([1e-4, 1e-4, 1e-4, 1e-4, 1e-3, 1e-3, 1e-5, 1e-3])


@dataclass(frozen=True)
class Spot:
    """Pixels (P, 2) around one neuron shown alone, in (row, column), and their counts (P,) above the background."""

    cell: tuple[int, int]
    pixels: Values
    counts: Values


@dataclass(frozen=True)
class FiducialFit:
    """geometry: (8,) see `footprint.NAMES`, covariance: (8, 8). light: (F, 7, 7) counts of the cells around each
    neuron, NaN where not seen. misfit: chi2 a pixel.
    """

    geometry: Values
    covariance: Values
    light: Values
    misfit: float

    @classmethod
    def of(cls, spots: list[Spot], lens: Lens, start: Values, gain_counts: float, noise_counts2: float) -> Self:
        """Gauss-Newton with damping from a geometry that is right within a third of a cell.

        gain_counts: variance of a pixel for one count of light. noise_counts2: variance without light.
        """
        weights = [
            1 / (noise_counts2 + gain_counts * light + (_MODEL_ERROR * light) ** 2)
            for light in (np.maximum(spot.counts, 0) for spot in spots)
        ]
        geometry, damping = start.copy(), 1e-3
        chi2 = _chi2(spots, weights, lens, geometry)
        for _ in range(_ITERATIONS):
            normal, gradient = _normal(spots, weights, lens, geometry)
            trial, trial_chi2 = geometry, np.inf
            while damping < 1e6:
                trial = geometry + np.linalg.solve(normal + damping * np.diag(np.diag(normal)), gradient)
                trial_chi2 = _chi2(spots, weights, lens, trial)
                if trial_chi2 < chi2:
                    break
                damping *= 10
            if trial_chi2 >= chi2:
                break
            done = chi2 - trial_chi2 < 1e-7 * chi2
            geometry, chi2, damping = trial, trial_chi2, damping / 10
            if done:
                break
        normal, _ = _normal(spots, weights, lens, geometry)
        light = np.array([_solve(spot, weight, lens, geometry)[2] for spot, weight in zip(spots, weights, strict=True)])
        freedom = sum(len(spot.counts) for spot in spots) - 8 - int(np.isfinite(light).sum())
        misfit = chi2 / max(1, freedom)
        covariance = np.asarray(np.linalg.pinv(normal, hermitian=True) * max(1.0, misfit), dtype=np.float64)
        geometry[7] = abs(geometry[7])
        return cls(geometry, covariance, light.reshape(-1, _EDGE, _EDGE), float(misfit))

    def coupling(self) -> tuple[Values, Values]:
        """Light (7, 7) of the cells around a neuron as a share of its own, median over the neurons, and its error."""
        ratio = self.light / self.light[:, REACH, REACH][:, None, None]
        seen = np.maximum(np.isfinite(ratio).sum(axis=0), 1)
        filled = np.where(np.isfinite(ratio).any(axis=0), ratio, 0.0)
        median = np.nanmedian(filled, axis=0)
        spread = 1.48 * np.nanmedian(np.abs(filled - median), axis=0)
        return median, 1.25 * spread / np.sqrt(seen)


def cut_out(image: Values, cell: tuple[int, int], lens: Lens, rough: Values, grid: tuple[int, int]) -> Spot:
    """The surroundings of a neuron in the image it was shown in.

    rough: affine map, six numbers. grid: rows and columns; pixels at and beyond its edge are left out, because what is
    lit there is not known.
    """
    geometry = np.concatenate([rough, [0.0, 1.0]])
    centre = lens.pixels(np.array([cell], dtype=np.float64), geometry)[0]
    radius = 1.5 * (REACH + 1) * np.sqrt(abs(np.linalg.det(rough[:4].reshape(2, 2))))
    low = np.maximum(np.floor(centre - radius), 0).astype(int)
    high = np.minimum(np.ceil(centre + radius) + 1, image.shape).astype(int)
    grid_rows, grid_columns = np.arange(low[0], high[0]), np.arange(low[1], high[1])
    pixels = np.stack(np.meshgrid(grid_rows, grid_columns, indexing="ij"), -1).reshape(-1, 2)
    seen = lens.cells(pixels.astype(np.float64), geometry)
    use = np.all((seen > -0.2) & (seen < np.array(grid) - 0.8) & (np.abs(seen - np.array(cell)) < REACH), axis=1)
    pixels = pixels[use]
    return Spot(cell, pixels.astype(np.float64), image[pixels[:, 0], pixels[:, 1]])


def _solve(spot: Spot, weight: Values, lens: Lens, geometry: Values) -> tuple[Values, Values, Values]:
    """What the best brightnesses leave over, weighted (P,); an orthonormal basis of what they can explain; and they
    themselves (49,).
    """
    design = _design(spot, lens, geometry)
    used = np.flatnonzero(design.sum(axis=0) > 1.0)
    root = np.sqrt(weight)
    q, r = np.linalg.qr(design[:, used] * root[:, None])
    measured = spot.counts * root
    projected = q.T @ measured
    light = np.full(_EDGE * _EDGE, np.nan)
    light[used] = np.linalg.solve(r, projected)
    return measured - q @ projected, q, light


def _design(spot: Spot, lens: Lens, geometry: Values) -> Values:
    """Shares (P, 49) in which each pixel sees the cells around the neuron."""
    index, share = shares(lens.cells(spot.pixels, geometry), geometry)
    offset = index - np.array(spot.cell) + REACH
    near = np.all((offset >= 0) & (offset < _EDGE), axis=2)
    flat = np.where(near, offset[..., 0] * _EDGE + offset[..., 1], 0)
    design = np.zeros((len(spot.counts), _EDGE * _EDGE))
    pixel = np.arange(len(design))
    for corner in range(4):
        design[pixel, flat[:, corner]] += np.where(near[:, corner], share[:, corner], 0.0)
    return design


def _chi2(spots: list[Spot], weights: list[Values], lens: Lens, geometry: Values) -> float:
    left = (_solve(spot, weight, lens, geometry)[0] for spot, weight in zip(spots, weights, strict=True))
    return float(sum(np.sum(residual**2) for residual in left))


def _normal(spots: list[Spot], weights: list[Values], lens: Lens, geometry: Values) -> tuple[Values, Values]:
    """Normal matrix (8, 8) and gradient (8,) of the geometry, with the brightnesses eliminated."""
    normal, gradient = np.zeros((8, 8)), np.zeros(8)
    for spot, weight in zip(spots, weights, strict=True):
        residual, q, light = _solve(spot, weight, lens, geometry)
        known = np.nan_to_num(light)
        jacobian = np.empty((len(residual), 8))
        for k, size in enumerate(_STEPS):
            step = np.zeros(8)
            step[k] = size
            change = _design(spot, lens, geometry + step) - _design(spot, lens, geometry - step)
            jacobian[:, k] = change @ known / (2 * size)
        jacobian *= np.sqrt(weight)[:, None]
        jacobian -= q @ (q.T @ jacobian)
        normal += jacobian.T @ jacobian
        gradient += jacobian.T @ residual
    return normal, gradient
