"""Baselines that know nothing of mirrors: optimisers of N real numbers, of which the positive ones are mirrors on.

CMA-ES comes from the package cma, (1 + lambda) and SPSA from nevergrad (the optional extra `optimisers`); both packages
are imported when they are used. Parameter-exploring policy gradients (Sehnke et al., Neural Networks 23, 551, 2010) are
in no package that is kept up, and short.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from importlib import import_module
from importlib.util import find_spec
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from labcontrol.config import LearningConfig, Section
from labcontrol.errors import UserError
from labcontrol.learning.problem import Problem
from labcontrol.learning.strategy import Mask, Proposal, Strategy

Floats = NDArray[np.float64]


class BlackBoxSettings(Section):
    """Settings of the baselines."""

    spread: float = Field(
        2.0,
        gt=0,
        le=100,
        description="first step of the real numbers; they start at 1 for a mirror that is on, else -1",
    )


class Optimiser(ABC):
    """Minimises a function of N real numbers by ask and tell."""

    @abstractmethod
    def __init__(self, start: Floats, spread: float, room: int, rng: np.random.Generator) -> None:
        """start: (N,). room: points asked for at once, where the method leaves a choice."""

    @abstractmethod
    def ask(self) -> Floats:
        """(B, N) points."""

    @abstractmethod
    def tell(self, errors: Floats) -> None:
        """Errors (B,) of the points asked for last."""


class BlackBoxSearch(Strategy):
    """An optimiser as a strategy; the incumbent is the mask with the lowest error measured.

    No package can save its optimisers portably. A restart therefore begins anew and tells the same errors again.
    """

    Settings: ClassVar[type[Section]] = BlackBoxSettings
    optimiser: ClassVar[type[Optimiser]]
    package: ClassVar[str | None] = None

    def __init__(self, problem: Problem, learning: LearningConfig, settings: BlackBoxSettings) -> None:
        seed = int(problem.rng.integers(2**32 - 1))
        start = np.where(problem.start, 1.0, -1.0)
        self._optimiser = self.optimiser(start, settings.spread, learning.masks_per_replay, np.random.default_rng(seed))
        self._mask, self._error = problem.start.copy(), float("inf")
        self._waiting: NDArray[np.bool_] | None = None  # asked for, not told
        self._told: list[NDArray[np.float64]] = []

    @classmethod
    def check(cls, learning: LearningConfig, settings: Section) -> None:  # noqa: ARG003 (any will do)
        if cls.package is not None and find_spec(cls.package) is None:
            raise UserError(
                f"The strategy {learning.strategy!r} needs the package {cls.package!r}, which is not installed.",
                "Install it with: pip install 'labcontrol[optimisers]'.",
            )

    @classmethod
    def begin(cls, problem: Problem, learning: LearningConfig, settings: Section) -> Self:
        assert isinstance(settings, BlackBoxSettings)
        return cls(problem, learning, settings)

    @property
    def incumbent(self) -> Mask:
        return self._mask

    @property
    def incumbent_error(self) -> float:
        return self._error

    def ask(self) -> Proposal:
        if self._waiting is None:
            self._waiting = self._mask[None] if not self._told else self._optimiser.ask() > 0
        return Proposal(self._waiting.copy(), np.full(len(self._waiting), -1))

    def tell(self, proposal: Proposal, outputs: NDArray[np.float32], errors: NDArray[np.float64]) -> NDArray[np.bool_]:
        accepted = np.zeros(len(errors), dtype=np.bool_)
        for row, error in enumerate(errors):
            if error < self._error:
                accepted[row] = True
                self._mask, self._error = proposal.masks[row].copy(), float(error)
        if self._told:
            self._optimiser.tell(np.asarray(errors, dtype=np.float64))
        self._told.append(np.array(errors, dtype=np.float64))
        self._waiting = None
        return accepted

    def state(self) -> dict[str, Any]:
        told = np.concatenate(self._told) if self._told else np.empty(0)
        sizes = np.array([len(errors) for errors in self._told], dtype=np.int64)
        return {"errors": told, "sizes": sizes, "mask": self._mask.copy(), "error": self._error}

    def restore(self, state: dict[str, Any]) -> None:
        for errors in np.split(
            np.array(state["errors"]), np.cumsum(state["sizes"])[:-1] if len(state["sizes"]) else []
        ):
            if len(errors):
                self.tell(self.ask(), np.empty((len(errors), 0), np.float32), errors)
        self._mask, self._error = np.array(state["mask"], np.bool_), float(state["error"])


# --- the optimisers ---------------------------------------------------------------------------------------------
class _Cma(Optimiser):
    """Separable CMA-ES: a full covariance of 900 numbers learns slower than it can be used."""

    def __init__(self, start: Floats, spread: float, room: int, rng: np.random.Generator) -> None:
        options = {
            "popsize": max(room, 4),
            "CMA_diagonal": True,
            "randn": lambda *shape: rng.standard_normal(shape),
            "seed": np.nan,  # the generator above is all there is
            "verbose": -9,
        }
        self._strategy = import_module("cma").CMAEvolutionStrategy(start, spread, options)
        self._points: list[Floats] = []

    def ask(self) -> Floats:
        self._points = self._strategy.ask()
        return np.array(self._points)

    def tell(self, errors: Floats) -> None:
        self._strategy.tell(self._points, errors.tolist())


class _Nevergrad(Optimiser):
    """An optimiser of nevergrad's registry. at_once: points a round; None for as many as there is room for."""

    registered: ClassVar[str]
    at_once: ClassVar[int | None] = None

    def __init__(self, start: Floats, spread: float, room: int, rng: np.random.Generator) -> None:
        nevergrad = import_module("nevergrad")
        points = nevergrad.p.Array(init=start).set_mutation(sigma=spread)
        points.random_state.seed(int(rng.integers(2**32 - 1)))
        workers = self.at_once or room
        self._optimiser = nevergrad.optimizers.registry[self.registered](points, budget=None, num_workers=workers)
        self._workers = workers
        self._candidates: list[Any] = []

    def ask(self) -> Floats:
        self._candidates = [self._optimiser.ask() for _ in range(self._workers)]
        return np.array([candidate.value for candidate in self._candidates])

    def tell(self, errors: Floats) -> None:
        for candidate, error in zip(self._candidates, errors, strict=True):
            self._optimiser.tell(candidate, float(error))


class _OnePlusLambda(_Nevergrad):
    """Mutation rates from a heavy-tailed law (Doerr et al., GECCO 2017); lambda points are asked for at once."""

    registered = "DoubleFastGADiscreteOnePlusOne"


class _Spsa(_Nevergrad):
    """Gains for a threshold, which answers only to steps that cross it; nevergrad's own suit smooth functions."""

    registered = "SPSA"
    at_once = 1
    _REACH, _GAIN = 0.75, 0.25  # of the points, of a step; in units of the spread

    def __init__(self, start: Floats, spread: float, room: int, rng: np.random.Generator) -> None:
        super().__init__(start, spread, room, rng)
        self._optimiser.c, self._optimiser.a = self._REACH, self._GAIN


class _Pepg(Optimiser):
    """Mean and spread of every number follow the gradient of the expected error, from mirrored pairs of points."""

    _MEAN_RATE, _SPREAD_RATE = 10.0, 0.005

    def __init__(self, start: Floats, spread: float, room: int, rng: np.random.Generator) -> None:
        self._mean, self._spread, self._rng = start.copy(), np.full(len(start), spread), rng
        self._pairs = max(1, room // 2)
        self._steps = np.empty((0, len(start)))
        self._baseline: float | None = None

    def ask(self) -> Floats:
        self._steps = self._spread * self._rng.standard_normal((self._pairs, len(self._mean)))
        return np.concatenate([self._mean + self._steps, self._mean - self._steps])

    def tell(self, errors: Floats) -> None:
        plus, minus = errors[: self._pairs], errors[self._pairs :]
        scale = float(np.std(errors)) or 1.0
        slope = (plus - minus) / (2 * scale)
        self._mean -= self._MEAN_RATE * (slope @ self._steps) / self._pairs / self._spread
        level = (plus + minus) / 2
        baseline = float(np.mean(level)) if self._baseline is None else self._baseline
        relative = (self._steps**2 - self._spread**2) / self._spread**2
        self._spread *= np.exp(-self._SPREAD_RATE * ((level - baseline) / scale) @ relative / self._pairs)
        self._baseline = 0.9 * baseline + 0.1 * float(np.mean(level))


class CmaEs(BlackBoxSearch):
    optimiser = _Cma
    package = "cma"


class OnePlusLambda(BlackBoxSearch):
    optimiser = _OnePlusLambda
    package = "nevergrad"


class Spsa(BlackBoxSearch):
    optimiser = _Spsa
    package = "nevergrad"


class Pepg(BlackBoxSearch):
    optimiser = _Pepg
