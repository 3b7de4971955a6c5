"""From phase to grey levels: the inverse of the SLM's measured response, dithered over the pixels of a neuron."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from labcontrol.compiled import compiled
from labcontrol.config import PhaseResponseConfig

# Phases are counted in whole steps of 1.5 mrad around the circle: fine beside a grey step (27 mrad for 2.2 pi).
PHASES = 4096


class PhaseTable:
    """Grey levels for each of `PHASES` phases, modulo 2 pi.

    pixels: of one neuron. The levels of a neuron's pixels are spread over one grey step around its phase, so that their
    mean is finer than the SLM's own steps; those would otherwise act like noise that the feedback loop amplifies.
    levels: (pixels, PHASES) grey level of each pixel at each phase; those of one phase lie together in memory.
    """

    def __init__(self, response: PhaseResponseConfig, pixels: int = 1) -> None:
        grey = np.arange(response.levels[0], response.levels[-1] + 1)
        phases = np.interp(grey, response.levels, response.phase_rad)
        wanted: NDArray[np.float64] = np.linspace(0, 2 * np.pi, PHASES, endpoint=False)
        nearest = _nearest(phases, wanted)
        grey_step = np.abs(np.gradient(phases))[nearest]
        shifts = (np.arange(pixels) + 0.5) / pixels - 0.5
        levels = grey.astype(np.uint8)
        of_pixels = np.stack([levels[_nearest(phases, wanted + shift * grey_step)] for shift in shifts])
        self.levels: NDArray[np.uint8] = np.asfortranarray(of_pixels)
        self.largest_error_rad = float(_distance(phases[nearest], wanted).max())

    def index(self, phase_rad: NDArray[np.float64]) -> NDArray[np.int64]:
        """Which of the phases is nearest, for phases of any shape and size."""
        index: NDArray[np.int64] = np.floor(phase_rad * (PHASES / (2 * np.pi)) + 0.5).astype(np.int64) % PHASES
        return index


@compiled
def update_phases(
    signal: NDArray[np.float64],
    feedback_rad: float,
    drive_rad: NDArray[np.float64],
    u: float,
    offset_rad: NDArray[np.float64],
    index: NDArray[np.int64],
) -> None:
    """Fill `index` (N,) for phase = feedback_rad * signal + drive_rad * u + offset_rad, in one pass.

    The same as `PhaseTable.index` of that phase, at a tenth of the cost.
    """
    to_index = PHASES / (2 * np.pi)
    for i in range(signal.size):
        phase = feedback_rad * signal[i] + drive_rad[i] * u + offset_rad[i]
        index[i] = int(np.floor(phase * to_index + 0.5)) % PHASES


def _nearest(phases: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.int64]:
    """(PHASES,) index of the grey level whose phase is nearest on the circle, the lowest of equals."""
    around = phases % (2 * np.pi)
    order = np.argsort(around)
    place = np.searchsorted(around[order], wanted % (2 * np.pi))
    # Two neighbours on each side, so that rounding at the place itself cannot hide the nearest.
    candidates = np.sort(order[(place + np.arange(-2, 2)[:, None]) % len(order)], axis=0)
    best = np.argmin(_distance(phases[candidates], wanted), axis=0)
    nearest: NDArray[np.int64] = np.take_along_axis(candidates, best[None, :], axis=0)[0]
    return nearest


def _distance(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    distance: NDArray[np.float64] = np.abs((a - b + np.pi) % (2 * np.pi) - np.pi)
    return distance
