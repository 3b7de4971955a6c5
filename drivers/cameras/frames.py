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
    """Copy pixels, (rows, columns), from the start of a buffer. Raises DeviceFaultError when it is too short."""
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
    device: str,
    pixels: Pixels,
    roi: Roi,
    bit_depth: int,
    *,
    counter: int,
    time_s: float,
    exposure_s: float,
    saturation: int | None = None,
) -> Frame:
    """Make a frame of the pixels (rows, columns) that a camera delivered; they are not copied.

    roi: the region they are to be of. time_s: of the trigger, by the bench clock. saturation: counts from which a pixel
    is saturated; None for the largest that the data can hold. Raises DeviceFaultError for pixels that cannot be of this
    region or depth.
    """
    if pixels.shape != (roi.rows, roi.columns):
        raise DeviceFaultError(
            device,
            f"delivered a frame of shape {pixels.shape}, expected {(roi.rows, roi.columns)}.",
            "Set the region again; check what limits it in the camera.",
        )
    top, brightest = 2**bit_depth - 1, int(pixels.max())
    if brightest > top:
        raise DeviceFaultError(
            device,
            f"delivered counts up to {brightest}, more than {bit_depth} bits hold.",
            "Choose a pixel format whose bits are right-justified.",
        )
    level = saturation if saturation is not None else _largest(pixels, brightest, bit_depth)
    saturated = float(np.count_nonzero(pixels >= level)) / pixels.size if brightest >= level else 0.0
    return Frame(pixels, counter, time_s, exposure_s, saturated)


def _largest(pixels: Pixels, brightest: int, bit_depth: int) -> int:
    """The largest count that the data can hold: less than all bits set where the lowest bits are never used.

    A sensor of 12 bits whose counts fill the upper bits of 16 saturates at 65520. At least 8 bits are used.
    """
    top = (1 << bit_depth) - 1
    unused = (1 << bit_depth - 8) - 1
    if brightest < top - unused or brightest == top:
        return top
    used = int(np.bitwise_or.reduce(pixels, axis=None))
    return top - min(unused, (used & -used) - 1)
