"""The bench that an experiment names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from labcontrol.bench.bench import driver_classes
from labcontrol.bench.simulated import laboratory_bench, simulated_bench
from labcontrol.config import BenchConfig, ExperimentConfig, load_bench
from labcontrol.errors import UserError

BUILT_IN_BENCHES: dict[str, Callable[[int, int], BenchConfig]] = {
    "simulated": simulated_bench,
    "laboratory": laboratory_bench,
}
"""Benches that need no file: simulated tables, made for a number of neurons and a seed."""


def bench_for(experiment: ExperimentConfig) -> BenchConfig:
    """The bench an experiment names: a built-in one of its size and seed, or a file. Raises UserError."""
    built_in = BUILT_IN_BENCHES.get(experiment.bench)
    if built_in is not None:
        return built_in(experiment.neurons, experiment.seed)
    bench = load_bench(Path(experiment.bench))
    try:
        driver_classes(bench)
    except UserError as error:
        raise UserError(f"{experiment.bench}: {error.message}", error.remedy) from error
    return bench
