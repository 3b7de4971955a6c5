"""Speculative coordinate descent: many single flips in one replay, the best compatible subset of them accepted.

While the SLM holds one pattern the DMD shows the incumbent, a few times, and flips of it. For a linear readout the
changes of the output add up, so the best subset is known without measuring it: a Boolean problem of as many variables
as there are flips, solved in software. For a coherent readout they add up as long as the subset is small. Either way
the subset is only proposed: the next replay measures it, as its own incumbent, and a step that made things worse is
taken back and halved.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from labcontrol.config import LearningConfig, Section
from labcontrol.errors import UserError
from labcontrol.learning.boolean_search import GLOBAL
from labcontrol.learning.linear_search import search_linear
from labcontrol.learning.problem import Problem
from labcontrol.learning.selection import FlipSettings, selection_rule
from labcontrol.learning.strategy import Mask, Proposal, Strategy, StrategyFacts

_MOST_DRAWS = 20  # of the selection rule for each mirror wanted; greedy rules repeat themselves


class SpeculativeSettings(FlipSettings):
    """Settings of speculative coordinate descent."""

    incumbent_repeats: int = Field(8, ge=1, le=1000, description="measurements of the incumbent in every replay")


class SpeculativeDescent(Strategy):
    """The selection rule of the experiment chooses the mirrors of a replay, without repetition."""

    Settings: ClassVar[type[Section]] = SpeculativeSettings

    def __init__(self, problem: Problem, learning: LearningConfig, settings: SpeculativeSettings) -> None:
        self._problem, self._loss = problem, learning.loss
        self._gain = problem.measure.gain if learning.loss == "mse" else 0.0
        self._repeats = settings.incumbent_repeats
        self._flips = min(learning.masks_per_replay - self._repeats, problem.neurons)
        self._rule = selection_rule(settings.selection, problem.neurons, problem.rng, amplitudes=problem.amplitudes)
        self._mask = problem.start.copy()
        self._error = float("inf")
        self._step = np.empty(0, dtype=np.int64)  # mirrors that led here and are on probation
        self._before = float("inf")  # error before the step
        self._largest = self._flips
        self._mirrors = self._draw()

    @classmethod
    def check(cls, learning: LearningConfig, settings: Section) -> None:
        assert isinstance(settings, SpeculativeSettings)
        if learning.masks_per_replay <= settings.incumbent_repeats:
            raise UserError(
                f"Speculative descent needs a replay of more than {settings.incumbent_repeats} masks, "
                f"learning.masks_per_replay allows {learning.masks_per_replay}.",
                "Allow more, or use noise-aware where the devices show one mask a replay.",
            )

    @classmethod
    def facts(cls, learning: LearningConfig, settings: Section) -> StrategyFacts:
        assert isinstance(settings, SpeculativeSettings)
        return StrategyFacts(learning.strategy, selection=settings.selection)

    @classmethod
    def begin(cls, problem: Problem, learning: LearningConfig, settings: Section) -> Self:
        assert isinstance(settings, SpeculativeSettings)
        return cls(problem, learning, settings)

    @property
    def incumbent(self) -> Mask:
        """Without the step on probation, until it was measured."""
        mask = self._mask.copy()
        mask[self._step] ^= True
        return mask

    @property
    def incumbent_error(self) -> float:
        return self._before if len(self._step) else self._error

    def ask(self) -> Proposal:
        masks = np.repeat(self._mask[None], self._repeats + len(self._mirrors), axis=0)
        rows = self._repeats + np.arange(len(self._mirrors))
        masks[rows, self._mirrors] ^= True
        return Proposal(masks, np.concatenate([np.full(self._repeats, -1), self._mirrors]))

    def tell(self, proposal: Proposal, outputs: NDArray[np.float32], errors: NDArray[np.float64]) -> NDArray[np.bool_]:
        accepted = np.zeros(len(errors), dtype=np.bool_)
        incumbent = outputs[: self._repeats]
        error = self._problem.measure.without_noise(self._loss, incumbent, self._problem.noise_std)
        if len(self._step) and error >= self._before:  # take it back, and trust less of the next one
            self._mask[self._step] ^= True
            self._error = self._before
            self._largest = max(1, len(self._step) // 2)
        else:
            accepted[0] = len(self._step) > 0 or not np.isfinite(self._error)
            self._error = error
            self._largest = min(self._flips, 2 * self._largest)
            self._before = error
            self._step = self._best_subset(outputs)
            self._mask[self._step] ^= True
            self._mirrors = self._draw()
            return accepted
        self._step = np.empty(0, dtype=np.int64)
        self._mirrors = self._draw()
        return accepted

    def _best_subset(self, outputs: NDArray[np.float32]) -> NDArray[np.int64]:
        """Mirrors of this replay to flip together, at most `_largest`, those with the largest effect first."""
        values = outputs.astype(np.float64)
        values -= values.mean(axis=1, keepdims=True)
        values /= float(np.std(values)) or 1.0
        scale = float(np.std(outputs - outputs.mean(axis=1, keepdims=True))) or 1.0
        base = values[: self._repeats].mean(axis=0)
        changes = values[self._repeats :] - base
        target, steps = self._problem.target, values.shape[1]
        covariance = changes @ changes.T / steps
        cross, overlaps = changes @ base / steps, changes @ target / steps
        variance, overlap = float(base @ base) / steps, float(base @ target) / steps
        gain = self._gain / scale
        none = np.zeros(len(changes), dtype=np.bool_)
        found, _ = search_linear(covariance, cross, overlaps, variance, overlap, gain, none, GLOBAL, self._problem.rng)
        chosen = found[0]
        mirrors: NDArray[np.int64] = self._mirrors[chosen]
        if len(mirrors) <= self._largest:
            return mirrors
        effect = np.diag(covariance)[chosen]
        return mirrors[np.argsort(-effect, kind="stable")[: self._largest]]

    def _draw(self) -> NDArray[np.int64]:
        """The mirrors of the next replay, each once."""
        drawn: dict[int, None] = {}
        for _ in range(_MOST_DRAWS * self._flips):
            drawn.update(dict.fromkeys(self._rule.next(self._problem.rng).tolist()))
            if len(drawn) >= self._flips:
                break
        return np.array(list(drawn)[: self._flips], dtype=np.int64)

    def report(self) -> dict[str, Any]:
        return {"largest_step": self._largest, "incumbent_error": "of the mean output, noise taken off"}

    def state(self) -> dict[str, Any]:
        return {
            "mask": self._mask.copy(),
            "error": self._error,
            "step": self._step.copy(),
            "before": self._before,
            "largest": self._largest,
            "mirrors": self._mirrors.copy(),
            "generator": self._problem.rng.bit_generator.state,
            "rule": self._rule.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self._mask, self._error = np.array(state["mask"], np.bool_), float(state["error"])
        self._step, self._before = np.array(state["step"], np.int64), float(state["before"])
        self._largest, self._mirrors = int(state["largest"]), np.array(state["mirrors"], np.int64)
        self._problem.rng.bit_generator.state = state["generator"]
        self._rule.restore(state["rule"])
