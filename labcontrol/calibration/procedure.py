"""What a calibration procedure is: one measurement with its model, fit, verdict and figure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labcontrol.calibration.context import CalibrationContext
from labcontrol.calibration.result import Calibration, Outcome

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Figure
else:
    Figure = Any  # Matplotlib is imported by whoever draws: it takes a second


@dataclass(frozen=True)
class Procedure:
    """One step of calibrating a table.

    kind: its name in commands and files. title: what it finds out. look_for: what a person should see while it runs.
    roles: the devices it depends on. needs: kinds of calibration it builds on. lifetime_h: hours its result holds.
    measure: does it, on an open bench. draw: shows a result that has arrays.
    """

    kind: str
    title: str
    look_for: str
    roles: tuple[str, ...]
    needs: tuple[str, ...]
    lifetime_h: float
    measure: Callable[[CalibrationContext], Outcome]
    draw: Callable[[Calibration, Figure], None]
