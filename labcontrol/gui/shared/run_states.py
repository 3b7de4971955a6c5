"""How each state of a run is shown."""

from __future__ import annotations

from labcontrol.engine import RunState

STATE_LABELS: dict[RunState, tuple[str, str]] = {
    RunState.IDLE: ("idle", "Ready"),
    RunState.PREPARING: ("active", "Preparing"),
    RunState.RUNNING: ("active", "Learning"),
    RunState.PAUSED: ("caution", "Paused"),
    RunState.STOPPING: ("active", "Measuring the result"),
    RunState.FINISHED: ("good", "Finished"),
    RunState.STOPPED: ("caution", "Stopped"),
    RunState.ABORTED: ("caution", "Aborted"),
    RunState.FAILED: ("danger", "Failed"),
}
"""Kind of chip and label of each state of a run."""
