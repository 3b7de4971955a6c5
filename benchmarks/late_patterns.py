"""What is left in an output when an SLM shows its patterns late, by less than the camera can be sure of.

python benchmarks/late_patterns.py
python benchmarks/late_patterns.py --side 8 --tables 10

Before one step after another, one to five patterns in a row come two refreshes late. Outputs are compared with eight
undisturbed replays of the same mask.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Annotated

import numpy as np
import typer

from drivers.interfaces import DeviceFaultError
from labcontrol.bench import Bench, simulated_bench
from labcontrol.config import ReservoirConfig, TaskConfig
from labcontrol.reservoir import Reservoir
from labcontrol.tasks import make_task
from mock_devices.table import SimulatedTable

WASHOUT = 5
INPUTS = make_task(TaskConfig(steps=25, test_steps=0, washout=WASHOUT), seed=1).training_sequence


def errors_left(side: int, seed: int) -> tuple[list[float], float]:
    """Largest error of an output after a late pattern at each step, and the noise of one; shares of its deviation."""
    with Bench(simulated_bench(side**2, seed)) as bench:
        table = bench.table
        assert isinstance(table, SimulatedTable)
        reservoir = Reservoir(bench, ReservoirConfig(), side, np.random.default_rng(2))
        reservoir.prepare()
        reservoir.measure_reference_replay(INPUTS)
        mask = np.random.default_rng(3).random(side**2) < 0.5
        good = np.array([reservoir.replay(mask, INPUTS, WASHOUT).outputs[0] for _ in range(8)], dtype=np.float64)
        mean, spread = good.mean(axis=0), float(good[0].std())
        errors = []
        for late in range(len(INPUTS)):
            steps = itertools.count()

            def between_steps(late: int = late, steps: Iterator[int] = steps) -> None:
                if next(steps) == late:
                    table.inject("slm", "unsettled", times=1 + late % 5)

            reservoir.between_steps = between_steps
            try:
                output = reservoir.replay(mask, INPUTS, WASHOUT).outputs[0]
                errors.append(float(np.abs(output - mean).max()) / spread)
            except DeviceFaultError:  # given up: a run is paused, nothing wrong is used
                errors.append(0.0)
            reservoir.between_steps = _nothing
            table.slm.faults.clear()
        return errors, float(good.std(axis=0, ddof=1).mean()) / spread


def _nothing() -> None:
    """Between steps, when no pattern is late."""


def main(
    side: Annotated[int, typer.Option(help="Neurons in a row.")] = 4,
    tables: Annotated[int, typer.Option(help="Tables, of seeds 1, 2, ...")] = 40,
) -> None:
    """Print how many late patterns left how much, and the tables on which most was left."""
    found = [(seed, *errors_left(side, seed)) for seed in range(1, tables + 1)]
    print(f"{tables} tables of {side**2} neurons, {tables * len(INPUTS)} late patterns")
    left = np.array([error / max(noise, 1e-9) for _, errors, noise in found for error in errors])
    shares = np.array([error for _, errors, _ in found for error in errors])
    much, large = (left > 8).sum(), (shares > 0.08).sum()
    print(f"more than 8 times the noise: {much}; more than 8 % of the output's standard deviation: {large}")
    print(f"in the median {np.median(left):.1f} times the noise, {np.median(shares):.1%}")
    for seed, errors, noise in sorted(found, key=lambda one: -max(one[1]))[:6]:
        print(f"table {seed}: at most {max(errors):.1%}, {max(errors) / noise:.1f} times its noise of {noise:.1%}")


if __name__ == "__main__":
    typer.run(main)
