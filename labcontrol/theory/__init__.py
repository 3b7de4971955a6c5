"""Convergence laws, live fits, the compiled twin and the scaling study.

Names are imported when first used: the laws a window needs should not wait for the compiler that the twin needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labcontrol.theory.amplitude import (
        AmplitudeLaw,
        FlipResponses,
        amplitude_law,
        flip_responses,
        gain_from_pilot,
        noise_from_repeats,
    )
    from labcontrol.theory.coverage_law import coverage
    from labcontrol.theory.fits import FitComparison, LearningFit, fit_learning_curve
    from labcontrol.theory.mean_field_law import MEAN_FIELD_SELECTIONS, MeanFieldCurve, mean_field
    from labcontrol.theory.modes import Modes, Start, modes_of_covariance, modes_of_pilot, modes_of_states
    from labcontrol.theory.states import States, incoherent_states, optical_states, planted_states, recorded_states
    from labcontrol.theory.twin import Ensemble, TwinRun, run_twin, twin_ensemble

_MODULES = {
    "amplitude": (
        "AmplitudeLaw",
        "FlipResponses",
        "amplitude_law",
        "flip_responses",
        "gain_from_pilot",
        "noise_from_repeats",
    ),
    "coverage_law": ("coverage",),
    "fits": ("FitComparison", "LearningFit", "fit_learning_curve"),
    "mean_field_law": ("MEAN_FIELD_SELECTIONS", "MeanFieldCurve", "mean_field"),
    "modes": ("Modes", "Start", "modes_of_covariance", "modes_of_pilot", "modes_of_states"),
    "states": ("States", "incoherent_states", "optical_states", "planted_states", "recorded_states"),
    "twin": ("Ensemble", "TwinRun", "run_twin", "twin_ensemble"),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "MEAN_FIELD_SELECTIONS",
    "AmplitudeLaw",
    "Ensemble",
    "FitComparison",
    "FlipResponses",
    "LearningFit",
    "MeanFieldCurve",
    "Modes",
    "Start",
    "States",
    "TwinRun",
    "amplitude_law",
    "coverage",
    "fit_learning_curve",
    "flip_responses",
    "gain_from_pilot",
    "incoherent_states",
    "mean_field",
    "modes_of_covariance",
    "modes_of_pilot",
    "modes_of_states",
    "noise_from_repeats",
    "optical_states",
    "planted_states",
    "recorded_states",
    "run_twin",
    "twin_ensemble",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
