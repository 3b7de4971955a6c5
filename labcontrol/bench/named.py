"""The bench that an experiment names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from labcontrol.bench.simulated import laboratory_bench, simulated_bench
from labcontrol.config import BenchConfig, ExperimentConfig, load_bench

BUILT_IN_BENCHES: dict[str, Callable[[int, int], BenchConfig]] = {
    "simulated": simulated_bench,
    "laboratory": laboratory_bench,
}
"""Benches that need no file: simulated tables, made for a number of neurons and a seed."""


def bench_for(experiment: ExperimentConfig) -> BenchConfig:
    """The bench an experiment names: a built-in one of its size and seed, or a file. Raises UserError."""
    built_in = BUILT_IN_BENCHES.get(experiment.bench)
    return load_bench(Path(experiment.bench)) if built_in is None else built_in(experiment.neurons, experiment.seed)
