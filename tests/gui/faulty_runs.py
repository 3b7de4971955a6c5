"""Runs in processes of their own whose interlock opens some epochs after a pause, and is closed once they wait."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from labcontrol.bench import Bench
from labcontrol.config import BenchConfig, ExperimentConfig
from labcontrol.engine import EpochDone, Event, Run, RunState, StateChanged
from labcontrol.engine import run as run_module
from labcontrol.gui.processes.run_process import ProcessRuns, RunProcess

OPENS_AFTER = 20  # epochs after the first pause by a person


class FaultyRuns(ProcessRuns):
    """As `ProcessRuns`, on a table whose interlock opens."""

    def new(self, experiment: ExperimentConfig, bench: BenchConfig) -> RunProcess:
        return RunProcess(partial(make_run, experiment, bench, self.folder))


def make_run(experiment: ExperimentConfig, bench: BenchConfig, folder: Path) -> Run:
    tables: list[Any] = []

    class SeenBench(Bench):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            tables.append(self.table)

    class FaultyRun(Run):
        paused_at = -1

        def _tell(self, event: Event) -> None:
            if isinstance(event, StateChanged) and event.status.state is RunState.PAUSED:
                if "interlock" in event.status.reason:
                    tables[-1].laser.interlock_open = False
                else:
                    self.paused_at = event.status.epoch
            paused_at = self.paused_at
            if isinstance(event, EpochDone) and paused_at >= 0 and event.epoch.index > paused_at + OPENS_AFTER:
                tables[-1].laser.interlock_open = True
                self.paused_at = -1
            super()._tell(event)

    run_module.Bench = SeenBench  # type: ignore[misc]
    return FaultyRun(experiment, bench, folder)
