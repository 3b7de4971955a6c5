"""A run of another process, as its record shows it while it is written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from labcontrol.analysis.plots.curves import PredictionCurves, prediction_curves
from labcontrol.config import ExperimentConfig
from labcontrol.errors import UserError
from labcontrol.records import RunReader
from labcontrol.records.reader import DAMAGE, Fault, LogLine, RunState

_PACE_EPOCHS = 200
_STUCK_S, _STUCK_EPOCHS = 30.0, 20


@dataclass(frozen=True)
class Snapshot:
    """A run at one moment.

    planned: epochs it may take at most; 0 if unknown. curves: loss of the incumbent and what it is compared with.
    accepted: changes of the mask kept. epoch_s: wall time of an epoch, over the last ones; 0 if unknown. idle_s: since
    the last epoch reached the disk, by the given clock. faults, log: all of them.
    """

    state: RunState
    planned: int
    curves: PredictionCurves
    accepted: int
    epoch_s: float
    idle_s: float
    faults: list[Fault]
    log: list[LogLine]

    @property
    def epochs(self) -> int:
        return len(self.curves.epochs)

    @property
    def error(self) -> float:
        """Of the incumbent; NaN before there is one."""
        return float(self.curves.measured[-1]) if self.epochs else float("nan")

    @property
    def seconds_left(self) -> float:
        """At the present pace, to the largest number of epochs."""
        return max(0, self.planned - self.epochs) * self.epoch_s


class Follower:
    """Follows a record through its growth, also over a continuation of the run. Use as a context manager.

    Raises UserError for what is no run file.
    """

    def __init__(self, record: Path) -> None:
        self._reader = RunReader(record)
        self.path = record

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.close()

    @property
    def reader(self) -> RunReader:
        """The record as it was at the last look."""
        return self._reader

    def look(self, now_unix_s: float) -> Snapshot:
        """What is on disk now. Raises UserError when the file is gone or damaged."""
        try:
            self._reader.refresh()
            return self._snapshot(now_unix_s)
        except DAMAGE as error:
            raise UserError(f"{self.path} cannot be read any more: {error}.", "Was it moved or deleted?") from error

    def _snapshot(self, now_unix_s: float) -> Snapshot:
        run = self._reader
        table = run.epochs
        unix_s = table.unix_s
        last = unix_s[-1] if len(unix_s) else run.states[-1].unix_s
        return Snapshot(
            state=run.state,
            planned=_planned(run),
            curves=prediction_curves(run, whole=False),
            accepted=int(np.count_nonzero(table.accepted[1:])),
            epoch_s=pace_s(unix_s),
            idle_s=max(0.0, now_unix_s - float(last)),
            faults=run.faults,
            log=run.log,
        )


def pace_s(unix_s: NDArray[np.float64]) -> float:
    """Wall time of an epoch, over the last ones; 0 if unknown. unix_s: (K,) when each was over, together in a replay.

    By the median of the replays: what a run stood still, for a fault or until it was continued, is not its pace.
    """
    ends_s, epochs = np.unique(unix_s[-_PACE_EPOCHS - 1 :], return_counts=True)
    return float(np.median(np.diff(ends_s)) / epochs[1:].mean()) if len(ends_s) > 1 else 0.0


def stands_still(idle_s: float, epoch_s: float) -> bool:
    """Whether so long without an epoch is worth a word. epoch_s: the usual time of one."""
    return idle_s > max(_STUCK_S, _STUCK_EPOCHS * epoch_s)


def _planned(run: RunReader) -> int:
    try:
        return ExperimentConfig.model_validate(run.experiment).epochs
    except ValidationError:  # written by another version of the program
        return 0
