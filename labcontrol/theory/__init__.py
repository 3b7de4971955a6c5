"""Convergence laws, live fits, the compiled twin and the scaling study.

Here are the names that every run needs. The rest has its place in the modules: `states` and `twin` for descent in
software, `modes` and `mean_field_law` for Law 3, `scaling` for studies over sizes.
"""

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
from labcontrol.theory.pilot_choice import spread_mirrors
from labcontrol.theory.pilot_law import pilot_law

__all__ = [
    "AmplitudeLaw",
    "FitComparison",
    "FlipResponses",
    "LearningFit",
    "amplitude_law",
    "coverage",
    "fit_learning_curve",
    "flip_responses",
    "gain_from_pilot",
    "noise_from_repeats",
    "pilot_law",
    "spread_mirrors",
]
