"""The mean-field law against ensembles of the twin, and in any unit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from labcontrol.config import LearningConfig, TaskConfig
from labcontrol.errors import UserError
from labcontrol.tasks import make_task
from labcontrol.theory import (
    States,
    mean_field,
    modes_of_states,
    optical_states,
    twin_ensemble,
)


def modelled_states(neurons: int) -> States:
    task = make_task(TaskConfig(), 2)
    rng = np.random.default_rng(2)
    return optical_states(neurons, task.training_sequence, len(task.washout_input), task.train_target, rng)


@pytest.mark.parametrize("loss", ["mse", "nmse"])
def test_the_law_does_not_depend_on_the_unit_of_the_output(loss: str) -> None:
    states, learning = modelled_states(100), LearningConfig(options={"selection": "uniform"}, loss=loss)
    in_microwatts = replace(states, responses=states.responses * 1e-6, gain=states.gain * 1e-6)
    curves = [
        mean_field(modes_of_states(one, loss), learning, epochs=400, noise_std=1e-3 * one.gain).errors
        for one in (states, in_microwatts)
    ]
    assert np.allclose(*curves, rtol=1e-3)


@pytest.mark.parametrize(
    ("selection", "loss", "within"),
    [
        ("uniform", "mse", 0.10),
        ("greedy", "mse", 0.15),
        ("cyclic", "mse", 0.15),
        ("uniform", "nmse", 0.25),
        ("greedy", "nmse", 0.35),
    ],
)
def test_the_law_predicts_the_mean_curve_of_the_twin(selection: str, loss: str, within: float) -> None:
    """Modelled optical states, N = 225: root mean square of the logarithm from 0.1 to 6 N epochs."""
    states, learning = modelled_states(225), LearningConfig(options={"selection": selection}, loss=loss)
    epochs = np.geomspace(0.1, 6, 40) * 225
    mean = twin_ensemble(states, learning, epochs=6 * 225, seeds=range(48)).mean
    law = mean_field(modes_of_states(states, loss), learning, epochs=6 * 225)
    deviation = np.log(law.at(epochs) / np.interp(epochs, np.arange(6 * 225 + 1), mean))
    assert np.sqrt(np.mean(deviation**2)) < within


def test_rules_without_a_form_are_named() -> None:
    modes = modes_of_states(modelled_states(16), "mse")
    with pytest.raises(UserError, match="no form for the selection rule 'blocks'"):
        mean_field(modes, LearningConfig(options={"selection": "blocks"}, loss="mse"), epochs=10)
