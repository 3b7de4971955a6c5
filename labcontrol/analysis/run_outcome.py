"""What a run came to, in numbers: for tables, comparisons and reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from labcontrol.analysis.run_models import RunModels, record_models
from labcontrol.records import RunReader

_FALL = 0.95


@dataclass(frozen=True)
class Outcome:
    """Numbers of one run, finished or not.

    Attributes
    ----------
    models : RunModels
        The curve and what it is compared with.
    replays : int
        Passes through the training sequence that epochs took.
    start_error, error : float or None
        Of the first incumbent and of the last.
    fall_epoch : int or None
        First epoch after which the error had made 95 % of its whole fall.
    train, test : dict or None
        mse and nmse of the final mask, measured once more at the end.
    wall_s, bench_s : float
        From the first epoch to the last, by the computer's clock and by the bench's.
    """

    models: RunModels
    replays: int
    start_error: float | None
    error: float | None
    fall_epoch: int | None
    train: dict[str, float] | None
    test: dict[str, float] | None
    wall_s: float
    bench_s: float

    @property
    def epochs(self) -> int:
        return len(self.models.epochs)

    @property
    def accepted(self) -> int:
        """Changes of the mask kept, the initial mask not counted."""
        return self.models.accepted


def outcome(run: RunReader) -> Outcome:
    """Read and compute the numbers of a run, finished or not."""
    table, models = run.epochs, record_models(run)
    result: dict[str, Any] = run.result or {}
    known = models.incumbent[np.isfinite(models.incumbent)]
    unix_s = table.unix_s
    return Outcome(
        models=models,
        replays=len(np.unique(table.replay)),
        start_error=float(known[0]) if known.size else None,
        error=float(known[-1]) if known.size else None,
        fall_epoch=_fall_epoch(models),
        train=result.get("train"),
        test=result.get("test"),
        wall_s=float(unix_s[-1] - unix_s[0]) if len(table) else 0.0,
        bench_s=float(table.bench_s[-1]) if len(table) else 0.0,
    )


def _fall_epoch(models: RunModels) -> int | None:
    measured = models.incumbent
    if len(measured) < 2 or not measured[-1] < measured[0]:
        return None
    return int(np.argmax(measured[0] - measured >= _FALL * (measured[0] - measured[-1])))
