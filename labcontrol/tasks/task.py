"""A task: a series cut into washout, training and test part, ready for the reservoir."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from labcontrol.config import TaskConfig
from labcontrol.errors import UserError
from labcontrol.tasks.csv_file import read_series
from labcontrol.tasks.errors import standardised
from labcontrol.tasks.series import Series

Floats = NDArray[np.float64]


class TaskEntry(NamedTuple):
    """Where the series of a task is found, and what it is in a line.

    Attributes
    ----------
    home : str
        Module and function, which makes a `Series` of so many steps with a seed; imported when it is used.
    description : str
        For people who choose one.
    """

    home: str
    description: str


TASKS: dict[str, TaskEntry] = {
    "mackey-glass": TaskEntry("labcontrol.tasks.series:mackey_glass", "next value of the chaotic Mackey-Glass series"),
    "santa-fe": TaskEntry("labcontrol.tasks.series:santa_fe", "next value of a measured chaotic laser intensity"),
    "narma-10": TaskEntry(
        "labcontrol.tasks.series:narma10", "nonlinear moving average over ten steps of a random input"
    ),
}
"""Tasks by name; beside them, every CSV file is one: one column, its next value; two columns, input and target."""


@dataclass(frozen=True)
class Task:
    """Inputs scaled to [0, 1] by the range of washout and training part; targets standardised part by part.

    The parts follow each other in the series without a gap: washout (W,), training (T,), test (S,). The test part may
    leave [0, 1] a little, because its range is not known beforehand. understood: what was made of a file, in words.
    """

    name: str
    washout_input: Floats
    train_input: Floats
    train_target: Floats
    test_input: Floats
    test_target: Floats
    understood: str = ""

    @property
    def training_sequence(self) -> Floats:
        """(W + T,) what one epoch replays."""
        return np.concatenate([self.washout_input, self.train_input])

    @property
    def whole_sequence(self) -> Floats:
        """(W + T + S,) what the final measurement replays."""
        return np.concatenate([self.washout_input, self.train_input, self.test_input])


def make_task(config: TaskConfig, seed: int) -> Task:
    """Build the task a configuration names. Raises UserError."""
    length = config.washout + config.steps + config.test_steps
    series = _series(config.name, length, seed)
    if len(series.input) < length:
        raise UserError(
            f"{config.name} has {len(series.input)} usable steps, but washout ({config.washout}), training "
            f"({config.steps}) and test part ({config.test_steps}) need {length}.",
            "Use fewer steps or a longer series.",
        )
    end_of_training = config.washout + config.steps
    inputs = _scaled(config.name, series.input[:length], end_of_training)
    targets = series.target[:length]
    return Task(
        name=config.name,
        washout_input=inputs[: config.washout],
        train_input=inputs[config.washout : end_of_training],
        train_target=_target(config.name, "training", targets[config.washout : end_of_training]),
        test_input=inputs[end_of_training:],
        test_target=_target(config.name, "test", targets[end_of_training:]) if config.test_steps else targets[:0],
        understood=series.understood,
    )


def _series(name: str, length: int, seed: int) -> Series:
    if name in TASKS:
        module, function = TASKS[name].home.split(":")
        series: Series = getattr(import_module(module), function)(length, seed)
        return series
    if name.lower().endswith(".csv"):
        return read_series(Path(name))
    raise UserError(f"There is no task {name!r}.", f"Known: {', '.join(TASKS)}, FILE.csv.")


def _scaled(name: str, inputs: Floats, known: int) -> Floats:
    low, high = float(inputs[:known].min()), float(inputs[:known].max())
    if not high > low:
        raise UserError(f"The input of {name} is constant over the training part.", "There is nothing to learn from.")
    return (inputs - low) / (high - low)


def _target(name: str, part: str, target: Floats) -> Floats:
    try:
        return standardised(target)
    except ValueError:
        raise UserError(
            f"The target of {name} is constant over the {part} part.", "Choose other steps: no error can be defined."
        ) from None
