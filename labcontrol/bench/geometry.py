"""Where each neuron lies on the SLM, the DMD and the camera."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from drivers.interfaces import Pattern
from labcontrol.compiled import compiled
from labcontrol.config import GeometryConfig, GridOnCamera, GridOnDmd, GridOnModulator
from labcontrol.errors import UserError

_OFF_AND_ON = np.array([[0, 1]], dtype=np.uint8)


class NeuronMap:
    """Neurons in row-major order on the middle square of the bench's grid.

    side: neurons along one edge. slm_shape, dmd_shape: pixels of the modulators. sensor_shape: pixels of the frames.
    Raises UserError when the square does not fit the grid, or the grid does not fit a device.
    """

    def __init__(
        self,
        geometry: GeometryConfig,
        side: int,
        slm_shape: tuple[int, int],
        dmd_shape: tuple[int, int],
        sensor_shape: tuple[int, int],
    ) -> None:
        if side > min(geometry.rows, geometry.columns):
            raise UserError(
                f"{side * side} neurons need a grid of {side} x {side}, but the bench has "
                f"{geometry.rows} x {geometry.columns}.",
                f"Use at most {min(geometry.rows, geometry.columns) ** 2} neurons or a larger grid.",
            )
        self.side = side
        first_row, first_column = (geometry.rows - side) // 2, (geometry.columns - side) // 2
        self._slm = _Block("SLM", geometry.slm, first_row, first_column, side, slm_shape)
        if geometry.dmd.matrix is None:
            self._dmd: _Block | _Mirrors = _Block("DMD", geometry.dmd, first_row, first_column, side, dmd_shape)
        else:
            self._dmd = _Mirrors(geometry.dmd, first_row, first_column, side, dmd_shape)

        rows, columns = np.divmod(np.arange(side * side), side)
        cells = np.stack([rows + first_row, columns + first_column])
        # centres_px: (N, 2) exact; the windows are centred on the nearest pixel.
        self.centres_px: NDArray[np.float64] = camera_pixels(geometry.camera, cells.T)
        self._no_dark = np.zeros(side * side)
        self._corners = np.rint(self.centres_px).astype(np.int64) - geometry.camera.window_px // 2
        self._window = geometry.camera.window_px
        outside = (self._corners < 0) | (self._corners + self._window > np.array(sensor_shape))
        if outside.any():
            bad = int(np.flatnonzero(outside.any(axis=1))[0])
            row, column = self.centres_px[bad]
            raise UserError(
                f"Neuron {bad} lies at camera pixel ({row:.1f}, {column:.1f}), outside the "
                f"{sensor_shape[0]} x {sensor_shape[1]} frame.",
                "Correct geometry.camera in the bench file or the camera's region of interest.",
            )

    def slm_pattern(self, phases: NDArray[np.int64], levels: NDArray[np.uint8], background: int) -> Pattern:
        """SLM pattern with the pixels of neuron i at ``levels[:, phases[i]]`` and one level everywhere else.

        phases: (N,) indices into `PhaseTable.levels` (pixels of a neuron, phases).
        """
        return self._slm.pattern(phases, levels, background)

    def dmd_pattern(self, mask: NDArray[np.bool_]) -> Pattern:
        """DMD pattern with the mirrors of a mask (N,) on and all others off."""
        return self._dmd.pattern(mask.astype(np.int64), _OFF_AND_ON, 0)

    def dmd_patterns(self, masks: NDArray[np.bool_]) -> Pattern:
        """Patterns (B, rows, columns) of masks (B, N)."""
        return np.stack([self.dmd_pattern(mask) for mask in masks])

    def signals(
        self, frame: NDArray[np.uint8] | NDArray[np.uint16], dark: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Counts (N,) summed over each neuron's window of a frame. dark: (N,) counts to take off."""
        total = np.empty(self.side * self.side)
        _sum_windows(frame, self._corners, self._window, self._no_dark if dark is None else dark, total)
        return total


def camera_pixels(grid: GridOnCamera, cells: NDArray[np.int64] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Pixels (N, 2) of the centres of neurons (N, 2), both as (row, column)."""
    ideal = cells @ np.asarray(grid.matrix).T + np.asarray(grid.offset_px)
    from_centre = ideal - np.asarray(grid.centre_px)
    squared: NDArray[np.float64] = np.sum(from_centre**2, axis=1, keepdims=True)
    pixels: NDArray[np.float64] = ideal + grid.distortion_per_px2 * squared * from_centre
    return pixels


class _Mirrors:
    """The square of neurons on a DMD that is turned or shifted: every mirror shows the neuron nearest to it."""

    def __init__(self, grid: GridOnDmd, row: int, column: int, side: int, shape: tuple[int, int]) -> None:
        matrix = np.asarray(grid.matrix)
        if abs(np.linalg.det(matrix)) < 1e-6:
            raise UserError("geometry.dmd.matrix maps all neurons onto a line.", "Correct it in the bench file.")
        mirrors = np.stack(np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), indexing="ij"), axis=-1)
        cells = np.rint((mirrors - np.asarray(grid.offset_px)) @ np.linalg.inv(matrix).T).astype(np.int64)
        cells -= (row, column)
        inside = np.all((cells >= 0) & (cells < side), axis=-1)
        # (rows, columns): the neuron of each mirror; N, one past the last, for none.
        self._neurons = np.where(inside, cells[..., 0] * side + cells[..., 1], side * side)
        shown = np.bincount(self._neurons.ravel(), minlength=side * side + 1)[:-1]
        if not shown.all():
            raise UserError(
                f"{np.count_nonzero(shown == 0)} neurons would lie on no mirror of the DMD, which has "
                f"{shape[0]} x {shape[1]}.",
                "Correct geometry.dmd in the bench file, or use fewer neurons.",
            )

    def pattern(self, values: NDArray[np.int64], levels: NDArray[np.uint8], background: int) -> Pattern:
        shown = np.append(levels[0, values], np.uint8(background))
        return shown[self._neurons]


class _Block:
    """The square of neurons on one modulator."""

    def __init__(
        self, name: str, grid: GridOnModulator, row: int, column: int, side: int, shape: tuple[int, int]
    ) -> None:
        self._shape = shape
        self._pitch = grid.pitch_px
        self._row = grid.origin_px[0] + row * grid.pitch_px
        self._column = grid.origin_px[1] + column * grid.pitch_px
        self._side = side
        end = (self._row + side * grid.pitch_px, self._column + side * grid.pitch_px)
        if min(self._row, self._column) < 0 or end[0] > shape[0] or end[1] > shape[1]:
            raise UserError(
                f"The neurons would fill pixels ({self._row}, {self._column}) to {end} of the {name}, "
                f"which has {shape[0]} x {shape[1]}.",
                f"Correct geometry.{name.lower()} in the bench file, or use fewer neurons.",
            )

        self._levels: NDArray[np.uint8] | None = None
        self._background, self._empty = -1, np.empty(shape, dtype=np.uint8)
        self._runs = (np.zeros((0, 0), dtype=np.int64), np.zeros((0, 0), dtype=np.uint8))

    def pattern(self, values: NDArray[np.int64], levels: NDArray[np.uint8], background: int) -> Pattern:
        if levels is not self._levels or background != self._background:
            self._levels, self._runs = levels, runs_of(levels, self._pitch**2)
            self._background, self._empty = background, np.full(self._shape, background, dtype=np.uint8)
        pattern = self._empty.copy()
        _fill_cells(pattern, values, *self._runs, self._side, self._pitch, self._row, self._column)
        return pattern


def runs_of(levels: NDArray[np.uint8], pixels: int) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Runs of equal levels among the pixels of a cell: (values, runs) where each ends, and its level.

    levels: (any, values); where there are fewer than pixels, they repeat. Dithering spreads the pixels of a neuron over
    one grey step, in order, so that there are two to four runs: less to read than a level for each pixel.
    """
    of_pixels = levels[np.arange(pixels) % len(levels)].T
    value, before_change = np.nonzero(of_pixels[:, 1:] != of_pixels[:, :-1])
    run = np.arange(len(value)) - np.searchsorted(value, value)
    ends = np.full((len(of_pixels), int(run.max(initial=-1)) + 2), pixels)
    levels_of_runs = np.repeat(of_pixels[:, -1:], ends.shape[1], axis=1)
    ends[value, run] = before_change + 1
    levels_of_runs[value, run] = of_pixels[value, before_change]
    return ends, levels_of_runs


@compiled
def _fill_cells(
    pattern: NDArray[np.uint8],
    values: NDArray[np.int64],
    ends: NDArray[np.int64],
    levels: NDArray[np.uint8],
    side: int,
    pitch: int,
    row: int,
    column: int,
) -> None:
    """The pixels of each cell, line by line, show the runs of its value."""
    for cell in range(side * side):
        value = values[cell]
        top, left = row + cell // side * pitch, column + cell % side * pitch
        run = 0
        end, level = ends[value, 0], levels[value, 0]
        for r in range(pitch):
            line = pattern[top + r, left : left + pitch]
            first = r * pitch
            if first + pitch <= end:
                for c in range(pitch):  # a loop the compiler turns into a few large stores
                    line[c] = level
            else:
                for c in range(pitch):
                    if first + c >= end:
                        run += 1
                        end, level = ends[value, run], levels[value, run]
                    line[c] = level


@compiled
def _sum_windows(
    frame: NDArray[np.uint8] | NDArray[np.uint16],
    corners: NDArray[np.int64],
    window: int,
    dark: NDArray[np.float64],
    total: NDArray[np.float64],
) -> None:
    for i in range(total.size):
        counts = 0
        for r in range(corners[i, 0], corners[i, 0] + window):
            for c in range(corners[i, 1], corners[i, 1] + window):
                counts += frame[r, c]
        total[i] = counts - dark[i]
