"""A growing record, told as the run that writes it would tell it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from labcontrol.analysis.report.follow import pace_s
from labcontrol.config import ExperimentConfig
from labcontrol.engine import EpochDone, Event, FaultSeen, Predicted, Prepared, RunState, RunStatus
from labcontrol.engine.pilot import predict
from labcontrol.errors import UserError
from labcontrol.records import RunReader
from labcontrol.records.reader import DAMAGE, LogLine
from labcontrol.records.reader import RunState as RecordState
from labcontrol.tasks import Task

_MOST_ROWS = 10_000  # told one by one at most
_LOG_LINES = 100


@dataclass(frozen=True)
class News:
    """What a look at the record found.

    state: as the record has it. status: the same as the run itself would say it. events: since the last look; all of
    them from the start where `afresh`. idle_s: since the last epoch. log: its last lines.
    """

    state: RecordState
    status: RunStatus
    events: list[Event]
    afresh: bool
    idle_s: float
    log: list[LogLine]


class RecordTeller:
    """Looks at one record again and again; for one thread at a time, `close` included.

    A run that was over and goes on, or has fewer epochs than before, is told from its start.
    """

    def __init__(self, path: Path) -> None:
        """Raises UserError for what is no run file, or of an experiment that this version does not know."""
        self.path = path
        self._reader = RunReader(path)
        try:
            self.experiment = ExperimentConfig.model_validate(self._reader.experiment)
        except ValueError as error:
            self._reader.close()
            raise UserError(f"The experiment in {path} is not one of this version: {error}") from error
        self._told = self._faults = 0
        self._predicted = self._was_over = False
        self._begun = False

    def look(self) -> News:
        """What is on disk now. Raises UserError when the file is gone or damaged."""
        try:
            self._reader.refresh()
            return self._news()
        except DAMAGE as error:
            raise UserError(f"{self.path} cannot be read any more: {error}.", "Was it moved or deleted?") from error

    def close(self) -> None:
        self._reader.close()

    def _news(self) -> News:
        run, state = self._reader, self._reader.state
        epochs, over = len(run.epochs), state.name != "running"
        afresh = not self._begun or (self._was_over and not over) or not 0 <= epochs - self._told <= _MOST_ROWS
        if afresh:
            self._begun, self._predicted = True, False
            self._told = self._faults = 0
        self._was_over = over
        status, events = self._status(state), self._first(run) if afresh else []
        if not self._predicted and run.pilot is not None:
            self._predicted = True
            events += self._prediction(run)
        faults = run.faults
        events += [FaultSeen(fault) for fault in faults[self._faults :]]
        events += self._rows(run, status, from_incumbent=afresh)
        self._told, self._faults = epochs, len(faults)
        unix_s = run.epochs.unix_s[-1:]
        idle_s = time.time() - (float(unix_s[0]) if len(unix_s) else run.states[-1].unix_s)
        return News(state, status, events, afresh, max(idle_s, 0.0), run.log[-_LOG_LINES:])

    def _status(self, state: RecordState) -> RunStatus:
        table = self._reader.epochs
        errors = self._reader.incumbent_errors()
        return RunStatus(
            state=RunState.RUNNING if state.name == "running" else RunState.FINISHED,
            reason=state.reason,
            record=self.path,
            epoch=len(table),
            epochs=self.experiment.epochs,
            error=float(errors[-1]) if len(errors) else float("inf"),
            accepted=int(np.count_nonzero(table.accepted[1:])),
            epoch_s=pace_s(table.unix_s),
        )

    def _first(self, run: RunReader) -> list[Event]:
        task = Task(
            self.experiment.task.name, run.washout_input, run.input, run.target, run.test_input, run.test_target
        )
        return [Prepared(task, run.initial_mask, np.empty((0, 2)), 0.0)]

    def _prediction(self, run: RunReader) -> list[Event]:
        assert run.pilot is not None
        try:
            return [Predicted(predict(run.pilot, run.initial_mask, run.target, run.loss))]
        except (UserError, ValueError, IndexError):  # a pilot that tells nothing
            return []

    # The epochs before the present incumbent are left to whoever listens to read as a whole, as in a continued run.
    def _rows(self, run: RunReader, status: RunStatus, *, from_incumbent: bool) -> list[Event]:
        epochs = len(run.epochs)
        first = self._told
        if from_incumbent and epochs:
            kept = np.flatnonzero(run.epochs.accepted)
            first = max(int(kept[-1]) if len(kept) else 0, epochs - _MOST_ROWS)
        errors = run.incumbent_errors()
        return [EpochDone(epoch, float(errors[epoch.index]), status) for epoch in run.epochs.rows(first, epochs)]
