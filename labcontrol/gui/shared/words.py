"""Numbers and states in words for people."""

from __future__ import annotations

from labcontrol.engine import RunState
from labcontrol.words import count, duration, figures, power, power_unit, superscript

__all__ = ["STATE_WORDS", "count", "duration", "figures", "power", "power_unit", "superscript"]

STATE_WORDS: dict[RunState, tuple[str, str]] = {
    RunState.IDLE: ("idle", "Ready"),
    RunState.PREPARING: ("active", "Preparing"),
    RunState.RUNNING: ("active", "Learning"),
    RunState.PAUSED: ("caution", "Paused"),
    RunState.STOPPING: ("active", "Measuring the result"),
    RunState.FINISHED: ("good", "Finished"),
    RunState.ABORTED: ("caution", "Aborted"),
    RunState.FAILED: ("danger", "Failed"),
}
"""Kind of chip and word for each state of a run."""
