"""A pilot of Hadamard flips tells all mirrors, and the twins' band holds the runs it speaks of."""

from __future__ import annotations

import numpy as np
import pytest

from labcontrol.config import LearningConfig
from labcontrol.learning import Problem, make_strategy
from labcontrol.tasks import ErrorMeasure
from labcontrol.theory import planted_states
from labcontrol.theory.descent_noise_aware import SequentialTest
from labcontrol.theory.pilot_design import (
    hadamard_flips,
    noise_of_references,
    pilot_flips,
    pilot_replays,
    pilot_responses,
)
from labcontrol.theory.run_twins import RunRules, band_of, run_twins

NEURONS, STEPS = 30, 120


def start_mask() -> np.ndarray:
    return np.random.default_rng(3).random(NEURONS) < 0.5


@pytest.mark.parametrize("neurons", [1, 7, 8, 30, 64, 255])
def test_a_pilot_recovers_every_response_with_the_noise_of_multiplexing(neurons: int) -> None:
    rng = np.random.default_rng(neurons)
    responses = rng.standard_normal((neurons, STEPS))
    responses -= responses.mean(axis=1, keepdims=True)
    start = rng.random(neurons) < 0.5
    replays = pilot_replays(start, hadamard_flips(neurons, rng), masks_per_replay=20)
    number = np.repeat(np.arange(len(replays)), [len(masks) for masks in replays])
    masks = np.concatenate(replays)
    between = 0.3 * rng.standard_normal((len(replays), STEPS))[number]
    outputs = 5.0 + masks @ responses + between + 0.1 * rng.standard_normal((len(masks), STEPS))

    told = pilot_responses(masks, outputs, number, start)

    flips = len(masks) - 2 * len(replays)
    # Twice the noise of one output over sqrt(M + 1), and what the references add to it.
    expected = 0.2 / np.sqrt(flips + 1) * np.sqrt(1.5)
    assert np.sqrt(np.mean((told.responses - responses) ** 2)) < 1.2 * expected
    assert told.noise.within == pytest.approx(0.1, rel=4 / np.sqrt(2 * len(replays) * STEPS))
    # Neighbouring second differences share samples: half as many count.
    assert told.noise.between == pytest.approx(np.hypot(0.3, 0.1), rel=4 / np.sqrt((len(replays) - 2) * STEPS))


def test_a_steady_drift_is_no_noise() -> None:
    rng = np.random.default_rng(1)
    wave, noise = rng.standard_normal(STEPS), 0.1 * rng.standard_normal((6, STEPS))
    drifting = 5.0 * np.arange(6)[:, None] * wave + noise
    assert noise_of_references(drifting) == pytest.approx(0.1, rel=4 / np.sqrt(4 * STEPS))
    assert noise_of_references(noise[:3]) == pytest.approx(0.1, rel=4 / np.sqrt(2 * 2 * STEPS))


def test_a_part_of_a_design_is_refused() -> None:
    start = start_mask()
    replays = pilot_replays(start, hadamard_flips(NEURONS, np.random.default_rng(1))[:-1], 10)
    masks = np.concatenate(replays)
    number = np.repeat(np.arange(len(replays)), [len(part) for part in replays])
    with pytest.raises(ValueError, match="whole Hadamard design"):
        pilot_responses(masks, np.zeros((len(masks), 5)), number, start)


def test_masks_beside_the_design_tell_whether_outputs_are_sums_over_mirrors() -> None:
    rng = np.random.default_rng(2)
    fields = rng.standard_normal((NEURONS, STEPS))
    start = start_mask()
    replays = pilot_replays(start, pilot_flips(NEURONS, rng), 20)
    masks, number = np.concatenate(replays), np.repeat(np.arange(len(replays)), [len(part) for part in replays])
    noise = 0.01 * rng.standard_normal((len(masks), STEPS))
    assert pilot_responses(masks, masks @ fields + noise, number, start).unexplained < 0.01
    assert pilot_responses(masks, (masks @ fields) ** 2 + noise, number, start).unexplained > 0.2


@pytest.mark.parametrize("loss", ["mse", "nmse"])
@pytest.mark.parametrize("remeasured", [False, True])
@pytest.mark.parametrize("selection", ["uniform", "cyclic", "greedy", "amplitude-greedy", "blocks"])
def test_the_band_holds_nine_of_ten_other_runs(selection: str, loss: str, remeasured: bool) -> None:
    states = planted_states(NEURONS, STEPS, np.random.default_rng(5))
    start = start_mask()
    output = states.responses[start].sum(axis=0)
    rules = RunRules(selection, loss, states.gain, 0.05 * states.gain, remeasured)
    epochs = np.unique(np.geomspace(1, 4 * NEURONS, 20).astype(np.int64))
    band, runs = (
        run_twins(states.responses, output, start, states.target, rules, epochs, seed=seed, twins=400)
        for seed in (1, 2)
    )
    _, low, high = band_of(band)
    inside = np.mean((runs >= low) & (runs <= high), axis=0)
    # Both the bounds, of 400 twins, and the 400 runs are draws of chance: four standard errors of each epoch.
    assert np.all(np.abs(inside - 0.9) < 4 * np.sqrt(2 * 0.09 / 400) + (inside == 1.0))


def test_the_first_output_of_a_twin_is_the_measured_one() -> None:
    states = planted_states(NEURONS, STEPS, np.random.default_rng(5))
    start = start_mask()
    measured = states.responses[start].sum(axis=0) + np.sin(np.arange(STEPS))
    measured -= measured.mean()
    rules = RunRules("uniform", "nmse", states.gain, 0.0)
    curves = run_twins(0.9 * states.responses, measured, start, states.target, rules, np.array([0]), seed=1, twins=3)
    expected = ErrorMeasure(states.target, states.gain).nmse(measured[None].astype(np.float32))[0]
    assert curves == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("loss", ["mse", "nmse"])
def test_a_noise_aware_twin_decides_as_the_strategy_does(loss: str) -> None:
    states = planted_states(NEURONS, STEPS, np.random.default_rng(5))
    start, seed, epochs = start_mask(), 7, 150
    output = states.responses[start].sum(axis=0)
    test = SequentialTest(0.2, 3, 2, 1.0)
    rules = RunRules("greedy", loss, states.gain, 0.0, test=test)
    twin = run_twins(states.responses, output, start, states.target, rules, np.arange(epochs), seed=seed, twins=1)[0]

    rng = np.random.default_rng((seed, 0))
    learning = LearningConfig(
        strategy="noise-aware",
        loss=loss,
        options={"selection": "greedy", "error_probability": 0.2, "largest_repeats": 3},
    )
    measure = ErrorMeasure(states.target, states.gain)
    strategy = make_strategy(learning, Problem(start, rng, np.ones(NEURONS), measure))
    held = []
    for _ in range(epochs):
        proposal = strategy.ask()
        outputs = (proposal.masks @ states.responses).astype(np.float32)
        strategy.tell(proposal, outputs, measure.errors(loss, outputs))
        held.append(strategy.incumbent_error)
    assert twin == pytest.approx(held, rel=1e-4, abs=1e-6)
