"""Fields from intensities: what every mirror adds to a coherent sum, when only |sum|^2 is measured.

At every step of the sequence y_m = |f0 + sum_i w_mi f_i|^2 for M masks. Sought are amplitudes with the moduli sqrt(y_m)
that some fields can produce: a point common to the set of right moduli and the range of the design matrix. It is found
by relaxed averaged alternating reflections (Luke, Inverse Problems 21, 37, 2005), which leave false minima behind. The
fields are known up to one phase, and up to complex conjugation, per step, which no intensity depends on. About 2 N real
numbers are sought, so that M must be well above 2 N; 4 N is where it works nearly always.

Steps in which the reservoir is in similar states have similar fields: a few steps are solved from random starts, the
others start from the most similar one that is solved.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Complex = NDArray[np.complex128]

_ANCHORS = 8
_ITERATIONS_FROM_RANDOM = 1200
_ITERATIONS_FROM_NEIGHBOUR = 120
_ROUNDS = 6
_RANDOM_ROUNDS = 2
_RELAXATION = 0.9
_LAST_ALTERNATIONS = 30  # plain alternating projections, which settle at the nearest solution


@dataclass(frozen=True)
class Retrieved:
    """background: (T,), fields: (N, T). mismatch: (T,) what is wrong with the moduli, relative, at each step."""

    background: Complex
    fields: Complex
    mismatch: Floats


def retrieve_fields(
    masks: NDArray[np.bool_], intensities: Floats, tolerance: float, rng: np.random.Generator
) -> Retrieved:
    """Fields that explain intensities (M, T) of masks (M, N).

    tolerance: relative mismatch of the moduli that counts as solved; a little above what noise leaves.
    """
    moduli = np.sqrt(np.maximum(intensities, 0.0)).astype(np.float32)
    design = np.column_stack([np.ones(len(masks)), masks])
    basis, triangle = np.linalg.qr(design)
    basis = basis.astype(np.float32)
    steps = moduli.shape[1]
    norms = np.linalg.norm(moduli, axis=0) + np.finfo(np.float32).tiny

    solution = np.zeros(moduli.shape, dtype=np.complex64)
    mismatch = np.full(steps, np.inf)
    anchors = np.unique(np.linspace(0, steps - 1, min(_ANCHORS, steps)).astype(int))
    _improve(basis, moduli, solution, mismatch, anchors, _random_start(moduli, anchors, rng), _ITERATIONS_FROM_RANDOM)
    similarity = (moduli / norms).T @ (moduli / norms)
    for attempt in range(_ROUNDS):
        open_steps = np.flatnonzero(mismatch > tolerance)
        solved = np.flatnonzero(mismatch <= tolerance)
        if len(open_steps) == 0:
            break
        if len(solved) == 0 and attempt >= _RANDOM_ROUNDS:
            break
        if len(solved) == 0:
            start, iterations = _random_start(moduli, anchors, rng), _ITERATIONS_FROM_RANDOM
            open_steps = anchors
        else:
            order = np.argsort(-similarity[np.ix_(open_steps, solved)], axis=1)
            neighbour = solved[order[:, min(attempt, len(solved) - 1)]]
            start, iterations = solution[:, neighbour], _ITERATIONS_FROM_NEIGHBOUR
        _improve(basis, moduli, solution, mismatch, open_steps, start, iterations)
    fields = np.linalg.solve(triangle, basis.T.astype(np.float64) @ solution.astype(np.complex128))
    return Retrieved(fields[0], fields[1:], mismatch)


def _improve(
    basis: NDArray[np.float32],
    moduli: NDArray[np.float32],
    solution: NDArray[np.complex64],
    mismatch: Floats,
    steps: NDArray[np.int64],
    start: NDArray[np.complex64],
    iterations: int,
) -> None:
    """Iterate some steps (S,) from start (M, S); what is better than before goes into solution and mismatch."""
    wanted, amplitudes = moduli[:, steps], start.copy()
    for k in range(iterations + _LAST_ALTERNATIONS):
        possible = _project(basis, amplitudes)
        if k >= iterations:
            amplitudes = _with_moduli(possible, wanted)
            continue
        reflected = _with_moduli(2 * possible - amplitudes, wanted)
        amplitudes = _RELAXATION * (amplitudes + reflected - possible) + (1 - _RELAXATION) * possible
    possible = _project(basis, amplitudes)
    wrong = np.linalg.norm(np.abs(possible) - wanted, axis=0) / np.maximum(np.linalg.norm(wanted, axis=0), 1e-30)
    better = wrong < mismatch[steps]
    solution[:, steps[better]] = possible[:, better]
    mismatch[steps[better]] = wrong[better]


def _project(basis: NDArray[np.float32], amplitudes: NDArray[np.complex64]) -> NDArray[np.complex64]:
    """Nearest amplitudes that fields can produce; real and imaginary part as two columns of one real product."""
    parts = np.ascontiguousarray(amplitudes).view(np.float32)
    projected: NDArray[np.complex64] = (basis @ (basis.T @ parts)).view(np.complex64)
    return projected


def _with_moduli(amplitudes: NDArray[np.complex64], moduli: NDArray[np.float32]) -> NDArray[np.complex64]:
    """Nearest amplitudes that have the measured moduli."""
    size = np.abs(amplitudes)
    scaled: NDArray[np.complex64] = amplitudes * (moduli / np.maximum(size, np.float32(1e-30)))
    return scaled


def _random_start(
    moduli: NDArray[np.float32], steps: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.complex64]:
    phases = 2 * np.pi * rng.random((len(moduli), len(steps)))
    start: NDArray[np.complex64] = (moduli[:, steps] * np.exp(1j * phases)).astype(np.complex64)
    return start
