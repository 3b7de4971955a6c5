"""The stand-in for the ALP library of ViALUX DMDs: compiled where it is needed, with mirrors to look at (Linux)."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SERIAL_NUMBER = 13751
_SOURCE = Path(__file__).with_name("alp_library.c")
_Listener = ctypes.CFUNCTYPE(None, ctypes.c_long, ctypes.c_long, ctypes.c_long, ctypes.c_void_p)


def why_not() -> str:
    """Why it cannot be compiled here; empty when it can."""
    return "" if shutil.which("cc") else "needs a C compiler (cc)"


class MirrorArray:
    """The mirrors behind the stand-in, shared by whoever loads the library from the same folder.

    folder: where the library is put, under the name that ALP4lib looks for.
    """

    def __init__(self, folder: Path, rows: int = 768, columns: int = 1024) -> None:
        self.folder = folder
        self.shape = (rows, columns)
        path = folder / "libalp43.so"
        if not path.exists():
            subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-Wall", "-o", str(path), str(_SOURCE)], check=True)
        self._library = ctypes.CDLL(str(path))
        self._library.MirrorsShape(ctypes.c_long(columns), ctypes.c_long(rows))
        self._keep: object = None

    def now(self) -> NDArray[np.uint8]:
        """What the mirrors show: (rows, columns), 1 for on."""
        rows, columns = self.shape
        bits = np.zeros((rows, columns // 8), dtype=np.uint8)
        self._library.MirrorsNow(bits.ctypes.data_as(ctypes.c_void_p))
        return np.unpackbits(bits, axis=1)

    def fail(self, code: int, after: int = 0) -> None:
        """Let a call return this error, after so many that succeed."""
        self._library.MirrorsFail(code, after)

    def listen(self, to: Callable[[NDArray[np.uint8], float, bool], None]) -> None:
        """Be told when a sequence starts: its patterns (B, rows, columns), seconds a pattern, whether it repeats."""
        rows, columns = self.shape

        def heard(pictures: int, picture_us: int, repeats: int, data: int) -> None:
            size = pictures * rows * columns // 8
            bits = np.frombuffer(ctypes.string_at(data, size), dtype=np.uint8)
            patterns = np.unpackbits(bits).reshape(pictures, rows, columns)
            to(patterns, 1e-6 * picture_us, not repeats)

        self._keep = _Listener(heard)
        self._library.MirrorsListener(self._keep)

    def reset(self) -> None:
        """As after switching off and on."""
        self._library.MirrorsReset()
        self._keep = None
