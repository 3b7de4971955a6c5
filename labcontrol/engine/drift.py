"""Drift: the initial mask is measured again and again; what moved beyond its noise is reported, with its cause."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivers.interfaces import DeviceRefusedError
from labcontrol.reservoir import Reservoir

Floats = NDArray[np.float64]

REPEATS = 8
"""Of the reference before learning: they set what it is compared with, and its noise."""
_LEAST_LIGHT = 5e-3  # of the camera's light: smaller changes name no cause


class DriftError(DeviceRefusedError):
    """The table is no longer what it was; whether the run may go on is for a person to say."""


@dataclass(frozen=True)
class ReferenceMeasurement:
    """One measurement of the reference.

    output: (T,). light: brightness of all camera pictures over those of the reference replay, NaN without one.
    picture: rms difference to them that no change of brightness explains, over their rms. power_w: the laser's reading.
    """

    output: NDArray[np.float32]
    light: float
    picture: float
    power_w: float


@dataclass(frozen=True)
class Drift:
    """What a reference measurement shows beside the first ones.

    level: mean output over the first. offset: what was added, in the output's unit, 0 where a factor explains more.
    light, power: over the first. picture: rms change of the pictures' shape. change: of the mean output as a share of
    it, or of the rest as a share of its variance (as in nmse), whichever is larger. excess: standard deviations of the
    noise by which the output has moved.
    """

    level: float
    offset: float
    light: float
    picture: float
    power: float
    change: float
    excess: float


class DriftWatch:
    """Compares reference measurements with the first few of them."""

    def __init__(self) -> None:
        self._first: list[ReferenceMeasurement] = []
        self.rows = 0

    @property
    def ready(self) -> bool:
        """Whether the first measurements are complete."""
        return len(self._first) >= REPEATS

    def begin(self, measured: ReferenceMeasurement) -> None:
        """Add one of the first measurements."""
        self._first.append(measured)

    def restart(self) -> None:
        """A person has seen what changed and lets the run go on: the next measurements are the first ones."""
        self._first = []

    def compare(self, measured: ReferenceMeasurement) -> Drift:
        """Compare a measurement with the first ones; raises nothing, whatever it is."""
        outputs = np.array([first.output for first in self._first], dtype=np.float64)
        known, seen = outputs.mean(axis=0), measured.output.astype(np.float64)
        lights = np.array([first.light for first in self._first])
        pictures = np.array([first.picture for first in self._first])
        power_w = float(np.mean([first.power_w for first in self._first]))
        return Drift(
            level=float(seen.mean() / known.mean()),
            offset=_offset(known, seen),
            light=float(measured.light / lights.mean()),
            picture=math.sqrt(max(measured.picture**2 - float(np.mean(pictures**2)), 0.0))
            if math.isfinite(measured.picture)
            else math.nan,
            power=measured.power_w / power_w if power_w > 0 else 1.0,
            change=max(abs(float(seen.mean() / known.mean()) - 1), float((seen - known).var() / known.var())),
            excess=_excess(outputs, seen),
        )

    def state(self) -> dict[str, Any]:
        return {"rows": self.rows, "first": {str(k): asdict(first) for k, first in enumerate(self._first)}}

    def restore(self, state: dict[str, Any]) -> None:
        self.rows = state["rows"]
        self._first = [ReferenceMeasurement(**first) for first in state["first"].values()]


def _offset(known: Floats, seen: Floats) -> float:
    """What was added to outputs (T,), 0 where a factor explains the change better."""
    offset = float((seen - known).mean())
    gain = float(seen @ known / (known @ known))
    added, scaled = seen - known - offset, seen - gain * known
    return offset if added @ added < scaled @ scaled else 0.0


def _excess(outputs: Floats, seen: Floats) -> float:
    """Standard deviations by which (T,) has moved from outputs (R, T): in the mean, or step by step.

    For normal noise that is independent from step to step; noise that all steps of a replay share is taken from the
    means of the first measurements.
    """
    count, steps = outputs.shape
    known, more = outputs.mean(axis=0), 1 + 1 / count
    means = outputs.mean(axis=1)
    variances = (outputs - means[:, None]).var(axis=0, ddof=1)
    variance = float(variances.mean())
    if variance == 0:
        return math.inf if (seen != known).any() else 0.0
    mean_variance = max(variance / steps, float(means.var(ddof=1)))
    level = abs(float((seen - known).mean())) / math.sqrt(more * mean_variance)
    effective = steps * variance**2 / float((variances**2).mean())  # noisy steps count more than quiet ones
    shape = (float((seen - known).var()) / (more * variance) - 1) / math.sqrt(2 / effective)
    return float(max(level, shape))


def cause(drift: Drift) -> DriftError:
    """The likely cause, with the device to check."""
    moved = f"the reference mask's output has moved by {drift.excess:.0f} times its noise"
    change, by_laser = abs(drift.light - 1), abs(drift.power - 1)
    if math.isfinite(drift.light) and max(change, drift.picture) > _LEAST_LIGHT:
        if drift.picture > change > 2 * by_laser:  # through the feedback less power changes the pictures' shape as well
            return DriftError(
                "camera",
                f"sees pictures that have changed their shape by {drift.picture:.1%}: {moved}.",
                "SLM, camera or beam have moved: look at mounts and temperature, then calibrate again.",
            )
        by_meter = f"its own meter says {drift.power - 1:+.1%}"
        return DriftError(
            "laser",
            f"gives {drift.light - 1:+.1%} of light at the camera, {by_meter}: {moved}.",
            "ReferenceMeasurement at its temperature, current and age."
            if 2 * by_laser > change
            else "The light is lost behind the laser: look at fibre, shutter, polariser and covers.",
        )
    what = f"has an offset of {drift.offset:+.3g}" if drift.offset else f"reads {drift.level - 1:+.1%}"
    return DriftError(
        "detector",
        f"{what} against the start, while the camera sees the same light: {moved}.",
        "ReferenceMeasurement at its offset, amplifier, stray light, and the path from the DMD.",
    )


class CameraComparison:
    """Adds up what the camera sees during one replay, beside the reference replay; an `on_signals` of the reservoir."""

    def __init__(self, reservoir: Reservoir) -> None:
        self._known = None if reservoir.reference_replay is None else reservoir.reference_replay.signals
        self._product = self._known_power = self._seen_power = 0.0

    def __call__(self, step: int, signals: Floats) -> None:
        if self._known is not None and step < len(self._known):
            known = self._known[step].astype(np.float64)
            self._product += float(signals @ known)
            self._known_power += float(known @ known)
            self._seen_power += float(signals @ signals)

    def light_and_picture(self) -> tuple[float, float]:
        """Brightness over the reference replay's, and rms rest over its rms."""
        if self._known_power == 0:
            return math.nan, math.nan
        light = self._product / self._known_power
        rest = self._seen_power - light * self._product
        return light, math.sqrt(max(rest, 0.0) / self._known_power)
