"""The twin makes the decisions of the bench, and its shortcuts change nothing but speed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from labcontrol.bench import simulated_bench
from labcontrol.config import ExperimentConfig, LearningConfig
from labcontrol.engine import Run
from labcontrol.errors import UserError
from labcontrol.learning import CoordinateDescent, Problem, initial_mask, make_strategy
from labcontrol.learning.selection import SELECTIONS
from labcontrol.records import RunReader
from labcontrol.tasks import ErrorMeasure
from labcontrol.theory import States, incoherent_states, planted_states, recorded_states, run_twin

NEURONS, STEPS = 36, 300


def some_states(seed: int = 3) -> States:
    """Correlated responses, a background, and a target only half within reach."""
    rng = np.random.default_rng(seed)
    waves = rng.standard_normal((8, STEPS))
    responses = rng.standard_normal((NEURONS, 8)) @ waves + 0.3 * rng.standard_normal((NEURONS, STEPS))
    target = waves[0] + rng.standard_normal(STEPS)
    return incoherent_states(responses, target, background=0.5 * rng.standard_normal(STEPS))


def strategy_run(states: States, learning: LearningConfig, epochs: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Mirrors and decisions of the bench's own strategy, its outputs computed as X w with no shortcut."""
    rng = np.random.default_rng(seed)
    start = initial_mask(learning, states.neurons, rng)
    measure = ErrorMeasure(states.target, states.gain)
    strategy = make_strategy(learning, Problem(start, rng, np.sqrt(states.variances), measure))
    assert isinstance(strategy, CoordinateDescent)
    mirrors, accepted = [], []
    for _ in range(epochs + 1):
        proposal = strategy.ask()
        outputs = states.background + proposal.masks @ states.responses
        centred = outputs - outputs.mean(axis=1, keepdims=True)
        if learning.loss == "mse":
            errors = np.mean((centred / states.gain - states.target) ** 2, axis=1)
        else:
            errors = np.mean((centred / centred.std(axis=1, keepdims=True) - states.target) ** 2, axis=1)
        decisions = strategy.tell(proposal, outputs.astype(np.float32), errors)
        mirrors.append(int(proposal.mirrors[-1]))
        accepted.append(bool(decisions[-1]))
    return np.array(mirrors), np.array(accepted)


@pytest.mark.parametrize("loss", ["mse", "nmse"])
@pytest.mark.parametrize("selection", SELECTIONS)
def test_the_twin_decides_as_the_strategy_does(selection: str, loss: str) -> None:
    states, learning = some_states(), LearningConfig(options={"selection": selection}, loss=loss)
    run = run_twin(states, learning, epochs=200, seed=11)
    mirrors, accepted = strategy_run(states, learning, 200, seed=11)
    assert np.array_equal(run.mirrors, mirrors)
    assert np.array_equal(run.accepted, accepted)


def test_the_twin_repeats_a_recorded_run_decision_by_decision(tmp_path: Path) -> None:
    """Through pixels, camera and detector, without noise: the states are found from the record alone."""
    experiment = ExperimentConfig.model_validate(
        {
            "neurons": 16,
            "seed": 4,
            "task": {"steps": 60, "test_steps": 0},
            "learning": {"selection": "uniform", "loss": "mse"},
            "stop": {"epochs": 150},
        }
    )
    bench = simulated_bench(16, 4)
    assert bench.table is not None
    quiet = bench.table.options | {"noise": 0.0, "laser": {"warm_up_share": 0.0}}
    run = Run(
        experiment, bench.model_copy(update={"table": bench.table.model_copy(update={"options": quiet})}), tmp_path
    )
    run.execute()
    with RunReader(run.record) as record:
        epochs = record.epochs
        masks, outputs = epochs.masks(), epochs.outputs()
        gain = record.gain
        assert gain is not None
        states = replace(recorded_states(masks, outputs, record.target), gain=gain)
        twin = run_twin(states, experiment.learning, epochs=len(masks) - 1, seed=experiment.seed)
        assert np.array_equal(twin.mirrors, epochs.mirror)
        assert np.array_equal(twin.accepted[1:], epochs.accepted[1:])
        assert np.array_equal(twin.mask, record.final_mask)
        assert np.allclose(twin.errors, epochs.mse, rtol=1e-3, atol=1e-4)


def test_errors_along_the_way_are_those_of_the_masks() -> None:
    """Thousands of updates of the output must not drift away from X w."""
    states = some_states()
    run = run_twin(states, LearningConfig(options={"selection": "greedy"}, loss="mse"), epochs=5000, seed=1)
    output = states.background + states.responses.T @ run.mask
    assert run.incumbent_errors[-1] == pytest.approx(np.mean((output / states.gain - states.target) ** 2), rel=1e-9)
    assert np.all(np.diff(run.incumbent_errors) <= 0)


@pytest.mark.parametrize("loss", ["mse", "nmse"])
def test_noise_drawn_by_three_numbers_is_the_noise_of_all_samples(loss: str) -> None:
    """Of the first measured error: mean and spread against noise added sample by sample."""
    states, noise_std = some_states(), 6.0
    learning = LearningConfig(
        options={"selection": "uniform"}, loss=loss, initial_share=1.0
    )  # the same start for every seed
    twin = np.array([run_twin(states, learning, epochs=1, seed=s, noise_std=noise_std).errors[0] for s in range(3000)])
    rng = np.random.default_rng(1)
    output = states.background + states.responses.sum(axis=0)
    noisy = output + noise_std * rng.standard_normal((3000, STEPS))
    measure = ErrorMeasure(states.target, states.gain)
    direct = measure.mse(noisy) if loss == "mse" else measure.nmse(noisy)
    assert np.mean(twin) == pytest.approx(np.mean(direct), abs=4 * np.std(direct) * np.sqrt(2 / 3000))
    assert np.std(twin) == pytest.approx(np.std(direct), rel=4 / np.sqrt(3000))


def test_states_are_found_from_masks_and_outputs() -> None:
    states = some_states()
    rng = np.random.default_rng(2)
    masks = rng.random((3 * NEURONS, NEURONS)) < 0.5
    outputs = 7.0 + states.background + masks @ states.responses
    found = recorded_states(masks, outputs, states.target)
    assert np.allclose(found.responses, states.responses, atol=1e-9)
    assert np.allclose(found.background, states.background, atol=1e-9)


def test_too_few_epochs_to_find_states_are_refused_with_the_count() -> None:
    masks = np.random.default_rng(2).random((10, NEURONS)) < 0.5
    with pytest.raises(UserError, match=f"9 of {NEURONS} neurons"):
        recorded_states(masks, np.zeros((10, STEPS)), np.ones(STEPS))


def test_planted_states_refuse_more_neurons_than_steps() -> None:
    with pytest.raises(UserError, match="at least 512 steps"):
        planted_states(64, 64, np.random.default_rng(1))
