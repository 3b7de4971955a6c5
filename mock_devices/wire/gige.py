"""A GigE Vision camera on the loopback network: the fake camera of Aravis, a process of its own (Linux)."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

_PROGRAM = "arv-fake-gv-camera-0.8"


def why_not() -> str:
    """Why there can be no such camera here; empty when there can."""
    return "" if shutil.which(_PROGRAM) else f"needs {_PROGRAM}: apt-get install aravis-tools"


class GigECamera:
    """Runs from its construction to the end of its context, or to `stop`, which is how such a camera loses its power.

    One at a time on a computer: until the end of its context no other one starts, not even in another process.

    serial_number: what it says it is called; the driver's address.
    """

    def __init__(self, serial_number: str = "GV01") -> None:
        self.serial_number = serial_number
        self._alone = (Path(tempfile.gettempdir()) / "labcontrol-gige-camera").open("w")
        fcntl.flock(self._alone, fcntl.LOCK_EX)  # two of them would answer the same call on the network
        command = [_PROGRAM, "-i", "lo", "-s", serial_number]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
        self._alone.close()
