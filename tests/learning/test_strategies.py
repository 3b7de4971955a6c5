"""What every strategy of the registry must do, and what each one promises, on readouts whose answer is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from labcontrol.config import LearningConfig
from labcontrol.errors import UserError
from labcontrol.learning import STRATEGIES, Problem, Strategy, check_learning, initial_mask, make_strategy
from labcontrol.tasks import ErrorMeasure
from labcontrol.tasks.errors import standardised

N, T = 40, 160
Readout = Any


class Table:
    """Random responses of N mirrors. phases: None for an incoherent readout, else the phase of every mirror's field."""

    def __init__(self, *, coherent: bool = False, path_phases: bool = False, noise: float = 0.0, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        base = rng.standard_normal((6, T)).cumsum(axis=1)
        responses = 2.0 + standardised_rows(rng.standard_normal((N, 6)) @ base) * 0.5
        phases = rng.uniform(0, 2 * np.pi, N) if path_phases else np.zeros(N)
        self.coherent = coherent
        self.responses = responses * np.exp(1j * phases)[:, None] if coherent else responses
        wanted = rng.random(N) < 0.5
        self.target = standardised(self.clean(wanted[None])[0])
        self.spread = float(np.std(self.clean(rng.random((50, N)) < 0.5), axis=1).mean())
        self.noise = noise * self.spread
        self._noise_rng = np.random.default_rng(seed + 100)

    def clean(self, masks: np.ndarray) -> np.ndarray:
        total = masks.astype(float) @ self.responses
        return np.abs(total) ** 2 if self.coherent else total.real

    def measure(self, masks: np.ndarray) -> np.ndarray:
        outputs = self.clean(masks)
        return (outputs + self.noise * self._noise_rng.standard_normal(outputs.shape)).astype(np.float32)

    def problem(self, config: LearningConfig, seed: int) -> Problem:
        rng = np.random.default_rng(seed)
        start = initial_mask(config, N, rng)
        amplitudes = np.std(self.responses, axis=1)
        return Problem(start, rng, amplitudes, ErrorMeasure(self.target, 2 * self.spread), self.noise)


def standardised_rows(values: np.ndarray) -> np.ndarray:
    values = values - values.mean(axis=1, keepdims=True)
    return values / values.std(axis=1, keepdims=True)


def step(strategy: Strategy, table: Table, problem: Problem, loss: str) -> int:
    proposal = strategy.ask()
    outputs = table.measure(proposal.masks)
    strategy.tell(proposal, outputs, problem.errors(outputs.astype(np.float64), loss))
    return len(outputs)


def learn(table: Table, masks: int, seed: int = 1, **learning: Any) -> tuple[Strategy, float, int]:
    """The strategy after so many masks (or when it is finished), its true nmse, and the replays it took."""
    config = LearningConfig.model_validate({"masks_per_replay": 24, **learning})
    problem = table.problem(config, seed)
    strategy = make_strategy(config, problem)
    shown = replays = 0
    while shown < masks and strategy.finished is None:
        shown += step(strategy, table, problem, config.loss)
        replays += 1
    error = float(problem.errors(table.clean(strategy.incumbent[None]), "nmse")[0])
    return strategy, error, replays


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("loss", ["mse", "nmse"])
def test_every_strategy_begins_with_the_initial_mask_and_gets_better(name: str, loss: str) -> None:
    table = Table()
    config = LearningConfig(strategy=name, loss=loss, masks_per_replay=24)
    problem = table.problem(config, seed=1)
    strategy = make_strategy(config, problem)
    first = strategy.ask()
    assert np.array_equal(first.masks[0], problem.start)
    assert first.mirrors[0] == -1
    _, error, _ = learn(table, 20 * N, strategy=name, loss=loss)
    assert error < 0.5 * problem.errors(table.clean(problem.start[None]), "nmse")[0]


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("masks", [1, 30, 70, 130])
def test_a_restored_strategy_goes_on_exactly(name: str, masks: int) -> None:
    table = Table(noise=0.05)
    config = LearningConfig(strategy=name, masks_per_replay=24)
    problem, other = table.problem(config, seed=1), table.problem(config, seed=1)
    strategy = make_strategy(config, problem)
    shown = 0
    while shown < masks and strategy.finished is None:
        shown += step(strategy, table, problem, config.loss)
    twin = make_strategy(config, other)
    twin.restore(strategy.state())
    for _ in range(5):
        if strategy.finished is not None:
            break
        ours, theirs = strategy.ask(), twin.ask()
        assert np.array_equal(ours.masks, theirs.masks)
        outputs = table.measure(ours.masks)
        errors = problem.errors(outputs.astype(np.float64), config.loss)
        assert np.array_equal(strategy.tell(ours, outputs, errors), twin.tell(theirs, outputs, errors))
        assert strategy.incumbent_error == twin.incumbent_error


@pytest.mark.parametrize("name", STRATEGIES)
def test_only_the_masks_that_were_shown_become_the_incumbent(name: str) -> None:
    table = Table(noise=0.05)
    config = LearningConfig(strategy=name, masks_per_replay=24)
    problem = table.problem(config, seed=2)
    strategy = make_strategy(config, problem)
    shown: set[bytes] = set()
    for _ in range(12):
        if strategy.finished is not None:
            break
        proposal = strategy.ask()
        shown |= {mask.tobytes() for mask in proposal.masks}
        outputs = table.measure(proposal.masks)
        strategy.tell(proposal, outputs, problem.errors(outputs.astype(np.float64), config.loss))
        assert strategy.incumbent.tobytes() in shown


def test_an_unknown_option_is_answered_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"learning.options.*'rigde'.*Did you mean 'ridge'"):
        check_learning(LearningConfig(strategy="multiplexed-identification", options={"rigde": 1.0}))


def test_a_missing_package_is_noticed_before_anything_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labcontrol.learning.black_box.find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"'cma-es' needs the package 'cma'.*labcontrol\[optimisers\]"):
        check_learning(LearningConfig(strategy="cma-es"))
    check_learning(LearningConfig(strategy="pepg"))


# --- multiplexed identification ---------------------------------------------------------------------------------
@pytest.mark.parametrize("masks_per_replay", [24, 1], ids=["multiplexed", "one mask a replay"])
def test_identification_beats_six_sweeps_of_descent_with_fewer_masks(masks_per_replay: int) -> None:
    for seed in range(3):
        settings = {"strategy": "multiplexed-identification", "masks_per_replay": masks_per_replay}
        strategy, error, replays = learn(Table(seed=seed), 200, **settings)
        assert strategy.finished
        assert error < learn(Table(seed=seed), 6 * N)[1]
        assert replays <= (8 if masks_per_replay > 1 else 2 * N)


def test_identification_holds_with_noise_where_the_stored_error_freezes() -> None:
    identified = [learn(Table(noise=0.1, seed=s), 6 * N, strategy="multiplexed-identification")[1] for s in range(5)]
    greedy = [learn(Table(noise=0.1, seed=s), 6 * N)[1] for s in range(5)]
    assert np.median(identified) < 0.7 * np.median(greedy)


def test_a_table_that_drifts_is_identified_anew() -> None:
    table = Table()
    config = LearningConfig(
        strategy="multiplexed-identification", masks_per_replay=24, options={"watch": True, "drift": 0.1}
    )
    problem = table.problem(config, seed=1)
    strategy = make_strategy(config, problem)
    for _ in range(10):
        step(strategy, table, problem, "nmse")
    assert strategy.report()["identifications"] == 1
    table.responses = 2.0 + standardised_rows(table.responses + 1.5 * np.roll(table.responses, 7, axis=0)) * 0.5
    for _ in range(12):
        step(strategy, table, problem, "nmse")
    assert strategy.report()["identifications"] == 2
    assert strategy.incumbent_error == pytest.approx(
        problem.errors(table.clean(strategy.incumbent[None]), "nmse")[0], rel=1e-3
    )


# --- the readout is recognised from the data --------------------------------------------------------------------
@pytest.mark.parametrize(
    ("readout", "kind"),
    [({}, "incoherent"), ({"coherent": True}, "in-phase"), ({"coherent": True, "path_phases": True}, "quadratic")],
    ids=["incoherent", "in phase", "phases of their own"],
)
def test_quadratic_identification_uses_the_model_that_the_data_ask_for(readout: dict[str, bool], kind: str) -> None:
    for seed in range(3):
        strategy, error, _ = learn(Table(seed=seed, **readout), 8 * N, strategy="quadratic-identification")
        assert strategy.report()["readout"] == kind
        assert strategy.report().get("unsolved_steps", 0) == 0
        assert error < learn(Table(seed=seed, **readout), 8 * N)[1]


# --- noise-aware acceptance and speculative descent -------------------------------------------------------------
def test_repeating_until_it_can_tell_beats_the_stored_error_at_equal_evaluations() -> None:
    aware = [learn(Table(noise=0.3, seed=s), 20 * N, strategy="noise-aware")[1] for s in range(12)]
    stored = [learn(Table(noise=0.3, seed=s), 20 * N)[1] for s in range(12)]
    assert np.median(aware) < np.median(stored)


def test_without_noise_one_measurement_decides() -> None:
    config = LearningConfig(strategy="noise-aware")
    table = Table()
    problem = table.problem(config, seed=1)
    strategy = make_strategy(config, problem)
    mirrors = []
    for _ in range(60):
        mirrors.append(int(strategy.ask().mirrors[0]))
        step(strategy, table, problem, "nmse")
    assert sum(mirror >= 0 for mirror in mirrors) >= 30  # the others are repeats of a new incumbent


def test_speculative_descent_takes_many_steps_a_replay() -> None:
    _, error, replays = learn(Table(), 10 * 24, strategy="speculative")
    _, single, _ = learn(Table(), replays)
    assert error < 0.1 * single


def test_speculative_descent_refuses_a_replay_without_room() -> None:
    with pytest.raises(UserError, match="masks_per_replay"):
        check_learning(LearningConfig(strategy="speculative", masks_per_replay=4))


# --- sequences shorter than the number of mirrors ---------------------------------------------------------------
def test_with_few_steps_a_ridge_that_was_chosen_does_better_on_new_steps_than_one_too_strong() -> None:
    def on_new_steps(seed: int, **options: Any) -> float:
        table = Table(noise=0.1, seed=seed)
        whole, target, table.responses = table.responses, table.target, table.responses[:, : N // 2]
        table.target = standardised(target[: N // 2])
        settings = {"strategy": "multiplexed-identification", "options": options}
        strategy, _, _ = learn(table, 6 * N, **settings)
        table.responses = whole[:, N // 2 :]
        measure = ErrorMeasure(standardised(target[N // 2 :]), 2 * table.spread)
        return float(measure.nmse(table.clean(strategy.incumbent[None]).astype(np.float32))[0])

    chosen = [on_new_steps(seed, validation_share=0.25) for seed in range(8)]
    too_strong = [on_new_steps(seed, ridge=1.0) for seed in range(8)]
    assert np.median(chosen) < 0.5 * np.median(too_strong)
