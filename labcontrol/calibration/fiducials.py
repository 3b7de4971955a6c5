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
_ITERATIONS = 20
# Gain in chi2 that is nothing: a parameter one standard error off costs 1.
_CONVERGED = 0.003
# Light that noise does not explain, as a share of the light.
_MODEL_ERROR = 0.001
# Distortion expected of a lens, rms: it decides only where few neurons in dim light say nothing of it.
_USUAL_DISTORTION = 0.02
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
        """Fit from a geometry that is right within a third of a cell.

        gain_counts: variance of a pixel for one count of light. noise_counts2: variance without light.
        """
        problem = _Problem(spots, lens, gain_counts, noise_counts2)
        geometry, _ = problem.fitted(start)
        # Noise taken from the counts themselves makes bright pixels count too little: once more, from the model.
        problem.weigh(problem.model(geometry))
        geometry, chi2 = problem.fitted(geometry)
        normal, _ = problem.normal(geometry)
        light = problem.light(geometry)
        freedom = len(problem.counts) - 8 - int(np.isfinite(light).sum())
        misfit = chi2 / max(1, freedom)
        geometry[7] = abs(geometry[7])
        return cls(geometry, _inverse(normal) * max(1.0, misfit), light, float(misfit))

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


def _inverse(normal: Values) -> Values:
    """Inverse of a normal matrix, its parameters scaled to one error each; nothing for what cannot be told at all."""
    scale = np.sqrt(np.maximum(np.diag(normal), 1e-300))
    inverse: Values = np.linalg.pinv(normal / np.outer(scale, scale), hermitian=True) / np.outer(scale, scale)
    return inverse


class _Problem:
    """All pixels of all spots, and the least-squares problem that is left when the brightnesses are eliminated.

    Every spot has 49 brightnesses of its own, so that their normal matrices are small and solved side by side.
    """

    def __init__(self, spots: list[Spot], lens: Lens, gain_counts: float, noise_counts2: float) -> None:
        self._lens = lens
        self._spots = len(spots)
        self._pixels = np.concatenate([spot.pixels for spot in spots])
        self.counts = np.concatenate([spot.counts for spot in spots])
        self._owner = np.repeat(np.arange(len(spots)), [len(spot.counts) for spot in spots])
        self._cell = np.array([spot.cell for spot in spots])[self._owner]
        self._gain_counts, self._noise_counts2 = gain_counts, noise_counts2
        self.weigh(self.counts)

    def weigh(self, light: Values) -> None:
        """Weights from the noise of so much light (P,) in each pixel."""
        light = np.maximum(light, 0)
        self._weight = 1 / (self._noise_counts2 + self._gain_counts * light + (_MODEL_ERROR * light) ** 2)

    def fitted(self, start: Values) -> tuple[Values, float]:
        """Gauss-Newton with damping; geometry and chi2 at the end."""
        geometry, damping = start.copy(), 1e-3
        chi2 = self.chi2(geometry)
        for _ in range(_ITERATIONS):
            normal, gradient = self.normal(geometry)
            trial, trial_chi2 = geometry, np.inf
            while damping < 1e6:
                trial = geometry + np.linalg.solve(normal + damping * np.diag(np.diag(normal)), gradient)
                trial_chi2 = self.chi2(trial)
                if trial_chi2 < chi2:
                    break
                damping *= 10
            if trial_chi2 >= chi2:
                break
            done = chi2 - trial_chi2 < _CONVERGED
            geometry, chi2, damping = trial, trial_chi2, damping / 10
            if done:
                break
        return geometry, chi2

    def model(self, geometry: Values) -> Values:
        """Counts (P,) of the best fit at a geometry."""
        source, share = self._sources(geometry)
        return self._seen(source, share, self._solved(source, share))

    def chi2(self, geometry: Values) -> float:
        source, share = self._sources(geometry)
        left = self.counts - self._seen(source, share, self._solved(source, share))
        return float(np.sum(self._weight * left**2) + (geometry[6] / _USUAL_DISTORTION) ** 2)

    def light(self, geometry: Values) -> Values:
        """Brightnesses (F, 7, 7), NaN where less than a pixel's worth of a cell is seen."""
        source, share = self._sources(geometry)
        seen = np.bincount(source.ravel(), share.ravel(), self._spots * _EDGE**2)
        light = np.where(seen > 1.0, self._solved(source, share).ravel(), np.nan)
        return light.reshape(-1, _EDGE, _EDGE)

    def normal(self, geometry: Values) -> tuple[Values, Values]:
        """Normal matrix (8, 8) and gradient (8,) of the geometry."""
        source, share = self._sources(geometry)
        light = self._solved(source, share)
        left = self.counts - self._seen(source, share, light)
        jacobian = np.empty((len(left), 8))
        for k, size in enumerate(_STEPS):
            step = np.zeros(8)
            step[k] = size
            up, down = self._sources(geometry + step), self._sources(geometry - step)
            jacobian[:, k] = (self._seen(*up, light) - self._seen(*down, light)) / (2 * size)
        mixed = np.stack([self._onto(source, share, column) for column in jacobian.T], axis=-1)
        explained = np.linalg.solve(self._matrix(source, share), mixed)
        weighted = self._weight[:, None] * jacobian
        normal = jacobian.T @ weighted - np.einsum("fik,fil->kl", mixed, explained)
        gradient = weighted.T @ left
        normal[6, 6] += _USUAL_DISTORTION**-2
        gradient[6] -= geometry[6] * _USUAL_DISTORTION**-2
        return normal, gradient

    def _sources(self, geometry: Values) -> tuple[Indices, Values]:
        """Numbers (P, 4) of the brightnesses each pixel sees, and their shares (P, 4)."""
        index, share = shares(self._lens.cells(self._pixels, geometry), geometry)
        offset = index - self._cell[:, None, :] + REACH
        near = np.all((offset >= 0) & (offset < _EDGE), axis=2)
        local = np.where(near, offset[..., 0] * _EDGE + offset[..., 1], 0)
        return self._owner[:, None] * _EDGE**2 + local, np.where(near, share, 0.0)

    def _seen(self, source: Indices, share: Values, light: Values) -> Values:
        seen: Values = np.sum(light.ravel()[source] * share, axis=1)
        return seen

    def _onto(self, source: Indices, share: Values, values: Values) -> Values:
        """Weighted sums (F, 49) of values (P,) over what sees each brightness."""
        weights = share * (self._weight * values)[:, None]
        sums = np.bincount(source.ravel(), weights.ravel(), self._spots * _EDGE**2).astype(np.float64)
        return sums.reshape(self._spots, _EDGE**2)

    def _matrix(self, source: Indices, share: Values) -> Values:
        """Normal matrices (F, 49, 49) of the brightnesses; what is hardly seen is held near zero."""
        size = _EDGE**2
        local = source - self._owner[:, None] * size
        pair = source[:, :, None] * size + local[:, None, :]
        product = share[:, :, None] * share[:, None, :] * self._weight[:, None, None]
        sums = np.bincount(pair.ravel(), product.ravel(), self._spots * size * size).astype(np.float64)
        matrix = sums.reshape(-1, size, size)
        diagonal = np.arange(size)
        matrix[:, diagonal, diagonal] += 1e-9 * matrix[:, diagonal, diagonal].max(axis=1, keepdims=True)
        return matrix

    def _solved(self, source: Indices, share: Values) -> Values:
        """Best brightnesses (F, 49)."""
        onto = self._onto(source, share, self.counts)
        light = np.linalg.solve(self._matrix(source, share), onto[..., None])[..., 0]
        return np.asarray(light, dtype=np.float64)
