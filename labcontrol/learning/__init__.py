"""Learning strategies: ask for masks, be told what they gave."""

from labcontrol.learning.acceptance import ACCEPTANCES
from labcontrol.learning.coordinate_descent import CoordinateDescent
from labcontrol.learning.problem import Problem
from labcontrol.learning.registry import (
    STRATEGIES,
    check_learning,
    initial_mask,
    make_strategy,
    strategy_class,
    strategy_facts,
    strategy_label,
    strategy_settings,
)
from labcontrol.learning.selection import SELECTIONS, completed_amplitudes
from labcontrol.learning.strategy import Mask, Proposal, Strategy, StrategyFacts

__all__ = [
    "ACCEPTANCES",
    "SELECTIONS",
    "STRATEGIES",
    "CoordinateDescent",
    "Mask",
    "Problem",
    "Proposal",
    "Strategy",
    "StrategyFacts",
    "check_learning",
    "completed_amplitudes",
    "initial_mask",
    "make_strategy",
    "strategy_class",
    "strategy_facts",
    "strategy_label",
    "strategy_settings",
]
