"""What a run came to: the object that `--json` prints and the record keeps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from labcontrol.config import ExperimentConfig
from labcontrol.tasks import ErrorMeasure, Task


def errors_of(measure: ErrorMeasure, output: NDArray[np.float32]) -> dict[str, float]:
    """Both errors of one output (T,)."""
    return {"mse": float(measure.mse(output[None])[0]), "nmse": float(measure.nmse(output[None])[0])}
