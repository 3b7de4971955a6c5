"""Selection rules: their probabilities, their memory, and one stream of choices for Python and compiled code."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from labcontrol.compiled import compiled
from labcontrol.errors import UserError
from labcontrol.learning.acceptance import accept
from labcontrol.learning.selection import (
    AMPLITUDE_SELECTIONS,
    SELECTIONS,
    RuleState,
    completed_amplitudes,
    draw,
    selection_probabilities,
    selection_rule,
)

NEURONS = 36
AMPLITUDES = np.linspace(0.1, 2.0, NEURONS)


@compiled
def many_draws(rule: RuleState, rng: np.random.Generator, epochs: int) -> NDArray[np.int64]:
    mirrors = np.empty(len(rule.order), dtype=np.int64)
    chosen = np.empty(epochs, dtype=np.int64)
    for k in range(epochs):
        draw(rule, rng, mirrors)
        chosen[k] = mirrors[0]
    return chosen


def made(name: str, rng: np.random.Generator, neurons: int = NEURONS):
    amplitudes = AMPLITUDES if name in AMPLITUDE_SELECTIONS else None
    return selection_rule(name, neurons, rng, amplitudes=amplitudes)


@pytest.mark.parametrize("name", SELECTIONS)
def test_compiled_code_and_python_choose_the_same_mirrors_and_leave_the_same_generator(name: str) -> None:
    rng, twin_rng = np.random.default_rng(7), np.random.default_rng(7)
    rule, twin_rule = made(name, rng), made(name, twin_rng)
    chosen = [rule.next(rng)[0] for _ in range(200)]
    assert many_draws(twin_rule.arrays, twin_rng, 200).tolist() == chosen
    assert rng.bit_generator.state == twin_rng.bit_generator.state


@pytest.mark.parametrize("name", SELECTIONS)
def test_a_restored_rule_goes_on_as_if_nothing_had_happened(name: str) -> None:
    rng = np.random.default_rng(3)
    rule = made(name, rng)
    for _ in range(50):
        rule.next(rng)
    kept, kept_generator = rule.state(), rng.bit_generator.state
    expected = [rule.next(rng).tolist() for _ in range(100)]

    other = made(name, np.random.default_rng(99))
    other.restore(kept)
    rng.bit_generator.state = kept_generator
    assert [other.next(rng).tolist() for _ in range(100)] == expected


@pytest.mark.parametrize("name", SELECTIONS)
def test_every_choice_is_a_set_of_mirrors(name: str) -> None:
    rng = np.random.default_rng(5)
    rule = made(name, rng)
    for _ in range(300):
        mirrors = rule.next(rng)
        assert len(set(mirrors.tolist())) == len(mirrors) >= 1
        assert mirrors.min() >= 0
        assert mirrors.max() < NEURONS


def test_uniform_selection_favours_no_mirror() -> None:
    rng = np.random.default_rng(1)
    counts = np.bincount(many_draws(selection_rule("uniform", NEURONS, rng).arrays, rng, 36_000), minlength=NEURONS)
    assert np.sum((counts - 1000) ** 2 / 1000) < 75  # chi squared with 35 degrees of freedom: p < 1e-4


def test_cyclic_selection_visits_every_mirror_once_a_sweep_in_changing_order() -> None:
    rng = np.random.default_rng(1)
    sweeps = many_draws(selection_rule("cyclic", NEURONS, rng).arrays, rng, 10 * NEURONS).reshape(10, NEURONS)
    assert all(sorted(sweep.tolist()) == list(range(NEURONS)) for sweep in sweeps)
    assert len({tuple(sweep.tolist()) for sweep in sweeps}) == 10


def literal_greedy(bias: NDArray[np.float64], rng: np.random.Generator) -> int:
    chosen = int(np.argmax(rng.random(len(bias)) * bias))
    bias += 1 / len(bias)
    bias[chosen] = 0.0
    return chosen


def test_greedy_selection_has_the_probabilities_of_its_definition() -> None:
    """The shortened draw against the literal one: chi squared of the third choice, over many repetitions."""
    repetitions, neurons = 20_000, 6
    rng = np.random.default_rng(11)
    start = np.random.default_rng(4).random(neurons)
    literal, short = np.zeros(neurons), np.zeros(neurons)
    for _ in range(repetitions):
        bias = start.copy()
        literal[[literal_greedy(bias, rng) for _ in range(3)][-1]] += 1
        rule = selection_rule("greedy", neurons, np.random.default_rng(4))
        short[[rule.next(rng)[0] for _ in range(3)][-1]] += 1
    filled = literal + short > 0
    assert np.sum((literal - short)[filled] ** 2 / (literal + short)[filled]) < 26  # 5 degrees of freedom: p < 1e-4


def test_greedy_selection_leaves_the_known_share_of_mirrors_unvisited() -> None:
    """0.0322 of 100 mirrors after N epochs, from 2000 runs of the literal rule; one run spreads by 0.011."""
    rng = np.random.default_rng(2)
    unvisited = [
        1 - len(set(many_draws(selection_rule("greedy", 100, rng).arrays, rng, 100).tolist())) / 100 for _ in range(400)
    ]
    assert np.mean(unvisited) == pytest.approx(0.0322, abs=0.0025)


def test_amplitude_selection_follows_its_probabilities() -> None:
    rng = np.random.default_rng(1)
    counts = np.bincount(many_draws(made("amplitude", rng).arrays, rng, 100_000), minlength=NEURONS)
    expected = 100_000 * selection_probabilities(AMPLITUDES)
    assert np.sum((counts - expected) ** 2 / expected) < 75


def test_amplitude_greedy_with_equal_amplitudes_is_the_greedy_rule() -> None:
    rng = np.random.default_rng(2)
    rules = (selection_rule("amplitude-greedy", 100, rng, amplitudes=np.ones(100)) for _ in range(400))
    unvisited = [1 - len(set(many_draws(rule.arrays, rng, 100).tolist())) / 100 for rule in rules]
    assert np.mean(unvisited) == pytest.approx(0.0322, abs=0.0025)


def test_blocks_shrink_to_single_mirrors_and_still_visit_all() -> None:
    rng = np.random.default_rng(2)
    rule = selection_rule("blocks", NEURONS, rng, largest_block=8, anneal_epochs=30)
    blocks = [rule.next(rng) for _ in range(200)]
    sizes = [len(block) for block in blocks]
    assert sizes[0] == 8
    assert set(sizes[30:]) == {1}
    visited = np.concatenate(blocks)
    assert sorted(visited[:NEURONS].tolist()) == list(range(NEURONS))


def test_unmeasured_mirrors_are_given_the_mean_amplitude() -> None:
    completed = completed_amplitudes(5, np.array([0, 3]), np.array([1.0, 3.0]))
    assert completed.tolist() == [1.0, 2.0, 2.0, 3.0, 2.0]


def test_an_unknown_rule_is_named_together_with_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"no selection rule 'best'.*uniform, cyclic"):
        selection_rule("best", 4, np.random.default_rng(0))


@pytest.mark.parametrize("amplitudes", [None, np.ones(3), -np.ones(4), np.zeros(4), np.array([1, 1, 1, np.nan])])
def test_amplitude_selection_refuses_amplitudes_that_make_no_probabilities(
    amplitudes: NDArray[np.float64] | None,
) -> None:
    with pytest.raises(UserError, match="amplitude"):
        selection_rule("amplitude", 4, np.random.default_rng(0), amplitudes=amplitudes)


def test_a_state_of_another_size_is_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(UserError, match="another number of neurons"):
        selection_rule("greedy", 5, rng).restore(selection_rule("greedy", 4, rng).state())


def test_only_a_strictly_lower_error_is_accepted() -> None:
    assert accept(0.1, 0.2)
    assert not accept(0.2, 0.2)
    assert not accept(float("nan"), 0.2)
    assert accept(0.2, float("inf"))
