"""From an experiment file and command-line options to a checked experiment and its bench."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer
from pydantic import ValidationError

from labcontrol.bench import BUILT_IN_BENCHES
from labcontrol.cli.completion import names
from labcontrol.config import (
    PRESETS,
    BenchConfig,
    ExperimentConfig,
    choices_of,
    load_experiment,
    settings_from_text,
    user_error,
    with_preset,
)
from labcontrol.errors import UserError
from labcontrol.learning import STRATEGIES, strategy_class
from labcontrol.tasks.task import TASKS

_NAMES: dict[str, tuple[Iterable[str], str]] = {
    "bench": (BUILT_IN_BENCHES, ".toml"),
    "task.name": (TASKS, ".csv"),
    "learning.strategy": (STRATEGIES, ""),
}
"""What a shell completes: names, and how files end that may stand in their place."""


def experiment_from(path: Path | None, overrides: dict[str, Any], preset: str | None = None) -> ExperimentConfig:
    """The experiment of a file, or the default one, with the options that were given put over it.

    overrides: values by dotted name, for example ``task.steps``; None means not given. preset: learn as it says, where
    the options say nothing else. Raises UserError.
    """
    experiment = load_experiment(path) if path is not None else ExperimentConfig()
    if preset is not None:
        if preset not in PRESETS:
            raise UserError(f"There is no preset {preset!r}.", f"Take one of {', '.join(PRESETS)}.")
        experiment = with_preset(experiment, preset)
    values = experiment.model_dump()
    if overrides.get("learning.strategy") not in (None, experiment.learning.strategy):
        values["learning"]["options"] = {}  # they are those of the strategy that the file names
        if path is None and preset is None:
            del values["learning"]["loss"]  # as is usual for the strategy
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


def setting(name: str, text: str, *flags: str) -> Any:
    """An option of a command for one field of the experiment; the default and the choices it shows are the model's.

    Parameters
    ----------
    name : str
        Dotted name of the field; under ``learning.options`` one of the default strategy.
    text : str
        Help, a sentence.
    flags : str
        Of the option, where its parameter does not name it.
    """
    model: Any = ExperimentConfig
    *sections, key = name.split(".")
    for part in sections:
        field = model.model_fields[part]
        model = strategy_class(model().strategy).Settings if part == "options" else field.annotation
    field = model.model_fields[key]
    choices = choices_of(field)
    listed = f" One of {', '.join(choices)}." if choices else ""
    known, suffix = _NAMES.get(name, (choices, ""))
    return typer.Option(
        None,
        *flags,
        help=text + listed,
        show_default=field.default is not None and str(field.default),
        autocompletion=names(known, suffix) if known else None,
    )


def options_from(texts: list[str] | None) -> dict[str, Any] | None:
    """Settings of a strategy given as KEY=VALUE. None for none. Raises UserError."""
    return settings_from_text(texts or (), "--option", "'labcontrol strategies NAME' lists the keys.") or None


def stale_allowed(bench: BenchConfig) -> BenchConfig:
    """The bench with leave to use expired or stale calibrations. Raises UserError when it names none."""
    if bench.calibration is None:
        raise UserError("--allow-stale is for benches with calibrations; this one names none.")
    return bench.model_copy(update={"calibration": bench.calibration.model_copy(update={"allow_stale": True})})


# Options that several commands have, worded once.
BENCH = setting("bench", "simulated, laboratory, or a bench file.")
NEURONS = setting("neurons", "Number of neurons, a square number.")
STEPS = setting("task.steps", "Steps of the training part.")
EPOCHS = typer.Option(None, help="Masks measured at most, the initial one included.", show_default="4 x neurons")
SEED = setting("seed", "Decides every random choice.")
OUTPUT = typer.Option(Path("runs"), help="Folder for record and figures.")
ARM = typer.Option(False, "--arm", help="Allow a real laser to emit; you have made sure that the table is safe.")
UNATTENDED = typer.Option(
    False, "--unattended", help="With --arm: go on with a real laser although nobody is attached."
)
ALLOW_STALE = typer.Option(False, "--allow-stale", help="Run on expired or stale calibrations; the record says so.")
