"""Identification of a coherent readout, y = |f0 + sum_i w_i f_i|^2, or of any other by what the data say.

After the S-matrix design two models predict masks that they were not fitted to: one linear in y (incoherent readout),
one linear in sqrt(y) (coherent, all mirrors in phase: then every term of the sum is positive, and N masks suffice). The
better one is used if it is right up to noise. If neither is, the mirrors interfere with phases of their own: random
masks are measured until there are about 3 N in all, from which phase retrieval finds the complex fields, and more where
that is not enough. The report of a run says which model was used and how wrong each was.
"""

from __future__ import annotations

import logging
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from labcontrol.config import LearningConfig, Section
from labcontrol.learning.identification import IdentificationSettings, MultiplexedIdentification
from labcontrol.learning.measurements import Measurements
from labcontrol.learning.problem import Problem
from labcontrol.learning.readout_models import FieldModel, ReadoutModel, fit_fields, fit_in_phase

log = logging.getLogger(__name__)

LINEAR, IN_PHASE, QUADRATIC = "incoherent", "in-phase", "quadratic"
_MOST_UNSOLVED = 0.1  # share of the steps
_TOLERANCE = 0.01  # mismatch of the amplitudes that is no solution, beside noise


class QuadraticSettings(IdentificationSettings):
    """Settings of quadratic identification."""

    masks_per_neuron: float = Field(
        3.0, ge=2.2, le=10, description="masks of the design over neurons, where fields have phases of their own"
    )
    most_masks_per_neuron: float = Field(
        5.0, ge=2.2, le=20, description="at most so many, when phase retrieval does not succeed with fewer"
    )


class QuadraticIdentification(MultiplexedIdentification):
    """As multiplexed identification, with the model that the data ask for."""

    Settings: ClassVar[type[Section]] = QuadraticSettings

    def __init__(self, problem: Problem, learning: LearningConfig, settings: IdentificationSettings) -> None:
        assert isinstance(settings, QuadraticSettings)
        self._kind = ""
        self._per_neuron = settings.masks_per_neuron
        self._most_per_neuron = settings.most_masks_per_neuron
        self._seed = int(problem.rng.integers(2**62))  # for the random masks, so that a restart draws them again
        super().__init__(problem, learning, settings)
        self._first_design = self._design
        self._fields: FieldModel | None = None

    # --- which model --------------------------------------------------------------------------------------------
    def _is_identified(self) -> bool:
        if not self._kind:
            self._kind = self._kind_by_test()
            self._findings["readout"] = self._kind
            if self._kind == QUADRATIC:
                self._extend_design(self._per_neuron)
                return False
        if self._kind == QUADRATIC:
            unsolved = self._fit_fields()
            if unsolved > _MOST_UNSOLVED and self._per_neuron < self._most_per_neuron:
                self._per_neuron = min(self._per_neuron + 0.5, self._most_per_neuron)
                log.warning("phase retrieval leaves %.0f %% of the steps unsolved: measuring more", 100 * unsolved)
                self._extend_design(self._per_neuron)
                return False
        self._model = self._refined()
        return True

    def _kind_by_test(self) -> str:
        self._findings |= self._tested()
        linear, in_phase = self._findings["residual_if_linear"], self._findings["residual_if_in_phase"]
        if min(linear, in_phase) > 0.1 + 2 * self._findings["residual_of_noise"]:
            return QUADRATIC
        return LINEAR if linear <= in_phase else IN_PHASE

    def _extend_design(self, per_neuron: float) -> None:
        neurons = self._problem.neurons
        count = max(0, round(per_neuron * neurons) - len(self._first_design))
        random = np.random.default_rng(self._seed).random((count, neurons)) < 0.5
        self._design = np.concatenate([self._first_design, random])
        self._fields = None

    # --- fits ---------------------------------------------------------------------------------------------------
    def _refined(self) -> ReadoutModel:
        if self._kind == LINEAR:
            return super()._refined()
        if self._fields is None:
            self._fit_fields()
        assert self._fields is not None
        try:
            output, _ = self._measured.mean_output(self._mask)
        except KeyError:
            return self._fields
        return self._fields.corrected(self._mask, output)

    def _fit_fields(self) -> float:
        """Fields from the design; returns the share of steps that were not solved."""
        rows = self._design if self._coarse is None else np.concatenate([self._design, self._test])
        part = self._measured.part(rows)
        if self._kind == IN_PHASE:
            self._fields = fit_in_phase(part)
            return 0.0
        # Noise s of y is s / (2 sqrt(y)) of an amplitude, relative to which sqrt(y) is about sqrt(mean y).
        noise = self._problem.noise_std / (2 * max(float(np.mean(part.outputs)), 1e-300))
        self._fields, unsolved = fit_fields(part, _TOLERANCE + 3 * noise, np.random.default_rng([self._seed, 1]))
        self._findings["unsolved_steps"] = unsolved
        return unsolved

    def _fit_units(self, units: Measurements) -> ReadoutModel:
        """Nothing is known of the readout yet. In phase is a fair guess: to first order it is also the linear one."""
        return fit_in_phase(units)

    # --- restarts -----------------------------------------------------------------------------------------------
    def _start_again(self) -> None:
        self._kind, self._design, self._fields = "", self._first_design, None
        super()._start_again()

    def state(self) -> dict[str, Any]:
        return super().state() | {"kind": self._kind, "per_neuron": self._per_neuron}

    def restore(self, state: dict[str, Any]) -> None:
        self._kind, self._per_neuron = state["kind"], float(state["per_neuron"])
        if self._kind == QUADRATIC:
            self._extend_design(self._per_neuron)
        super().restore(state)
