"""The steps of a calibration in plain words, for people who do them for the first time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from labcontrol.calibration import PROCEDURES, CalibrationStatus


@dataclass(frozen=True)
class StepText:
    """name: on the list. purpose: what the result is good for. before: what to see to before it is measured."""

    name: str
    purpose: str
    before: str = ""


_TEXTS: Mapping[str, StepText] = {
    "camera": StepText(
        "Camera",
        "How many counts an electron gives, how much noise there is in the dark, and that twice the light is twice "
        "the counts. All later intervals rest on it.",
        "Shut out the room's light. Image the SLM sharply onto the camera.",
    ),
    "exposure": StepText(
        "Exposure",
        "As much light as the camera can take on the patterns a reservoir shows, without a saturated pixel.",
    ),
    "phase-response": StepText(
        "Phase response",
        "Which grey level of the SLM gives which phase at this laser's wavelength, from the intensity behind the "
        "polariser; and the inverse table that runs use.",
        "The polariser behind the SLM must cross the beam, so that dark patterns are dark.",
    ),
    "window": StepText(
        "Lit window",
        "Which rows and columns of the SLM the beam reaches; the grid of neurons is laid into the middle of them.",
        "Centre the beam on the SLM.",
    ),
    "registration": StepText(
        "Registration",
        "On which camera pixel each neuron is seen, with rotation, scale, shear and distortion of the lens.",
        "Do not touch the camera or the SLM from here on.",
    ),
    "profile": StepText(
        "Beam and coupling",
        "How evenly the neurons are lit, and how far their light spreads to their neighbours.",
    ),
    "timing": StepText(
        "Timing",
        "How long the SLM needs until its light obeys, how late the camera is, and how long one step of a run takes.",
    ),
    "detector": StepText(
        "Detector",
        "What the detector reads in the dark, its noise and bandwidth, and which samples belong to which DMD pattern.",
        "Shut out the room's light.",
    ),
    "mirrors": StepText(
        "Mirrors",
        "Which mirrors of the DMD show which neuron, found with stripes on the SLM and the detector alone.",
        "Image the SLM sharply onto the DMD.",
    ),
    "laser": StepText(
        "Laser",
        "How long the laser needs to be stable, and how it drifts and fluctuates afterwards.",
    ),
}


class StepState(StrEnum):
    """Of a step on the page: as its calibration is in the store, or what is being done about it."""

    FRESH = "fresh"
    MISSING = "missing"
    FAILED = "failed"
    EXPIRED = "expired"
    STALE = "stale"
    MEASURING = "measuring"
    TO_ACCEPT = "to accept"


STATES: Mapping[StepState, tuple[str, str]] = {
    StepState.FRESH: ("good", "●"),
    StepState.MISSING: ("idle", "○"),
    StepState.FAILED: ("danger", "✕"),
    StepState.EXPIRED: ("caution", "▲"),
    StepState.STALE: ("caution", "▲"),
    StepState.MEASURING: ("active", "◐"),
    StepState.TO_ACCEPT: ("active", "?"),
}
"""Kind of chip and mark of each state."""


def text_of(kind: str) -> StepText:
    """Words for a step; its title where nobody has written any."""
    return _TEXTS.get(kind, StepText(kind.replace("-", " ").capitalize(), PROCEDURES[kind].title))


def status_text(status: CalibrationStatus) -> str:
    """How a calibration stands, in one line."""
    return status.reason if status.is_fresh else f"{status.state}: {status.reason}"
