"""Cost of an epoch of the twin against the straightforward one, and of reservoir states against reservoirpy.

All in one run of one thread, so the ratios hold whatever else the machine does meanwhile:

- twin: microseconds an epoch with uniform selection; its limit is the time to read the T samples of one neuron at the
  copy bandwidth measured here on arrays that no cache holds;
- NumPy: what a first version would do, y = X w and the error, an epoch;
- states: neuron states per second of the optical model with its 7 x 7 coupling against reservoirpy's default reservoir;
- one replay step of the model for up to a million neurons.

    python benchmarks/twin_speed.py
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Annotated

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np  # noqa: E402
import typer  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from labcontrol.config import LearningConfig  # noqa: E402
from labcontrol.theory import States, optical_states, run_twin  # noqa: E402

TWIN_SIZES = ((100, 200), (900, 500), (10_000, 1000), (100_000, 200))


def fastest(action: Callable[[], object], seconds: float) -> float:
    """Seconds of the fastest call."""
    action()
    best, end_s = np.inf, time.perf_counter() + seconds
    while time.perf_counter() < end_s:
        started_s = time.perf_counter()
        action()
        best = min(best, time.perf_counter() - started_s)
    return best


def copy_bandwidth(seconds: float) -> float:
    """Bytes a second, read and written, of a copy of 256 MB."""
    source = np.ones(32_000_000)
    target = np.empty_like(source)
    return 2 * source.nbytes / fastest(lambda: np.copyto(target, source), seconds)


def twin_rows(table: Table, bandwidth: float, seconds: float) -> None:
    """A row for each size."""
    rng = np.random.default_rng(1)
    learning = LearningConfig(options={"selection": "uniform"}, loss="mse")
    for neurons, steps in TWIN_SIZES:
        responses = rng.standard_normal((neurons, steps))
        responses -= responses.mean(axis=1, keepdims=True)
        target = rng.standard_normal(steps)
        states = States(responses, (target - target.mean()) / target.std(), gain=np.sqrt(neurons) / 2)
        epochs = max(20_000, neurons)
        short = fastest(lambda states=states: run_twin(states, learning, epochs=1, seed=1), seconds / 4)
        whole = fastest(lambda states=states, k=epochs: run_twin(states, learning, epochs=k, seed=1), seconds)
        twin_s = (whole - short) / epochs
        by_step, mask = np.ascontiguousarray(responses.T), rng.random(neurons) < 0.5

        def straightforward(x: np.ndarray = by_step, w: np.ndarray = mask, states: States = states) -> float:
            output = x @ w.astype(np.float64)
            output -= output.mean()
            return float(np.mean((output / states.gain - states.target) ** 2))

        numpy_s = fastest(straightforward, seconds)
        limit_s = 8 * steps / bandwidth
        table.add_row(
            f"{neurons:,}", f"{steps:,}", f"{1e6 * twin_s:.2f}", f"{1e6 * numpy_s:.0f}", f"{numpy_s / twin_s:,.0f}",
            f"{8e-9 * steps / twin_s:.1f}", f"{twin_s / limit_s:.2f}",
        )  # fmt: skip


def states_rows(table: Table, seconds: float) -> None:
    """States per second of the model and of reservoirpy."""
    from reservoirpy.nodes import Reservoir

    for neurons, steps in ((100, 1000), (900, 500), (2500, 200)):
        inputs = np.random.default_rng(1).random(steps + 1)

        def model(n: int = neurons, u: np.ndarray = inputs) -> object:
            return optical_states(n, u, 1, u[1:], np.random.default_rng(1))

        node, sequence = Reservoir(units=neurons, seed=1), inputs[1:, None]
        ours, theirs = fastest(model, seconds), fastest(lambda node=node, s=sequence: node.run(s), seconds)
        table.add_row(
            f"{neurons:,}", f"{steps:,}", f"{neurons * steps / ours:.3g}", f"{neurons * steps / theirs:.3g}",
            f"{theirs / ours:.1f}",
        )  # fmt: skip


def step_rows(table: Table, seconds: float) -> None:
    """One step of the model over N."""
    target = np.arange(2.0)

    def replay(side: int, steps: int) -> float:
        inputs = np.full(steps + 2, 0.5)
        return fastest(
            lambda: optical_states(side * side, inputs, steps, target, np.random.default_rng(1)), seconds / 2
        )

    for side in (30, 100, 316, 1000):
        step_s = (replay(side, 5) - replay(side, 1)) / 4
        table.add_row(f"{side * side:,}", f"{1e3 * step_s:.3g}", f"{1e9 * step_s / side**2:.0f}")


def main(seconds: Annotated[float, typer.Option(help="Time to measure each figure for.")] = 1.0) -> None:
    """Print three tables."""
    console = Console()
    bandwidth = copy_bandwidth(seconds)
    table = Table(
        "N", "T", "twin, µs", "NumPy, µs", "NumPy / twin", "read, GB/s", "twin / limit",
        title=f"an epoch; copy bandwidth {1e-9 * bandwidth:.1f} GB/s",
    )  # fmt: skip
    twin_rows(table, bandwidth, seconds)
    console.print(table)
    table = Table("N", "T", "model", "reservoirpy", "model / reservoirpy", title="neuron states per second")
    states_rows(table, seconds)
    console.print(table)
    table = Table("N", "ms", "ns a neuron", title="one replay step of the model")
    step_rows(table, seconds)
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
