"""What the window shows of a recorded run, read once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labcontrol.analysis.model_curve import ModelCurve
from labcontrol.analysis.run_models import RunModels, record_models
from labcontrol.analysis.verdict import Verdict
from labcontrol.config import ExperimentConfig
from labcontrol.errors import UserError
from labcontrol.gui.learning.data import LearningData
from labcontrol.gui.learning.marks import Mark, fault_mark
from labcontrol.learning import strategy_facts
from labcontrol.records import RunReader
from labcontrol.tasks import ErrorMeasure


@dataclass(frozen=True)
class RecordContents:
    """One run as recorded.

    planned: epochs it might have taken. mask: (N,) incumbent at the end. output: (T,) of it, None before a first epoch.
    marks: what happened to the run.
    """

    path: Path
    experiment: ExperimentConfig
    data: LearningData
    planned: int
    mask: NDArray[np.bool_]
    output: NDArray[np.float32] | None
    marks: list[Mark]
    measure: ErrorMeasure

    @property
    def name(self) -> str:
        """Short enough for a legend."""
        experiment = self.experiment
        return f"N {experiment.neurons}, {strategy_facts(experiment.learning).label}, seed {experiment.seed}"

    def models(self) -> tuple[list[ModelCurve], Verdict]:
        """Everything its learning is compared with, and how it compares; may take seconds."""
        with RunReader(self.path) as run:
            models = record_models(run)
            return ready(models), models.verdict


def read_contents(path: Path) -> RecordContents:
    """Read a run file, also one that is being written. Raises UserError, whatever is wrong with the file."""
    try:
        return _read(path)
    except (OSError, KeyError, ValueError, IndexError, RuntimeError) as error:
        raise UserError(f"{path.name} cannot be shown: {error}.") from error


def _read(path: Path) -> RecordContents:
    with RunReader(path) as run:
        experiment = ExperimentConfig.model_validate(run.experiment)
        epochs, loss = run.epochs, run.loss
        data = LearningData(loss, run.neurons)
        measured_at = epochs.incumbent_epochs()
        mask, output = run.initial_mask, None
        if len(epochs):
            data.fill(
                {"mse": epochs.mse, "nmse": epochs.nmse},
                {name: _at(epochs.error(name), measured_at) for name in ("mse", "nmse")},
                epochs.accepted,
                epochs.replay,
                epochs.unix_s,
            )
            data.epoch_s = float(epochs.unix_s[-1] - epochs.unix_s[0]) / len(epochs)
            last = int(measured_at[-1])
            if last >= 0:
                mask, output = epochs.masks(last, last + 1)[0], epochs.outputs(last, last + 1)[0]
        return RecordContents(
            path=path,
            experiment=experiment,
            data=data,
            planned=experiment.epochs,
            mask=mask,
            output=output,
            marks=[fault_mark(fault) for fault in run.faults],
            measure=ErrorMeasure(run.target, run.gain or 1.0),
        )


def _at(errors: NDArray[np.float64], epochs: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.where(epochs < 0, np.nan, errors[epochs])


def ready(models: RunModels) -> list[ModelCurve]:
    """The curves, with what takes long computed, so that drawing them does not."""
    curves = list(models.curves.values())
    for curve in curves:
        curve.at(0.0)
    return curves
