"""A GigE Vision camera on the loopback network: the fake camera of Aravis, a process of its own (Linux)."""

from __future__ import annotations

import fcntl
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

_PROGRAM = "arv-fake-gv-camera-0.8"
_CONTROL_PORT = 3956
_WHO_IS_THERE = bytes.fromhex("42 01 0002 0000 0001")  # GigE Vision: key, answer wanted, discovery, length 0, number 1
_START_S = 30.0


def why_not() -> str:
    """Why there can be no such camera here; empty when there can."""
    return "" if shutil.which(_PROGRAM) else f"needs {_PROGRAM}: apt-get install aravis-tools"


class GigECamera:
    """Answers from its construction until `stop`, which is how it loses its power. One at a time on a computer.

    serial_number: what it says it is called; the driver's address. Raises RuntimeError when it does not come up.
    """

    def __init__(self, serial_number: str = "GV01") -> None:
        self.serial_number = serial_number
        self._alone = (Path(tempfile.gettempdir()) / "labcontrol-gige-camera").open("w")
        fcntl.flock(self._alone, fcntl.LOCK_EX)  # two of them would answer the same call on the network
        command = [_PROGRAM, "-i", "lo", "-s", serial_number]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            self._await_answer()
        except BaseException:
            self.stop()
            self._alone.close()
            raise

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._alone.close()

    def _await_answer(self) -> None:
        deadline = time.monotonic() + _START_S
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            line.settimeout(0.05)
            while time.monotonic() < deadline:
                line.sendto(_WHO_IS_THERE, ("127.0.0.1", _CONTROL_PORT))
                try:
                    if self.serial_number.encode() in line.recv(1024):
                        return
                except TimeoutError:
                    continue
        raise RuntimeError(f"{_PROGRAM} did not answer within {_START_S:g} s")
