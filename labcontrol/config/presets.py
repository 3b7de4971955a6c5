"""Experiments to begin with, each one option or one click away from any other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from labcontrol.config.experiment import ExperimentConfig


@dataclass(frozen=True)
class Preset:
    """How an experiment learns, whatever it learns and on which bench.

    Attributes
    ----------
    title : str
        A few words.
    help : str
        What it is for.
    learning : dict
        Of section ``learning``.
    mirrors : str
        Of section ``prediction``.
    """

    title: str
    help: str
    learning: dict[str, Any]
    mirrors: str = "auto"


PRESETS: dict[str, Preset] = {
    "law": Preset(
        "The law",
        "uniform selection and the error at a fixed gain: every mirror is identified, the curve predicted, and the "
        "error falls as one exponential",
        {"strategy": "coordinate-descent", "loss": "mse", "options": {"selection": "uniform"}},
        mirrors="all",
    ),
    "experiments": Preset(
        "As in the experiments",
        "greedy selection and the normalised error, as in photonic experiments: a fast start, then a long tail",
        {"strategy": "coordinate-descent", "loss": "nmse", "options": {"selection": "greedy"}},
    ),
    "best": Preset(
        "Best result",
        "all mirrors identified from a few shared replays and the known phases, then a search in software: the lowest "
        "error for the fewest measurements",
        {"strategy": "physics-informed-identification", "loss": "nmse", "options": {}},
    ),
}
"""By the name that the command line knows."""


def with_preset(experiment: ExperimentConfig, name: str) -> ExperimentConfig:
    """The same experiment, learning as a preset says.

    Parameters
    ----------
    experiment : ExperimentConfig
        Its bench, task, reservoir, length and seed stay.
    name : str
        A key of `PRESETS`.
    """
    preset, values = PRESETS[name], experiment.model_dump()
    values["learning"] |= preset.learning
    values["prediction"]["mirrors"] = preset.mirrors
    return ExperimentConfig.model_validate(values)
