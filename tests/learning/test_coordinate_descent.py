"""Coordinate descent as a strategy, on a problem small enough to know the answer."""

import itertools

import numpy as np
import pytest

from labcontrol.config import LearningConfig
from labcontrol.errors import UserError
from labcontrol.learning import ACCEPTANCES, SELECTIONS, Problem, Strategy, check_learning, initial_mask, make_strategy
from labcontrol.tasks import ErrorMeasure

N, T = 24, 400


def problem(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Orthogonal neurons and a target made of half of them: every wrong mirror costs the same."""
    rng = np.random.default_rng(seed)
    X = np.linalg.qr(rng.standard_normal((T, N)))[0]
    wanted = rng.random(N) < 0.5
    return X, wanted


def posed(start: np.ndarray, rng: np.random.Generator) -> Problem:
    return Problem(start, rng, np.ones(N), ErrorMeasure(np.ones(T), gain=1.0))


def learn(config: LearningConfig, epochs: int, noise: float = 0.0, seed: int = 1) -> tuple[Strategy, list[float]]:
    X, wanted = problem()
    target = X @ wanted
    rng, noise_rng = np.random.default_rng(seed), np.random.default_rng([seed, 9])
    strategy = make_strategy(config, posed(initial_mask(config, N, rng), rng))
    curve = []
    for _ in range(epochs):
        proposal = strategy.ask()
        outputs = (X @ proposal.masks.T).T
        errors = ((outputs - target) ** 2).sum(axis=1) + noise * noise_rng.standard_normal(len(outputs))
        strategy.tell(proposal, outputs.astype(np.float32), errors)
        curve.append(strategy.incumbent_error)
    return strategy, curve


@pytest.mark.parametrize("selection", SELECTIONS)
@pytest.mark.parametrize("acceptance", ACCEPTANCES)
def test_every_rule_finds_the_mask_of_orthogonal_neurons(selection: str, acceptance: str) -> None:
    strategy, curve = learn(LearningConfig(options={"selection": selection, "acceptance": acceptance}), epochs=400)
    assert np.array_equal(strategy.incumbent, problem()[1])
    assert curve[-1] == pytest.approx(0, abs=1e-12)
    assert all(after <= before + 1e-12 for before, after in itertools.pairwise(curve))


def test_the_first_proposal_is_the_initial_mask() -> None:
    rng = np.random.default_rng(5)
    start = initial_mask(LearningConfig(), N, rng)
    strategy = make_strategy(LearningConfig(), posed(start, rng))
    proposal = strategy.ask()
    assert proposal.mirrors.tolist() == [-1]
    assert np.array_equal(proposal.masks[0], start)
    assert strategy.tell(proposal, np.zeros((1, T), np.float32), np.array([1.0])).tolist() == [True]


def test_a_flip_is_kept_only_if_the_error_fell() -> None:
    rng = np.random.default_rng(5)
    start = initial_mask(LearningConfig(), N, rng)
    strategy = make_strategy(LearningConfig(), posed(start, rng))
    output = np.zeros((1, T), np.float32)
    strategy.tell(strategy.ask(), output, np.array([1.0]))
    worse = strategy.ask()
    assert strategy.tell(worse, output, np.array([1.0])).tolist() == [False]
    assert np.array_equal(strategy.incumbent, start)
    better = strategy.ask()
    assert strategy.tell(better, output, np.array([0.9])).tolist() == [True]
    assert np.flatnonzero(strategy.incumbent != start).tolist() == better.mirrors.tolist()


def test_measuring_the_incumbent_again_undoes_a_lucky_measurement() -> None:
    rng = np.random.default_rng(5)
    config = LearningConfig(options={"acceptance": "re-measured"})
    strategy = make_strategy(config, posed(initial_mask(config, N, rng), rng))
    strategy.tell(strategy.ask(), np.zeros((1, T), np.float32), np.array([0.1]))  # by luck
    proposal = strategy.ask()
    assert proposal.masks.shape == (2, N)
    assert proposal.mirrors[0] == -1
    strategy.tell(proposal, np.zeros((2, T), np.float32), np.array([1.0, 0.9]))
    assert strategy.incumbent_error == 0.9


@pytest.mark.parametrize("selection", SELECTIONS)
def test_a_restored_strategy_goes_on_exactly(selection: str) -> None:
    config = LearningConfig(options={"selection": selection})
    strategy, _ = learn(config, epochs=30)
    state = strategy.state()
    rng = np.random.default_rng(77)
    twin = make_strategy(config, posed(initial_mask(config, N, rng), rng))
    twin.restore(state)
    for error in np.linspace(0.5, 0.1, 40):
        a, b = strategy.ask(), twin.ask()
        assert np.array_equal(a.masks, b.masks)
        for one, proposal in ((strategy, a), (twin, b)):
            one.tell(proposal, np.zeros((1, T), np.float32), np.array([error]))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"options": {"selection": "gredy"}}, "did you mean 'greedy'"),
        ({"options": {"acceptance": "store"}}, "did you mean 'stored'"),
        ({"strategy": "coordinate"}, "Did you mean 'coordinate-descent'"),
    ],
)
def test_unknown_names_are_answered_with_the_nearest(change: dict[str, str], expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        check_learning(LearningConfig().model_copy(update=change))
