"""What the table of runs shows of each, read from its file beside the event loop."""

from __future__ import annotations

import contextlib
import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labcontrol.analysis.run_models import fits_of
from labcontrol.config import ExperimentConfig, LearningConfig
from labcontrol.errors import UserError
from labcontrol.records import reading
from labcontrol.records.catalogue import RunSummary, summary

Floats = NDArray[np.float64]

_CURVE_POINTS = 64
_BATCH_S = 0.15


@dataclass(frozen=True)
class RunRow:
    """One run of the table.

    tau_per_neuron: time constant of the fitted exponential over N; None without a fit. curve: (P,) logarithm of the
    best error at even distances of epochs, empty before there are two.
    """

    summary: RunSummary
    tau_per_neuron: float | None
    curve: Floats

    @property
    def path(self) -> Path:
        return self.summary.path


def read_rows(paths: list[Path]) -> tuple[list[RunRow], list[Path]]:
    """Read files for a moment: rows, and the paths still to read. Files that are gone are left out."""
    rows, waiting = [], list(paths)
    end_s = time.monotonic() + _BATCH_S
    while waiting and time.monotonic() < end_s:
        path = waiting.pop()
        with contextlib.suppress(FileNotFoundError):
            rows.append(read_row(path))
    return rows, waiting


def read_row(path: Path) -> RunRow:
    """One run; of a file that cannot be read, what is known about that."""
    run, errors, learning = summary(path), np.empty(0), LearningConfig()
    if not run.problem:
        with contextlib.suppress(UserError), reading(path) as record:
            errors = record.incumbent_errors()
            learning = ExperimentConfig.model_validate(record.experiment).learning
    epochs = np.flatnonzero(np.isfinite(errors))
    if len(epochs) < 2:
        return RunRow(run, None, np.empty(0))
    fits = fits_of(learning, epochs.astype(np.float64), errors[epochs], ("exponential",))
    tau = math.nan if fits is None else fits.best.tau[0] / run.neurons
    shown = epochs[np.linspace(0, len(epochs) - 1, min(len(epochs), _CURVE_POINTS)).astype(np.intp)]
    curve = np.log10(np.maximum(errors[shown], 1e-12))
    return RunRow(run, tau if math.isfinite(tau) else None, curve)
