"""One model of a learning curve, in one form whatever its origin."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labcontrol.formatting import rounded

Floats = NDArray[np.float64]
Interval = tuple[float, float, float]

_WIDEST = 1e4  # ratio of the ends of an interval that says something


@dataclass(frozen=True)
class ModelCurve:
    """A model of the learning curve.

    Attributes
    ----------
    key : str
        In `MODELS`.
    name, help : str
        As legends have it, and a sentence or two for who asks.
    loss : str
        The error it speaks of, mse or nmse.
    values, band : callable
        Epochs (K,) to the expected error (K,), and to the ends of an interval, two of (K,).
    tau : tuple of float
        Time constant in epochs and the 95 % interval of a single run, where the model has one.
    r_squared : float
        Where it was fitted.
    until : float
        The last epoch it may speak of.
    """

    key: str
    name: str
    help: str
    loss: str
    values: Callable[[Floats], Floats]
    band: Callable[[Floats], tuple[Floats, Floats]] | None = None
    tau: Interval | None = None
    r_squared: float | None = None
    until: float = math.inf

    def at(self, epoch: float) -> float:
        """Error expected after an epoch, the initial mask not counted."""
        return float(self.values(np.array([epoch]))[0])

    def interval_at(self, epoch: float) -> tuple[float, float] | None:
        """Ends of the interval in which the error is expected after an epoch; None where the model has none."""
        if self.band is None:
            return None
        low, high = self.band(np.array([epoch]))
        return float(low[0]), float(high[0])

    @property
    def tau_text(self) -> str:
        """The time constant in epochs with its interval; empty without one."""
        return "" if self.tau is None or not math.isfinite(self.tau[0]) else interval_text(self.tau)

    @property
    def label(self) -> str:
        """Its name in a legend, with its time constant and how well it fits, where it has them."""
        parts = [f"τ = {self.tau_text}"] if self.tau_text else []
        if self.r_squared is not None:
            parts.append(f"R² = {self.r_squared:.4f}")
        return f"{self.name}{': ' if parts else ''}{', '.join(parts)}"


def interval_text(value: Interval) -> str:
    """A value with the ends of its 95 % interval, or "not determined yet" where these are orders of magnitude apart."""
    if not is_determined(value):
        return f"{rounded(value[0])} (not determined yet)"
    middle, low, high = map(rounded, value)
    return middle if value[1] == value[2] else f"{middle} ({low} to {high})"


def is_determined(value: Interval) -> bool:
    """Whether an interval says anything. value: with its low and its high end."""
    _, low, high = value
    return math.isfinite(high) and not (low > 0 and high / low > _WIDEST)
