"""Multiplexed identification: measure what every mirror does, find the best mask in software, correct it in place.

1. Coarse: the mirrors in a few dozen random groups, all of them measured in the first replay. The best union of groups
   is a good mask already, and these masks are the test of the model.
2. Identify: an S-matrix design tells all mirrors apart, with a noise sqrt(N)/2 times smaller than one by one.
3. Polish: some solutions, each another optimum, are measured several times over in one replay, join the data, and the
   search begins anew. A solution found on noisy responses is too good to be true in just those directions that it
   relies on: measuring it corrects the model exactly there. The best of what was measured is kept, judged by its mean
   output with the noise taken off.
4. Watch, if asked for: the incumbent is measured again and again; when it drifts, the mirrors are identified anew.
"""

from __future__ import annotations

import logging
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from labcontrol.config import LearningConfig, Section
from labcontrol.learning.boolean_search import GLOBAL, LOCAL
from labcontrol.learning.designs import group_design, s_matrix
from labcontrol.learning.mask_bound import mask_bound, seconds_of_bound
from labcontrol.learning.measurements import Measurements
from labcontrol.learning.problem import Problem
from labcontrol.learning.readout_models import LinearModel, ReadoutModel, fit_in_phase, fit_linear, residual
from labcontrol.learning.regularisation import chosen_ridge
from labcontrol.learning.strategy import Mask, Proposal, Strategy

log = logging.getLogger(__name__)

_SMALLEST_COARSE = 16  # masks in a replay from which on groups are worth their place
_TEST_MASKS = 8  # random ones, where there are no groups to test the model on
_MOST_CANDIDATES = 8
_BOUND_SPLITS = 6  # for the bound at the end; seconds, not a minute, for 900 mirrors
_REPEATS = 8  # of a solution in a round
_LEAST_REPEATS, _NEURONS_A_REPEAT = 4, 40  # where it is the only one in a round
COARSE, IDENTIFY, POLISH, WATCH, DONE = "coarse", "identify", "polish", "watch", "done"


class IdentificationSettings(Section):
    """Settings of multiplexed identification."""

    coarse: bool = Field(True, description="measure random groups of mirrors first")
    polish_rounds: int = Field(4, ge=1, le=1000, description="how often solutions are measured and corrected")
    repeats: int | None = Field(
        None,
        ge=1,
        le=10_000,
        examples=[8],
        description="measurements of each solution in a round; where not set, 8 where a replay has room for them, and "
        "else a fortieth of N, at least 4",
    )
    candidates: int | None = Field(
        None,
        ge=1,
        le=1000,
        examples=[4],
        description="solutions measured in a round, each another optimum of the model; where not set, as many as fit "
        "into a replay, at most 8",
    )
    ridge: float = Field(
        3e-4,
        ge=0,
        le=10,
        description="variance that a mirror is made to add in the search, as a share of the mean variance of a "
        "response: holds back over-fitting of short sequences",
    )
    validation_share: float = Field(
        0.0,
        ge=0,
        le=0.5,
        description="share of the training steps, the last, that is kept back to choose the ridge; 0 takes it as given",
    )
    search_seconds: float = Field(
        60.0,
        gt=0,
        le=86_400,
        description="computing time of one search at most, on a usual computer; more mirrors than that suffices for "
        "are searched less thoroughly",
    )
    watch: bool = Field(False, description="go on measuring the incumbent, and identify anew when it drifts")
    drift: float = Field(
        0.2,
        gt=0,
        le=2,
        description="change of the incumbent's output, as a share of its standard deviation, that counts as drift",
    )


class MultiplexedIdentification(Strategy):
    """Identification of an incoherent readout, y = sum_i w_i x_i."""

    Settings: ClassVar[type[Section]] = IdentificationSettings

    def __init__(self, problem: Problem, learning: LearningConfig, settings: IdentificationSettings) -> None:
        neurons = problem.neurons
        self._problem, self._settings = problem, settings
        self._loss = learning.loss
        self._gain = problem.measure.gain if learning.loss == "mse" else 0.0
        self._room = learning.masks_per_replay
        alone = max(_LEAST_REPEATS, neurons // _NEURONS_A_REPEAT)
        self._repeats = settings.repeats or (_REPEATS if self._room >= 2 * _REPEATS else alone)
        self._most = settings.candidates or max(1, min(_MOST_CANDIDATES, self._room // self._repeats))
        amplitude = float(np.sqrt(np.mean(problem.amplitudes**2)))
        self._noise_ridge = (problem.noise_std / amplitude) ** 2 if amplitude > 0 else 0.0
        has_coarse = settings.coarse and self._room >= _SMALLEST_COARSE and neurons > self._room
        self._coarse = group_design(neurons, self._room - 1, problem.rng) if has_coarse else None
        self._solvable = s_matrix(neurons)  # what suffices for a linear readout
        self._test = self._coarse.masks if self._coarse else problem.rng.random((_TEST_MASKS, neurons)) < 0.5
        self._design = self._solvable if self._coarse else np.concatenate([self._solvable, self._test])
        self._measured = self._no_measurements()
        self._mask, self._error = problem.start.copy(), float("inf")
        self._candidates = problem.start[None]
        self._stage = COARSE
        self._done = 0  # masks of the design that were measured, or rounds of polishing
        self._identifications = 0
        self._findings: dict[str, Any] = {}
        self._model: ReadoutModel | None = None

    @classmethod
    def begin(cls, problem: Problem, learning: LearningConfig, settings: Section) -> Self:
        assert isinstance(settings, IdentificationSettings)
        return cls(problem, learning, settings)

    def _no_measurements(self) -> Measurements:
        return Measurements(self._problem.neurons, len(self._problem.target))

    # --- ask ----------------------------------------------------------------------------------------------------
    @property
    def incumbent(self) -> Mask:
        return self._mask

    @property
    def incumbent_error(self) -> float:
        return self._error

    @property
    def finished(self) -> str | None:
        return "identified, solved and polished" if self._stage == DONE else None

    def ask(self) -> Proposal:
        masks = self._next_masks()
        return Proposal(masks, np.full(len(masks), -1))

    def _next_masks(self) -> NDArray[np.bool_]:
        if self._stage == COARSE:
            return np.concatenate([self._mask[None], self._coarse.masks]) if self._coarse else self._mask[None].copy()
        if self._stage == IDENTIFY:
            first = self._candidates[: self._guests]
            return np.concatenate([first, self._design[self._done : self._done + self._room - len(first)]])
        return np.repeat(self._candidates, self._repeats, axis=0)

    @property
    def _guests(self) -> int:
        """Masks in front of those of the design: the coarse solution, in the first replay of the design."""
        return int(self._done == 0 and self._coarse is not None)

    # --- tell ---------------------------------------------------------------------------------------------------
    def tell(self, proposal: Proposal, outputs: NDArray[np.float32], errors: NDArray[np.float64]) -> NDArray[np.bool_]:
        if self._stage in (POLISH, WATCH) and self._has_drifted(outputs):
            self._start_again()
            return np.zeros(len(errors), dtype=np.bool_)
        self._measured.add(proposal.masks, outputs)
        accepted = self._judge(proposal.masks, outputs)
        if self._stage == COARSE:
            if self._coarse:
                self._candidates = self._solve_coarse()[None]
            self._stage, self._done = IDENTIFY, 0
        elif self._stage == IDENTIFY:
            self._done += len(proposal.masks) - self._guests
            if self._done >= len(self._design) and self._is_identified():
                self._candidates = self._search()
                self._identifications += 1
                self._stage, self._done = POLISH, 0
        elif self._stage == POLISH:
            self._done += 1
            self._after_round()
        return accepted

    def _judge(self, masks: NDArray[np.bool_], outputs: NDArray[np.float32]) -> NDArray[np.bool_]:
        """The best candidate takes the incumbent's place if its error without noise is lower; only candidates can."""
        accepted = np.zeros(len(outputs), dtype=np.bool_)
        best, place = float("inf"), -1
        for candidate in self._candidates:
            rows = np.flatnonzero((masks == candidate).all(axis=1))
            if len(rows) == 0:
                continue
            error = self._problem.measure.without_noise(self._loss, outputs[rows], self._problem.noise_std)
            if np.array_equal(candidate, self._mask):
                self._error = error
            if error < best:
                best, place = error, int(rows[0])
        if place >= 0 and (best < self._error or not np.isfinite(self._error)):
            accepted[place] = True
            self._mask, self._error = masks[place].copy(), best
        return accepted

    def _after_round(self) -> None:
        if self._done < self._settings.polish_rounds:
            self._model = self._refined()
            self._candidates = self._search()
            return
        self._conclude()

    def _conclude(self) -> None:
        """Say how good the incumbent is, and stop or watch it."""
        model, problem, ridge = self._model, self._problem, self._settings.ridge
        if isinstance(model, LinearModel):
            if seconds_of_bound(problem.neurons, len(problem.target), _BOUND_SPLITS) <= self._settings.search_seconds:
                bound = mask_bound(
                    model.responses, model.background, problem.target, self._mask,
                    ridge=ridge, gain=self._gain, splits=_BOUND_SPLITS, progress=problem.progress,
                )  # fmt: skip
                self._findings["mask"] = str(bound)
            else:
                self._findings["mask"] = "how far it is from the best one was not computed: that takes too long"
        self._stage = WATCH if self._settings.watch else DONE
        self._candidates = self._mask[None]

    # --- models -------------------------------------------------------------------------------------------------
    def _is_identified(self) -> bool:
        """Fit the model to all that was measured; False when it needs more masks than the design had."""
        self._findings |= self._tested()
        found = self._findings
        if found["residual_if_linear"] > 0.1 + 2 * found["residual_of_noise"]:
            log.warning(
                "outputs are not the sum over mirrors: a linear model is wrong by %.0f %% of their spread, noise "
                "explains %.0f %%; try the strategy quadratic-identification",
                100 * found["residual_if_linear"],
                100 * found["residual_of_noise"],
            )
        self._model = self._refined()
        return True

    def _refined(self) -> ReadoutModel:
        """The model with everything measured so far."""
        return fit_linear(self._measured, self._noise_ridge)

    def _fit_units(self, units: Measurements) -> ReadoutModel:
        """Model of a few groups of mirrors."""
        return fit_linear(units, 0.0)

    def _search(self) -> NDArray[np.bool_]:
        """(K, N) the best masks by the model, each another optimum: of new starts, and around the incumbent."""
        assert self._model is not None
        problem, ridge, start = self._problem, self._settings.ridge, self._mask
        seconds, progress = self._settings.search_seconds, problem.progress
        effort = GLOBAL._replace(starts=max(GLOBAL.starts, self._most), seconds=seconds, progress=progress)
        if self._settings.validation_share > 0:
            share = self._settings.validation_share
            ridge = chosen_ridge(self._model, start, problem.target, self._gain, share, effort, problem.rng)
            self._findings["ridge"] = ridge
        found = [
            self._model.search(start, problem.target, self._gain, ridge, one, problem.rng)
            for one in (effort, LOCAL._replace(seconds=seconds, progress=progress))
        ]
        masks, errors = (np.concatenate(parts) for parts in zip(*found, strict=True))
        _, first = np.unique(masks, axis=0, return_index=True)
        best = first[np.argsort(errors[first], kind="stable")][: self._most]
        return np.asarray(masks[best])

    def _solve_coarse(self) -> Mask:
        """The best union of groups."""
        assert self._coarse is not None
        problem, design = self._problem, self._coarse
        count = design.unit_masks.shape[1]
        units = Measurements(count, len(problem.target))
        units.add(design.unit_masks, self._measured.part(design.masks).outputs)
        start: Mask = problem.rng.random((count,)) < 0.5
        chosen = self._fit_units(units).search(
            start, problem.target, self._gain, self._settings.ridge, GLOBAL, problem.rng
        )[0]
        mask: Mask = design.expanded(chosen[:1])[0]
        return mask

    def _tested(self) -> dict[str, float]:
        """How wrong models that were fitted to the S-matrix alone are about masks that are not in it."""
        fitted, test = self._measured.part(self._solvable), self._measured.part(self._test)
        spread = float(np.sqrt(np.mean(np.var(test.outputs, axis=1)))) or 1.0
        return {
            "residual_if_linear": residual(fit_linear(fitted, self._noise_ridge), test.masks, test.outputs),
            "residual_if_in_phase": residual(fit_in_phase(fitted), test.masks, test.outputs),
            # A prediction has the noise of about two outputs, what it is compared with that of one.
            "residual_of_noise": float(3**0.5 * self._problem.noise_std / spread),
        }

    # --- drift --------------------------------------------------------------------------------------------------
    def _has_drifted(self, outputs: NDArray[np.float32]) -> bool:
        """Whether the incumbent's output is no longer what it was, by more than noise explains."""
        try:
            before, count = self._measured.mean_output(self._candidates[0])
        except KeyError:
            return False
        outputs = outputs[: self._repeats]
        now = outputs.mean(axis=0, dtype=np.float64)
        change = float(np.std(now - before) / np.std(before))
        noise = self._problem.noise_std * np.sqrt(1 / count + 1 / len(outputs)) / float(np.std(before))
        self._findings["last_drift"] = change
        return bool(change > self._settings.drift + 3 * noise)

    def _start_again(self) -> None:
        change = 100 * self._findings["last_drift"]
        log.warning("the incumbent's output has drifted by %.0f %%: identifying anew", change)
        self._measured = self._no_measurements()
        self._stage, self._done, self._error = COARSE, 0, float("inf")
        self._candidates = self._mask[None]

    # --- results and restarts -----------------------------------------------------------------------------------
    def report(self) -> dict[str, Any]:
        return {
            "identifications": self._identifications,
            "incumbent_error": "of the mean output, noise taken off",
            **self._findings,
        }

    def state(self) -> dict[str, Any]:
        return {
            "generator": self._problem.rng.bit_generator.state,
            "measured": self._measured.state(),
            "mask": self._mask.copy(),
            "error": self._error,
            "candidates": self._candidates.copy(),
            "stage": self._stage,
            "done": self._done,
            "identifications": self._identifications,
            "findings": dict(self._findings),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self._problem.rng.bit_generator.state = state["generator"]
        self._measured.restore(state["measured"])
        self._mask, self._error = np.array(state["mask"], np.bool_), float(state["error"])
        self._candidates = np.array(state["candidates"], np.bool_)
        self._stage, self._done = state["stage"], state["done"]
        self._identifications, self._findings = state["identifications"], dict(state["findings"])
