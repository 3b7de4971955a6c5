"""Responses from phases and a few masks, and the strategy that learns from them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from labcontrol.config import LearningConfig
from labcontrol.learning import Problem, Strategy, initial_mask, make_strategy
from labcontrol.learning.measurements import Measurements
from labcontrol.learning.phase_prior import fit_informed, physical_prior
from labcontrol.learning.readout_models import fit_linear
from labcontrol.tasks import ErrorMeasure
from labcontrol.tasks.errors import standardised

SIDE, T = 10, 80
N = SIDE**2


class Beam:
    """Mirrors in a Gaussian beam; scatter: of their amplitudes, off: of the phases that the program believes in."""

    def __init__(self, *, scatter: float = 0.0, off: float = 0.0, noise: float = 1e-3, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        course = rng.standard_normal((4, T)).cumsum(axis=1) / 4
        true_rad = rng.random((N, 1)) * 3 + rng.standard_normal((N, 4)) @ course / 4
        row, column = np.divmod(np.arange(N), SIDE)
        beam = np.exp(-((row - 4.0) ** 2 + (column - 5.5) ** 2) / 9.0**2) * (1 + scatter * rng.standard_normal(N))
        self.responses = beam[:, None] * np.cos(true_rad) ** 2
        self.phases_rad = true_rad * (1 + off * rng.standard_normal((N, 1)))
        self.target = standardised(course[0] + 0.1 * np.sin(3 * course[1]))
        self.spread = float(np.sqrt(np.mean(np.var((rng.random((50, N)) < 0.5) @ self.responses, axis=1))))
        self.noise, self._rng = noise * self.spread, np.random.default_rng(seed + 1)

    def measure(self, masks: np.ndarray) -> np.ndarray:
        outputs = masks.astype(float) @ self.responses
        return (outputs + self.noise * self._rng.standard_normal(outputs.shape)).astype(np.float32)

    def problem(self, learning: LearningConfig, *, known: bool = True) -> Problem:
        rng = np.random.default_rng(1)
        measure = ErrorMeasure(self.target, 2 * self.spread)
        phases = self.phases_rad if known else None
        start = initial_mask(learning, N, rng)
        return Problem(start, rng, np.std(self.responses, axis=1), measure, self.noise, phases)

    def true_error(self, mask: np.ndarray) -> float:
        output = mask.astype(float) @ self.responses
        return float(ErrorMeasure(self.target, 1.0).nmse(output[None].astype(np.float32))[0])

    def learn(self, name: str, *, known: bool = True, **options: Any) -> tuple[Strategy, list[tuple[int, float]]]:
        """The strategy at its end; masks measured and true error after every replay."""
        learning = LearningConfig(strategy=name, masks_per_replay=32, options=options)
        strategy = make_strategy(learning, self.problem(learning, known=known))
        course: list[tuple[int, float]] = []
        while strategy.finished is None and len(course) < 60:
            proposal = strategy.ask()
            outputs = self.measure(proposal.masks)
            strategy.tell(proposal, outputs, np.zeros(len(outputs)))
            shown = len(outputs) + (course[-1][0] if course else 0)
            course.append((shown, self.true_error(strategy.incumbent)))
        return strategy, course


def wrong(beam: Beam, responses: np.ndarray) -> float:
    true = beam.responses - beam.responses.mean(axis=1, keepdims=True)
    return float(np.sum((responses - true) ** 2) / np.sum(true**2))


@pytest.mark.parametrize("masks", [60, 120])
@pytest.mark.parametrize("beam", [{}, {"scatter": 0.05, "off": 0.02}, {"noise": 0.1}], ids=["exact", "off", "noisy"])
def test_masks_correct_the_prior_and_the_prior_helps_the_masks(beam: dict[str, float], masks: int) -> None:
    table = Beam(**beam)
    shown = np.random.default_rng(3).random((masks, N)) < 0.5
    measured = Measurements(N, T)
    measured.add(shown, table.measure(shown))
    prior = physical_prior(table.phases_rad, measured, table.noise)
    both = wrong(table, fit_informed(table.phases_rad, prior, measured).model.responses)
    alone = wrong(table, fit_linear(measured, 1e-3).responses)
    assert both < (0.5 if masks < N else 1.05) * alone
    if beam.get("off"):
        assert both < 0.5 * wrong(table, prior.responses)
    else:
        assert both < 1.5 * wrong(table, prior.responses) + 1e-4


def test_where_the_physics_holds_three_replays_do_what_all_of_identification_does() -> None:
    for seed in range(3):
        _, informed = Beam(seed=seed).learn("physics-informed-identification", first_masks=32)
        _, full = Beam(seed=seed).learn("multiplexed-identification")
        assert min(error for shown, error in informed if shown <= 96) < 2 * full[-1][1]
        assert informed[-1][1] < 1.5 * full[-1][1]


@pytest.mark.parametrize("why", ["unknown", "wrong"])
def test_without_the_physics_all_mirrors_are_identified_and_the_reason_is_reported(why: str) -> None:
    beam = Beam(off=0.0 if why == "unknown" else 1.0)
    strategy, informed = beam.learn("physics-informed-identification", known=why != "unknown")
    _, full = beam.learn("multiplexed-identification")
    report = strategy.report()["without_phases"]
    assert ("not known" if why == "unknown" else "unexplained") in report
    assert informed[-1][1] < 1.5 * full[-1][1]


def test_it_goes_on_exactly_after_a_restart() -> None:
    beam = Beam(scatter=0.05, off=0.02)
    learning = LearningConfig(strategy="physics-informed-identification", masks_per_replay=32)
    strategy = make_strategy(learning, beam.problem(learning))
    for _ in range(9):
        if strategy.finished is not None:
            break
        twin = make_strategy(learning, beam.problem(learning))
        twin.restore(strategy.state())
        ours, theirs = strategy.ask(), twin.ask()
        assert np.array_equal(ours.masks, theirs.masks)
        outputs = beam.measure(ours.masks)
        for one in (strategy, twin):
            one.tell(ours, outputs, np.zeros(len(outputs)))
        assert strategy.incumbent_error == twin.incumbent_error


def test_one_mask_a_replay_works_too() -> None:
    beam = Beam()
    learning = LearningConfig(strategy="physics-informed-identification", masks_per_replay=1)
    strategy = make_strategy(learning, beam.problem(learning))
    assert np.array_equal(strategy.ask().masks[0], beam.problem(learning).start)
    for _ in range(200):
        if strategy.finished is not None:
            break
        proposal = strategy.ask()
        outputs = beam.measure(proposal.masks)
        strategy.tell(proposal, outputs, np.zeros(len(outputs)))
    assert beam.true_error(strategy.incumbent) < 0.05
