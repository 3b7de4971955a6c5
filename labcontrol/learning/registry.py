"""Strategies by name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from labcontrol.config import LearningConfig
from labcontrol.errors import UserError
from labcontrol.learning.acceptance import ACCEPTANCES
from labcontrol.learning.coordinate_descent import CoordinateDescent
from labcontrol.learning.selection import SELECTIONS, selection_rule
from labcontrol.learning.strategy import Mask, Strategy

STRATEGIES: dict[str, str] = {
    "coordinate-descent": "flip one mirror an epoch, keep the flip if the error fell",
}


def check_learning(config: LearningConfig) -> None:
    """Raises UserError for a name nobody knows, with the nearest one that exists."""
    _require_known("learning.strategy", config.strategy, STRATEGIES)
    _require_known("learning.selection", config.selection, SELECTIONS)
    _require_known("learning.acceptance", config.acceptance, ACCEPTANCES)


def initial_mask(config: LearningConfig, neurons: int, rng: np.random.Generator) -> Mask:
    """(N,) mirrors on at random, before anything was measured."""
    return rng.random(neurons) < config.initial_share


def make_strategy(
    config: LearningConfig, start: Mask, rng: np.random.Generator, amplitudes: NDArray[np.float64]
) -> Strategy:
    """The strategy a configuration names.

    rng: the generator that drew `start`; it goes on from there. amplitudes: (N,) of the neurons, from a pilot; only
    some selection rules use them. Raises UserError.
    """
    check_learning(config)
    rule = selection_rule(config.selection, len(start), rng, amplitudes=amplitudes)
    return CoordinateDescent(start, rule, rng, remeasure=config.acceptance == "re-measured")


def _require_known(place: str, name: str, known: Iterable[str]) -> None:
    names = list(known)
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        raise UserError(f"{place}: there is no {name!r}.", f"{hint}Known: {', '.join(names)}.")
