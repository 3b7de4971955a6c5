"""The image sensor: where the cells' light falls, and how it becomes counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from drivers.interfaces import Roi
from mock_devices.compiled import compiled
from mock_devices.options import TableOptions
from mock_devices.physics.beam import Grid
from mock_devices.physics.gaussian import QUANTILES, random_indices

Image = NDArray[np.uint8] | NDArray[np.uint16]


class Optics:
    """Which cells each pixel sees.

    Every cell is imaged as an evenly filled square with edges blurred by a Gaussian; along each axis of the grid a
    pixel sees the two nearest cells, with shares that add up to one and are continuous: at the middle of a cell nothing
    but that cell is seen (light that the blur throws further than half a cell is given back to the two).
    base: (rows, columns) the first of the four cells in the intensity grid with its dark border; down, right:
    (rows, columns) share of the second cell along each axis.
    """

    def __init__(self, options: TableOptions) -> None:
        self.base, self.down, self.right = _footprint(options)

    def region(self, roi: Roi) -> tuple[NDArray[np.uint32], Grid, Grid]:
        """base, down and right of a region of the sensor."""
        window = np.s_[roi.row : roi.row + roi.rows, roi.column : roi.column + roi.columns]
        return (
            np.ascontiguousarray(self.base[window]),
            np.ascontiguousarray(self.down[window]),
            np.ascontiguousarray(self.right[window]),
        )


def _footprint(options: TableOptions) -> tuple[NDArray[np.uint32], Grid, Grid]:
    height, width = options.sensor_shape
    centre = np.array([(height - 1) / 2, (width - 1) / 2])
    pixel = np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij")) - centre[:, None, None]
    # Undo pixel = ideal (1 + distortion |ideal|^2 / radius^2) by a few fixed-point steps.
    ideal = pixel
    radius2 = float(centre @ centre)
    if options.camera.distortion:
        for _ in range(20):
            ideal = pixel / (1 + options.camera.distortion * np.sum(ideal * ideal, axis=0) / radius2)
    matrix = np.asarray(options.camera_matrix)
    inverse = np.linalg.inv(matrix)
    cell = np.einsum("ij,jrc->irc", inverse, ideal + (centre - np.asarray(options.camera_offset_px))[:, None, None])

    first = np.floor(cell)
    size = np.asarray(options.cells)[:, None, None]
    dark = np.any((first < -1) | (first >= size), axis=0)
    first[:, dark] = -1
    blur_cells = options.camera.blur_px / np.sqrt(abs(np.linalg.det(matrix)))
    distance = cell - first - 0.5
    if blur_cells > 0:
        lost = ndtr(-0.5 / blur_cells)
        share = (ndtr(distance / blur_cells) - lost) / (1 - 2 * lost)
    else:
        share = (distance > 0).astype(np.float64)
    share[:, dark] = 0
    base = (first[0] + 1) * (options.columns + 2) + first[1] + 1
    return base.astype(np.uint32), share[0].astype(np.float32), share[1].astype(np.float32)


class Sensor:
    """Photons to counts. Shot noise is normal with the variance of the mean (good from some ten electrons on)."""

    def __init__(self, options: TableOptions) -> None:
        camera = options.camera
        self._optics = Optics(options)
        self.roi = Roi(0, 0, *options.sensor_shape)
        self._columns = options.columns + 2
        self._eight_bits = camera.bit_depth == 8
        self._top = 2**camera.bit_depth - 1
        self._dark = camera.dark_level
        self._full_well_e = camera.full_well_e
        self._electrons_per_joule = camera.electrons_per_joule
        self._shot = options.noise**2 if camera.shot_noise else 0.0
        self._read_variance = (camera.read_noise_e * options.noise) ** 2

    @property
    def roi(self) -> Roi:
        return self._roi

    @roi.setter
    def roi(self, roi: Roi) -> None:
        self._roi = roi
        self._base, self._down, self._right = self._optics.region(roi)

    def image(
        self, intensity: Grid, energy_j: float, gain_db: float, generator: np.random.Generator
    ) -> tuple[Image, float]:
        """One frame of the region, and its share of saturated pixels.

        intensity: `Light.intensity`. energy_j: laser energy during the exposure.
        """
        shape = self._base.shape
        counts: Image = np.empty(shape, dtype=np.uint8) if self._eight_bits else np.empty(shape, dtype=np.uint16)
        electrons = np.float32(energy_j * self._electrons_per_joule)
        # At 0 dB a full well is full scale.
        conversion = (self._top - self._dark) / self._full_well_e * 10 ** (gain_db / 20)
        noisy = self._shot > 0 or self._read_variance > 0
        bits = random_indices(generator, counts.size if noisy else 0)
        saturated = _expose(
            intensity.ravel(), self._columns, self._base, self._down, self._right, electrons, bits, QUANTILES,
            self._shot, self._read_variance, conversion, self._full_well_e, self._dark, self._top, counts,
        )  # fmt: skip
        return counts, saturated / counts.size


@compiled
def _expose(
    intensity: Grid,
    stride: int,
    base: NDArray[np.uint32],
    down: Grid,
    right: Grid,
    electrons: np.float32,
    bits: NDArray[np.uint16],
    quantiles: Grid,
    shot: float,
    read_variance: float,
    conversion: float,
    full_well: float,
    dark: int,
    top: int,
    counts: Image,
) -> int:
    """Fill `counts`, return how many pixels are at full scale."""
    rows, columns = base.shape
    upper_left = intensity
    upper_right = intensity[1:]
    lower_left = intensity[stride:]
    lower_right = intensity[stride + 1 :]
    line = np.empty(columns, dtype=np.float32)
    shot_share = np.float32(shot)
    variance = np.float32(read_variance)
    gain = np.float32(conversion)
    well = np.float32(full_well)
    floor = np.float32(dark + 0.5)
    ceiling = np.float32(top)
    last = np.int32(top)
    zero = np.float32(0)
    noisy = bits.size > 0
    saturated = 0
    for r in range(rows):
        b = base[r]
        d = down[r]
        s = right[r]
        for c in range(columns):
            i = b[c]
            left = upper_left[i] + (lower_left[i] - upper_left[i]) * d[c]
            line[c] = left + (upper_right[i] + (lower_right[i] - upper_right[i]) * d[c] - left) * s[c]
            line[c] *= electrons
        if noisy:
            random = bits[r * columns : (r + 1) * columns]
            for c in range(columns):
                line[c] += np.sqrt(line[c] * shot_share + variance) * quantiles[random[c]]
        out = counts[r]
        full = np.int32(0)
        for c in range(columns):
            value = line[c]
            value = well if value > well else value
            value = value * gain + floor
            value = zero if value < zero else value
            value = ceiling if value > ceiling else value
            count = np.int32(value)
            out[c] = count
            full += np.int32(count == last)
        saturated += int(full)
    return saturated
