"""A recorded run's errors as they would be, had the readout's gain not drifted; nothing that was decided changes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from labcontrol.engine.drift import REPEATS
from labcontrol.records import RunReader
from labcontrol.tasks import ErrorMeasure

Floats = NDArray[np.float64]

_ROWS = 4096  # outputs in memory at a time


def reference_gain(run: RunReader) -> tuple[NDArray[np.int64], Floats]:
    """(D,) epochs at which the reference mask was measured and the gain of its output, against its first measurements.

    The slope of the output over the first ones, step by step: an offset of the detector is not in it. Both are empty
    without a drift curve.
    """
    drift = run.drift
    if len(drift.get("epoch", ())) < REPEATS:
        return np.empty(0, dtype=np.int64), np.empty(0)
    outputs = drift["output"].astype(np.float64)
    outputs -= outputs.mean(axis=1, keepdims=True)
    known = outputs[:REPEATS].mean(axis=0)
    return drift["epoch"], outputs @ known / (known @ known)


def drift_normalised_mse(run: RunReader) -> Floats:
    """(K,) fixed-gain error of every epoch with the output divided by the reference's interpolated gain.

    Only a common factor is made good; what else moved stays. Raises ValueError for a run without a drift curve.
    """
    at, gains = reference_gain(run)
    if len(at) == 0:
        raise ValueError(f"{run.path} has no drift curve: its experiment did not set [drift] every_epochs")
    assert run.gain is not None  # known before the first epoch
    measured_at, index = np.unique(at, return_inverse=True)
    gain = np.interp(np.arange(len(run.epochs)), measured_at, np.bincount(index, weights=gains) / np.bincount(index))
    errors = np.empty(len(gain))
    for start in range(0, len(gain), _ROWS):
        rows = slice(start, start + _ROWS)
        outputs = run.epochs.outputs(start, min(start + _ROWS, len(gain)))
        errors[rows] = [
            ErrorMeasure(run.target, run.gain * float(factor)).mse(output[None])[0]
            for factor, output in zip(gain[rows], outputs, strict=True)
        ]
    return errors
