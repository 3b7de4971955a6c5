"""The run: state machine, epochs, checkpoints, events."""

from labcontrol.engine.events import (
    Doing,
    DriftMeasured,
    EpochDone,
    Event,
    FaultSeen,
    Finished,
    Mailbox,
    Predicted,
    Prepared,
    Seen,
    StateChanged,
)
from labcontrol.engine.pilot import Pilot
from labcontrol.engine.run import Run
from labcontrol.engine.status import PauseCause, RunState, RunStatus

__all__ = [
    "Doing",
    "DriftMeasured",
    "EpochDone",
    "Event",
    "FaultSeen",
    "Finished",
    "Mailbox",
    "PauseCause",
    "Pilot",
    "Predicted",
    "Prepared",
    "Run",
    "RunState",
    "RunStatus",
    "Seen",
    "StateChanged",
]
