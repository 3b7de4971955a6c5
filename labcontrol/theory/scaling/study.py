"""A study as it is read: groups of cells, exponents with their intervals, collapsed curves."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labcontrol.theory.scaling.cells import QUANTITIES, Cell, CellResult

Floats = NDArray[np.float64]

_RESAMPLES = 2000


@dataclass(frozen=True)
class Exponent:
    """Slope of a quantity against N on logarithmic axes, with its 95 % bootstrap interval; 1 is linear in N.

    prefactor: of the fitted power law, quantity = prefactor N^value.
    """

    value: float
    low: float
    high: float
    prefactor: float


@dataclass(frozen=True)
class Group:
    """All cells of one selection rule and one loss. sizes: (M,) rising. results: by size, one for each seed."""

    selection: str
    loss: str
    sizes: tuple[int, ...]
    results: dict[int, tuple[CellResult, ...]]

    def values(self, quantity: str) -> dict[int, Floats]:
        """tau, k5 or any other figure of the cells, by size: (S,) one for each seed."""
        return {n: np.array([getattr(result, quantity) for result in self.results[n]]) for n in self.sizes}

    def exponent(self, quantity: str) -> Exponent | None:
        """Of `tau` or `k5`; None with fewer than two sizes of two runs, as one run says nothing of its spread.

        Bootstrap: the runs of each size are drawn again with replacement, the slope is fitted again.
        """
        values = {n: v[np.isfinite(v) & (v > 0)] for n, v in self.values(quantity).items()}
        values = {n: np.log(v) for n, v in values.items() if len(v) > 1}
        if len(values) < 2:
            return None
        x = np.log(np.repeat(list(values), [len(v) for v in values.values()]))
        slope, offset = np.polyfit(x, np.concatenate(list(values.values())), 1)
        rng = np.random.default_rng(0)
        centred = x - x.mean()
        drawn = np.concatenate([rng.choice(v, (_RESAMPLES, len(v))) for v in values.values()], axis=1)
        slopes = drawn @ centred / (centred @ centred)
        low, high = np.quantile(slopes, [0.025, 0.975])
        return Exponent(float(slope), float(low), float(high), float(np.exp(offset)))

    @cached_property
    def collapsed(self) -> dict[int, Floats]:
        """(G,) mean share of the excess that is left on the study's grid, by size."""
        return {n: np.mean([result.excess for result in self.results[n]], axis=0) for n in self.sizes}

    @cached_property
    def law3(self) -> dict[int, Floats]:
        """(G,) mean of what Law 3 predicts for the same share, by size; only sizes it was asked for.

        The predicted error is taken between the measured start and floor of its own run.
        """
        predicted = {}
        for n in self.sizes:
            asked = [r for r in self.results[n] if np.isfinite(r.law3).all() and r.start > r.floor]
            if asked:
                predicted[n] = np.mean([(r.law3 - r.floor) / (r.start - r.floor) for r in asked], axis=0)
        return predicted


@dataclass(frozen=True)
class Study:
    """A study, finished or not. settings: what all cells share. grid: (G,) epochs/N of the curves."""

    settings: dict[str, Any]
    grid: Floats
    results: tuple[CellResult, ...]

    @property
    def states(self) -> str:
        """Kind of states, a name in STATES."""
        return str(self.settings["states"])

    @cached_property
    def cells(self) -> frozenset[Cell]:
        """Those that are done."""
        return frozenset(result.cell for result in self.results)

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """By rule and loss, in the order in which they were planned."""
        found: dict[tuple[str, str], dict[int, list[CellResult]]] = {}
        for result in sorted(self.results, key=lambda result: (result.cell.neurons, result.cell.seed)):
            cell = result.cell
            found.setdefault((cell.selection, cell.loss), {}).setdefault(cell.neurons, []).append(result)
        return tuple(
            Group(selection, loss, tuple(sorted(sizes)), {n: tuple(results) for n, results in sizes.items()})
            for (selection, loss), sizes in found.items()
        )

    def as_json(self) -> dict[str, Any]:
        """Cells and exponents as JSON types; what is not known is null."""
        figures = ("tau", "tau_low", "tau_high", "r2", "k5", "k1e", "start", "floor")
        cells = [
            {
                "states": self.states,
                **result.cell._asdict(),
                **{name: _number(getattr(result, name)) for name in figures},
            }
            for result in self.results
        ]
        exponents = [
            {
                "states": self.states, "selection": group.selection, "loss": group.loss, "quantity": quantity,
                "value": exponent.value, "low": exponent.low, "high": exponent.high,
            }
            for group in self.groups
            for quantity in QUANTITIES
            if (exponent := group.exponent(quantity)) is not None
        ]  # fmt: skip
        return {"cells": cells, "exponents": exponents}


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
