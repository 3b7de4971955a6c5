"""Which cells of the grid a camera pixel sees: the model that registration fits.

Every cell is imaged as an evenly lit square with edges blurred by a Gaussian. Along each axis of the grid a pixel sees
the two nearest cells, in shares that add up to one and change continuously: a jump, however small, would lend the fit
more certainty than there is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Values = NDArray[np.float64]

# Parameters in the order they are fitted in; distortion is that of a point at the distance of the scale.
NAMES = ("m00", "m01", "m10", "m11", "row", "column", "distortion", "blur")


@dataclass(frozen=True)
class Lens:
    """What is fixed about the camera: centre_px of the distortion and the distance it is stated for, in pixels."""

    centre_px: Values
    scale_px: float

    def ideal(self, pixels: Values, distortion: float) -> Values:
        """Where pixels (P, 2) would be without distortion."""
        from_centre = (pixels - self.centre_px) / self.scale_px
        ideal = from_centre
        for _ in range(5):
            ideal = from_centre / (1 + distortion * np.sum(ideal * ideal, axis=1, keepdims=True))
        result: Values = ideal * self.scale_px + self.centre_px
        return result

    def cells(self, pixels: Values, parameters: Values) -> Values:
        """Coordinates in the grid (P, 2) that pixels look at."""
        matrix = parameters[:4].reshape(2, 2)
        ideal = self.ideal(pixels, float(parameters[6]))
        cells: Values = (ideal - parameters[4:6]) @ np.linalg.inv(matrix).T
        return cells

    def pixels(self, cells: Values, parameters: Values) -> Values:
        """Pixels (N, 2) of grid coordinates (N, 2)."""
        ideal = cells @ parameters[:4].reshape(2, 2).T + parameters[4:6]
        from_centre = (ideal - self.centre_px) / self.scale_px
        squared = np.sum(from_centre**2, axis=1, keepdims=True)
        pixels: Values = ideal + parameters[6] * squared * from_centre * self.scale_px
        return pixels


def shares(cells: Values, parameters: Values) -> tuple[NDArray[np.int64], Values]:
    """The four cells a pixel sees and their shares.

    cells: (P, 2) grid coordinates. Returns indices (P, 4, 2) and shares (P, 4).
    """
    pitch_px = np.sqrt(abs(np.linalg.det(parameters[:4].reshape(2, 2))))
    first = np.floor(cells)
    blur_cells = max(abs(float(parameters[7])), 1e-3) / pitch_px
    beyond = ndtr(-0.5 / blur_cells)
    second = (ndtr((cells - first - 0.5) / blur_cells) - beyond) / (1 - 2 * beyond)
    corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    index = first.astype(np.int64)[:, None, :] + corners
    share: Values = np.prod(np.where(corners[None] == 1, second[:, None, :], 1 - second[:, None, :]), axis=2)
    return index, share
