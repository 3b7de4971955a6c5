"""What a pilot of fifty flips tells about a run before it starts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from labcontrol.config import LearningConfig, TaskConfig
from labcontrol.learning import initial_mask
from labcontrol.tasks import make_task
from labcontrol.theory import (
    AmplitudeLaw,
    States,
    amplitude_law,
    fit_learning_curve,
    incoherent_states,
    optical_states,
    pilot_law,
    planted_states,
    run_twin,
    spread_mirrors,
)

UNIFORM = LearningConfig(options={"selection": "uniform"}, loss="mse")


def pilot_of(states: States, mirrors: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Outputs of the start mask and of its flips, and the start mask."""
    mask = initial_mask(UNIFORM, states.neurons, np.random.default_rng(seed))
    start = states.responses.T @ mask
    return np.stack([start, *(start + (1 - 2.0 * mask[i]) * states.responses[i] for i in mirrors)]), mask


def fitted_kappa(states: States, seeds: range, sweeps: int = 4) -> np.ndarray:
    """Rate of the exponential fitted to each run."""
    epochs = np.arange(sweeps * states.neurons + 1)
    runs = (run_twin(states, UNIFORM, epochs=int(epochs[-1]), seed=seed).incumbent_errors for seed in seeds)
    fits = (fit_learning_curve(epochs, errors, ("exponential",)) for errors in runs)
    return np.array([states.neurons / fit.best.tau[0] for fit in fits if fit is not None])


def test_the_pilot_gives_every_mirror_the_same_chance() -> None:
    weights, offsets = np.random.default_rng(1).random(100), np.repeat([0.0, 1.0], 50)
    counts = np.zeros(100)
    for seed in range(2000):
        chosen = spread_mirrors(weights, offsets, 15, np.random.default_rng(seed))
        assert len(set(chosen)) == 15
        counts[chosen] += 1
    # Binomial with a share of 0.15: five standard deviations.
    assert np.all(np.abs(counts / 2000 - 0.15) < 5 * np.sqrt(0.15 * 0.85 / 2000))


def test_the_pilot_has_both_offsets_and_all_weights_in_equal_parts() -> None:
    rng = np.random.default_rng(2)
    weights, offsets = rng.random(900), rng.permutation(900) % 2 * 1.0
    for seed in range(20):
        chosen = spread_mirrors(weights, offsets, 50, np.random.default_rng(seed))
        assert offsets[chosen].sum() == 25
        # A blind draw of 50 scatters by 0.041 about the mean of all.
        assert weights[chosen].mean() == pytest.approx(weights.mean(), abs=0.03)


def test_all_mirrors_are_flipped_when_there_are_fewer_than_asked_for() -> None:
    chosen = spread_mirrors(np.ones(9), np.zeros(9), 50, np.random.default_rng(1))
    assert sorted(chosen) == list(range(9))


def test_independent_responses_have_a_time_constant_of_n_epochs() -> None:
    """The known answer of all laws: kappa is 1."""
    states = planted_states(100, 2000, np.random.default_rng(1))
    outputs, mask = pilot_of(states, np.arange(100), seed=1)
    law = amplitude_law(outputs, np.arange(100), mask, states.target, gain=states.gain, floor=0.0)
    assert law.kappa == pytest.approx(1.0, abs=0.15)
    assert law.kappa_error == pytest.approx(0.0, abs=1e-9), "all mirrors were measured"


def test_fifty_flips_predict_the_rate_within_thirty_percent_and_know_how_far_runs_scatter() -> None:
    """Modelled optical states, N = 400: eight tables, a pilot each, against the runs that follow."""
    task = make_task(TaskConfig(), 1)
    good, inside = 0, []
    for seed in range(8):
        states = optical_states(
            400, task.training_sequence, len(task.washout_input), task.train_target, np.random.default_rng(seed)
        )
        # Without access to the model's weights: the strength of a response stands for them.
        known = np.std(states.responses, axis=1)
        mirrors = spread_mirrors(known, states.overlaps > 0, 50, np.random.default_rng(seed))
        outputs, mask = pilot_of(states, mirrors, seed)
        law = pilot_law(outputs, mirrors, mask, states.target)
        runs = fitted_kappa(replace(states, gain=law.gain), range(100, 106))
        good += abs(law.kappa / np.exp(np.mean(np.log(runs))) - 1) < 0.3
        inside += [law.run_kappa[0] < rate < law.run_kappa[1] for rate in runs]
    assert good >= 7
    assert np.mean(inside) > 0.8


def test_a_small_pilot_falls_back_on_the_initial_rate() -> None:
    states = incoherent_states(
        np.random.default_rng(1).standard_normal((30, 200)), np.random.default_rng(2).random(200)
    )
    mirrors = np.arange(5)
    outputs, mask = pilot_of(states, mirrors, seed=1)
    law = pilot_law(outputs, mirrors, mask, states.target)
    assert law.kappa == amplitude_law(outputs, mirrors, mask, states.target).kappa


def test_a_law_without_a_drop_promises_nothing() -> None:
    law = AmplitudeLaw(100, np.arange(3), np.ones(3), 1.0, 1.0, 0.0, kappa=0.0, kappa_error=0.1, step_variance=1e-4)
    assert law.tau == np.inf
    assert law.run_kappa == (0.0, np.inf)
