"""When a run has learned enough, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from labcontrol.config import ExperimentConfig


@dataclass(frozen=True)
class Ending:
    """How learning ended. state: finished, or stopped by hand. reason: in plain words."""

    state: Literal["finished", "stopped"]
    reason: str


class StopRule:
    """Watches the incumbent's error; `reason` is None until a condition of the experiment is met.

    curve: error of the incumbent after each epoch so far.

    Parameters
    ----------
    experiment : ExperimentConfig
        Its section `stop` counts.
    """

    def __init__(self, experiment: ExperimentConfig) -> None:
        self._stop = experiment.stop
        self._epochs = experiment.epochs
        self.curve: list[float] = []

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
        self.curve.append(incumbent_error)
        done, stop = len(self.curve), self._stop
        if stop.target_error is not None and incumbent_error <= stop.target_error:
            return f"the target error {stop.target_error:g} is reached"
        if stop.plateau_epochs is not None and done > stop.plateau_epochs:
            before = self.curve[-1 - stop.plateau_epochs]
            if before - incumbent_error < stop.plateau_change * before:
                return f"no progress over {stop.plateau_epochs} epochs"
        if stop.replays is not None and replays >= stop.replays:
            return f"all {stop.replays} replays are done"
        if done >= self._epochs:
            return f"all {self._epochs} epochs are done"
        return None
