"""Strategies by name. A new one is a module with a `Strategy` in it and an entry here."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
from pydantic import ValidationError

from labcontrol.config import LearningConfig, Section, user_error
from labcontrol.errors import UserError
from labcontrol.learning.problem import Problem
from labcontrol.learning.strategy import Mask, Strategy, StrategyFacts


class StrategyEntry(NamedTuple):
    """Where a strategy is found, and what it does in a line.

    Attributes
    ----------
    home : str
        Module and class; imported when it is used: a window that only lists names should not wait for a compiler or an
        optimiser library.
    description : str
        For people who choose one.
    """

    home: str
    description: str


STRATEGIES: dict[str, StrategyEntry] = {
    "coordinate-descent": StrategyEntry(
        "labcontrol.learning.coordinate_descent:CoordinateDescent",
        "flip one mirror an epoch, keep the flip if the error fell",
    ),
    "noise-aware": StrategyEntry(
        "labcontrol.learning.noise_aware:NoiseAwareDescent",
        "flip one mirror, repeat the measurement only until it can tell",
    ),
    "speculative": StrategyEntry(
        "labcontrol.learning.speculative:SpeculativeDescent",
        "measure many single flips in one replay, take the best subset of them together",
    ),
    "multiplexed-identification": StrategyEntry(
        "labcontrol.learning.identification:MultiplexedIdentification",
        "measure what every mirror does with an S-matrix of masks, solve in software, polish",
    ),
    "physics-informed-identification": StrategyEntry(
        "labcontrol.learning.informed_identification:InformedIdentification",
        "the same from a few masks, with the phases that the program knows already",
    ),
    "quadratic-identification": StrategyEntry(
        "labcontrol.learning.quadratic_identification:QuadraticIdentification",
        "the same for a coherent readout: fields, by phase retrieval where they interfere",
    ),
    "cma-es": StrategyEntry(
        "labcontrol.learning.black_box:CmaEs",
        "baseline: separable CMA-ES on real numbers, of which the positive ones are mirrors on",
    ),
    "one-plus-lambda": StrategyEntry(
        "labcontrol.learning.black_box:OnePlusLambda",
        "baseline: evolution with one parent, on such numbers",
    ),
    "spsa": StrategyEntry(
        "labcontrol.learning.black_box:Spsa",
        "baseline: gradient from two random points, on such numbers",
    ),
    "pepg": StrategyEntry(
        "labcontrol.learning.black_box:Pepg",
        "baseline: parameter-exploring policy gradients, on such numbers",
    ),
}


def strategy_class(name: str) -> type[Strategy]:
    """The class of a strategy; its module is imported now.

    Raises UserError for a name nobody knows, with the nearest one that exists.
    """
    if name not in STRATEGIES:
        near = difflib.get_close_matches(name, STRATEGIES, n=1)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        raise UserError(f"learning.strategy: there is no {name!r}.", f"{hint}Known: {', '.join(STRATEGIES)}.")
    module, kind = STRATEGIES[name].home.split(":")
    found: type[Strategy] = getattr(import_module(module), kind)
    return found


def strategy_settings(config: LearningConfig) -> Section:
    """The checked settings of the strategy that a configuration names, an instance of its `Settings`.

    Raises UserError for unknown keys and values out of range.
    """
    settings = strategy_class(config.strategy).Settings
    try:
        return settings.model_validate(config.options)
    except ValidationError as error:
        raise user_error(error, settings, f"learning.options of strategy {config.strategy!r}") from None


def strategy_facts(config: LearningConfig) -> StrategyFacts:
    """What the strategy of a configuration is like, with its settings; raises UserError for what nobody knows."""
    return strategy_class(config.strategy).facts(config, strategy_settings(config))


def strategy_label(learning: Mapping[str, Any]) -> str:
    """What tells runs apart in lists, of the section `learning` of a record of any version.

    The strategy's name where it is not known here.
    """
    try:
        return strategy_facts(LearningConfig.model_validate(learning)).label
    except (UserError, ValidationError):
        return str(learning.get("strategy", ""))


def check_learning(config: LearningConfig) -> None:
    """Refuse unknown names, with the nearest one that exists, and what cannot work; raises UserError."""
    strategy_class(config.strategy).check(config, strategy_settings(config))


def initial_mask(config: LearningConfig, neurons: int, rng: np.random.Generator) -> Mask:
    """(N,) mirrors on at random, before anything was measured."""
    return rng.random(neurons) < config.initial_share


def make_strategy(config: LearningConfig, problem: Problem) -> Strategy:
    """The strategy that a configuration names, at its start; raises UserError."""
    check_learning(config)
    return strategy_class(config.strategy).begin(problem, config, strategy_settings(config))
