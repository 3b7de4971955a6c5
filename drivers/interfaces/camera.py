"""Cameras: triggered frames with a counter, so that a frame can be proven to belong to a pattern."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from drivers.interfaces.device import Device
from drivers.interfaces.errors import DeviceRefusedError


@dataclass(frozen=True)
class Frame:
    """One camera image and where it came from.

    Attributes
    ----------
    data : ndarray of uint8 or uint16, shape (rows, columns)
        Counts, right-justified.
    counter : int
        Counts the frames since the camera was opened, from 1; a gap means that frames were lost.
    time_s : float
        Bench clock at the trigger of this frame, in s.
    exposure_s : float
        Exposure it was taken with, in s.
    saturated_share : float
        Share of pixels at or above the saturation level, from 0 to 1.
    """

    data: NDArray[np.uint8] | NDArray[np.uint16]
    counter: int
    time_s: float
    exposure_s: float
    saturated_share: float


@dataclass(frozen=True)
class Roi:
    """Region of interest in sensor pixels.

    Attributes
    ----------
    row, column : int
        First row and column, from 0.
    rows, columns : int
        Size.
    """

    row: int
    column: int
    rows: int
    columns: int


class Camera(Device):
    """A camera that takes one frame for each trigger.

    Notes
    -----
    All settings are refused while the camera is closed (DeviceNotOpenError) and where they are out of range
    (DeviceRefusedError).
    """

    role: ClassVar[str] = "camera"
    _known_patience_s: float | None = None  # asked for once, not with every frame

    @property
    @abstractmethod
    def sensor_shape(self) -> tuple[int, int]:
        """Rows and columns of the whole sensor."""

    @property
    @abstractmethod
    def bit_depth(self) -> int:
        """Bits per pixel of the frames; full scale is ``2**bit_depth - 1``."""

    @property
    @abstractmethod
    def readout_time_s(self) -> float:
        """From the end of the exposure until the frame is here."""

    @property
    @abstractmethod
    def exposure_limits_s(self) -> tuple[float, float]:
        """Shortest and longest exposure, in s."""

    @property
    @abstractmethod
    def gain_limits_db(self) -> tuple[float, float]:
        """Smallest and largest gain, in dB; both 0 where there is none to set."""

    @property
    def exposure_s(self) -> float:
        """Exposure in s, as the camera reports it."""
        self._require_open()
        return self._get_exposure()

    @exposure_s.setter
    def exposure_s(self, seconds: float) -> None:
        self._require_open()
        self._require_within("the exposure", seconds, self.exposure_limits_s, "s")
        self._known_patience_s = None
        self._set_exposure(seconds)

    @property
    def gain_db(self) -> float:
        """Gain in dB, as the camera reports it."""
        self._require_open()
        return self._get_gain()

    @gain_db.setter
    def gain_db(self, decibel: float) -> None:
        self._require_open()
        self._require_within("the gain", decibel, self.gain_limits_db, "dB")
        self._set_gain(decibel)

    @property
    def roi(self) -> Roi:
        """Region that is read out."""
        self._require_open()
        return self._get_roi()

    @roi.setter
    def roi(self, roi: Roi) -> None:
        self._require_open()
        rows, columns = self.sensor_shape
        if (
            min(roi.row, roi.column) < 0
            or min(roi.rows, roi.columns) < 1
            or roi.row + roi.rows > rows
            or roi.column + roi.columns > columns
        ):
            raise DeviceRefusedError(self.name, f"the region {roi} does not lie on the {rows} x {columns} sensor.")
        self._set_roi(roi)

    def close(self) -> None:
        self._known_patience_s = None
        super().close()

    def trigger(self) -> None:
        """Start one exposure now."""
        self._require_open()
        self._trigger()

    @property
    def patience_s(self) -> float:
        """How long to wait for a frame before the camera counts as silent, in s: by its exposure, 1 s at least."""
        if self._known_patience_s is None:
            self._known_patience_s = max(1.0, 2 * (self.exposure_s + self.readout_time_s))
        return self._known_patience_s

    def read(self, timeout_s: float | None = None) -> Frame:
        """Wait for the oldest frame not read yet.

        Parameters
        ----------
        timeout_s : float or None
            Longest time to wait, in s; `patience_s` where None.

        Returns
        -------
        Frame
            The frame, dated by its trigger.

        Raises
        ------
        DeviceTimeoutError
            When none arrives in time.
        DeviceFaultError
            For a frame that failed on its way, or before which others were lost.
        """
        self._require_open()
        return self._read(self.patience_s if timeout_s is None else timeout_s)

    def snap(self, timeout_s: float | None = None) -> Frame:
        """Trigger and read one frame; frames that were not read before are thrown away.

        Parameters
        ----------
        timeout_s : float or None
            Longest time to wait, in s; `patience_s` where None.

        Returns
        -------
        Frame
            One that was exposed after this was called.
        """
        self.discard_frames()
        self.trigger()
        return self.read(timeout_s)

    def discard_frames(self) -> int:
        """Throw away frames that arrived but were not read.

        Returns
        -------
        int
            How many there were.
        """
        self._require_open()
        return self._discard_frames()

    # --- for drivers --------------------------------------------------------------------------------------------
    @abstractmethod
    def _get_exposure(self) -> float: ...

    @abstractmethod
    def _set_exposure(self, seconds: float) -> None: ...

    @abstractmethod
    def _get_gain(self) -> float: ...

    @abstractmethod
    def _set_gain(self, decibel: float) -> None: ...

    @abstractmethod
    def _get_roi(self) -> Roi: ...

    @abstractmethod
    def _set_roi(self, roi: Roi) -> None: ...

    @abstractmethod
    def _trigger(self) -> None: ...

    @abstractmethod
    def _read(self, timeout_s: float) -> Frame: ...

    @abstractmethod
    def _discard_frames(self) -> int: ...
