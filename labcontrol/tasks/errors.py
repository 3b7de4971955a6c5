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

    def without_noise(self, loss: str, outputs: NDArray[np.float32], noise_std: float) -> float:
        """Error of one mask, from repeated outputs, with the share that the detector's noise has in it taken off.

        Parameters
        ----------
        loss : str
            mse or nmse.
        outputs : ndarray, shape (R, T)
            Of the same mask. Their mean is judged.
        noise_std : float
            Of one output sample; used where there is only one output. Several tell their noise themselves.

        Returns
        -------
        float
            An estimate; noise that all outputs of a replay share stays in it. The error as measured where nothing but
            noise is left.

        Notes
        -----
        The mean of R outputs has the variance v + s^2 / R, s^2 the noise's, and still the covariance c with the target.
        So noise adds s^2 / (R g^2) to the mse, and about s^2 / (R v) to the nmse, 2 (1 - c / sqrt(v)): judged by the
        mean error of single outputs, strong outputs would be favoured.
        """
        centred = outputs.astype(np.float64)
        centred -= centred.mean(axis=1, keepdims=True)
        mean = centred.mean(axis=0)
        noise = float(np.mean(centred.var(axis=0, ddof=1))) if len(outputs) > 1 else noise_std**2
        variance, covariance = float(np.mean(mean**2)), float(np.mean(mean * self.target))
        left = variance - noise / len(outputs)
        if loss == "mse":
            return left / self.gain**2 - 2 * covariance / self.gain + 1
        left = left if left > 0 else variance
        return 2 * (1 - covariance / left**0.5) if left > 0 else 2.0
