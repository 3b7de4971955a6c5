"""Time as the bench sees it, so that a simulated bench can run in virtual time."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """A monotonic clock that can be waited on."""

    def now_s(self) -> float:
        """Read the clock.

        Returns
        -------
        float
            Seconds since an arbitrary start; never less than before.
        """
        ...

    def sleep(self, seconds: float) -> None:
        """Wait.

        Parameters
        ----------
        seconds : float
            How long, in s. Zero and less returns at once.
        """
        ...


class RealClock:
    """The computer's own monotonic clock."""

    def now_s(self) -> float:
        """Read the clock.

        Returns
        -------
        float
            Seconds of `time.perf_counter`.
        """
        return time.perf_counter()

    def sleep(self, seconds: float) -> None:
        """Wait.

        Parameters
        ----------
        seconds : float
            How long, in s. Zero and less returns at once.
        """
        if seconds > 0:
            time.sleep(seconds)
