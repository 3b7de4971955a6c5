"""Coordinate descent that repeats a measurement only until it can tell.

A noisy detector makes a luckily low error the one to beat: with the stored error learning freezes, with re-measuring it
pays twice for every candidate, also for those that are plainly worse. Here candidate and incumbent are measured in turn
until their difference is beyond a boundary that noise alone crosses with a stated probability, however often one looks;
or until the budget is spent, when the lower mean decides: descent forgives a wrong step, but not a step never taken.

Boundary: the normal mixture of Robbins, Ann. Math. Stat. 41, 1397 (1970); Howard et al., Ann. Stat. 49, 1055 (2021). A
sum of n differences with variance s^2 each stays for all n within s sqrt((n + r) log((n + r) / (r a^2))), except with
probability a; r says at which n it is tightest.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from labcontrol.config import LearningConfig, Section
from labcontrol.learning.problem import Problem
from labcontrol.learning.selection import SINGLE_FLIPS, FlipSettings, selection_rule
from labcontrol.learning.strategy import Mask, Proposal, Strategy, StrategyFacts

TIGHTEST = 1.0  # r of the boundary


class NoiseAwareSettings(FlipSettings):
    """Settings of noise-aware acceptance."""

    error_probability: float = Field(
        0.2,
        gt=0,
        lt=1,
        description="chance that noise alone ends the comparison of two equally good masks before the budget is spent",
    )
    largest_repeats: int = Field(
        2, ge=1, le=1000, description="measurements of one candidate at most; then the lower mean decides"
    )
    incumbent_repeats: int = Field(
        2, ge=1, le=1000, description="measurements of a new incumbent before candidates are compared with it"
    )


class NoiseAwareDescent(Strategy):
    """One flip at a time, chosen by the selection rule of the experiment, judged by a sequential test."""

    Settings: ClassVar[type[Section]] = NoiseAwareSettings

    def __init__(self, problem: Problem, learning: LearningConfig, settings: NoiseAwareSettings) -> None:
        self._problem, self._settings = problem, settings
        self._loss = learning.loss
        self._rule = selection_rule(settings.selection, problem.neurons, problem.rng, amplitudes=problem.amplitudes)
        self._mask = problem.start.copy()
        self._held = _Mean()
        self._flipped = np.empty(0, dtype=np.int64)  # mirrors of the candidate under test; empty before one is drawn
        self._tried = _Mean()
        self._noise_std = 0.0  # of one error

    @classmethod
    def facts(cls, learning: LearningConfig, settings: Section) -> StrategyFacts:
        assert isinstance(settings, NoiseAwareSettings)
        return StrategyFacts(
            learning.strategy,
            flip_by_flip=True,
            many_masks=False,
            single_flips=settings.selection in SINGLE_FLIPS,
            selection=settings.selection,
        )

    @classmethod
    def begin(cls, problem: Problem, learning: LearningConfig, settings: Section) -> Self:
        assert isinstance(settings, NoiseAwareSettings)
        return cls(problem, learning, settings)

    @property
    def incumbent(self) -> Mask:
        return self._mask

    @property
    def incumbent_error(self) -> float:
        return self._held.value if self._held.count else float("inf")

    def ask(self) -> Proposal:
        if self._measures_incumbent:
            return Proposal(self._mask[None].copy(), np.array([-1]))
        if len(self._flipped) == 0:
            self._flipped = self._rule.next(self._problem.rng)
        mirror = int(self._flipped[0]) if len(self._flipped) == 1 else -1
        return Proposal(self._candidate()[None], np.array([mirror]))

    @property
    def _measures_incumbent(self) -> bool:
        """The incumbent is measured at least as often as the candidate, and afresh when it is new."""
        return self._held.count < max(self._settings.incumbent_repeats, self._tried.count)

    def _candidate(self) -> Mask:
        candidate = self._mask.copy()
        candidate[self._flipped] ^= True
        return candidate

    def tell(self, proposal: Proposal, outputs: NDArray[np.float32], errors: NDArray[np.float64]) -> NDArray[np.bool_]:
        error = float(errors[0])
        if self._measures_incumbent:
            self._held.add(error)
            self._noise_std = self._error_noise(outputs[0])
        else:
            self._tried.add(error)
        if not self._tried.count:
            return np.array([self._held.count == 1])
        verdict = self._verdict()
        if verdict is None:
            return np.zeros(1, dtype=np.bool_)
        if verdict:
            # The measurements that chose it are low by selection: together they count as one.
            self._mask, self._held = self._candidate(), _Mean(self._tried.value, 1)
        self._flipped, self._tried = np.empty(0, dtype=np.int64), _Mean()
        return np.array([verdict])

    def _verdict(self) -> bool | None:
        """True for the candidate, False for the incumbent, None to go on."""
        count = 1 / (1 / self._tried.count + 1 / self._held.count)
        difference = self._held.value - self._tried.value
        error_probability = self._settings.error_probability
        log_ratio = math.log((count + TIGHTEST) / (TIGHTEST * error_probability**2))
        boundary = self._noise_std * math.sqrt((count + TIGHTEST) * log_ratio) / count
        if abs(difference) > boundary:
            return difference > 0
        if self._tried.count >= self._settings.largest_repeats:
            return difference > 0
        return None

    def _error_noise(self, output: NDArray[np.float32]) -> float:
        """Standard deviation that the detector's noise gives one error of a mask with this output.

        With n the noise of T samples, s the unit in which the error counts the output and r what is left of the target:
        d(error) = 2 r.n / (s T) + n.n / (s^2 T).
        """
        centred = output.astype(np.float64) - float(np.mean(output))
        spread = float(np.std(centred))
        if spread == 0:
            return 0.0
        target, steps = self._problem.target, len(output)
        if self._loss == "mse":
            unit = self._problem.measure.gain
            left = float(np.mean((centred / unit - target) ** 2))
        else:
            unit = spread
            left = 1 - float(np.mean(centred / spread * target)) ** 2
        relative = self._problem.noise_std / unit
        return math.sqrt((4 * left * relative**2 + 2 * relative**4) / steps)

    def report(self) -> dict[str, Any]:
        return {"error_noise": self._noise_std}

    def state(self) -> dict[str, Any]:
        return {
            "mask": self._mask.copy(),
            "held": self._held.state(),
            "tried": self._tried.state(),
            "flipped": self._flipped.copy(),
            "noise_std": self._noise_std,
            "generator": self._problem.rng.bit_generator.state,
            "rule": self._rule.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self._mask = np.array(state["mask"], dtype=np.bool_)
        self._held, self._tried = _Mean(*state["held"]), _Mean(*state["tried"])
        self._flipped = np.array(state["flipped"], dtype=np.int64)
        self._noise_std = float(state["noise_std"])
        self._problem.rng.bit_generator.state = state["generator"]
        self._rule.restore(state["rule"])


class _Mean:
    """A running mean."""

    def __init__(self, value: float = 0.0, count: int = 0) -> None:
        self.value, self.count = value, count

    def add(self, value: float) -> None:
        self.count += 1
        self.value += (value - self.value) / self.count

    def state(self) -> list[float]:
        return [self.value, self.count]
