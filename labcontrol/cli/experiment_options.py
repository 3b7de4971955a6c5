"""From an experiment file and command-line options to a checked experiment and its bench."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from labcontrol.config import BenchConfig, ExperimentConfig, load_experiment, settings_from_text, user_error
from labcontrol.errors import UserError


def experiment_from(path: Path | None, overrides: dict[str, Any]) -> ExperimentConfig:
    """The experiment of a file, or the default one, with the options that were given put over it.

    overrides: values by dotted name, for example ``task.steps``; None means not given. Raises UserError.
    """
    experiment = load_experiment(path) if path is not None else ExperimentConfig()
    values = experiment.model_dump()
    for name, value in overrides.items():
        if value is None:
            continue
        *sections, key = name.split(".")
        section = values
        for part in sections:
            section = section[part]
        section[key] = value
    try:
        return ExperimentConfig.model_validate(values)
    except ValidationError as error:
        raise user_error(
            error, ExperimentConfig, "the options" if path is None else f"{path} with the options"
        ) from None


def options_from(texts: list[str] | None) -> dict[str, Any] | None:
    """Settings of a strategy given as KEY=VALUE. None for none. Raises UserError."""
    return settings_from_text(texts or (), "--option", "'labcontrol strategies NAME' lists the keys.") or None


def stale_allowed(bench: BenchConfig) -> BenchConfig:
    """The bench with leave to use expired or stale calibrations. Raises UserError when it names none."""
    if bench.calibration is None:
        raise UserError("--allow-stale is for benches with calibrations; this one names none.")
    return bench.model_copy(update={"calibration": bench.calibration.model_copy(update={"allow_stale": True})})
