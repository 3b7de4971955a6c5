"""Settings that a camera takes in steps: what it took is reported, and refused only where it is far off."""

from __future__ import annotations

from drivers.interfaces import DeviceRefusedError

TOLERANCE = 0.05
"""Share by which an exposure may differ from what was asked for; a gain by the same share of brightness."""
_GAIN_TOLERANCE_DB = 0.43  # 20 log10(1.05), rounded up


def require_exposure_taken(device: str, asked_s: float, taken_s: float) -> None:
    """Raises DeviceRefusedError where the exposure is further off than `TOLERANCE`."""
    if not abs(taken_s - asked_s) <= TOLERANCE * asked_s:
        raise DeviceRefusedError(
            device,
            f"was told to expose for {asked_s:g} s and took {taken_s:g} s, more than {TOLERANCE:.0%} off.",
            "Choose an exposure on its grid.",
        )


def require_gain_taken(device: str, asked_db: float, taken_db: float) -> None:
    """Raises DeviceRefusedError where the brightness is further off than `TOLERANCE`."""
    if not abs(taken_db - asked_db) <= _GAIN_TOLERANCE_DB:
        raise DeviceRefusedError(
            device,
            f"was told a gain of {asked_db:g} dB and took {taken_db:g} dB.",
            "Choose a gain on its grid.",
        )
