"""Convergence laws, live fits, the compiled twin and the scaling study."""

from labcontrol.theory.amplitude import noise_from_repeats, start_rate
from labcontrol.theory.coverage_law import coverage
from labcontrol.theory.fits import FitComparison, LearningFit, fit_learning_curve
from labcontrol.theory.mean_field_law import MEAN_FIELD_SELECTIONS, MeanFieldCurve, mean_field
from labcontrol.theory.modes import Modes, Start, modes_of_states
from labcontrol.theory.states import States, incoherent_states, optical_states, planted_states, recorded_states
from labcontrol.theory.twin import Ensemble, TwinRun, run_twin, twin_ensemble
from labcontrol.theory.two_exponentials import fit_two_exponentials

__all__ = [
    "MEAN_FIELD_SELECTIONS",
    "Ensemble",
    "FitComparison",
    "LearningFit",
    "MeanFieldCurve",
    "Modes",
    "Start",
    "States",
    "TwinRun",
    "coverage",
    "fit_learning_curve",
    "fit_two_exponentials",
    "incoherent_states",
    "mean_field",
    "modes_of_states",
    "noise_from_repeats",
    "optical_states",
    "planted_states",
    "recorded_states",
    "run_twin",
    "start_rate",
    "twin_ensemble",
]
