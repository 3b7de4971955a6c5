"""Spatial light modulators: phase-type SLMs and binary mirror arrays (DMDs)."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from drivers.interfaces.device import Device
from drivers.interfaces.errors import DeviceRefusedError

Pattern = NDArray[np.uint8]


@dataclass(frozen=True)
class Shown:
    """Proof that a pattern was sent.

    Attributes
    ----------
    id : int
        Counts the patterns (or sequence passes) of this device since it was opened, from 1.
    time_s : float
        Bench clock when the device accepted it, in s.
    """

    id: int
    time_s: float


class Modulator(Device):
    """An array of pixels that shows patterns. A DMD is a modulator of depth 1.

    Patterns are uint8 arrays of `shape` (rows, columns) with values from 0 to ``2**bit_depth - 1``.
    """

    role: ClassVar[str] = "modulator"

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int]:
        """Rows and columns of pixels."""

    @property
    @abstractmethod
    def bit_depth(self) -> int:
        """Bits per pixel; 1 for a DMD."""

    @property
    @abstractmethod
    def settle_time_s(self) -> float:
        """From `show` until the light obeys the new pattern, in s: latency, refresh and response together."""

    def show(self, pattern: Pattern) -> Shown:
        """Show one pattern until the next call; the light follows after `settle_time_s`.

        Parameters
        ----------
        pattern : ndarray of uint8, shape (rows, columns)
            Levels from 0 to ``2**bit_depth - 1``.

        Returns
        -------
        Shown
            Number and time, at once.

        Raises
        ------
        DeviceRefusedError
            For a wrong shape, type or level.
        """
        self._require_open()
        self._check(pattern, self.shape)
        return self._show(pattern)

    def show_settled(self, pattern: Pattern) -> Shown:
        """Show one pattern and wait until the light obeys it.

        Parameters
        ----------
        pattern : ndarray of uint8, shape (rows, columns)
            Levels from 0 to ``2**bit_depth - 1``.

        Returns
        -------
        Shown
            Number and time of the pattern.
        """
        shown = self.show(pattern)
        self.clock.sleep(self.settle_time_s)
        return shown

    # --- pattern sequences: for devices that can hold many patterns and step through them by themselves ------------
    @property
    def max_sequence_length(self) -> int:
        """How many patterns one sequence may hold; 1 where the device has no sequences."""
        return 1

    @property
    def max_pattern_rate_hz(self) -> float:
        """Fastest rate of patterns within a sequence, in Hz."""
        return 1.0 / self.settle_time_s

    def load_sequence(self, patterns: Pattern) -> None:
        """Load patterns into the device; nothing is shown yet.

        Parameters
        ----------
        patterns : ndarray of uint8, shape (B, rows, columns)
            In the order in which they are to be shown.

        Raises
        ------
        DeviceRefusedError
            For a wrong number, shape, type or level, and by devices without sequences.
        """
        self._require_open()
        if patterns.ndim != 3 or not 1 <= len(patterns) <= self.max_sequence_length:
            raise DeviceRefusedError(
                self.name,
                f"a sequence holds 1 to {self.max_sequence_length} patterns, not an array of shape {patterns.shape}.",
            )
        self._check(patterns, (len(patterns), *self.shape))
        self._load_sequence(patterns)

    def play(self, rate_hz: float) -> Shown:
        """Step once through the loaded sequence, starting now; its first pattern gives the trigger pulse.

        Parameters
        ----------
        rate_hz : float
            Patterns per second, in Hz.

        Returns
        -------
        Shown
            Number of this pass and when it began.
        """
        self._require_open()
        self._require_within("the pattern rate", rate_hz, (1e-6, self.max_pattern_rate_hz), "Hz")
        return self._play(rate_hz)

    # --- for drivers --------------------------------------------------------------------------------------------
    def _check(self, pattern: Pattern, shape: tuple[int, ...]) -> None:
        if pattern.dtype != np.uint8 or pattern.shape != shape:
            raise DeviceRefusedError(
                self.name, f"expected a uint8 pattern of shape {shape}, got {pattern.dtype} of shape {pattern.shape}."
            )
        top = 2**self.bit_depth - 1
        if top < 255 and pattern.size and int(pattern.max()) > top:
            raise DeviceRefusedError(self.name, f"levels go from 0 to {top}, got {int(pattern.max())}.")

    @abstractmethod
    def _show(self, pattern: Pattern) -> Shown: ...

    def _load_sequence(self, patterns: Pattern) -> None:
        raise DeviceRefusedError(self.name, "has no pattern sequences.", "Show the masks one by one.")

    def _play(self, rate_hz: float) -> Shown:
        raise DeviceRefusedError(self.name, "has no pattern sequences.", "Show the masks one by one.")
