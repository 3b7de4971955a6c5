"""Runs whose interlock opens some epochs after an operator's pause, and is closed once they wait."""

from __future__ import annotations

from typing import Any

import pytest

from labcontrol.bench import Bench
from labcontrol.engine import EpochDone, Event, PauseCause, Run, RunState, StateChanged

OPENS_AFTER = 20  # epochs after the first pause by an operator


def make_runs_faulty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every run that a host in this process begins is such a one."""
    tables: list[Any] = []

    class SeenBench(Bench):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            tables.append(self.table)

    class FaultyRun(Run):
        paused_at = -1

        def _emit(self, event: Event) -> None:
            if isinstance(event, StateChanged) and event.status.state is RunState.PAUSED:
                if event.status.cause is PauseCause.USER:
                    self.paused_at = event.status.epoch
                else:
                    tables[-1].laser.interlock_open = False
            paused_at = self.paused_at
            if isinstance(event, EpochDone) and paused_at >= 0 and event.epoch.index > paused_at + OPENS_AFTER:
                tables[-1].laser.interlock_open = True
                self.paused_at = -1
            super()._emit(event)

    monkeypatch.setattr("labcontrol.engine.run.Bench", SeenBench)
    monkeypatch.setattr("labcontrol.host.jobs.run.Run", FaultyRun)
