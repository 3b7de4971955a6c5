"""Detectors: what the light reflected by the DMD adds up to, as a train of samples."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from drivers.interfaces.device import Device
from drivers.interfaces.errors import DeviceRefusedError


@dataclass(frozen=True)
class Samples:
    """One train of detector samples.

    Attributes
    ----------
    data : ndarray of float64, shape (samples,)
        Optical power in W, or the detector's own unit where it has no calibration.
    time_s : float
        Bench clock at the first sample, in s.
    rate_hz : float
        Sampling rate, in Hz.
    counter : int
        Counts the acquisitions of this detector since it was opened, from 1.
    overload : bool
        Whether a sample is outside the detector's range.
    """

    data: NDArray[np.float64]
    time_s: float
    rate_hz: float
    counter: int
    overload: bool


class Detector(Device):
    """A power meter, photodiode channel or summed camera region.

    `read` samples at once. Where the detector can be triggered, `arm` prepares it for the trigger pulse that a DMD
    gives with the first pattern of a sequence, and `fetch` collects the samples.
    """

    role: ClassVar[str] = "detector"

    @property
    @abstractmethod
    def max_rate_hz(self) -> float:
        """Fastest sampling rate, in Hz."""

    @property
    @abstractmethod
    def max_samples(self) -> int:
        """Most samples one acquisition may hold."""

    @property
    def has_trigger(self) -> bool:
        """Whether the acquisition can be started by a DMD's trigger pulse."""
        return False

    def read(self, samples: int, rate_hz: float) -> Samples:
        """Take samples now; returns when they are here.

        Parameters
        ----------
        samples : int
            How many.
        rate_hz : float
            Sampling rate, in Hz.

        Returns
        -------
        Samples
            The samples.
        """
        self._require_acquisition(samples, rate_hz)
        return self._read(samples, rate_hz)

    def arm(self, samples: int, rate_hz: float) -> None:
        """Prepare to take samples from the next trigger pulse on; returns at once.

        Parameters
        ----------
        samples : int
            How many.
        rate_hz : float
            Sampling rate, in Hz.

        Raises
        ------
        DeviceRefusedError
            When the detector has no trigger.
        """
        self._require_acquisition(samples, rate_hz)
        if not self.has_trigger:
            raise DeviceRefusedError(self.name, "cannot be triggered.", "Show the masks one by one.")
        self._arm(samples, rate_hz)

    def fetch(self, timeout_s: float = 1.0) -> Samples:
        """Wait for the samples of the armed acquisition.

        Parameters
        ----------
        timeout_s : float
            Longest time to wait, in s.

        Returns
        -------
        Samples
            The samples.

        Raises
        ------
        DeviceTimeoutError
            When no trigger came in time.
        """
        self._require_open()
        return self._fetch(timeout_s)

    # --- for drivers --------------------------------------------------------------------------------------------
    def _require_acquisition(self, samples: int, rate_hz: float) -> None:
        self._require_open()
        if not 1 <= samples <= self.max_samples:
            raise DeviceRefusedError(self.name, f"takes 1 to {self.max_samples} samples, not {samples}.")
        self._require_within("the sampling rate", rate_hz, (1e-6, self.max_rate_hz), "Hz")

    @abstractmethod
    def _read(self, samples: int, rate_hz: float) -> Samples: ...

    def _arm(self, samples: int, rate_hz: float) -> None:
        raise DeviceRefusedError(self.name, "cannot be triggered.", "Show the masks one by one.")

    def _fetch(self, timeout_s: float) -> Samples:
        raise DeviceRefusedError(self.name, "cannot be triggered.", "Show the masks one by one.")
