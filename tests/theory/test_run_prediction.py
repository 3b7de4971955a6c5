"""A prediction of one run, and the verdict on it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from labcontrol.theory import planted_states
from labcontrol.theory.run_prediction import (
    PilotFacts,
    RunPrediction,
    Verdict,
    epochs_of_twins,
    judge,
    predict_run,
)
from labcontrol.theory.run_twins import RunRules, run_twins

NEURONS, STEPS, EPOCHS = 64, 512, 256
FACTS = PilotFacts(masks=127, replays=4, noise_within=0.0, noise_between=0.0)
STATES = planted_states(NEURONS, STEPS, np.random.default_rng(5))
START = np.random.default_rng(3).random(NEURONS) < 0.5
OUTPUT = STATES.responses[START].sum(axis=0)


@pytest.fixture(scope="module")
def prediction() -> RunPrediction:
    rules = RunRules("uniform", "mse", STATES.gain, 0.05 * STATES.gain)
    return predict_run(STATES.responses, OUTPUT, START, STATES.target, rules, EPOCHS, FACTS, seed=1)


def runs(noise: float, count: int = 60) -> np.ndarray:
    rules = RunRules("uniform", "mse", STATES.gain, noise * STATES.gain)
    every = np.arange(EPOCHS + 1)
    return run_twins(STATES.responses, OUTPUT, START, STATES.target, rules, every, seed=9, twins=count)


def test_the_predicted_time_constant_of_independent_neurons_is_their_number(prediction: RunPrediction) -> None:
    tau, low, high = prediction.tau
    assert tau == pytest.approx(NEURONS, rel=0.15)
    assert low < tau < high
    assert prediction.r_squared > 0.99


def test_runs_that_follow_the_prediction_are_told_so_and_lie_in_the_band(prediction: RunPrediction) -> None:
    judged = [judge(prediction, errors, accepted=20) for errors in runs(0.05)]
    assert np.mean([one.inside for one in judged]) == pytest.approx(0.9, abs=4 * 0.25 / np.sqrt(len(judged)))
    assert sum(one.verdict is Verdict.AS_PREDICTED for one in judged) >= 58


def test_no_verdict_before_there_is_evidence(prediction: RunPrediction) -> None:
    errors = runs(0.05, 1)[0]
    assert judge(prediction, errors[:1], 0).verdict is Verdict.CANNOT_TELL
    assert judge(prediction, errors[:20], 20).verdict is Verdict.CANNOT_TELL
    assert judge(prediction, errors, 4).verdict is Verdict.CANNOT_TELL


def test_a_verdict_is_not_taken_back_while_the_run_follows(prediction: RunPrediction) -> None:
    changed = 0
    for errors in runs(0.05, 30):
        verdicts = {judge(prediction, errors[:k], 20).verdict for k in range(80, EPOCHS + 1, 8)}
        changed += len(verdicts - {Verdict.CANNOT_TELL}) > 1
    assert changed <= 2  # one in a hundred is expected


@pytest.mark.parametrize(("rate", "verdict"), [(1 / 3, Verdict.SLOWER), (3.0, Verdict.FASTER)])
def test_a_run_of_another_rate_is_told_so(prediction: RunPrediction, rate: float, verdict: Verdict) -> None:
    at = np.minimum((np.arange(EPOCHS + 1) * rate).astype(int), EPOCHS)
    judged = [judge(prediction, errors[at][: EPOCHS // 2], 20).verdict for errors in runs(0.05, 20)]
    assert judged.count(verdict) >= 18


def test_a_noisier_table_than_the_pilot_saw_is_noticed(prediction: RunPrediction) -> None:
    slower = sum(judge(prediction, errors, 20).verdict is Verdict.SLOWER for errors in runs(0.4, 20))
    assert slower >= 18


def test_time_to_an_error(prediction: RunPrediction) -> None:
    expected, low, high = prediction.epochs_to(float(prediction.median[0]) / 3)
    assert low <= expected <= high < EPOCHS
    assert prediction.epochs_to(1e-9) == (np.inf, np.inf, np.inf)


@pytest.mark.parametrize("epochs", [1, 5, 30, 1000, 40_000])
def test_the_epochs_of_twins_begin_and_end_with_the_run(epochs: int) -> None:
    points = epochs_of_twins(epochs)
    assert points[0] == 0
    assert points[-1] == epochs
    assert np.all(np.diff(points) > 0)


def test_a_run_that_cannot_learn_has_no_time_constant() -> None:
    rules = RunRules("uniform", "mse", STATES.gain, 0.0)
    nothing = np.zeros_like(STATES.responses)
    made = predict_run(nothing, OUTPUT, START, STATES.target, rules, 50, FACTS, seed=1, twins=4)
    assert np.isinf(made.tau[0])
    assert judge(replace(made, pilot=FACTS), made.median, 30).verdict is Verdict.CANNOT_TELL
