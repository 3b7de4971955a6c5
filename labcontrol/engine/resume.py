"""What a record holds of a run that is to be continued."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from labcontrol.config import BenchConfig, ExperimentConfig, user_error
from labcontrol.engine.checkpoint import decode
from labcontrol.engine.pilot import PilotResult
from labcontrol.engine.verify import Finding, consistency, integrity
from labcontrol.errors import UserError
from labcontrol.records import RunReader, reading

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recorded:
    """A run as far as it got.

    state: of the last sound checkpoint; None if the run did not get as far as its first epoch. dropped_checkpoints:
    how many after it are damaged. reference_replay: states that replays are compared with, and their spread.
    curve: (K,) incumbent's error after each recorded epoch. bench_s: bench time of the last one.
    outputs, masks: of a range of epochs. faults_since_checkpoint: whether a device was at fault after it.
    """

    path: Path
    experiment: ExperimentConfig
    bench: BenchConfig
    pilot: PilotResult | None
    preparation: dict[str, Any]
    state: dict[str, Any] | None
    dropped_checkpoints: int
    reference_replay: tuple[NDArray[np.float32], NDArray[np.float64]] | None
    curve: NDArray[np.float64]
    bench_s: float
    outputs: Callable[[slice], NDArray[np.float32]]
    masks: Callable[[slice], NDArray[np.bool_]]
    faults_since_checkpoint: bool = False


def read_recorded(path: Path, *, locked: bool = False) -> Recorded:
    """Read what is needed to continue a run, and check all that a continuation builds upon.

    Parameters
    ----------
    path : path
        Of its record.
    locked : bool
        Whether this process holds the record's lock, so that nobody else writes it.

    Raises
    ------
    UserError
        For a run that is finished or still running, and for a record that is damaged.
    """
    with reading(path) as reader:
        name = reader.states[-1].name if locked else reader.state.name
        if name == "finished" or (name == "running" and not locked):
            raise UserError(
                f"The run {path} is {name}.",
                "'labcontrol monitor' shows a running one."
                if name == "running"
                else "Only interrupted, stopped, aborted or failed runs can be continued.",
            )
        _require_none(integrity(reader), path)
        try:
            experiment = ExperimentConfig.model_validate(reader.config["experiment"])
            bench = BenchConfig.model_validate(reader.config["bench"])
        except ValidationError as error:
            raise user_error(error, ExperimentConfig, f"the configuration in {path}") from None
        pilot = PilotResult.recorded(reader)
        if len(reader.checkpoint_epochs) and pilot is None:
            raise UserError(
                f"The run {path} was begun by an earlier version of the program, whose pilots were of another kind.",
                "Continue it with the version that started it; the record names it.",
            )
        _require_none(consistency(reader), path)
        dropped, state = _last_sound_checkpoint(reader)
        table, first = reader.epochs, int(state["epochs"]) if state is not None else 0
        outputs, masks = table.outputs(first), table.masks(first)
        return Recorded(
            path=path,
            experiment=experiment,
            bench=bench,
            pilot=pilot,
            preparation=reader.preparations[-1] if reader.preparations else {},
            state=state,
            dropped_checkpoints=dropped,
            reference_replay=reader.reference_replay,
            curve=reader.incumbent_errors(),
            bench_s=float(table.bench_s[-1]) if len(table) else 0.0,
            outputs=lambda rows: outputs[rows.start - first : rows.stop - first],
            masks=lambda rows: masks[rows.start - first : rows.stop - first],
            faults_since_checkpoint=any(fault.epoch >= first for fault in reader.faults),
        )


def _require_none(findings: Iterator[Finding], path: Path) -> None:
    for finding in findings:
        raise UserError(
            f"The record {path} is damaged: {finding.text}",
            "'labcontrol verify' tells more. Take a copy that is whole.",
        )


def _last_sound_checkpoint(reader: RunReader) -> tuple[int, dict[str, Any] | None]:
    """How many checkpoints after it are damaged, and its state; 0 and None before the first epoch."""
    epochs = reader.checkpoint_epochs
    for index in reversed(range(len(epochs))):
        try:
            state = decode(reader.checkpoint(index).state)
            if state["epochs"] == epochs[index]:
                return len(epochs) - 1 - index, state
        except ValueError as error:
            log.warning("the checkpoint after epoch %d is left out: %s", epochs[index], error)
    if len(reader.epochs):
        raise UserError(
            f"The record {reader.path} is damaged: none of its {len(epochs)} checkpoints can be read.",
            "Take a copy that is whole. What was measured can be read, exported and reported.",
        )
    return 0, None
