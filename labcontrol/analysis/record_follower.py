"""A run of another process, as its record shows it while it is written."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from labcontrol.analysis.run_models import Prediction, RunModels, record_models, record_prediction
from labcontrol.config import ExperimentConfig
from labcontrol.engine import EpochDone, Event, FaultSeen, Predicted, Prepared, RunStatus
from labcontrol.engine import RunState as EngineState
from labcontrol.errors import UserError
from labcontrol.records import RunReader
from labcontrol.records.contents import Fault, LogLine, RunState
from labcontrol.records.damage import DAMAGE
from labcontrol.tasks import Task

_PACE_EPOCHS = 200
_STUCK_S, _STUCK_EPOCHS = 30.0, 20
_MOST_EVENTS = 10_000  # epochs handed out one by one at most


@dataclass(frozen=True)
class RecordUpdate:
    """A run at one moment.

    Attributes
    ----------
    state : RunState
        As the record has it.
    status : RunStatus
        The same as the run itself would publish it; `epochs` is 0 where the experiment is one of another version.
    idle_s : float
        Since the last epoch.
    faults, log : list
        All of them.
    """

    state: RunState
    status: RunStatus
    idle_s: float
    faults: list[Fault]
    log: list[LogLine]

    @property
    def is_over(self) -> bool:
        """Whether nobody writes the record any more."""
        return self.state.name != "running"

    @property
    def stands_still(self) -> bool:
        """Whether it is so long without an epoch that it is worth a word."""
        return not self.is_over and self.idle_s > max(_STUCK_S, _STUCK_EPOCHS * self.status.epoch_s)


class RecordFollower:
    """Follows a record through its growth, also over a continuation of the run; for one thread at a time.

    Poll it now and then; `models` and `events` speak of what was on disk at the last poll. Use as a context manager or
    close it. Raises UserError for what is no run file.
    """

    def __init__(self, record: Path) -> None:
        self._reader = RunReader(record)
        self.path = record
        self.experiment: ExperimentConfig | None = None
        """None where it is one of another version of the program."""
        with contextlib.suppress(ValidationError):
            self.experiment = ExperimentConfig.model_validate(self._reader.experiment)
        self._prediction: Prediction | None = None
        self._update: RecordUpdate | None = None
        self._published = self._faults = 0
        self._predicted = self._was_over = self._begun = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; may be called more than once."""
        self._reader.close()

    def poll(self, now_unix_s: float | None = None) -> RecordUpdate:
        """See what is on disk now. Raises UserError when the file is gone or damaged."""
        now_unix_s = time.time() if now_unix_s is None else now_unix_s
        with self._readable():
            self._reader.refresh()
            self._update = self._read(now_unix_s)
        return self._update

    def models(self) -> RunModels:
        """The curve beside what was predicted, which is computed once."""
        if self._prediction is None:
            self._prediction = record_prediction(self._reader)
        return record_models(self._reader, self._prediction)

    def events(self) -> tuple[bool, list[Event]]:
        """What the run that writes the record published since the last call, and whether that is all from its start.

        It is all at the first call, and when a run that was over goes on or has fewer epochs than before. The epochs
        before the present incumbent are then left to whoever listens to read as a whole, as in a continued run. Raises
        UserError when the file is gone or damaged.
        """
        with self._readable():
            return self._new_events()

    # --- how ----------------------------------------------------------------------------------------------------
    @contextlib.contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except DAMAGE as error:
            raise UserError(f"{self.path} cannot be read any more: {error}.", "Was it moved or deleted?") from error

    def _new_events(self) -> tuple[bool, list[Event]]:
        assert self._update is not None, "poll first"
        run, update = self._reader, self._update
        epochs, over = len(run.epochs), update.is_over
        afresh = not self._begun or (self._was_over and not over) or not 0 <= epochs - self._published <= _MOST_EVENTS
        events: list[Event] = []
        if afresh:
            self._begun, self._predicted = True, False
            self._published = self._faults = 0
            events += self._prepared()
        self._was_over = over
        if not self._predicted and run.pilot is not None:
            self._predicted = True
            prediction = record_prediction(run) if self._prediction is None else self._prediction
            self._prediction = prediction
            events += [] if prediction is None else [Predicted(prediction.pilot)]
        events += [FaultSeen(fault) for fault in update.faults[self._faults :]]
        events += self._epochs(update.status, from_incumbent=afresh)
        self._published, self._faults = epochs, len(update.faults)
        return afresh, events

    def _read(self, now_unix_s: float) -> RecordUpdate:
        run = self._reader
        state, table, errors = run.state, run.epochs, run.incumbent_errors()
        unix_s = table.unix_s
        last = unix_s[-1] if len(unix_s) else run.states[-1].unix_s
        status = RunStatus(
            state=EngineState.RUNNING if state.name == "running" else EngineState.FINISHED,
            reason=state.reason,
            record=self.path,
            epoch=len(table),
            epochs=0 if self.experiment is None else self.experiment.epochs,
            error=float(errors[-1]) if len(errors) else float("inf"),
            accepted=int(np.count_nonzero(table.accepted[1:])),
            epoch_s=pace_s(unix_s),
        )
        return RecordUpdate(state, status, max(0.0, now_unix_s - float(last)), run.faults, run.log)

    def _prepared(self) -> list[Event]:
        run = self._reader
        name = run.experiment.get("task", {}).get("name", "")
        task = Task(name, run.washout_input, run.input, run.target, run.test_input, run.test_target)
        return [Prepared(task, run.initial_mask, np.empty((0, 2)), 0.0)]

    def _epochs(self, status: RunStatus, *, from_incumbent: bool) -> list[Event]:
        table = self._reader.epochs
        epochs, first = len(table), self._published
        if from_incumbent and epochs:
            kept = np.flatnonzero(table.accepted)
            first = max(int(kept[-1]) if len(kept) else 0, epochs - _MOST_EVENTS)
        errors = self._reader.incumbent_errors()
        return [EpochDone(epoch, float(errors[epoch.index]), status) for epoch in table.rows(first, epochs)]


def pace_s(unix_s: NDArray[np.float64]) -> float:
    """Wall time of an epoch over the last ones, by when each was over (K,), those of one replay together; 0 if unknown.

    By the median of the replays: what a run stood still, for a fault or until it was continued, is not its pace.
    """
    ends_s, epochs = np.unique(unix_s[-_PACE_EPOCHS - 1 :], return_counts=True)
    return float(np.median(np.diff(ends_s)) / epochs[1:].mean()) if len(ends_s) > 1 else 0.0
