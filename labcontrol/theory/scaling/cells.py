"""One cell of a study: a size, a seed, a rule and an error, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from labcontrol.theory.fits import fit_learning_curve

Floats = NDArray[np.float64]

QUANTITIES: dict[str, str] = {
    "tau": "time constant of the fitted exponential, in epochs",
    "k5": "first epoch with less than 5 % of the excess error left",
}
"""What exponents are computed of."""

_GRID_POINTS = 241


class Cell(NamedTuple):
    """What is varied. seed: decides states, start mask and every choice."""

    neurons: int
    seed: int
    selection: str
    loss: str


@dataclass(frozen=True)
class CellResult:
    """A learning curve in figures.

    tau, tau_low, tau_high: epochs, with the fit's 95 % interval; r2: of the fit; all NaN if the error did not fall.
    k5, k1e: first epoch with less than 5 % and 1/e of the excess left. start, floor: error at the beginning and at the
    end, the excess being the error above `floor`. curve: (G,) error of the incumbent on the study's grid. law3: (G,)
    what Law 3 predicts for these states; NaN where it was not asked.
    """

    cell: Cell
    tau: float
    tau_low: float
    tau_high: float
    r2: float
    k5: float
    k1e: float
    start: float
    floor: float
    curve: Floats
    law3: Floats

    @property
    def excess(self) -> Floats:
        """(G,) share of the excess that is left."""
        span = self.start - self.floor
        return (self.curve - self.floor) / span if span > 0 else np.full_like(self.curve, np.nan)


def grid(sweeps: float) -> Floats:
    """(G,) epochs/N at which curves are kept, closer to each other at the beginning."""
    return sweeps * np.linspace(0, 1, _GRID_POINTS) ** 2


def judged(cell: Cell, errors: Floats, sweeps: float, law3: Floats | None = None) -> CellResult:
    """The figures of a curve.

    errors: (K + 1,) of the incumbent, from the start mask on. sweeps: K/N. law3: (G,) on the study's grid.
    """
    epochs = np.arange(len(errors), dtype=np.float64)
    points = grid(sweeps)
    start, floor = float(errors[0]), float(errors[-1])
    fits = fit_learning_curve(epochs, errors, ("exponential",))
    tau, low, high, r2 = (*fits.best.tau, fits.best.r_squared) if fits is not None else (np.nan,) * 4

    def first_below(share: float) -> float:
        below = np.flatnonzero(errors - floor < share * (start - floor))
        return float(below[0]) if start > floor and len(below) else np.nan

    return CellResult(
        cell, tau, low, high, r2, first_below(0.05), first_below(np.exp(-1)), start, floor,
        curve=np.interp(points * cell.neurons, epochs, errors),
        law3=np.full(len(points), np.nan) if law3 is None else law3,
    )  # fmt: skip
