"""GenICam features by name: set and read back, and put into a neutral state whatever other programs have left.

Source: GenICam Standard Features Naming Convention, and the names of older models of Basler.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Container, Mapping

from drivers.interfaces import DeviceRefusedError

logger = logging.getLogger(__name__)

Value = str | float | int | bool

NEUTRAL: Mapping[str, Value] = {
    "ExposureAuto": "Off",
    "GainAuto": "Off",
    "BlackLevelAuto": "Off",
    "BalanceWhiteAuto": "Off",
    "GammaEnable": False,
    "Gamma": 1.0,
    "LUTEnable": False,
    "ReverseX": False,
    "ReverseY": False,
    "CenterX": False,  # offsets are read-only otherwise
    "CenterY": False,
    "BinningHorizontal": 1,
    "BinningVertical": 1,
    "DecimationHorizontal": 1,
    "DecimationVertical": 1,
    "DigitalShift": 0,
    "TestPattern": "Off",
    "TestImageSelector": "Off",
    "AcquisitionFrameRateEnable": False,
    "TriggerDelay": 0.0,
    "TriggerDelayAbs": 0.0,
}
"""What changes where light ends up, or how bright, or when: in this order, as far as a camera has it."""


class Features(ABC):
    """The features of one camera, through the library of whoever made its driver.

    Parameters
    ----------
    device : str
        Name of the camera on its bench, for messages.

    Notes
    -----
    Values are compared as text, because that is the one form that all libraries read and write for all kinds of
    features.
    """

    errors: tuple[type[Exception], ...]

    def __init__(self, device: str) -> None:
        self._device = device

    @abstractmethod
    def read(self, name: str) -> str | None:
        """Read a feature.

        Parameters
        ----------
        name : str
            Of the feature.

        Returns
        -------
        str or None
            Its value; None where the camera has none of this name, or none that can be read now.
        """

    @abstractmethod
    def _write(self, name: str, text: str) -> None: ...

    @abstractmethod
    def _takes(self, name: str) -> str:
        """What a feature takes, in words."""

    def set(self, name: str, value: Value) -> None:
        """Set a feature.

        Parameters
        ----------
        name : str
            Of the feature.
        value : str, float, int or bool
            What it is to be.

        Raises
        ------
        DeviceRefusedError
            Where the camera has no such feature, or does not take the value.
        """
        if self.read(name) is None:
            raise DeviceRefusedError(self._device, f"has no feature {name}.", "Correct the features in the bench file.")
        try:
            self._write(name, text_of(value))
        except self.errors as error:
            raise DeviceRefusedError(
                self._device,
                f"did not take {value!r} as {name}, which takes {self._takes(name)}.",
                "Correct the features in the bench file.",
            ) from error

    def set_neutral(self, but: Container[str]) -> dict[str, str]:
        """Put what other programs have left into the neutral state.

        Parameters
        ----------
        but : container of str
            Features that the bench file sets.

        Returns
        -------
        dict of str to str
            Features that are not neutral and cannot be set.
        """
        stuck = {}
        for name, value in NEUTRAL.items():
            found = None if name in but else self.read(name)
            if found is None or same(found, value):
                continue
            try:
                self._write(name, text_of(value))
            except self.errors:
                stuck[name] = found
            else:
                logger.info("%s: %s was left at %s and is %s now", self._device, name, found, value)
        return stuck


def left_as_found(stuck: Mapping[str, str]) -> str:
    """Say what is not neutral, for the status of a camera.

    Parameters
    ----------
    stuck : mapping of str to str
        As `Features.set_neutral` gave it.

    Returns
    -------
    str
        Empty where all is neutral.
    """
    return ", ".join(f"{name} = {found}" for name, found in stuck.items())


def text_of(value: Value) -> str:
    """Write a value as features are written.

    Parameters
    ----------
    value : str, float, int or bool
        Any value.

    Returns
    -------
    str
        As GenICam reads it.
    """
    return str(value).lower() if isinstance(value, bool) else str(value)


def same(found: str, value: Value) -> bool:
    """Compare what a feature is with what it is to be.

    Parameters
    ----------
    found : str
        As it was read.
    value : str, float, int or bool
        As it is to be.

    Returns
    -------
    bool
        Whether they are the same, written one way or another.
    """
    if isinstance(value, bool):
        return found.lower() in (("true", "1") if value else ("false", "0"))
    if isinstance(value, str):
        return found == value
    try:
        return float(found) == value
    except ValueError:
        return False
