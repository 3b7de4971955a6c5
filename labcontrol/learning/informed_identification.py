"""Identification with what the program knows already: the phase of every neuron at every step.

1. Learn: some tens of masks of the S-matrix, in random order, in the first replay. Phases and a smooth beam explain
   them with a few numbers, and so tell the responses of all mirrors (`phase_prior`).
2. Polish: the best masks by this model are measured several times, beside further masks of the S-matrix, and join the
   data. This goes on as long as the error falls: where the physics holds, for some replays; where mirrors scatter or
   phases are off, until the masks measured tell the mirrors apart by themselves.

Where phases are not known, or explain too little of what was measured, all mirrors are identified as in multiplexed
identification, and the reason is reported.
"""

from __future__ import annotations

import logging
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from labcontrol.config import LearningConfig, Section
from labcontrol.learning.identification import (
    COARSE,
    DONE,
    IDENTIFY,
    POLISH,
    WATCH,
    IdentificationSettings,
    MultiplexedIdentification,
)
from labcontrol.learning.phase_prior import fit_informed, physical_prior
from labcontrol.learning.phase_responses import PhaseResponses
from labcontrol.learning.problem import Problem
from labcontrol.learning.readout_models import ReadoutModel
from labcontrol.learning.strategy import Proposal

log = logging.getLogger(__name__)

_LEAST_FURTHER = 8  # masks of the design in a round, where a replay has no room for more


class InformedSettings(IdentificationSettings):
    """Settings of physics-informed identification."""

    first_masks: int = Field(64, ge=24, le=10_000, description="masks measured before the responses are modelled")
    most_unexplained: float = Field(
        0.1,
        gt=0,
        le=1,
        description="fraction of what was measured that phases and beam may leave unexplained; above it all mirrors "
        "are identified without them",
    )
    least_fall: float = Field(
        0.05, ge=0, lt=1, description="relative fall of the error in two rounds for which a further one is measured"
    )


class InformedIdentification(MultiplexedIdentification):
    """As multiplexed identification, with a prior for the responses and masks only while they pay."""

    Settings: ClassVar[type[Section]] = InformedSettings

    def __init__(self, problem: Problem, learning: LearningConfig, settings: IdentificationSettings) -> None:
        assert isinstance(settings, InformedSettings)
        super().__init__(problem, learning, settings)
        self._informed = settings
        self._coarse = None
        self._solvable = problem.rng.permutation(self._solvable)
        self._test = problem.rng.random((len(self._test[:8]), problem.neurons)) < 0.5
        self._design = np.concatenate([self._solvable, self._test])
        self._first = min(settings.first_masks, len(self._solvable)) - 1  # of the design; the initial mask is one more
        self._most = settings.candidates or max(1, self._most // 2)
        self._falls: list[float] = []  # error of the incumbent after every round
        self._without = ""  # why phases are not used
        self._prior: PhaseResponses | None = None
        if problem.phases_rad is None:
            self._give_up("the phases of the neurons are not known")

    def _give_up(self, why: str) -> None:
        log.warning("%s: all mirrors are identified", why)
        self._without = self._findings["without_phases"] = why

    # --- ask and tell -------------------------------------------------------------------------------------------
    def _next_masks(self) -> NDArray[np.bool_]:
        if self._stage == COARSE:
            first = self._design[:0] if self._has_begun else self._mask[None]
            count = min(self._room - len(first), self._first - self._done)
            return np.concatenate([first, self._design[self._done : self._done + max(count, 0)]])
        masks = super()._next_masks()
        if self._stage != POLISH or self._without:
            return masks
        further = max(self._room - len(masks), _LEAST_FURTHER)
        return np.concatenate([masks, self._design[self._done : self._done + further]])

    @property
    def _has_begun(self) -> bool:
        """Whether the initial mask was measured."""
        return bool(np.isfinite(self._error))

    def tell(self, proposal: Proposal, outputs: NDArray[np.float32], errors: NDArray[np.float64]) -> NDArray[np.bool_]:
        if self._stage in (IDENTIFY, DONE) or (self._without and self._stage != COARSE):
            return super().tell(proposal, outputs, errors)
        if self._stage in (POLISH, WATCH) and self._has_drifted(outputs):
            self._start_again()
            return np.zeros(len(errors), dtype=np.bool_)
        begun = self._has_begun
        self._measured.add(proposal.masks, outputs)
        accepted = self._judge(proposal.masks, outputs)
        if self._stage == COARSE:
            self._done += len(proposal.masks) - int(not begun)
            if self._done >= self._first:
                self._after_first()
        elif self._stage == POLISH:
            self._done = min(
                self._done + len(proposal.masks) - len(self._candidates) * self._repeats, len(self._design)
            )
            self._after_round()
        return accepted

    def _after_first(self) -> None:
        if not self._without:
            self._model = self._refined()
            unexplained = self._findings["unexplained"]
            if unexplained > self._informed.most_unexplained:
                self._give_up(f"phases and a smooth beam leave {100 * unexplained:.0f} % of the outputs unexplained")
        if self._without:
            self._stage = IDENTIFY
            return
        self._candidates = self._search()
        self._identifications += 1
        self._stage = POLISH

    def _after_round(self) -> None:
        if self._without:
            super()._after_round()
            return
        self._falls.append(self._error)
        least = 1 - self._informed.least_fall
        if len(self._falls) < 3 or self._falls[-1] < least * self._falls[-3]:
            self._model = self._refined()
            self._candidates = self._search()
            return
        self._conclude()

    # --- model --------------------------------------------------------------------------------------------------
    def _refined(self) -> ReadoutModel:
        if self._without:
            return super()._refined()
        phases = self._problem.phases_rad
        assert phases is not None
        if self._prior is None:
            first = self._measured.part(self._design[: self._first])
            self._prior = physical_prior(phases, first, self._problem.noise_std)
        fit = fit_informed(phases, self._prior, self._measured)
        self._findings |= {
            "unexplained": fit.unexplained,
            "phase_scale": self._prior.phase_scale,
            "scatter": fit.scatter,
            "rest": fit.rest,
            "masks_of_the_design": self._done,
        }
        return fit.model

    # --- restarts -----------------------------------------------------------------------------------------------
    def _start_again(self) -> None:
        super()._start_again()
        self._falls, self._prior = [], None

    def state(self) -> dict[str, Any]:
        return super().state() | {"falls": list(self._falls), "without": self._without}

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        self._falls, self._without, self._prior = list(state["falls"]), state["without"], None
