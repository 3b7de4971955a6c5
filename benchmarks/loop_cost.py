"""What a step of the loop costs beside the simulated table: processor time in one run, as a ratio.

python benchmarks/loop_cost.py
python benchmarks/loop_cost.py --neurons 900 --epochs 100

The table's share is all processor time of the run's thread spent in calls of devices; the loop's own is the rest of the
time of learning: patterns, signals, checks, retries, decisions, record and events. Processor time of one thread, so
that other programs do not count; what the timing itself costs is measured and taken off. Exit code 1 when the loop
costs more than half of the table.
"""

from __future__ import annotations

import functools
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table as Print

from labcontrol.bench import Bench
from labcontrol.config import ExperimentConfig
from labcontrol.engine import EpochDone, Run

DEVICE_CALLS = {
    "slm": ("show", "show_settled"),
    "camera": ("trigger", "read", "discard_frames"),
    "dmd": ("show", "show_settled", "load_sequence", "play"),
    "detector": ("read", "arm", "fetch"),
    "laser": ("status",),
    "clock": ("sleep", "now_s"),
}
BAR = 0.5
WARM_UP = 20  # epochs that are not timed: what is first used may be compiled


class TimedRun(Run):
    """Adds up the processor time of its thread in device calls, after the warm-up."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.spent: Counter[str] = Counter()
        self.calls = 0
        self.first_s = self.last_s = 0.0
        self._within = False

    def _on_bench(self, bench: Bench) -> Any:
        for owner, names in DEVICE_CALLS.items():
            thing = getattr(bench, owner)
            for name in names:
                setattr(thing, name, self._timed(f"{owner}.{name}", getattr(thing, name)))
        return super()._on_bench(bench)

    def _timed(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(call)
        def timed(*arguments: Any, **options: Any) -> Any:
            if self._within:
                return call(*arguments, **options)
            self._within = True
            self.calls += 1
            start_s = time.thread_time()
            try:
                return call(*arguments, **options)
            finally:
                self.spent[name] += time.thread_time() - start_s
                self._within = False

        return timed

    def _emit(self, event: Any) -> None:
        super()._emit(event)
        if isinstance(event, EpochDone):
            self.last_s = time.thread_time()
            if event.epoch.index + 1 == WARM_UP:
                self.first_s = self.last_s
                self.spent.clear()
                self.calls = 0
            self.at_last, self.calls_at_last = dict(self.spent), self.calls

    def overhead_s(self, calls: int = 20_000) -> tuple[float, float]:
        """Cost of timing one call: as counted for the table, and all of it."""
        nothing = self._timed("nothing", lambda: None)
        start_s = time.thread_time()
        for _ in range(calls):
            nothing()
        return self.spent["nothing"] / calls, (time.thread_time() - start_s) / calls


def main(
    neurons: Annotated[int, typer.Option(help="Number of neurons.")] = 256,
    epochs: Annotated[int, typer.Option(help="Epochs that are timed.")] = 200,
    strategy: Annotated[str, typer.Option(help="Learning strategy.")] = "coordinate-descent",
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        experiment = ExperimentConfig.model_validate(
            {"neurons": neurons, "stop": {"epochs": epochs + WARM_UP}, "learning": {"strategy": strategy}}
        )
        run = TimedRun(experiment, directory=Path(folder))
        run.execute()
    steps = (run.status.epoch - WARM_UP) * len(run.task.training_sequence)
    counted_s, whole_s = (run.calls_at_last * cost_s for cost_s in run.overhead_s())
    table_s = sum(run.at_last.values()) - counted_s
    loop_s = run.last_s - run.first_s - whole_s - table_s
    print_ = Print("what", "µs a step", title=f"{neurons} neurons, {run.status.epoch - WARM_UP} epochs")
    for name, spent_s in sorted(run.at_last.items(), key=lambda item: -item[1]):
        print_.add_row(name, f"{1e6 * spent_s / steps:.1f}")
    print_.add_section()
    print_.add_row("table", f"{1e6 * table_s / steps:.1f}")
    print_.add_row("loop", f"{1e6 * loop_s / steps:.1f}")
    print_.add_row("loop / table", f"{loop_s / table_s:.2f}")
    Console().print(print_)
    sys.exit(loop_s > BAR * table_s)


if __name__ == "__main__":
    typer.run(main)
