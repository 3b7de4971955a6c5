"""How far the reference mask moves on tables that stand still or drift, and what is named as the cause.

python benchmarks/drift_watch.py
"""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table as Print

from drivers.interfaces import DeviceError
from labcontrol.bench import simulated_bench
from labcontrol.config import ExperimentConfig
from labcontrol.engine import Run
from labcontrol.records import RunReader

EVERY = 10
TABLES: dict[str, dict[str, Any]] = {
    "stands still": {},
    "laser: 2 % in 1000 s": {"laser": {"drift_share": 0.02, "drift_period_s": 4000.0}},
    "beam: 0.3 neurons in 1000 s": {"optics": {"pointing_drift_cells": 0.3, "pointing_period_s": 4000.0}},
    "detector: 0.1 mW an hour": {"detector": {"offset_drift_w_per_h": 1e-4}},
}


def watched(name: str, neurons: int, epochs: int, folder: Path) -> tuple[str, ...]:
    """One row: table, looks, first and last excess, epoch of the pause and its cause."""
    config = ExperimentConfig.model_validate(
        {
            "neurons": neurons,
            "task": {"steps": 100, "test_steps": 20},
            "stop": {"epochs": epochs},
            "drift": {"every_epochs": EVERY},
            "faults": {"give_up_after_s": 0.0},
        }
    )
    bench = simulated_bench(neurons, 1)
    assert bench.table is not None
    table = bench.table.model_copy(update={"options": bench.table.options | TABLES[name]})
    run = Run(config, bench.model_copy(update={"table": table}), folder)
    try:
        run.execute()
        cause = "-"
    except DeviceError as error:
        cause = str(error)
    with RunReader(run.record) as record:
        drift, bench_s = record.drift, float(record.epochs.bench_s[-1])
    looks = drift["epoch"] > 0
    excess, light, level = (drift[key][looks] for key in ("excess", "light", "level"))
    return (
        name, f"{looks.sum()} in {bench_s:.0f} s", f"{excess[0]:.1f}", f"{excess.max():.1f}", f"{level[-1] - 1:+.2%}",
        f"{light[-1] - 1:+.2%}", cause,
    )  # fmt: skip


def main(
    neurons: Annotated[int, typer.Option(help="Size of each run.")] = 64,
    epochs: Annotated[int, typer.Option(help="Longest run.")] = 300,
) -> None:
    """Print what the reference says on each table."""
    logging.getLogger("labcontrol").setLevel(logging.CRITICAL)
    table = Print("table", "looks", "first excess", "largest", "output", "light", "paused because")
    with tempfile.TemporaryDirectory() as folder:
        for name in TABLES:
            table.add_row(*watched(name, neurons, epochs, Path(folder)))
    Console(width=160).print(table)


if __name__ == "__main__":
    typer.run(main)
