"""What a record holds of a run that is to be continued."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from labcontrol.config import BenchConfig, ExperimentConfig, user_error
from labcontrol.engine.pilot import PilotResult
from labcontrol.errors import UserError
from labcontrol.records import RunReader


@dataclass(frozen=True)
class Recorded:
    """A run as far as it got.

    state: of the last checkpoint; None if the run did not get as far as its first epoch. reference_replay: states that
    replays are compared with, and their spread. curve: (K,) incumbent's error
    after each recorded epoch. bench_s: bench time of the last one. outputs, masks: of a range of epochs.
    faults_since_checkpoint: whether a device was at fault after it.
    """

    path: Path
    experiment: ExperimentConfig
    bench: BenchConfig
    pilot: PilotResult | None
    preparation: dict[str, Any]
    state: bytes | None
    reference_replay: tuple[NDArray[np.float32], NDArray[np.float64]] | None
    curve: NDArray[np.float64]
    bench_s: float
    outputs: Callable[[slice], NDArray[np.float32]]
    masks: Callable[[slice], NDArray[np.bool_]]
    faults_since_checkpoint: bool = False


def read_recorded(path: Path) -> Recorded:
    """Read what is needed to continue a run. Raises UserError for a run that is finished or still running."""
    with RunReader(path) as reader:
        name = reader.state.name
        if name in ("running", "finished"):
            raise UserError(
                f"The run {path} is {name}.",
                "'labcontrol monitor' shows a running one."
                if name == "running"
                else "Only interrupted, stopped, aborted or failed runs can be continued.",
            )
        changed = reader.unsealed_datasets()
        if changed:
            raise UserError(
                f"The record {path} is damaged: /{changed[0]} is not what it was when it was closed.",
                "'labcontrol verify' tells more. Take a copy that is whole.",
            )
        try:
            experiment = ExperimentConfig.model_validate(reader.config["experiment"])
            bench = BenchConfig.model_validate(reader.config["bench"])
        except ValidationError as error:
            raise user_error(error, ExperimentConfig, f"the configuration in {path}") from None
        has_checkpoint = len(reader.checkpoint_epochs) > 0
        checkpoint = reader.checkpoint() if has_checkpoint else None
        table = reader.epochs
        first = checkpoint.epochs if checkpoint is not None else 0
        outputs, masks = table.outputs(first), table.masks(first)
        pilot = PilotResult.recorded(reader)
        if has_checkpoint and pilot is None:
            raise UserError(
                f"The run {path} was begun by an earlier version of the program, whose pilots were of another kind.",
                "Continue it with the version that started it; the record names it.",
            )
        return Recorded(
            path=path,
            experiment=experiment,
            bench=bench,
            pilot=pilot,
            preparation=reader.preparations[-1] if reader.preparations else {},
            state=None if checkpoint is None else checkpoint.state,
            reference_replay=reader.reference_replay,
            curve=reader.incumbent_errors(),
            bench_s=float(table.bench_s[-1]) if len(table) else 0.0,
            outputs=lambda rows: outputs[rows.start - first : rows.stop - first],
            masks=lambda rows: masks[rows.start - first : rows.stop - first],
            faults_since_checkpoint=any(fault.epoch >= first for fault in reader.faults),
        )
