"""What a run came to, in figures: for tables, comparisons and reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from labcontrol.analysis.plots.curves import PredictionCurves, prediction_curves
from labcontrol.records import RunReader

_FALL = 0.95


@dataclass(frozen=True)
class Outcome:
    """Figures of one run, finished or not.

    replays: passes through the training sequence that epochs took. accepted: flips (or other changes of the mask) kept,
    the initial mask not counted. fall_epoch: first epoch after which the error had made 95 % of its whole fall.
    train, test: {"mse", "nmse"} of the final mask, measured once more at the end. wall_s: from the first epoch to the
    last; bench_s: the same on the bench's clock.
    """

    curves: PredictionCurves
    epochs: int
    replays: int
    accepted: int
    start_error: float | None
    error: float | None
    fall_epoch: int | None
    train: dict[str, float] | None
    test: dict[str, float] | None
    wall_s: float
    bench_s: float


def outcome(run: RunReader, *, whole: bool = True) -> Outcome:
    """Read and compute the figures of a run; see `prediction_curves`."""
    table, curves = run.epochs, prediction_curves(run, whole=whole)
    result: dict[str, Any] = run.result or {}
    known = curves.measured[np.isfinite(curves.measured)]
    unix_s = table.unix_s
    return Outcome(
        curves=curves,
        epochs=len(table),
        replays=len(np.unique(table.replay)),
        accepted=int(np.count_nonzero(table.accepted[1:])),
        start_error=float(known[0]) if known.size else None,
        error=float(known[-1]) if known.size else None,
        fall_epoch=_fall_epoch(curves),
        train=result.get("train"),
        test=result.get("test"),
        wall_s=float(unix_s[-1] - unix_s[0]) if len(table) else 0.0,
        bench_s=float(table.bench_s[-1]) if len(table) else 0.0,
    )


def _fall_epoch(curves: PredictionCurves) -> int | None:
    measured = curves.measured
    if len(measured) < 2 or not measured[-1] < measured[0]:
        return None
    return int(np.argmax(measured[0] - measured >= _FALL * (measured[0] - measured[-1])))
