"""Images for a camera emulator that reads files: each is made at the moment in which its trigger makes it be opened.

The files are held by leases (fcntl, Linux): whoever opens one waits in the kernel until the holder lets go, and the
holder is told. So a software trigger of the emulator, which opens its next file, reaches the optics behind it, and no
frame can be older than its trigger. Basler's emulator opens one file a trigger and takes them in turn; of a single file
it would keep a copy.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import logging
import os
import signal
import struct
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]

logger = logging.getLogger(__name__)

_FILES = 2
# Of Linux's fcntl.h; Python's module names only some of them.
_SETLEASE, _GETLEASE, _SETOWN_EX, _OWNER_THREAD = 1024, 1025, 15, 0
_LOOK_AGAIN_S = 0.1  # in case that a file was opened before its signal had an owner
_UNTIL_CLOSED_S = 2e-4


class TriggeredImages:
    """A folder of images for the emulator. Start it in the main thread, which alone may choose what signals do.

    take: the image of now, always of the same shape. Called in a thread of this class, once for each opening.
    """

    def __init__(self, folder: Path, take: Callable[[], Pixels]) -> None:
        self.folder = folder
        self.taken = 0
        self._take = take
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        blank = _bmp(np.zeros_like(self._take()))
        for path in self._paths:
            path.write_bytes(blank)
        signal.signal(signal.SIGIO, signal.SIG_IGN)  # it is for the thread alone, which waits for it
        ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(ready,), name="triggered images", daemon=True)
        self._thread.start()
        ready.wait()

    def stop(self) -> None:
        """Let go of the files; they stay as they are."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    # --- inner workings -----------------------------------------------------------------------------------------
    @property
    def _paths(self) -> list[Path]:
        return [self.folder / f"{number}.bmp" for number in range(_FILES)]

    def _serve(self, ready: threading.Event) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGIO})
        files = [os.open(path, os.O_RDWR) for path in self._paths]
        try:
            for file in files:
                self._lease(file)
            ready.set()
            while not self._stopping.is_set():
                signal.sigtimedwait({signal.SIGIO}, _LOOK_AGAIN_S)
                for file in files:
                    if fcntl.fcntl(file, _GETLEASE) != fcntl.F_WRLCK:
                        self._answer(file)
        finally:
            for file in files:
                os.close(file)

    def _answer(self, file: int) -> None:
        """Somebody waits to open this file."""
        try:
            os.pwrite(file, _bmp(self._take()), 0)
            self.taken += 1
        except Exception:
            logger.exception("no image could be taken; the camera is given its last one")
        fcntl.fcntl(file, _SETLEASE, fcntl.F_UNLCK)
        self._lease(file)

    def _lease(self, file: int) -> None:
        """Hold the file again, as soon as nobody has it open any more."""
        while not self._stopping.is_set():
            with contextlib.suppress(BlockingIOError):
                fcntl.fcntl(file, _SETLEASE, fcntl.F_WRLCK)
                fcntl.fcntl(file, _SETOWN_EX, struct.pack("ii", _OWNER_THREAD, threading.get_native_id()))
                return
            self._stopping.wait(_UNTIL_CLOSED_S)


def _bmp(pixels: Pixels) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="BMP")
    return file.getvalue()
