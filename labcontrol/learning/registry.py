"""Strategies by name. A new one is a module with a `Strategy` in it and an entry here."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import numpy as np
from pydantic import ValidationError

from labcontrol.config import LearningConfig, Section, user_error
from labcontrol.errors import UserError
from labcontrol.learning.problem import Problem
from labcontrol.learning.strategy import Mask, Strategy, StrategyFacts

STRATEGIES: dict[str, str] = {
    "coordinate-descent": "flip one mirror an epoch, keep the flip if the error fell",
    "noise-aware": "flip one mirror, repeat the measurement only until it can tell",
    "speculative": "measure many single flips in one replay, take the best subset of them together",
    "multiplexed-identification": "measure what every mirror does with an S-matrix of masks, solve in software, polish",
    "quadratic-identification": "the same for a coherent readout: fields, by phase retrieval where they interfere",
    "cma-es": "baseline: separable CMA-ES on real numbers, of which the positive ones are mirrors on",
    "one-plus-lambda": "baseline: evolution with one parent, on such numbers",
    "spsa": "baseline: gradient from two random points, on such numbers",
    "pepg": "baseline: parameter-exploring policy gradients, on such numbers",
}

# Imported when used: a window that only lists names should not wait for a compiler or an optimiser library.
_HOMES: dict[str, str] = {
    "coordinate-descent": "coordinate_descent:CoordinateDescent",
    "noise-aware": "noise_aware:NoiseAwareDescent",
    "speculative": "speculative:SpeculativeDescent",
    "multiplexed-identification": "identification:MultiplexedIdentification",
    "quadratic-identification": "quadratic_identification:QuadraticIdentification",
    "cma-es": "black_box:CmaEs",
    "one-plus-lambda": "black_box:OnePlusLambda",
    "spsa": "black_box:Spsa",
    "pepg": "black_box:Pepg",
}


def strategy_class(name: str) -> type[Strategy]:
    """The class of a strategy. Raises UserError for a name nobody knows."""
    if name not in STRATEGIES:
        near = difflib.get_close_matches(name, STRATEGIES, n=1)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        raise UserError(f"learning.strategy: there is no {name!r}.", f"{hint}Known: {', '.join(STRATEGIES)}.")
    module, kind = _HOMES[name].split(":")
    found: type[Strategy] = getattr(import_module(f"labcontrol.learning.{module}"), kind)
    return found


def strategy_settings(config: LearningConfig) -> Section:
    """The checked settings of the strategy a configuration names. Raises UserError."""
    settings = strategy_class(config.strategy).Settings
    try:
        return settings.model_validate(config.options)
    except ValidationError as error:
        raise user_error(error, settings, f"learning.options of strategy {config.strategy!r}") from None


def strategy_facts(config: LearningConfig) -> StrategyFacts:
    """What the strategy of a configuration is like, with its settings. Raises UserError for what nobody knows."""
    return strategy_class(config.strategy).facts(config, strategy_settings(config))


def strategy_label(learning: Mapping[str, Any]) -> str:
    """What tells runs apart in lists, of a recorded configuration; the strategy's name where it is not known here."""
    try:
        return strategy_facts(LearningConfig.model_validate(learning)).label
    except (UserError, ValidationError):
        return str(learning.get("strategy", ""))


def check_learning(config: LearningConfig) -> None:
    """Raises UserError for a name nobody knows, with the nearest one that exists, and for what cannot work."""
    strategy_class(config.strategy).check(config, strategy_settings(config))


def initial_mask(config: LearningConfig, neurons: int, rng: np.random.Generator) -> Mask:
    """(N,) mirrors on at random, before anything was measured."""
    return rng.random(neurons) < config.initial_share


def make_strategy(config: LearningConfig, problem: Problem) -> Strategy:
    """The strategy a configuration names, at its start. Raises UserError."""
    check_learning(config)
    return strategy_class(config.strategy).begin(problem, config, strategy_settings(config))
