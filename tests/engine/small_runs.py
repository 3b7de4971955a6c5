"""Runs of a fraction of a second on the simulated table, and a look at what really happened to its laser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labcontrol.bench import Bench, simulated_bench
from labcontrol.config import BenchConfig, ExperimentConfig
from labcontrol.engine import EpochDone, Run, RunState, Seen, StateChanged
from labcontrol.records import RunReader

EPOCHS = 40


def experiment(**changes: Any) -> ExperimentConfig:
    """16 neurons, 20 steps, 40 epochs; sections given are merged."""
    values: dict[str, Any] = {
        "neurons": 16,
        "seed": 1,
        "task": {"steps": 20, "test_steps": 10, "washout": 5},
        "reservoir": {"reference_patterns": 2},
        "stop": {"epochs": EPOCHS},
    }
    for key, value in changes.items():
        values[key] = values.get(key, {}) | value if isinstance(value, dict) else value
    return ExperimentConfig.model_validate(values)


def bench_for(config: ExperimentConfig, **table_options: Any) -> BenchConfig:
    bench = simulated_bench(config.neurons, config.seed)
    assert bench.table is not None
    table = bench.table.model_copy(update={"options": bench.table.options | table_options})
    return bench.model_copy(update={"table": table})


def small_run(folder: Path, config: ExperimentConfig | None = None, **table_options: Any) -> Run:
    config = config or experiment()
    return Run(config, bench_for(config, **table_options), folder)


# --- hooks between steps ----------------------------------------------------------------------------------------
def at_epoch(run: Run, epoch: int, action: Callable[[], None]) -> None:
    """Do something, in the run's thread, at the first step after so many epochs."""
    emit, done = run._emit, []

    def watch(event: object) -> None:
        emit(event)  # type: ignore[arg-type]
        if isinstance(event, EpochDone) and event.epoch.index + 1 == epoch and not done:
            done.append(epoch)
            action()

    run._emit = watch  # type: ignore[method-assign]


def at_state(run: Run, state: RunState, action: Callable[[], None]) -> None:
    """Do something, in the run's thread, at the first change to a state."""
    emit, done = run._emit, []

    def watch(event: object) -> None:
        emit(event)  # type: ignore[arg-type]
        if isinstance(event, StateChanged) and event.status.state is state and not done:
            done.append(state)
            action()

    run._emit = watch  # type: ignore[method-assign]


def states_of(events: list[Any]) -> list[str]:
    return [str(event.status.state) for event in events if isinstance(event, StateChanged)]


def newest_view(events: list[Any]) -> Seen | None:
    return next((event for event in events if isinstance(event, Seen)), None)


# --- what really happened ---------------------------------------------------------------------------------------
class LaserWitness:
    """Whether each table's laser was dark when the bench had been closed but the table was still there."""

    def __init__(self) -> None:
        self.was_on = False
        self.dark_at_the_end: list[bool] = []

    @property
    def dark(self) -> bool:
        """Light was there, and the drivers left every table dark."""
        return self.was_on and bool(self.dark_at_the_end) and all(self.dark_at_the_end)


@contextmanager
def watched_laser(monkeypatch: pytest.MonkeyPatch) -> Iterator[LaserWitness]:
    """ReferenceMeasurement at the diode itself, before the table's own end switches it off."""
    witness = LaserWitness()

    class WatchedBench(Bench):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            table: Any = self.table
            switch, close = table.laser.switch, table.close

            def watch_switch(on: bool, now_s: float) -> None:
                switch(on, now_s)
                witness.was_on |= table.laser.emission

            def watch_close() -> None:
                witness.dark_at_the_end.append(not table.laser.emission)
                close()

            table.laser.switch, table.close = watch_switch, watch_close

    monkeypatch.setattr("labcontrol.engine.run.Bench", WatchedBench)
    yield witness


def assert_same_learning(found: Path, expected: Path) -> None:
    """Two records hold the same, bit for bit, wall times and journals excepted."""
    with RunReader(found) as a, RunReader(expected) as b:
        ours, theirs = a.epochs, b.epochs
        assert len(ours) == len(theirs)
        np.testing.assert_array_equal(ours.outputs(), theirs.outputs())
        np.testing.assert_array_equal(ours.packed_masks(), theirs.packed_masks())
        for name in ("mirror", "replay", "mse", "nmse", "accepted", "bench_s"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), err_msg=name)
        assert a.gain == b.gain
        assert a.pilot is not None
        assert b.pilot is not None
        np.testing.assert_array_equal(a.pilot.outputs, b.pilot.outputs)
        np.testing.assert_array_equal(a.final_mask, b.final_mask)
        np.testing.assert_array_equal(a.test_output, b.test_output)
        assert a.result == b.result
        assert a.state.name == b.state.name == "finished"
