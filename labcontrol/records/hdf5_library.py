"""The one function of the HDF5 library that h5py does not offer."""

from __future__ import annotations

import ctypes
import functools
import logging
import sys
from collections.abc import Callable
from typing import Any

from h5py import h5p

log = logging.getLogger(__name__)

# HDF5 waits 1 ns before it reads what looked torn again, then twice as long each time: about a second in all. By itself
# it tries 100 times, which is never. A writer is done with a piece of metadata within microseconds.
_ATTEMPTS = 30


def limit_read_attempts(access: Any) -> None:
    """Let a file that is opened with this property list tell damage from a write in progress, after a second."""
    function = _set_attempts()
    if function is not None and function(access.id, _ATTEMPTS) < 0:
        log.warning("HDF5 does not take a limit of read attempts; a damaged record can make the program wait")


@functools.cache
def _set_attempts() -> Callable[[int, int], int] | None:
    """H5Pset_metadata_read_attempts of the library that h5py uses; None where it cannot be found."""
    try:
        library = ctypes.CDLL("hdf5" if sys.platform == "win32" else h5p.__file__)
        function = library.H5Pset_metadata_read_attempts
    except (OSError, AttributeError):
        return None
    function.argtypes, function.restype = (ctypes.c_int64, ctypes.c_uint), ctypes.c_int
    return function
