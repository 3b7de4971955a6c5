"""Test patterns for a phase modulator or a mirror array, by name."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from drivers.interfaces import Pattern

PATTERNS = ("blank", "gradient", "checkerboard", "vertical stripes", "horizontal stripes", "fiducials")

_BAYER_4 = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]])

Pixels = NDArray[np.int64] | NDArray[np.bool_]


def make_pattern(name: str, shape: tuple[int, int], bit_depth: int, level: int, period_px: int) -> Pattern:
    """One of `PATTERNS`, uint8 of `shape` with values from 0 to ``2**bit_depth - 1``.

    level: of a blank pattern and of the bright parts of the others; a gradient goes from 0 to the top.
    period_px: pixels from one edge of a checkerboard or stripe to the next one of the same kind.
    """
    if name == "gradient":
        return _gradient(shape, 2**bit_depth - 1).astype(np.uint8)
    return (level * _bright(name, shape, max(1, period_px // 2))).astype(np.uint8)


def _bright(name: str, shape: tuple[int, int], half_px: int) -> Pixels:
    rows, columns = np.indices(shape)
    match name:
        case "blank":
            return np.ones(shape, dtype=np.bool_)
        case "checkerboard":
            return np.asarray((rows // half_px + columns // half_px) % 2)
        case "vertical stripes":
            return np.asarray(columns // half_px % 2)
        case "horizontal stripes":
            return np.asarray(rows // half_px % 2)
        case "fiducials":
            return _fiducials(shape)
    raise ValueError(f"unknown pattern {name!r}; known are {', '.join(PATTERNS)}")


def _gradient(shape: tuple[int, int], top: int) -> Pixels:
    """Dark left, bright right; a mirror array, which has no grey, shows it as a density of mirrors."""
    ramp = np.linspace(0, 1, shape[1])
    if top > 1:
        return np.broadcast_to(np.rint(ramp * top).astype(np.int64), shape)
    rows, columns = np.indices(shape)
    return np.asarray(ramp[None, :] > (_BAYER_4[rows % 4, columns % 4] + 0.5) / 16)


def _fiducials(shape: tuple[int, int]) -> NDArray[np.bool_]:
    """A filled square at the first corner, crosses at the other three: no turn of it looks like another."""
    rows, columns = shape
    arm = max(2, min(shape) // 10)
    thick = max(1, arm // 4)
    near, far_row, far_column = arm + 1, rows - 2 - arm, columns - 2 - arm
    bright = np.zeros(shape, dtype=np.bool_)
    bright[1 : 2 * arm + 1, 1 : 2 * arm + 1] = True
    for row, column in ((near, far_column), (far_row, near), (far_row, far_column)):
        bright[row - arm : row + arm + 1, column : column + thick] = True
        bright[row : row + thick, column - arm : column + arm + 1] = True
    return bright
