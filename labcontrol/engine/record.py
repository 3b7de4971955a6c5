"""How a run is named on disk, and what its record says before the first epoch."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from labcontrol.bench import Bench
from labcontrol.config import ExperimentConfig
from labcontrol.learning import initial_mask, strategy_facts, strategy_settings
from labcontrol.records import RunHeader, provenance
from labcontrol.reservoir import Preparation
from labcontrol.tasks import Task

_LONGEST_TASK = 60  # letters of it in a file's name


def record_path(directory: Path, experiment: ExperimentConfig) -> Path:
    """A new name that tells date, task, size, strategy or its rule, and seed."""
    task = re.sub(r"[^\w.\- ]", "_", Path(experiment.task.name).stem)[:_LONGEST_TASK]  # also Windows takes it
    learning = experiment.learning
    how = strategy_facts(learning).label
    stem = f"{datetime.now():%Y-%m-%d_%H%M%S}_{task}_N{experiment.neurons}_{how}_{learning.loss}_seed{experiment.seed}"
    path = directory / f"{stem}.h5"
    number = 2
    while path.exists():
        path = directory / f"{stem}_{number}.h5"
        number += 1
    return path


def run_header(experiment: ExperimentConfig, bench: Bench, task: Task) -> RunHeader:
    """Configuration, identities, versions and sequences of a run about to start."""
    learning = experiment.learning
    options = strategy_settings(learning).model_dump(mode="json")  # also those that were left at their defaults
    complete = experiment.model_copy(update={"learning": learning.model_copy(update={"options": options})})
    start = initial_mask(learning, experiment.neurons, np.random.default_rng(experiment.seed))
    return RunHeader(
        config={
            "experiment": complete.model_dump(mode="json"),
            "bench": bench.config.model_dump(mode="json"),
        },
        metadata={
            "seed": experiment.seed,
            "devices": {role: asdict(identity) for role, identity in bench.identities.items()},
            "conditions": {
                role: dict(device.conditions) for role, device in bench.devices.items() if device.conditions
            },
            "calibrations": _calibrations(bench),
            "provenance": provenance(),
        },
        input=task.train_input,
        target=task.train_target,
        washout_input=task.washout_input,
        test_input=task.test_input,
        test_target=task.test_target,
        initial_mask=start,
    )


def _calibrations(bench: Bench) -> list[dict[str, Any]]:
    """The calibrations the run uses, with their hashes and whether they were fresh."""
    section = bench.config.calibration
    return [applied.model_dump(mode="json") for applied in section.applied] if section is not None else []


def preparation_record(preparation: Preparation) -> dict[str, object]:
    """A preparation as JSON types."""
    return asdict(preparation) | {"dark_counts": preparation.dark_counts.tolist()}


def preparation_from_record(record: dict[str, Any]) -> Preparation:
    """The preparation that `preparation_record` described."""
    return Preparation(**record | {"dark_counts": np.array(record["dark_counts"])})
