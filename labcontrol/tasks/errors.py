"""The two error measures, computed from the float32 outputs as recorded: a record reproduces them exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


def standardised(target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Target with zero mean and unit variance. Raises ValueError for a constant one."""
    centred = np.asarray(target, dtype=np.float64) - np.mean(target)
    spread = float(np.std(centred))
    if not spread > 0:
        raise ValueError("the target is constant over the chosen steps")
    return centred / spread


def nmse(output: NDArray[np.float32], target: NDArray[np.float64]) -> float:
    """The experiment's error: offset removed, divided by the output's own standard deviation.

    output: (T,). target: (T,) standardised. Equals 2 (1 - correlation) and lies in [0, 4]; a constant output, which
    has no correlation, counts as 2.
    """
    centred = output.astype(np.float64)
    centred -= centred.mean()
    spread = float(np.sqrt(np.mean(centred * centred)))
    if spread == 0.0:
        return 2.0
    return float(np.mean((centred / spread - target) ** 2))


def mse(output: NDArray[np.float32], target: NDArray[np.float64], gain: float) -> float:
    """Fixed-gain error: offset removed, divided by a gain that was chosen once, before learning.

    Quadratic in the mask, which is what the convergence theory needs. gain: in the unit of the output, positive.
    """
    centred = output.astype(np.float64)
    centred -= centred.mean()
    return float(np.mean((centred / gain - target) ** 2))


@dataclass(frozen=True)
class ErrorMeasure:
    """Both errors of an output against one target.

    target: (T,) standardised. gain: of the fixed-gain error, in the unit of the output.
    """

    target: NDArray[np.float64]
    gain: float

    def mse(self, outputs: NDArray[np.float32]) -> NDArray[np.float64]:
        """outputs: (B, T). Returns (B,)."""
        return np.array([mse(output, self.target, self.gain) for output in outputs])

    def nmse(self, outputs: NDArray[np.float32]) -> NDArray[np.float64]:
        """outputs: (B, T). Returns (B,)."""
        return np.array([nmse(output, self.target) for output in outputs])

    def errors(self, loss: str, outputs: NDArray[np.float32]) -> NDArray[np.float64]:
        """The error that a loss, mse or nmse, asks for. outputs: (B, T). Returns (B,)."""
        return self.mse(outputs) if loss == "mse" else self.nmse(outputs)
