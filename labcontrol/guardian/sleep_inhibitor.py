"""Keep the computer awake while a laser may emit: asleep, nothing in it could switch the laser off.

Linux: a lock of systemd-logind, held by ``systemd-inhibit`` for as long as its input is open, so that it also ends with
a guardian that was killed. macOS: ``caffeinate``, which ends with the process it watches. Windows:
``SetThreadExecutionState``, which holds for the calling thread.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys

log = logging.getLogger(__name__)

_WHY = "a laser may emit"
_CONTINUOUS, _SYSTEM_REQUIRED = 0x80000000, 0x00000001  # winbase.h


class SleepInhibitor:
    """Holds the computer awake between `hold` and `release`; both may be called again, from one thread."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._holds = False

    @property
    def holds(self) -> bool:
        """Whether sleep is inhibited now, as far as the system says."""
        return self._holds and (self._process is None or self._process.poll() is None)

    def hold(self) -> None:
        """Inhibit sleep. Where the system does not allow that, the log says what a person must do."""
        if self.holds:
            return
        try:
            self._holds = self._hold()
        except OSError as error:
            log.debug("inhibiting sleep: %s", error)
            self._holds = False
        if not self._holds:
            log.warning(
                "This computer may fall asleep while the laser emits: switch sleep off in its settings before a run."
            )

    def release(self) -> None:
        """Let the computer sleep again."""
        process, self._process, self._holds = self._process, None, False
        if process is not None:
            assert process.stdin is not None
            process.stdin.close()
            process.terminate()
            process.wait()
        elif sys.platform == "win32":
            _set_thread_execution_state(_CONTINUOUS)

    def _hold(self) -> bool:
        if sys.platform == "win32":
            return _set_thread_execution_state(_CONTINUOUS | _SYSTEM_REQUIRED)
        if sys.platform == "darwin":
            command = ["caffeinate", "-i", "-w", str(os.getpid())]
        else:
            # `cat` ends, and with it the lock, when the other end of its input is closed.
            lock = ["--what=sleep:idle", "--mode=block", "--who=labcontrol", f"--why={_WHY}"]
            command = ["systemd-inhibit", *lock, "cat"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            self._process.wait(0.3)  # without a system bus, or where it is not allowed, it ends at once
        except subprocess.TimeoutExpired:
            return True
        self._process = None
        return False


def _set_thread_execution_state(flags: int) -> bool:
    if sys.platform != "win32":
        return False
    import ctypes

    return bool(ctypes.windll.kernel32.SetThreadExecutionState(ctypes.c_uint(flags)))
