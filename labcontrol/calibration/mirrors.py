"""DMD -> neuron registration: which neuron's light falls on each mirror, through the detector.

Neurons light up in stripes that spell their row and column in binary (Gray code), each code and its complement. For
each, the DMD steps through its mirrors (or small blocks) one by one: a mirror that gives more in the code than in the
complement has a one. The rows and columns read in this way bound the affine map from mirrors to neurons; all maps
within the bounds are equally right, and their mean and spread are what is reported (evenly over the polytope).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.spatial import Delaunay, HalfspaceIntersection

from labcontrol.calibration.context import CalibrationContext
from labcontrol.calibration.procedure import Figure, Procedure
from labcontrol.calibration.readout import all_mirrors, can_play, chunk, levels_for_detector, powers
from labcontrol.calibration.result import Calibration, Outcome, Quantity

Values = NDArray[np.float64]
Indices = NDArray[np.int64]

# Blocks scanned at most: of a DMD that steps through patterns by itself, and of one that shows them one by one.
_LARGEST_SCAN, _LARGEST_SLOW_SCAN = 8192, 400
_DIMMEST_LINES = 2e-3  # of all the light: less on the outermost lines of mirrors is none
_SAMPLES = 4000
# Real maps are not spread evenly over all affine ones (most hardly turn or shear): a wide interval allows for that.
_INTERVAL = (0.25, 99.75)
_LIT = 0.2  # of the median lit mirror's power: below, a mirror sees no neuron


@dataclass(frozen=True)
class Blocks:
    """Blocks of mirrors shown one at a time. edge: mirrors along one. centres: (B, 2) in mirrors."""

    edge: int
    corners: Indices
    centres: Values


def measure(context: CalibrationContext) -> Outcome:
    """Scan the mirrors that get light under every stripe code."""
    geometry = context.config.geometry
    rows, columns = geometry.rows, geometry.columns
    context.light_on()
    low, high = levels_for_detector(context)
    _show_cells(context, np.ones((rows, columns), dtype=bool), low, high)
    blocks = _blocks(
        _lit_part(context), geometry.dmd.pitch_px, _LARGEST_SCAN if can_play(context) else _LARGEST_SLOW_SCAN
    )
    codes = [(0, bit) for bit in range(_bits(rows))] + [(1, bit) for bit in range(_bits(columns))]
    steps = 2 * len(codes)
    ones, sums = np.zeros((len(codes), len(blocks.centres))), np.zeros(len(blocks.centres))
    for k, (axis, bit) in enumerate(codes):
        stripe = _gray(np.arange(rows if axis == 0 else columns)) >> bit & 1
        cells = np.broadcast_to(stripe[:, None] if axis == 0 else stripe[None, :], (rows, columns)).astype(bool)
        bright = _scan(context, cells, low, high, blocks)
        context.progress(2 * k + 1, steps)
        complement = _scan(context, ~cells, low, high, blocks)
        context.progress(2 * k + 2, steps)
        ones[k] = bright - complement
        sums += bright + complement
    return evaluate(context, blocks, codes, ones, sums / len(codes))


def evaluate(
    context: CalibrationContext, blocks: Blocks, codes: list[tuple[int, int]], ones: Values, power: Values
) -> Outcome:
    """Decode and fit. ones: (codes, B) power of code less complement; power: (B,) of both together."""
    geometry = context.config.geometry
    size = (geometry.rows, geometry.columns)
    lit = power > _LIT * np.median(power[power > 0.5 * power.max()]) if power.max() > 0 else np.zeros(len(power), bool)
    cells = np.stack([_decoded(ones, codes, axis) for axis in (0, 1)], axis=1)
    # A mirror on a border between neurons sees both, so its bits are weak: it says nothing.
    plain = np.all(np.abs(ones) > 0.3 * power, axis=0) & lit & np.all((cells >= 0) & (cells < np.array(size)), axis=1)
    if np.count_nonzero(plain) < 8:
        q = Quantity(float(np.count_nonzero(plain)), 0, 0, "", "mirrors whose neuron could be read")
        reason = "no mirrors show the neurons to the detector; is the DMD in the beam, and do its patterns arrive?"
        return Outcome({"mirrors_read": q}, {}, {}, (reason,))
    samples, violated = [], 0
    for axis in (0, 1):
        chosen, wrong = _maps(blocks.centres[plain], cells[plain, axis])
        samples.append(chosen)
        violated += wrong
    inverse = np.stack([samples[0], samples[1]], axis=1)  # (S, 2, 3): cell = A mirror + b
    matrices = np.linalg.inv(inverse[:, :, :2])
    offsets = -np.einsum("sij,sj->si", matrices, inverse[:, :, 2])
    forward = np.concatenate([matrices.reshape(-1, 4), offsets], axis=1)
    mean = forward.mean(axis=0)
    bounds = np.percentile(forward, _INTERVAL, axis=0)
    names = ("m00", "m01", "m10", "m11", "row", "column")
    words = (
        "mirror rows a row of neurons", "mirror rows a column of neurons", "mirror columns a row of neurons",
        "mirror columns a column of neurons", "mirror row of neuron (0, 0)", "mirror column of neuron (0, 0)",
    )  # fmt: skip
    quantities = {
        name: Quantity(float(mean[k]), float(bounds[0, k]), float(bounds[1, k]), "mirrors", words[k])
        for k, name in enumerate(names)
    }
    corners = np.array([[0, 0, 1], [0, size[1] - 1, 1], [size[0] - 1, 0, 1], [size[0] - 1, size[1] - 1, 1.0]])
    spread = _spread(forward, corners)
    quantities["rms_error_px"] = Quantity(spread, 0, 2 * spread, "mirrors", "spread of a corner neuron's place, rms")
    matrix = mean[:4].reshape(2, 2)
    failures, notices = [], []
    if violated > 0.02 * np.count_nonzero(plain):
        failures.append(
            f"{violated} of {np.count_nonzero(plain)} mirrors do not fit one affine map; is the DMD in focus?"
        )
    if spread > 0.5 * np.sqrt(abs(np.linalg.det(matrix))):
        failures.append(f"the map is known to {spread:.2f} mirrors only")
    if np.linalg.det(matrix) < 0:
        notices.append("mirrored: the DMD sees the neurons mirrored; the map measured here allows for it")
    elif abs(matrix[0, 1]) > abs(matrix[0, 0]):
        notices.append("swapped axes: rows of neurons are columns of the DMD; the map measured here allows for it")
    arrays = {
        "centres": blocks.centres, "cells": np.where(plain[:, None], cells, -1), "power": power,
        "samples": forward[:: max(1, len(forward) // 200)],
    }  # fmt: skip
    settings = {"geometry": {"dmd": {"matrix": matrix.tolist(), "offset_px": mean[4:].tolist()}}}
    return Outcome(quantities, arrays, settings, tuple(failures), tuple(notices))


# --- measuring --------------------------------------------------------------------------------------------------------
def _lit_part(context: CalibrationContext) -> tuple[slice, slice]:
    """Rows and columns of the DMD that get light, and a neuron around them; by bisection from each side."""
    shape, margin = context.bench.dmd.shape, round(context.config.geometry.dmd.pitch_px)
    dark, full = powers(context, np.stack([all_mirrors(context, 0), all_mirrors(context, 1)]))

    def dark_lines(axis: int, far: bool) -> int:
        none, some = 0, shape[axis]
        while some - none > 1:
            middle = (none + some) // 2
            lines = np.arange(shape[axis])
            chosen = lines >= shape[axis] - middle if far else lines < middle
            pattern = np.zeros(shape, dtype=np.uint8)
            pattern[chosen if axis == 0 else np.s_[:, chosen]] = 1
            lit = powers(context, pattern[None])[0] - dark > _DIMMEST_LINES * (full - dark)
            none, some = (none, middle) if lit else (middle, some)
        return max(0, none - margin)

    rows, columns = (slice(dark_lines(axis, False), shape[axis] - dark_lines(axis, True)) for axis in (0, 1))
    return rows, columns


def _blocks(part: tuple[slice, slice], pitch: int, most: int) -> Blocks:
    """Single mirrors where there are few, else blocks of up to half a neuron, and of these an even choice."""
    size = [lines.stop - lines.start for lines in part]
    edge = 1
    while (size[0] // edge) * (size[1] // edge) > most and edge < max(1, pitch // 2):
        edge += 1
    rows, columns = (lines.start + np.arange(n // edge) * edge for lines, n in zip(part, size, strict=True))
    at = np.stack(np.meshgrid(rows, columns, indexing="ij"), -1).reshape(-1, 2)
    if len(at) > most:
        at = at[np.sort(np.random.default_rng(7).choice(len(at), most, replace=False))]
    return Blocks(edge, at, np.asarray(at + (edge - 1) / 2, dtype=np.float64))


def _show_cells(context: CalibrationContext, cells: NDArray[np.bool_], low: int, high: int) -> None:
    """Some cells (rows, columns) bright for the detector, all else dim."""
    grid = context.config.geometry.slm
    pattern = context.uniform(low)
    bright = np.kron(cells, np.ones((grid.pitch_px, grid.pitch_px), dtype=bool))
    row, column = grid.origin_px
    pattern[row : row + bright.shape[0], column : column + bright.shape[1]][bright] = high
    context.show(pattern)


def _scan(context: CalibrationContext, cells: NDArray[np.bool_], low: int, high: int, blocks: Blocks) -> Values:
    """Power (B,) of each block by itself above that of no mirror, with some cells bright for the detector."""
    _show_cells(context, cells, low, high)
    count = len(blocks.corners)
    size = max(1, chunk(context, count + 1) - 1)
    values = []
    for first in range(0, count, size):
        corners = blocks.corners[first : first + size]
        patterns = np.zeros((len(corners) + 1, *context.bench.dmd.shape), dtype=np.uint8)
        for r in range(blocks.edge):
            for c in range(blocks.edge):
                patterns[np.arange(1, len(corners) + 1), corners[:, 0] + r, corners[:, 1] + c] = 1
        measured = powers(context, patterns)
        values.append(measured[1:] - measured[0])
    return np.concatenate(values)


def _bits(size: int) -> int:
    return max(1, int(size - 1).bit_length())


def _gray(number: Indices) -> Indices:
    return number ^ (number >> 1)


def _decoded(ones: Values, codes: list[tuple[int, int]], axis: int) -> Indices:
    """Row or column (B,) that the bits of an axis spell."""
    gray = np.zeros(ones.shape[1], dtype=np.int64)
    for values, (of, bit) in zip(ones, codes, strict=True):
        if of == axis:
            gray |= (values > 0).astype(np.int64) << bit
    number = gray.copy()
    shift = gray >> 1
    while shift.any():
        number ^= shift
        shift >>= 1
    return number


# --- all maps that fit ------------------------------------------------------------------------------------------------
def _maps(centres: Values, index: Indices) -> tuple[Values, int]:
    """Maps (S, 3) with ``|a . mirror + b - index| <= 1/2`` for every block, evenly from all there are.

    Returns also how many blocks had to be left out because no map fits them all.
    """
    design = np.column_stack([centres, np.ones(len(centres))])
    used = np.ones(len(centres), dtype=bool)
    while True:
        centre, slack = _deepest(design[used], index[used])
        if slack > 0 or np.count_nonzero(used) < len(used) // 2:
            break
        off = np.abs(design @ centre - index)
        off[~used] = 0
        used[off > max(0.5, float(off.max()) - 1e-9)] = False
    return _evenly(design[used], index[used], centre), int(np.count_nonzero(~used))


def _deepest(design: Values, index: Indices) -> tuple[Values, float]:
    """The map farthest from all bounds, and how far it is."""
    one = np.ones((len(design), 1))
    bounds = np.vstack([np.hstack([design, one]), np.hstack([-design, one])])
    limits = np.concatenate([index + 0.5, 0.5 - index])
    found = linprog([0, 0, 0, -1.0], A_ub=bounds, b_ub=limits, bounds=[(None, None)] * 4, method="highs")
    solution = np.asarray(found.x, dtype=np.float64)
    return solution[:3], float(solution[3])


def _evenly(design: Values, index: Indices, start: Values) -> Values:
    """Samples (S, 3), evenly from the polytope of all maps, through its corners and the tetrahedra between them."""
    rng = np.random.default_rng(8)
    middle = design[:, :2].mean(axis=0)
    scale = 1 / max(float(np.ptp(design[:, 0])), float(np.ptp(design[:, 1])), 1.0)
    # Parameters are the coordinate in the middle and the slopes over the whole DMD, so that they are alike.
    centred = np.column_stack([(design[:, :2] - middle) * scale, np.ones(len(design))])
    inside = np.array([start[0] / scale, start[1] / scale, start[2] + start[:2] @ middle])
    left = index - centred @ inside
    bounds = np.vstack([np.column_stack([centred, -left - 0.5]), np.column_stack([-centred, left - 0.5])])
    corners = HalfspaceIntersection(bounds, np.zeros(3)).intersections
    size = np.ptp(corners, axis=0)
    tetrahedra = Delaunay(corners / size).simplices
    edges = corners[tetrahedra[:, 1:]] - corners[tetrahedra[:, :1]]
    volumes = np.abs(np.linalg.det(edges))
    chosen = tetrahedra[rng.choice(len(tetrahedra), _SAMPLES, p=volumes / volumes.sum())]
    samples = np.einsum("sk,skj->sj", rng.dirichlet(np.ones(4), _SAMPLES), corners[chosen]) + inside
    slopes = samples[:, :2] * scale
    return np.column_stack([slopes, samples[:, 2] - slopes @ middle])


def _spread(forward: Values, corners: Values) -> float:
    """Rms over samples and corners of a neuron's place about its mean."""
    matrices, offsets = forward[:, :4].reshape(-1, 2, 2), forward[:, 4:]
    places = np.einsum("sij,cj->sci", matrices, corners[:, :2]) + offsets[:, None, :]
    return float(np.sqrt(np.mean(np.sum((places - places.mean(axis=0)) ** 2, axis=-1))))


def draw(calibration: Calibration, figure: Figure) -> None:
    """Mirrors coloured by the neuron they see, with the neurons' centres."""
    arrays = calibration.outcome.arrays
    axes = figure.subplots()
    cells, centres = arrays["cells"], arrays["centres"]
    colour = np.where(cells[:, 0] < 0, -1, (cells[:, 0] % 2) * 2 + cells[:, 1] % 2)
    axes.scatter(centres[:, 1], centres[:, 0], c=colour, s=9, marker="s", cmap="Set2")
    q = calibration.outcome.quantities
    at = np.stack(np.meshgrid(np.arange(cells[:, 0].max() + 1), np.arange(cells[:, 1].max() + 1), indexing="ij"), -1)
    at = at.reshape(-1, 2)
    matrix = np.array([[q["m00"].value, q["m01"].value], [q["m10"].value, q["m11"].value]])
    places = at @ matrix.T + np.array([q["row"].value, q["column"].value])
    axes.plot(places[:, 1], places[:, 0], "k+", ms=4, label="neuron")
    axes.set(xlabel="column (mirrors)", ylabel="row (mirrors)", title="neurons on the DMD")
    axes.invert_yaxis()
    axes.set_aspect("equal")
    axes.legend(loc="upper right")


PROCEDURE = Procedure(
    "mirrors",
    "DMD: which mirrors show which neuron",
    "Stripes on the camera image, finer and finer, along rows and then along columns; each with its negative.",
    ("slm", "dmd", "detector", "laser"),
    ("phase-response", "window", "detector"),
    12,
    measure,
    draw,
)
