"""A run beside its prediction, number by number."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from labcontrol.analysis.run_models import RunModels
from labcontrol.formatting import count, rounded
from labcontrol.theory.run_prediction import Interval

_VISITS = (1, 2, 4)


@dataclass(frozen=True)
class Compared:
    """One number, predicted and measured.

    Attributes
    ----------
    what : str
        As a heading of a row.
    predicted : tuple of float
        Value, and the bounds between which nine of ten single runs lie.
    measured : float or None
        None while the run has not come that far.
    """

    what: str
    predicted: Interval
    measured: float | None

    @property
    def predicted_text(self) -> str:
        """Value and bounds as text."""
        value, low, high = (rounded(number) if math.isfinite(number) else "∞" for number in self.predicted)
        return f"{value} ({low} to {high})"

    @property
    def measured_text(self) -> str:
        """The measured value, and whether it lies between the bounds; as text."""
        if self.measured is None:
            return "not measured yet"
        inside = self.predicted[1] <= self.measured <= self.predicted[2]
        return f"{rounded(self.measured)}, {'inside' if inside else 'outside'}"


def prediction_table(models: RunModels, neurons: int, target_error: float | None = None) -> list[Compared]:
    """Errors on the way, the last one, the time constant and the time to a target, beside what was predicted.

    neurons: the way is measured in visits of every mirror. target_error: at which learning is to stop. Empty where
    nothing was predicted.
    """
    told = None if models.pilot is None else models.pilot.prediction
    if told is None:
        return []
    last, measured = int(told.epochs[-1]), models.incumbent
    rows = []
    for epoch in sorted({visits * neurons for visits in _VISITS if visits * neurons < last} | {last}):
        median, low, high = (float(curve[0]) for curve in told.at(np.array([epoch])))
        error = float(measured[epoch]) if epoch < len(measured) else None
        rows.append(Compared(f"{told.loss} at epoch {count(epoch)}", (median, low, high), error))
    fit = models.curves.get("fit")
    if math.isfinite(told.tau[0]):
        tau = None if fit is None or fit.tau is None or len(measured) <= told.tau[0] else fit.tau[0]
        rows.append(Compared("time constant, epochs", told.tau, tau))
    if target_error is not None:
        reached = np.flatnonzero(measured <= target_error)
        first = float(reached[0]) if len(reached) else None
        rows.append(
            Compared(f"epochs to the target error {rounded(target_error)}", told.epochs_to(target_error), first)
        )
    return rows
