"""The queue of runs: what waits, in which order, and what comes next."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass

from PyQt5.QtCore import QObject, pyqtSignal

from labcontrol.config import ExperimentConfig
from labcontrol.engine import RunState, RunStatus
from labcontrol.learning import strategy_facts

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class QueuedRun:
    """One run that waits."""

    experiment: ExperimentConfig

    @property
    def what(self) -> str:
        """Task and size."""
        return f"{self.experiment.task.name} · {self.experiment.neurons} neurons"

    @property
    def how(self) -> tuple[str, str]:
        """How it learns, and with which loss and seed."""
        learning = self.experiment.learning
        return strategy_facts(learning).label, f"{learning.loss} · seed {self.experiment.seed}"


class RunQueue(QObject):
    """Runs that wait, first one first.

    Attributes
    ----------
    waiting : list of QueuedRun
    going : bool
        Whether the next one starts when a run is over.
    halts : bool
        Whether it stops going after the present run.

    Signals
    -------
    changed : ()
    start_requested : (QueuedRun)
    """

    changed = pyqtSignal()
    start_requested = pyqtSignal(object)

    def __init__(self, waiting: Iterable[QueuedRun] = (), parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.waiting = list(waiting)
        self.going = self.halts = False

    @property
    def summary(self) -> str:
        """How many wait, and whether they start by themselves; empty when none does."""
        waiting = f"{len(self.waiting)} in the queue" if self.waiting else ""
        return f"{waiting}, next one starts by itself" if self.going and waiting else waiting

    def add(self, run: QueuedRun) -> None:
        self.waiting.append(run)
        self.changed.emit()

    def remove(self, place: int) -> QueuedRun:
        run = self.waiting.pop(place)
        self.changed.emit()
        return run

    def move(self, place: int, by: int) -> int:
        """Move one up (by -1) or down (by 1); returns its new place."""
        new = min(max(place + by, 0), len(self.waiting) - 1)
        self.waiting.insert(new, self.waiting.pop(place))
        self.changed.emit()
        return new

    def begin(self) -> QueuedRun | None:
        """Start going through the queue. Returns the first run, which is to be started; None where none waits."""
        self.halts, self.going = False, bool(self.waiting)
        first = self._next()
        self.changed.emit()
        return first

    def run_through(self) -> None:
        """Have the first run started, and each next one when the one before has ended by itself."""
        if (first := self.begin()) is not None:
            self.start_requested.emit(first)

    def halt(self, halts: bool) -> None:
        """Whether to start nothing more when the present run is over."""
        self.halts = halts
        self.changed.emit()

    def stop(self) -> None:
        """Start nothing more by itself."""
        self.going = self.halts = False
        self.changed.emit()

    def after(self, status: RunStatus) -> QueuedRun | None:
        """What to start now that a run has ended like this; a run that did not end by itself stops the queue."""
        following = self._next() if self.going and not self.halts and status.state is RunState.FINISHED else None
        if following is None:
            self.stop()
        else:
            self.changed.emit()
        return following

    def _next(self) -> QueuedRun | None:
        return self.waiting.pop(0) if self.waiting else None

    # --- between sessions ---------------------------------------------------------------------------------------
    def to_text(self) -> str:
        return json.dumps([run.experiment.model_dump(mode="json") for run in self.waiting])

    def load(self, text: str) -> None:
        """Take up the queue of an earlier session; what this version cannot read is left out and logged."""
        self.waiting = []
        try:
            for entry in json.loads(text or "[]"):
                self.waiting.append(QueuedRun(ExperimentConfig.model_validate(entry)))
        except (ValueError, TypeError) as error:
            log.warning("a part of the queue of the last session cannot be read: %s", error)
        self.changed.emit()
