"""What the parts of a run share while a bench and a record are open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from labcontrol.bench import Bench
from labcontrol.config import ExperimentConfig
from labcontrol.engine.control import RunControl
from labcontrol.engine.events import Event
from labcontrol.engine.fault_player import FaultPlayer
from labcontrol.engine.status import StateMachine
from labcontrol.records import RunWriter
from labcontrol.reservoir import Reservoir
from labcontrol.tasks import Task


@dataclass(frozen=True)
class RunContext:
    """What a session gets from its run.

    Attributes
    ----------
    experiment, task, bench, reservoir, writer
        What is learned, where, and the record it is written to.
    machine : StateMachine
        State and status.
    emit : callable
        Where events go.
    control : RunControl
        What an operator asks for.
    player : FaultPlayer or None
        Of a fault script.
    """

    experiment: ExperimentConfig
    task: Task
    bench: Bench
    reservoir: Reservoir
    writer: RunWriter
    machine: StateMachine
    emit: Callable[[Event], None]
    control: RunControl
    player: FaultPlayer | None = None
