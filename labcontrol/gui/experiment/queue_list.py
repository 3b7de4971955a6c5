"""The queue of runs: what waits, in which order, and what comes next. Knows no Qt."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field

from labcontrol.config import ExperimentConfig
from labcontrol.engine import RunState, RunStatus
from labcontrol.learning import strategy_facts

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class QueuedRun:
    """One run that waits."""

    experiment: ExperimentConfig

    @property
    def words(self) -> str:
        """What distinguishes it from others, in one line."""
        e, learning = self.experiment, self.experiment.learning
        how = strategy_facts(learning).label
        return f"{e.task.name} · {e.neurons} neurons · {how} · {learning.loss} · seed {e.seed}"


@dataclass
class RunQueue:
    """Runs that wait, first one first.

    going: whether the next one starts when a run is over. halts: whether it stops going after the present run.
    """

    waiting: list[QueuedRun] = field(default_factory=list)
    going: bool = False
    halts: bool = False

    def add(self, run: QueuedRun) -> None:
        self.waiting.append(run)

    def remove(self, place: int) -> None:
        del self.waiting[place]

    def move(self, place: int, by: int) -> int:
        """Move one up (by -1) or down (by 1); returns its new place."""
        new = min(max(place + by, 0), len(self.waiting) - 1)
        self.waiting.insert(new, self.waiting.pop(place))
        return new

    def begin(self) -> QueuedRun | None:
        """Start going through the queue. Returns the first run; None where none waits."""
        self.halts = False
        self.going = bool(self.waiting)
        return self._next()

    def stop(self) -> None:
        """Start nothing more by itself."""
        self.going = self.halts = False

    def after(self, status: RunStatus) -> QueuedRun | None:
        """What to start now that a run has ended like this; a run that did not end by itself stops the queue."""
        ended_by_itself = status.state is RunState.FINISHED
        if not self.going or self.halts or not ended_by_itself:
            self.stop()
            return None
        following = self._next()
        if following is None:
            self.stop()
        return following

    def _next(self) -> QueuedRun | None:
        return self.waiting.pop(0) if self.waiting else None

    # --- between sessions ---------------------------------------------------------------------------------------
    def to_text(self) -> str:
        return json.dumps([run.experiment.model_dump(mode="json") for run in self.waiting])

    @classmethod
    def from_text(cls, text: str) -> RunQueue:
        """The queue of an earlier session; what this version cannot read is left out and logged."""
        queue = cls()
        try:
            for entry in json.loads(text or "[]"):
                queue.add(QueuedRun(ExperimentConfig.model_validate(entry)))
        except (ValueError, TypeError) as error:
            log.warning("a part of the queue of the last session cannot be read: %s", error)
        return queue
