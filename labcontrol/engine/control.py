"""Requests to a running run: pause, resume, stop, abort. They take effect between steps."""

from __future__ import annotations

import threading
from collections.abc import Callable


class RunAbortedError(Exception):
    """Raised between steps when the run is to end at once."""


class RunControl:
    """Thread-safe switches that the run looks at before every step.

    on_pause, on_resume: called in the run's thread when it really pauses and goes on.
    """

    def __init__(self, on_pause: Callable[[], None], on_resume: Callable[[], None]) -> None:
        self._condition = threading.Condition()
        self._on_pause, self._on_resume = on_pause, on_resume
        self._pause = False
        self._busy = False  # any request at all: one attribute to read in the common case
        self.stop_requested = False
        self._abort = False

    def request_pause(self) -> None:
        self._set(pause=True)

    def request_resume(self) -> None:
        self._set(pause=False)

    def request_stop(self) -> None:
        """Finish the epoch, measure the result, close."""
        self.stop_requested = True
        self._set(pause=False)

    def request_abort(self) -> None:
        """End before the next step."""
        self._abort = True
        self._set(pause=False)

    def between_steps(self) -> None:
        """Blocks while paused, raises RunAbortedError when aborted."""
        if not self._busy:
            return
        with self._condition:
            if self._pause:
                self._on_pause()
                self._condition.wait_for(lambda: not self._pause)
                if not self._abort:
                    self._on_resume()
            self._busy = self._abort
        if self._abort:
            raise RunAbortedError("aborted by the user")

    def _set(self, *, pause: bool) -> None:
        with self._condition:
            self._pause = pause
            self._busy = pause or self._abort
            self._condition.notify_all()
