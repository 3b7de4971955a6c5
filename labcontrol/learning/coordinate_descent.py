"""Boolean coordinate descent: flip one mirror, keep the flip if and only if the error fell."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from labcontrol.config import LearningConfig, OneOf, Section
from labcontrol.learning.acceptance import ACCEPTANCES, accept
from labcontrol.learning.problem import Problem
from labcontrol.learning.selection import SELECTIONS, SINGLE_FLIPS, FlipSettings, SelectionRule, selection_rule
from labcontrol.learning.strategy import Mask, Proposal, Strategy, StrategyFacts


class CoordinateDescentSettings(FlipSettings):
    """Settings of coordinate descent."""

    selection: Annotated[str, OneOf(tuple(SELECTIONS))] = Field("uniform", description="which mirror is flipped next")
    acceptance: Annotated[str, OneOf(tuple(ACCEPTANCES))] = Field(
        "stored",
        description="stored: compare with the error measured when the incumbent was accepted; "
        "re-measured: measure the incumbent again beside each candidate",
    )


class CoordinateDescent(Strategy):
    """One candidate an epoch, chosen by a selection rule.

    remeasure: compare with the incumbent measured again beside each candidate, instead of with the error stored when
    it was accepted. A stored error that was low by luck freezes learning; measuring again avoids it at the cost of a
    second mask.
    rng: draws whatever the rule needs.
    """

    Settings: ClassVar[type[Section]] = CoordinateDescentSettings

    def __init__(self, initial_mask: Mask, rule: SelectionRule, rng: np.random.Generator, *, remeasure: bool) -> None:
        self._mask = initial_mask.copy()
        self._rule = rule
        self._rng = rng
        self._remeasure = remeasure
        self._error = float("inf")

    @classmethod
    def facts(cls, learning: LearningConfig, settings: Section) -> StrategyFacts:  # noqa: ARG003 (do not change them)
        assert isinstance(settings, CoordinateDescentSettings)
        remeasured = settings.acceptance == "re-measured"
        return StrategyFacts(
            label=settings.selection,
            flip_by_flip=True,
            epochs_per_flip=2 if remeasured else 1,
            many_masks=False,
            single_flips=settings.selection in SINGLE_FLIPS,
            selection=settings.selection,
            remeasured=remeasured,
        )

    @classmethod
    def begin(cls, problem: Problem, learning: LearningConfig, settings: Section) -> Self:  # noqa: ARG003 (all is in the problem)
        assert isinstance(settings, CoordinateDescentSettings)
        rule = selection_rule(settings.selection, problem.neurons, problem.rng, amplitudes=problem.amplitudes)
        return cls(problem.start, rule, problem.rng, remeasure=settings.acceptance == "re-measured")

    @property
    def incumbent(self) -> Mask:
        return self._mask

    @property
    def incumbent_error(self) -> float:
        return self._error

    def ask(self) -> Proposal:
        if self._error == float("inf"):
            return Proposal(self._mask[None].copy(), np.array([-1]))
        flipped = self._rule.next(self._rng)
        candidate = self._mask.copy()
        candidate[flipped] ^= True
        mirror = int(flipped[0]) if len(flipped) == 1 else -1
        if self._remeasure:
            return Proposal(np.stack([self._mask, candidate]), np.array([-1, mirror]))
        return Proposal(candidate[None], np.array([mirror]))

    def tell(self, proposal: Proposal, outputs: NDArray[np.float32], errors: NDArray[np.float64]) -> NDArray[np.bool_]:
        accepted = np.zeros(len(errors), dtype=np.bool_)
        if len(errors) == 2:  # the incumbent, measured again
            self._error = float(errors[0])
        if accept(float(errors[-1]), self._error):
            accepted[-1] = True
            self._mask = proposal.masks[-1].copy()
            self._error = float(errors[-1])
        return accepted

    def state(self) -> dict[str, Any]:
        return {
            "mask": self._mask.copy(),
            "error": self._error,
            "generator": self._rng.bit_generator.state,
            "rule": self._rule.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self._mask = np.array(state["mask"], dtype=np.bool_)
        self._error = float(state["error"])
        self._rng.bit_generator.state = state["generator"]
        self._rule.restore(state["rule"])
