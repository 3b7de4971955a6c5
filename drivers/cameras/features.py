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

    Values are compared as text, because that is the one form that all libraries read and write for all kinds of
    features.
    """

    errors: tuple[type[Exception], ...]

    def __init__(self, device: str) -> None:
        self._device = device

    @abstractmethod
    def read(self, name: str) -> str | None:
        """Value of a feature; None where the camera has none of this name, or none that can be read now."""

    @abstractmethod
    def _write(self, name: str, text: str) -> None: ...

    @abstractmethod
    def _takes(self, name: str) -> str:
        """What a feature takes, in words."""

    def set(self, name: str, value: Value) -> None:
        """Set a feature. Raises DeviceRefusedError where the camera has none such, or does not take the value."""
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
        """Put what other programs have left into the neutral state, but for features that the bench file sets.

        Returns those that are not neutral and cannot be set.
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
    """What is not neutral, as `Features.set_neutral` gave it, for the status of a camera."""
    return ", ".join(f"{name} = {found}" for name, found in stuck.items())


def text_of(value: Value) -> str:
    """A value as GenICam features are written."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def same(found: str, value: Value) -> bool:
    """Whether a feature is what it is to be, written one way or another."""
    if isinstance(value, bool):
        return found.lower() in (("true", "1") if value else ("false", "0"))
    if isinstance(value, str):
        return found == value
    try:
        return float(found) == value
    except ValueError:
        return False
