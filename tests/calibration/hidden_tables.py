"""Hidden tables to calibrate, and the ground truth behind them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from labcontrol.bench import Bench, hidden_bench
from labcontrol.calibration import PROCEDURES, Calibration, Session, Store, store_of, with_needs
from labcontrol.config import BenchConfig, CalibrationConfig
from mock_devices.ground_truth import ground_truth_of
from mock_devices.options import TableOptions


def hidden_table(folder: Path, seed: int, side: int = 12, **options: Any) -> BenchConfig:
    """The bench file of a hidden table; options of the table over it."""
    bench = hidden_bench(side * side, 1, seed)
    assert bench.table is not None
    table = bench.table.model_copy(update={"options": bench.table.options | options})
    return bench.model_copy(update={"table": table, "calibration": CalibrationConfig(store=str(folder))})


def calibrate(config: BenchConfig, *kinds: str) -> dict[str, Calibration]:
    """Run procedures, by default all, with all they build on."""
    with Bench(config) as bench:
        return calibrate_on(bench, config, *kinds)


def calibrate_on(bench: Bench, config: BenchConfig, *kinds: str) -> dict[str, Calibration]:
    """The same on an open bench; stops at the first procedure that fails."""
    session = Session(bench, config, store_of(config))
    results: dict[str, Calibration] = {}
    for kind in with_needs(kinds or PROCEDURES):
        results[kind] = session.run(kind)
        if not results[kind].passed:
            break
    return results


def store(config: BenchConfig) -> Store:
    return store_of(config)


def ground_truth(config: BenchConfig) -> TableOptions:
    assert config.table is not None
    return ground_truth_of(config.table.options)
