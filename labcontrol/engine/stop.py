"""When a run has learned enough, and how it ended."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from labcontrol.config import ExperimentConfig


@dataclass(frozen=True)
class Ending:
    """How learning ended. state: finished, or stopped by hand. reason: in plain words."""

    state: Literal["finished", "stopped"]
    reason: str


class StopRule:
    """Watches the incumbent's error; `reason` is None until a condition of the experiment is met.

    epochs: so far. start_error, error: of the incumbent after the first of them and the newest. ended: why learning is
    over, once it is.

    Parameters
    ----------
    experiment : ExperimentConfig
        Its section `stop` counts.
    """

    def __init__(self, experiment: ExperimentConfig) -> None:
        self._stop = experiment.stop
        self._most_epochs = experiment.epochs
        self.epochs = 0
        self.ended: str | None = None
        self.start_error = self.error = float("nan")
        self._recent: deque[float] = deque(maxlen=1 + (self._stop.plateau_epochs or 0))

    def reason(self, incumbent_error: float, replays: int = 0) -> str | None:
        """Call once an epoch.

        Parameters
        ----------
        incumbent_error : float
            Error of the incumbent after it.
        replays : int
            Passes through the sequence so far.

        Returns
        -------
        str or None
            Why learning is over, in plain words.
        """
        if not self.epochs:
            self.start_error = incumbent_error
        self.error = incumbent_error
        self.epochs += 1
        self._recent.append(incumbent_error)
        self.ended = self._condition(replays)
        return self.ended

    def _condition(self, replays: int) -> str | None:
        """The one that is met now."""
        stop, incumbent_error = self._stop, self.error
        if stop.target_error is not None and incumbent_error <= stop.target_error:
            return f"the target error {stop.target_error:g} is reached"
        if stop.plateau_epochs is not None and len(self._recent) == self._recent.maxlen:
            before = self._recent[0]
            if before - incumbent_error < stop.plateau_change * before:
                return f"no progress over {stop.plateau_epochs} epochs"
        if stop.replays is not None and replays >= stop.replays:
            return f"all {stop.replays} replays are done"
        if self.epochs >= self._most_epochs:
            return f"all {self._most_epochs} epochs are done"
        return None

    def state(self) -> dict[str, Any]:
        """For a checkpoint: what `restore` needs to go on as if nothing had happened."""
        return {
            "epochs": self.epochs,
            "start_error": self.start_error,
            "error": self.error,
            "ended": self.ended,
            "recent": np.array(self._recent),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint's state."""
        self.epochs, self.start_error, self.error = state["epochs"], state["start_error"], state["error"]
        self.ended = state["ended"]
        self._recent.extend(state["recent"].tolist())
