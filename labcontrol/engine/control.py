"""Requests to a running run: pause, resume, stop, abort. They take effect between steps, and end every wait."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from drivers.interfaces import DeviceRefusedError

ABORTED = "aborted by the user"
_SLICE_S = 0.1  # how long a wait goes on before it checks whether anybody asked for something


class RunAbortedError(Exception):
    """Raised between steps when the run is to end at once."""


class UnattendedError(DeviceRefusedError):
    """Raised between steps when the light is on and nobody attends to it any more."""

    def __init__(self, reason: str) -> None:
        super().__init__("operator", reason, "Attach to the run, then continue it.")


class RunControl:
    """Thread-safe switches that the run reads before every step.

    on_pause, on_resume: called in the run's thread when it really pauses and goes on. on_wait: called in it now and
    then while it waits. patience_s: how long it waits for a person where the experiment does not say; None for as long
    as it takes.
    """

    patience_s: float | None = None
    on_wait: Callable[[], None] = staticmethod(lambda: None)

    def __init__(self, on_pause: Callable[[], None], on_resume: Callable[[], None]) -> None:
        self._condition = threading.Condition()
        self._on_pause, self._on_resume = on_pause, on_resume
        self._pause = False
        self._busy = False  # any request at all: one attribute to read in the common case
        self.requests = 0  # to resume or to stop, so far
        self.stop_requested = False
        self._abort = ""  # why, once it was asked for
        self._unattended: UnattendedError | None = None

    def request_pause(self) -> None:
        self._set(pause=True)

    def request_dark_pause(self, reason: str) -> None:
        """Leave the steps with an UnattendedError, after which the run is paused in the dark."""
        self._unattended = UnattendedError(reason)
        self._set(pause=False)

    def request_resume(self) -> None:
        self._unattended = None
        self._set(pause=False, requests=1)

    def request_stop(self) -> None:
        """Finish the epoch, measure the result, close."""
        self.stop_requested = True
        self._set(pause=False, requests=1)

    def request_abort(self, reason: str = ABORTED) -> None:
        """End before the next step. reason: of the first such request, for people."""
        self._abort = self._abort or reason
        self._set(pause=False)

    def between_steps(self) -> None:
        """Blocks while paused; raises RunAbortedError when aborted, UnattendedError when nobody attends any more."""
        if not self._busy:
            return
        with self._condition:
            if self._pause:
                self._on_pause()
                self._wait_for(lambda: not self._pause, None)
                if not self._abort and self._unattended is None:
                    self._on_resume()
            self._busy = bool(self._abort)
            unattended, self._unattended = self._unattended, None
        self.raise_if_aborted()
        if unattended is not None:
            raise unattended

    def raise_if_aborted(self) -> None:
        """Raises RunAbortedError when the run is to end at once."""
        if self._abort:
            raise RunAbortedError(self._abort)

    def wait_for_person(self, since: int, timeout_s: float | None) -> bool:
        """Wait until somebody asks to resume or to stop; False when nobody did in time. Raises RunAbortedError.

        since: `requests` before the person was notified.
        """
        began_s = time.monotonic()

        def asked() -> bool:
            return self.requests != since or bool(self._abort)

        def given_up() -> bool:  # also when the terminal is lost meanwhile
            patience_s = math.inf if self.patience_s is None else self.patience_s
            return timeout_s is None and time.monotonic() - began_s >= patience_s

        with self._condition:
            self._wait_for(lambda: asked() or given_up(), timeout_s)
        self.raise_if_aborted()
        return asked()

    def rest(self, since: int, seconds: float, sleep: Callable[[float], None]) -> None:
        """Let time pass, until somebody asks to resume or to stop. Raises RunAbortedError.

        since: `requests` before the person was notified. sleep: of the clock that the time is of.
        """
        while seconds > 0 and self.requests == since:
            self.raise_if_aborted()
            self.on_wait()
            sleep(min(_SLICE_S, seconds))
            seconds -= _SLICE_S
        self.raise_if_aborted()

    def wait(self, seconds: float, sleep: Callable[[float], None]) -> None:
        """Let time pass, all of it. Raises RunAbortedError."""
        while seconds > 0:
            self.raise_if_aborted()
            self.on_wait()
            sleep(min(_SLICE_S, seconds))
            seconds -= _SLICE_S
        self.raise_if_aborted()

    def _wait_for(self, met: Callable[[], bool], timeout_s: float | None) -> bool:
        """Wait, with the condition held, until something is met; False when it was not in time."""
        deadline_s = math.inf if timeout_s is None else time.monotonic() + timeout_s
        while not met():
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                return False
            self.on_wait()
            self._condition.wait(min(left_s, 1.0))
        return True

    def _set(self, *, pause: bool, requests: int = 0) -> None:
        with self._condition:
            self._pause = pause
            self.requests += requests
            self._busy = pause or bool(self._abort) or self._unattended is not None
            self._condition.notify_all()
