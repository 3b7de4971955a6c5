"""Law 2: the learning rate at the start mask, from what single flips change there.

Uniform selection flips each mirror with probability 1/N and keeps the flip if the error falls, so the expected drop of
the error in one epoch is the mean over mirrors of max(0, -dE_i). With excess = error - floor, learning begins as

    error(k) = floor + (start - floor) exp(-kappa k / N),    kappa = sum_i max(0, -dE_i) / (start - floor),

dE_i being what the flip of mirror i changes at the start mask. As the output grows towards the target, the mirrors'
fields change, and with them the rate: the whole curve of a run is predicted by its twins (`run_twins`).

Derivation: our own, for the claim of Andreoli et al., arXiv 2305.07908, that amplitude statistics set the speed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from labcontrol.theory.states import States

Floats = NDArray[np.float64]


def noise_from_repeats(outputs: NDArray[np.floating]) -> float:
    """Noise of one output sample from repeated measurements (R >= 2, T) of the same mask."""
    return float(np.sqrt(np.mean(np.var(outputs.astype(np.float64), axis=0, ddof=1))))


def start_rate(states: States, mask: NDArray[np.bool_], loss: str, floor: float = 0.0) -> float:
    """The rate kappa at a start mask, in units of 1/N per epoch.

    Parameters
    ----------
    states : States
        Of a linear readout.
    mask : ndarray of bool, shape (N,)
        Start mask.
    loss : str
        The deciding error, mse or nmse.
    floor : float
        Error expected in the end.

    Raises
    ------
    ValueError
        If the floor is not below the error of the start mask.
    """
    output = states.responses[mask].sum(axis=0, dtype=np.float64)
    if states.background is not None:
        output = output + states.background
    signs = np.where(mask, -1.0, 1.0)
    variance, covariance = float(np.mean(output**2)), float(np.mean(output * states.target))
    flipped_variance = variance + 2 * signs * (states.responses @ output) / states.steps + states.variances
    flipped_covariance = covariance + signs * states.overlaps
    start, flipped = (
        _errors(v, c, states.gain, loss) for v, c in ((variance, covariance), (flipped_variance, flipped_covariance))
    )
    excess = float(start) - floor
    if not excess > 0:
        raise ValueError(
            f"the floor should be below the error of the start mask, {float(start):.4g}; found {floor:.4g}"
        )
    return float(np.sum(np.maximum(0.0, start - flipped))) / excess


def _errors(variance: float | Floats, covariance: float | Floats, gain: float, loss: str) -> Floats:
    if loss == "nmse":
        return np.asarray(2 * (1 - covariance / np.sqrt(variance)))
    return np.asarray(variance / gain**2 - 2 * covariance / gain + 1)
