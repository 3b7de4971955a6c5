"""Normal random numbers fast enough for every pixel of every frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

_LEVELS = 2**16


def _quantiles() -> NDArray[np.float32]:
    values = ndtri((np.arange(_LEVELS) + 0.5) / _LEVELS)
    return np.asarray(values / np.sqrt(np.mean(values * values)), dtype=np.float32)


# (65536,) equally likely values of a standard normal number, variance exactly 1, largest 4.2. Inverse-transform
# sampling with 16 random bits: four numbers from one 64-bit draw, several times faster than the exact methods, and
# indistinguishable once a camera has rounded them to counts.
QUANTILES = _quantiles()


def random_indices(generator: np.random.Generator, count: int) -> NDArray[np.uint16]:
    """(at least count,) uniform indices into `QUANTILES`."""
    return np.asarray(generator.bit_generator.random_raw((count + 3) // 4), dtype=np.uint64).view(np.uint16)
