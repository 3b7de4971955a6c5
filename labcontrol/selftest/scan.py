"""Which operating point is good here? Feedback, injection and phase offset, tried on the table itself.

Each trial is two replays: the twin learns a mask on the first and is judged on the second, so that a point that is
merely chaotic or noisy cannot win. The objective is the logarithm of that error.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import qmc

from labcontrol.bench import Bench
from labcontrol.config import ReservoirConfig
from labcontrol.errors import UserError
from labcontrol.selftest.figures_of_merit import FiguresOfMerit, figures_of_merit
from labcontrol.selftest.responses import measure_responses
from labcontrol.tasks import Task

METHODS = ("adaptive", "sobol", "grid")

# What is tried, in units of pi: name and range.
RANGES = {"feedback": (0.0, 0.8), "injection": (0.1, 1.0), "phase_offset": (0.0, 0.5)}


@dataclass(frozen=True)
class Trial:
    """One operating point and what it gave; no figures where it could not be measured, for the reason given."""

    config: ReservoirConfig
    figures: FiguresOfMerit | None
    step_s: float
    reason: str = ""

    @property
    def error(self) -> float:
        """Expected nmse; 2, that of no correlation, where nothing could be measured."""
        return self.figures.floor if self.figures is not None else 2.0


@dataclass(frozen=True)
class Scan:
    """All trials, the first at the operating point the scan began with."""

    trials: tuple[Trial, ...]

    @property
    def best(self) -> Trial:
        return min(self.trials, key=lambda trial: trial.error)

    @property
    def gain(self) -> float:
        """How many times lower the best error is than the first."""
        return self.trials[0].error / max(self.best.error, 1e-12)


def scan(
    bench: Bench,
    start: ReservoirConfig,
    side: int,
    task: Task,
    seed: int,
    trials: int,
    method: str = "adaptive",
    on_progress: Callable[[Trial, int], None] | None = None,
) -> Scan:
    """Try operating points, the given one first. on_progress: called after each trial with it and how many are done.

    Raises UserError for an unknown method, or where its package is missing.
    """
    if trials < 2:
        raise UserError(f"A scan needs at least 2 trials, found {trials}.")
    points = _points(method, trials - 1, seed)
    done = [trial_at(bench, start, side, task, seed)]
    if on_progress is not None:
        on_progress(done[0], 1)
    error: float | None = None
    while len(done) < trials:
        try:
            point = next(points) if error is None else points.send(error)
        except StopIteration:
            break
        done.append(trial_at(bench, start.model_copy(update=point), side, task, seed))
        error = float(np.log(max(done[-1].error, 1e-9)))
        if on_progress is not None:
            on_progress(done[-1], len(done))
    return Scan(tuple(done))


def trial_at(bench: Bench, config: ReservoirConfig, side: int, task: Task, seed: int) -> Trial:
    """One operating point on the training sequence of a task."""
    try:
        responses = measure_responses(bench, config, side, task.training_sequence, len(task.washout_input), seed)
    except UserError as error:
        return Trial(config, None, 0.0, error.message)
    return Trial(config, figures_of_merit(responses, task.train_target, seed), responses.step_s)


def _points(method: str, count: int, seed: int) -> Any:
    """A generator of points that is sent the error of each."""
    makers = {"adaptive": _adaptive, "sobol": _sobol, "grid": _grid}
    if method not in makers:
        raise UserError(f"There is no scan {method!r}.", f"Known are: {', '.join(METHODS)}.")
    return makers[method](count, seed)


def _sobol(count: int, seed: int) -> Iterator[dict[str, float]]:
    """Points spread evenly (Sobol sequence)."""
    sampler = qmc.Sobol(len(RANGES), seed=seed)
    unit = sampler.random_base2(max(1, int(np.ceil(np.log2(count)))))[:count]
    for row in unit:
        yield _scaled(row)


def _grid(count: int, _seed: int) -> Iterator[dict[str, float]]:
    """A regular grid of at most `count` points, low feedback first."""
    edge = max(2, int(count ** (1 / 3) + 1e-9))
    for row in itertools.product(*[np.linspace(0, 1, edge)] * len(RANGES)):
        yield _scaled(np.array(row))


def _adaptive(count: int, seed: int) -> Any:
    """A third spread evenly, then an evolution strategy, (1 + 1)-ES, from the best of them (nevergrad)."""
    try:
        import nevergrad
    except ImportError:
        raise UserError(
            "The adaptive scan needs the package nevergrad.",
            'Install it with pip install "labcontrol[optimisers]", or use --method sobol.',
        ) from None
    parameters = nevergrad.p.Array(shape=(len(RANGES),), lower=0.0, upper=1.0)
    parameters.random_state = np.random.RandomState(seed)
    optimiser = nevergrad.optimizers.registry["OnePlusOne"](parameters, budget=count)
    first = max(4, count // 3)
    for k, point in enumerate(_sobol(first, seed)):
        error = yield point
        candidate = parameters.spawn_child(new_value=_unit(point))
        if error is not None:
            optimiser.tell(candidate, error)
        if k + 1 == first:
            break
    for _ in range(count - first):
        candidate = optimiser.ask()
        error = yield _scaled(candidate.value)
        optimiser.tell(candidate, error)


def _scaled(unit: Any) -> dict[str, float]:
    return {
        name: round(low + float(share) * (high - low), 4)
        for share, (name, (low, high)) in zip(unit, RANGES.items(), strict=True)
    }


def _unit(point: dict[str, float]) -> Any:
    return np.clip([(point[name] - low) / (high - low) for name, (low, high) in RANGES.items()], 0.0, 1.0)
