"""The search in pairs beside annealing of single flips, on responses of the simulated table or an echo-state network.

For each size and table every mirror is measured alone with the noise off; both searches then look for the mask of the
lowest nmse with a ridge of 0.001. Printed are medians over tables: the objective (ridge included) and its ratio, the
largest ratio, the processor time and its ratio, and how far the mask found is above the certified bound.

--memory solves one problem of so many mirrors from random responses, and prints the time and the largest memory of the
process.

    python benchmarks/boolean_search.py --neurons 256,900 --tables 6
    python benchmarks/boolean_search.py --echo-state --neurons 256,900 --tables 4
    python benchmarks/boolean_search.py --memory 10000
"""

from __future__ import annotations

import time
from typing import Annotated

import numba
import numpy as np
import psutil
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from labcontrol.analysis.compare.known_table import measured_table
from labcontrol.config import ExperimentConfig, TaskConfig
from labcontrol.learning.boolean_search import GLOBAL
from labcontrol.learning.mask_bound import mask_bound
from labcontrol.learning.readout_models import LinearModel
from labcontrol.tasks import make_task

Floats = NDArray[np.float64]
RIDGE, STEPS = 1e-3, 500


def main(
    neurons: Annotated[str, typer.Option(help="Sizes, separated by commas.")] = "256,900",
    tables: Annotated[int, typer.Option(help="Tables of each size.")] = 6,
    echo_state: Annotated[bool, typer.Option(help="Responses of an echo-state network.")] = False,
    bound: Annotated[bool, typer.Option(help="Compute the bound as well.")] = True,
    memory: Annotated[int, typer.Option(help="Solve one problem of so many mirrors instead.")] = 0,
) -> None:
    """Print what both searches come to."""
    if memory:
        _largest(memory)
        return
    table = Table("neurons", "single flips", "pairs", "ratio", "largest", "s", "s, pairs", "ratio", "above the bound")
    for size in map(int, neurons.split(",")):
        rows = [_compared(size, seed, echo_state=echo_state, bound=bound) for seed in range(1, tables + 1)]
        single, pairs, single_s, pairs_s, gap = np.array(rows).T
        ratios = pairs / single
        table.add_row(
            str(size), f"{np.median(single):.3g}", f"{np.median(pairs):.3g}", f"{np.median(ratios):.2f}",
            f"{ratios.max():.2f}", f"{np.median(single_s):.3f}", f"{np.median(pairs_s):.3f}",
            f"{np.median(pairs_s / single_s):.2f}", f"{100 * np.median(gap):.0f} % ({100 * gap.max():.0f})",
        )  # fmt: skip
    Console(width=140).print(table)


def _compared(size: int, seed: int, *, echo_state: bool, bound: bool) -> tuple[float, float, float, float, float]:
    """Objectives and times of both searches, and the gap of the second."""
    responses, background, target = _echo_states(size, seed) if echo_state else _table(size, seed)
    model, start = LinearModel(background, responses), np.random.default_rng(seed).random(size) < 0.5
    results = []
    for _ in range(2):  # the first time compiles
        rng = np.random.default_rng(seed)
        started_s = time.process_time()
        single = _single_flips(responses, background, target, start, rng)
        single_s = time.process_time() - started_s
        started_s = time.process_time()
        masks, errors = model.search(start, target, 0.0, RIDGE, GLOBAL, rng)
        results = [single, float(errors[0]), single_s, time.process_time() - started_s]
    gap = mask_bound(responses, background, target, masks[0], ridge=RIDGE).gap if bound else None
    return results[0], results[1], results[2], results[3], np.nan if gap is None else gap


def _table(size: int, seed: int) -> tuple[Floats, Floats, Floats]:
    experiment = ExperimentConfig(neurons=size, seed=seed, task=TaskConfig(steps=STEPS))
    known = measured_table(experiment, "incoherent")
    part = slice(known.steps)
    return known.responses[:, part].astype(float), known.background[part].astype(float), known.train_target


def _echo_states(size: int, seed: int) -> tuple[Floats, Floats, Floats]:
    """Of a network of tanh neurons with spectral radius 0.9, of which a tenth of the connections exist."""
    task, rng = make_task(TaskConfig(steps=STEPS), seed), np.random.default_rng(seed)
    weights = rng.standard_normal((size, size)) * (rng.random((size, size)) < 0.1)
    weights *= 0.9 / np.abs(np.linalg.eigvals(weights)).max()
    drive, state, states = rng.uniform(-1, 1, size), np.zeros(size), []
    for u in task.training_sequence:
        state = np.tanh(weights @ state + drive * u)
        states.append(state)
    return np.array(states[len(task.washout_input) :]).T.copy(), np.zeros(STEPS), task.train_target


def _single_flips(
    responses: Floats, background: Floats, target: Floats, start: NDArray[np.bool_], rng: np.random.Generator
) -> float:
    """The objective that annealing of single flips comes to, in double precision, with 200 sweeps."""
    centred = responses - responses.mean(axis=1, keepdims=True)
    offset = background - background.mean()
    covariance = centred @ centred.T / len(target)
    covariance[np.diag_indices_from(covariance)] += RIDGE * np.diag(covariance).mean()
    cross, overlaps = centred @ offset / len(target), centred @ target / len(target)
    moments = float(offset @ offset) / len(target), float(offset @ target) / len(target)
    return float(_annealed(covariance, cross, overlaps, moments, start, rng))


@numba.njit
def _annealed(
    covariance: Floats,
    cross: Floats,
    overlaps: Floats,
    moments: tuple[float, float],
    start: NDArray[np.bool_],
    rng: np.random.Generator,
) -> float:
    mask, field = start.copy(), cross.copy()
    variance, overlap = moments
    for i in range(len(mask)):
        if mask[i]:
            variance += 2 * field[i] + covariance[i, i]
            overlap += overlaps[i]
            field += covariance[i]
    error = 2 * (1 - overlap / np.sqrt(variance))
    change = 0.0
    for i in range(len(mask)):
        delta = -1.0 if mask[i] else 1.0
        flipped = variance + 2 * delta * field[i] + covariance[i, i]
        change += abs(2 * (1 - (overlap + delta * overlaps[i]) / np.sqrt(flipped)) - error) / len(mask)
    for sweep in range(300):
        temperature = change * 3e-4 ** (sweep / 200) if sweep < 200 else 0.0
        flips = 0
        for k in range(len(mask)):
            i = int(rng.random() * len(mask)) if temperature > 0 else k
            delta = -1.0 if mask[i] else 1.0
            flipped, product = variance + 2 * delta * field[i] + covariance[i, i], overlap + delta * overlaps[i]
            rise = 2 * (1 - product / np.sqrt(flipped)) - error
            if rise < 0 or (temperature > 0 and rng.random() < np.exp(-rise / temperature)):
                mask[i] = not mask[i]
                field += delta * covariance[i]
                variance, overlap, error = flipped, product, error + rise
                flips += 1
        if temperature == 0 and flips == 0:
            break
    return error


def _largest(size: int) -> None:
    rng = np.random.default_rng(1)
    responses = rng.standard_normal((size, 40)) @ rng.standard_normal((40, STEPS)) + rng.standard_normal((size, STEPS))
    target = make_task(TaskConfig(steps=STEPS), 1).train_target
    started_s = time.perf_counter()
    model = LinearModel(np.zeros(STEPS), responses)
    _, errors = model.search(rng.random(size) < 0.5, target, 0.0, RIDGE, GLOBAL, rng)
    info = psutil.Process().memory_info()
    peak = getattr(info, "peak_wset", 0) or _peak_bytes()
    Console().print(
        f"{size} mirrors: objective {errors[0]:.3g}, {time.perf_counter() - started_s:.0f} s, "
        f"{peak / 2**30:.2f} GiB at most"
    )


def _peak_bytes() -> int:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    typer.run(main)
