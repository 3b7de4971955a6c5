"""The bench that an experiment names."""

from __future__ import annotations

from pathlib import Path

from labcontrol.bench.simulated import simulated_bench
from labcontrol.config import BenchConfig, ExperimentConfig, load_bench


def bench_for(experiment: ExperimentConfig) -> BenchConfig:
    """The bench an experiment names: the simulated one of its size and seed, or a file. Raises UserError."""
    if experiment.bench == "simulated":
        return simulated_bench(experiment.neurons, experiment.seed)
    return load_bench(Path(experiment.bench))
