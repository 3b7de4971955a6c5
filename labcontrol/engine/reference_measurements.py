"""A run's measurements of its reference mask: made when due, recorded, and a reason to pause."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labcontrol.config import ExperimentConfig
from labcontrol.engine.drift import CameraComparison, Drift, DriftWatch, ReferenceMeasurement, cause
from labcontrol.engine.events import DriftMeasured
from labcontrol.engine.recovery import Recovery
from labcontrol.tasks import ErrorMeasure

# Of the first measurements, which set the reference: nothing has moved yet.
_UNMOVED = {"level": 1.0, "offset": 0.0, "light": 1.0, "picture": 0.0, "power": 1.0, "change": 0.0, "excess": 0.0}


class ReferenceMeasurements:
    """The reference measurements of one run.

    errors: of the run, from its pilot. measure: the output (1, T) of the reference mask over the training part, without
    a fault from beginning to end.
    """

    def __init__(
        self,
        experiment: ExperimentConfig,
        recovery: Recovery,
        errors: ErrorMeasure,
        measure: Callable[[], NDArray[np.float32]],
    ) -> None:
        self._policy = experiment.drift
        self._recovery = recovery
        self._errors, self._loss = errors, experiment.learning.loss
        self._measure = measure
        self._drift = DriftWatch()

    def watch(self, epochs: int, new_epochs: int) -> bool:
        """ReferenceMeasurement where it is due, and pause when the reference has moved too far for noise.

        epochs: on record by now. new_epochs: of them, since this was last called; 0 before learning. Returns whether
        the table has drifted: when a person lets the run go on, what it is now is what it is compared with from then
        on.
        """
        every = self._policy.every_epochs
        if every is None or (new_epochs and epochs // every == (epochs - new_epochs) // every):
            return False
        drifted = False

        def measure() -> None:
            nonlocal drifted
            if drifted:
                self._drift.restart()
            while not self._drift.ready:
                first = self._measured()
                self._drift.begin(first)
                self._keep(epochs, first, None)
            if drifted or not new_epochs:
                return
            seen = self._measured()
            drift = self._drift.compare(seen)
            self._keep(epochs, seen, drift)
            if self._is_too_far(drift):
                drifted = True
                raise cause(drift)

        self._recovery.with_retry(measure)
        return drifted

    def state(self) -> dict[str, Any]:
        return self._drift.state()

    def restore(self, state: dict[str, Any]) -> None:
        self._drift.restore(state)

    def keep_recorded(self) -> None:
        """Later measurements go behind all on record: a real table does not repeat those after the checkpoint."""
        self._drift.rows = self._recovery.writer.drift_rows

    # --- inner workings -----------------------------------------------------------------------------------------
    def _is_too_far(self, drift: Drift) -> bool:
        limit = self._policy.pause_above
        return limit is not None and drift.excess > limit and drift.change > self._policy.least_change

    def _measured(self) -> ReferenceMeasurement:
        reservoir = self._recovery.reservoir
        camera = reservoir.on_signals = CameraComparison(reservoir)
        replays = reservoir.replays
        try:
            outputs = self._measure()
        finally:
            reservoir.on_signals = None
            reservoir.replays = replays  # no epoch
        return ReferenceMeasurement(outputs[0], *camera.light_and_picture(), self._recovery.bench.laser.power_w)

    def _keep(self, epochs: int, measured: ReferenceMeasurement, drift: Drift | None) -> None:
        """Record a measurement and emit what it shows; the first ones show nothing."""
        error = float(self._errors.errors(self._loss, measured.output[None])[0])
        values: dict[str, Any] = {"epoch": epochs, "output": measured.output, "error": error}
        values |= _UNMOVED if drift is None else asdict(drift)
        row = self._drift.rows
        self._recovery.write_with_retry(lambda: self._recovery.writer.write_drift(row, values))
        self._drift.rows += 1
        if drift is not None:
            self._recovery.emit(DriftMeasured(epochs, drift.level, error, drift.excess))
