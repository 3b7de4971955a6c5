"""From phase to grey level: the inverse of the SLM's measured response."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from labcontrol.compiled import compiled
from labcontrol.config import PhaseResponseConfig

# Fine enough that its steps (1.5 mrad) vanish beside those of 256 grey levels (27 mrad for 2.2 pi).
PHASES = 4096


class PhaseTable:
    """Grey level whose phase is nearest, modulo 2 pi, for `PHASES` phases around the circle."""

    def __init__(self, response: PhaseResponseConfig) -> None:
        levels = np.arange(response.levels[0], response.levels[-1] + 1)
        phases = np.interp(levels, response.levels, response.phase_rad)
        wanted = np.arange(PHASES) * (2 * np.pi / PHASES)
        distance = np.abs((phases[None, :] - wanted[:, None] + np.pi) % (2 * np.pi) - np.pi)
        self.levels: NDArray[np.uint8] = levels[np.argmin(distance, axis=1)].astype(np.uint8)
        self.largest_error_rad = float(distance.min(axis=1).max())

    def __call__(self, phase_rad: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Grey levels for phases of any shape and size."""
        return self.levels[np.floor(phase_rad * (PHASES / (2 * np.pi)) + 0.5).astype(np.int64) % PHASES]


@compiled
def update_levels(
    signal: NDArray[np.float64],
    feedback_rad: float,
    drive_rad: NDArray[np.float64],
    u: float,
    offset_rad: NDArray[np.float64],
    table: NDArray[np.uint8],
    levels: NDArray[np.uint8],
) -> None:
    """Fill `levels` (N,) for phase = feedback_rad * signal + drive_rad * u + offset_rad, in one pass.

    table: `PhaseTable.levels`. The same as calling the table, at a tenth of the cost.
    """
    to_index = table.size / (2 * np.pi)
    for i in range(signal.size):
        phase = feedback_rad * signal[i] + drive_rad[i] * u + offset_rad[i]
        levels[i] = table[int(np.floor(phase * to_index + 0.5)) % table.size]
