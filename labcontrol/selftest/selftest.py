"""The self-test: a few minutes that say whether a table can learn, and what to expect of a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labcontrol.bench import Bench
from labcontrol.config import ExperimentConfig
from labcontrol.selftest.figures_of_merit import FiguresOfMerit, figures_of_merit, memory_capacity
from labcontrol.selftest.responses import Responses, measure_responses
from labcontrol.tasks import Task

Floats = NDArray[np.float64]

# Steps of random input; of fewer the capacity of few neurons is known as well, where each costs a replay.
_RANDOM_STEPS, _RANDOM_STEPS_EACH = 600, 200
_WASHOUT = 50
GOOD_CONSISTENCY = 0.98
_GOOD_SIGNAL = 20.0
_PEAK_SHARES = (0.2, 0.9)


@dataclass(frozen=True)
class Report:
    """What the self-test found. memory: (K,) capacity by delay. epoch_s: bench time of one mask. advice: in words."""

    figures: FiguresOfMerit
    memory: Floats
    responses: Responses
    epoch_s: float
    advice: tuple[str, ...]

    @property
    def can_learn(self) -> bool:
        """Nothing stands in the way of learning well."""
        return not self.advice

    @property
    def learning_s(self) -> float:
        """Bench time until learning is done but for 5 %, one mask a replay."""
        return self.figures.epochs * self.epoch_s


def selftest(
    bench: Bench, experiment: ExperimentConfig, task: Task, on_progress: Callable[[str], None] | None = None
) -> Report:
    """Look at a reservoir under its task and under random input. Switches the laser on.

    on_progress: called with what is being done now. Raises UserError where the camera saturates or sees no light.
    """
    progress = on_progress or (lambda _words: None)
    seed, side = experiment.seed, experiment.side
    progress(f"two replays of {experiment.task.name}")
    responses = measure_responses(
        bench, experiment.reservoir, side, task.training_sequence, len(task.washout_input), seed
    )
    figures = figures_of_merit(responses, task.train_target, seed)
    steps = _WASHOUT + (_RANDOM_STEPS_EACH if responses.one_by_one else _RANDOM_STEPS)
    replays = len(responses.neurons) + 2 if responses.one_by_one else 1
    minutes = replays * steps * responses.step_s / 60
    progress(f"random input, for its memory, {replays} times {steps} steps: {minutes:.1f} min of bench time")
    random = np.random.default_rng([seed, 9]).random(steps)
    again = measure_responses(bench, experiment.reservoir, side, random, _WASHOUT, seed, replays=1)
    memory = memory_capacity(again.states[0][:200], random[_WASHOUT:])
    epoch_s = responses.step_s * len(task.training_sequence)
    return Report(figures, memory, responses, epoch_s, _advice(figures, memory, responses))


def _advice(figures: FiguresOfMerit, memory: Floats, responses: Responses) -> tuple[str, ...]:
    """What is wrong and what would help; empty when nothing is."""
    advice = []
    if figures.consistency < GOOD_CONSISTENCY:
        advice.append(
            f"two replays of the same input agree to {figures.consistency:.3f} only: the reservoir is chaotic or "
            "noisy. Lower reservoir.feedback, or scan (--scan)."
        )
    if figures.signal_to_noise < _GOOD_SIGNAL:
        advice.append(
            f"the output is only {figures.signal_to_noise:.0f} times its noise: raise detector.samples_per_mask or "
            "the light, or use an acceptance that allows for noise."
        )
    if memory.sum() < 1:
        advice.append("the reservoir forgets its input within a step: raise reservoir.feedback.")
    low, high = _PEAK_SHARES
    if not low < responses.peak_share < high:
        advice.append(
            f"the brightest camera pixel is at {responses.peak_share:.0%} of full scale: calibrate the exposure again."
        )
    if figures.floor > 0.5 * figures.start:
        advice.append(
            f"a learned mask would leave an nmse of {figures.floor:.2g}, hardly below the {figures.start:.2g} it "
            "starts with: this operating point cannot do this task."
        )
    return tuple(advice)
