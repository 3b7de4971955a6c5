"""The rough map from neurons to pixels: brightest spots of neurons shown alone, right within a fraction of a cell."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from labcontrol.calibration.context import Image
from labcontrol.errors import UserError

Values = NDArray[np.float64]


def pitch_of(matrix: Values) -> float:
    """Pixels from neuron to neuron, of an affine map that begins with its matrix."""
    return float(np.sqrt(abs(matrix[0] * matrix[3] - matrix[1] * matrix[2])))


def brightest(image: Image, pitch_px: float) -> tuple[Values, float]:
    """Where an image smoothed over a neuron is brightest, to a fraction of a pixel, and by how much over its noise."""
    smooth = uniform_filter(image, max(1, round(pitch_px)))
    row, column = np.unravel_index(int(np.argmax(smooth)), smooth.shape)
    noise = float(np.median(np.abs(smooth - np.median(smooth)))) * 1.48 + 0.02
    first_row, first_column = max(0, int(row) - 1), max(0, int(column) - 1)
    near = smooth[first_row : int(row) + 2, first_column : int(column) + 2]
    weight = np.maximum(near - 0.8 * smooth[row, column], 0)
    at = np.indices(weight.shape) + np.array([first_row, first_column])[:, None, None]
    spot: Values = (at * weight).sum(axis=(1, 2)) / weight.sum()
    return spot, float(smooth[row, column] / noise)


def refined(rough: Values, groups: list[list[tuple[int, int]]], images: NDArray[np.float64]) -> Values:
    """The rough map from all neurons shown, each found near where the rough map has it."""
    pitch = pitch_of(rough)
    cells, spots = [], []
    for group, image in zip(groups, images, strict=True):
        for cell in group:
            at = rough[:4].reshape(2, 2) @ np.array(cell) + rough[4:]
            low = np.maximum(np.rint(at - 1.6 * pitch), 0).astype(int)
            high = np.minimum(np.rint(at + 1.6 * pitch) + 1, image.shape).astype(int)
            if np.any(high - low < pitch):
                continue
            spots.append(brightest(image[low[0] : high[0], low[1] : high[1]], pitch)[0] + low)
            cells.append(cell)
    return affine(np.array(cells), np.array(spots)) if len(cells) > 3 else rough


def affine(cells: NDArray[np.int64], spots: Values) -> Values:
    """m00, m01, m10, m11, row, column by least squares."""
    design = np.column_stack([cells, np.ones(len(cells))])
    solution, _, rank, _ = np.linalg.lstsq(design, spots, rcond=None)
    if rank < 3:
        raise UserError("The grid of neurons is too small to be registered.", "It needs 2 x 2 neurons at least.")
    return np.concatenate([solution[0, [0]], solution[1, [0]], solution[0, [1]], solution[1, [1]], solution[2]])
