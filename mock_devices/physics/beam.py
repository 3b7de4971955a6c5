"""Illumination of the cells and the diffractive coupling between them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mock_devices.compiled import compiled
from mock_devices.options import OpticsOptions

Grid = NDArray[np.float32]


class Beam:
    """Gaussian beam on the cells: field amplitude (rows, columns), 1 at its centre.

    With pointing drift the centre moves slowly on an ellipse whose phases are drawn once.
    """

    def __init__(self, options: OpticsOptions, cells: tuple[int, int], generator: np.random.Generator) -> None:
        self._options = options
        self._cells = cells
        self._phases = generator.uniform(0, 2 * np.pi, 2)
        self._still = self._profile(options.beam_centre)

    def amplitude(self, time_s: float) -> Grid:
        """Relative field E0 (rows, columns) at a time."""
        size = self._options.pointing_drift_cells
        if size == 0:
            return self._still
        turn = 2 * np.pi * time_s / self._options.pointing_period_s + self._phases
        row, column = self._options.beam_centre
        return self._profile((row + size * math.sin(turn[0]), column + size * math.sin(turn[1])))

    @property
    def energy(self) -> float:
        """Sum of the still beam's E0^2 over the cells."""
        return float(np.sum(self._still.astype(np.float64) ** 2))

    def _profile(self, centre: tuple[float, float]) -> Grid:
        rows, columns = self._cells
        waist = self._options.beam_waist * max(0.5, math.hypot(rows - 1, columns - 1) / 2)
        r = np.arange(rows) - (rows - 1) / 2 - centre[0]
        c = np.arange(columns) - (columns - 1) / 2 - centre[1]
        return np.asarray(np.exp(-((r / waist) ** 2))[:, None] * np.exp(-((c / waist) ** 2)), dtype=np.float32)


def coupling_kernel(size: int, decay_cells: float, generator: np.random.Generator) -> NDArray[np.complex64]:
    """Amplitudes (size, size) that the cells around a cell send to it, those of the element at the centre its own.

    They fall exponentially with distance, have random fixed phases, and carry unit energy together, so that the mean
    intensity does not depend on the kernel's size.
    """
    offset = np.arange(size) - size // 2
    amplitude = np.exp(-np.hypot(offset[:, None], offset) / decay_cells)
    kernel = amplitude * np.exp(2j * np.pi * generator.random((size, size)))
    return np.asarray(kernel / np.sqrt(np.sum(np.abs(kernel) ** 2)), dtype=np.complex64)


@compiled
def couple(field: Grid, kernel_real: Grid, kernel_imaginary: Grid, intensity: Grid) -> None:
    """Intensity |sum K E|^2 of every cell, at a cost of cells times kernel.

    field: (rows + size - 1, columns + size - 1), the cells' real fields within a dark border.
    kernel_real, kernel_imaginary: (size, size), `coupling_kernel`.
    intensity: (rows + 2, columns + 2), filled but for its border of one dark cell.
    """
    size = kernel_real.shape[0]
    rows = field.shape[0] - size + 1
    columns = field.shape[1] - size + 1
    real = np.empty(columns, dtype=np.float32)
    imaginary = np.empty(columns, dtype=np.float32)
    for r in range(rows):
        real[:] = 0
        imaginary[:] = 0
        for a in range(size):
            line = field[r + a]
            for b in range(size):
                k_real = kernel_real[a, b]
                k_imaginary = kernel_imaginary[a, b]
                for c in range(columns):
                    real[c] += k_real * line[c + b]
                    imaginary[c] += k_imaginary * line[c + b]
        target = intensity[r + 1]
        for c in range(columns):
            target[c + 1] = real[c] * real[c] + imaginary[c] * imaginary[c]
