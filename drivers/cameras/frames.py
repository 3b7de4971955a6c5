"""What every camera driver does with the pixels it is handed."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from drivers.interfaces import DeviceFaultError, Frame, Roi

Pixels = NDArray[np.uint8] | NDArray[np.uint16]


@contextmanager
def importing_swig() -> Iterator[None]:
    """Import a module made with SWIG: it warns of its own types, and crashes where warnings are errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def pixels_of(device: str, data: bytes, shape: tuple[int, int], bit_depth: int) -> Pixels:
    """A copy of the pixels (rows, columns) at the start of a buffer. Raises DeviceFaultError when it is too short."""
    wanted = shape[0] * shape[1] * (1 if bit_depth <= 8 else 2)
    if len(data) < wanted:
        raise DeviceFaultError(
            device,
            f"delivered {len(data)} bytes for {shape[0]} x {shape[1]} pixels of {bit_depth} bits, expected {wanted}.",
            "Take it again; if it persists, set region and pixel format again.",
        )
    if bit_depth <= 8:
        return np.frombuffer(data[:wanted], dtype=np.uint8).reshape(shape).copy()
    return np.frombuffer(data[:wanted], dtype=np.uint16).reshape(shape).copy()


def checked_frame(
    device: str, pixels: Pixels, roi: Roi, bit_depth: int, *, counter: int, time_s: float, exposure_s: float
) -> Frame:
    """A frame of right-justified counts.

    pixels: (rows, columns) as delivered; not copied.
    Raises DeviceFaultError for pixels that cannot be of this region or depth.
    """
    if pixels.shape != (roi.rows, roi.columns):
        raise DeviceFaultError(
            device,
            f"delivered a frame of shape {pixels.shape}, expected {(roi.rows, roi.columns)}.",
            "Set the region again; check what limits it in the camera.",
        )
    top = 2**bit_depth - 1
    if int(pixels.max()) > top:
        raise DeviceFaultError(
            device,
            f"delivered counts up to {int(pixels.max())}, more than {bit_depth} bits hold.",
            "Choose a pixel format whose bits are right-justified.",
        )
    saturated = float(np.count_nonzero(pixels == top)) / pixels.size
    return Frame(pixels, counter, time_s, exposure_s, saturated)
