"""Takes the events of a run to the views of the live page."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PyQt5.QtCore import QObject

from labcontrol.analysis.model_curve import ModelCurve
from labcontrol.analysis.run_models import Prediction, RunModels, pilot_prediction, record_prediction, run_models
from labcontrol.analysis.verdict import ASTRAY, Verdict
from labcontrol.config import ExperimentConfig
from labcontrol.engine import (
    DriftMeasured,
    EpochDone,
    Event,
    FaultSeen,
    Predicted,
    Prepared,
    RunState,
    RunStatus,
    Seen,
    StateChanged,
)
from labcontrol.engine.pilot import PilotResult
from labcontrol.errors import UserError
from labcontrol.gui.learning.data import LearningData
from labcontrol.gui.learning.marks import Mark, drift_mark, fault_mark, pause_mark
from labcontrol.gui.learning.record_contents import read_contents, ready
from labcontrol.gui.learning.view import LearningView
from labcontrol.gui.live.neuron_traces import NeuronTraces
from labcontrol.gui.shared.background import Background
from labcontrol.gui.shared.camera_view import CameraView
from labcontrol.gui.shared.output_view import OutputView
from labcontrol.gui.shared.pattern_views import MaskView, SlmView
from labcontrol.records import RunReader
from labcontrol.reservoir import StepView
from labcontrol.tasks import ErrorMeasure

log = logging.getLogger(__name__)

_MODEL_INTERVAL_S = 1.0
_MOST_MARKS = 1000


@dataclass(frozen=True)
class TableViews:
    """What shows every step of the table."""

    camera: CameraView
    slm: SlmView
    traces: NeuronTraces


@dataclass(frozen=True)
class LiveViews:
    """The views that follow a run. table: None where only its record is followed."""

    learning: LearningView
    mask: MaskView
    output: OutputView
    table: TableViews | None = None


@dataclass(frozen=True)
class Pause:
    """A pause that lasts still. mark: on the curve. unix_s: when it began."""

    mark: Mark
    unix_s: float
    reason: str


class RunFollower(QObject):
    """Follows one run after the other; never asks anything of them.

    Call `begin` for each run, `follow` with its events, `renew_models` now and then, `close` at the end.
    """

    def __init__(self, views: LiveViews, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._views = views
        self._experiment = ExperimentConfig()
        self._data = LearningData("nmse")
        self._background = Background(self)
        self._target: NDArray[np.float64] = np.zeros(0)
        self._mask: NDArray[np.bool_] = np.zeros(0, dtype=bool)
        self._reset()

    def _reset(self) -> None:
        self._measure: ErrorMeasure | None = None
        self._washout = 0
        self._prediction: Prediction | None = None
        self._record: Path | None = None
        self._is_predicted_whole = False
        self._modelled_s = 0.0
        self._modelled_epochs = 0
        self._marks: list[Mark] = []
        self._pause: Pause | None = None
        self._is_over = False

    def begin(self, experiment: ExperimentConfig, record: Path | None = None) -> None:
        """A run starts, or one that has been going is shown from now on. record: of such a run, for its epochs."""
        self._reset()
        self._experiment = experiment
        self._data = LearningData(experiment.learning.loss, experiment.neurons)
        self._views.learning.begin(self._data, experiment.epochs, experiment.learning)
        if record is not None:
            self._recall(record)

    @property
    def is_up_to_date(self) -> bool:
        """Whether the models know all that was measured."""
        return len(self._data) == self._modelled_epochs

    def follow(self, events: list[Event], status: RunStatus) -> None:
        """Everything that happened since the last call."""
        if status.record is not None and status.record != self._record:
            self._record = status.record
        for event in events:
            self._show(event)
        done = [event for event in events if isinstance(event, EpochDone)]
        if done:
            self._on_epochs(done)
        if done:
            self._data.epoch_s = status.epoch_s
            self._views.learning.renew()

    def _show(self, event: Event) -> None:
        """Anything but epochs, which are taken in together."""
        match event:
            case Prepared():
                self._on_prepared(event)
            case Predicted():
                self._on_prediction(event.pilot)
            case Seen():
                self._on_step(event.view)
            case StateChanged():
                self._on_state(event.status)
            case FaultSeen():
                self._mark(fault_mark(event.fault))
            case DriftMeasured():
                self._mark(drift_mark(event))

    def renew_models(self, *, at_once: bool) -> None:
        """Fit what has been measured since, if it is time. at_once: because nothing more will come."""
        data, prediction, now_s = self._data, self._prediction, time.monotonic()
        record, is_whole = self._record, self._is_predicted_whole
        if prediction is None or (self.is_up_to_date and (is_whole or record is None)) or self._background.is_busy:
            return
        if now_s - self._modelled_s < _MODEL_INTERVAL_S and not at_once:
            return
        learning, epochs = self._experiment.learning, len(data)
        measured = data.index.copy(), data.incumbent(data.loss).copy(), data.changes_kept

        def job() -> tuple[Prediction | None, list[ModelCurve], Verdict]:
            whole = None
            if record is not None and not is_whole:
                with RunReader(record) as run:
                    whole = record_prediction(run)
            models = _with_cause(run_models(learning, whole or prediction, *measured), record)
            return whole, ready(models), models.verdict

        def show(found: tuple[Prediction | None, list[ModelCurve], Verdict]) -> None:
            if data is not self._data:
                return
            if found[0] is not None:
                self._prediction, self._is_predicted_whole = found[0], True
            self._views.learning.set_models(found[1], found[2])
            if self._is_over:
                self.renew_models(at_once=True)

        if self._background.run(job, show):
            self._modelled_s, self._modelled_epochs = now_s, epochs

    def end(self) -> None:
        """The run is over."""
        self._is_over = True
        self._views.learning.set_over()

    def close(self) -> None:
        """End what works beside the window."""
        self._background.close()

    # --- one kind of event each ---------------------------------------------------------------------------------
    def _on_prepared(self, event: Prepared) -> None:
        self._target = event.task.train_target
        self._washout = len(event.task.washout_input)
        if self._views.table is not None:
            self._views.table.camera.set_neurons(event.centres_px)
            self._views.table.traces.begin(event.centres_px, len(self._target))
        self._views.output.set_target(self._target)
        self._mask = event.initial_mask
        self._views.mask.set_mask(self._mask)

    def _on_step(self, view: StepView) -> None:
        table = self._views.table
        if table is not None:
            table.camera.set_frame(view.frame)
            table.slm.set_pattern(view.pattern)
            table.traces.set_frame(view.step - self._washout, view.frame)

    def _on_prediction(self, pilot: PilotResult) -> None:
        self._measure = ErrorMeasure(self._target, pilot.gain)
        self._prediction = pilot_prediction(pilot)
        # The laws take a moment; they follow from the background.
        self._views.learning.set_models(self._prediction.curves)

    def _on_epochs(self, done: list[EpochDone]) -> None:
        first = done[0].epoch.index
        if not len(self._data) and first > 0 and done[0].status.record is not None:
            self._recall(done[0].status.record, first)
        done = [event for event in done if event.epoch.index >= len(self._data)]  # not what the record had already
        if not done:
            return
        self._data.append([event.epoch for event in done], [event.incumbent_error for event in done])
        accepted = [event.epoch for event in done if event.epoch.accepted]
        if accepted:
            self._mask = accepted[-1].mask
            if self._measure is not None:
                self._views.output.set_output(accepted[-1].output, self._measure, self._data.loss)
        last = done[-1].epoch
        self._views.mask.set_mask(self._mask, last.mirror, last.accepted)

    def _on_state(self, status: RunStatus) -> None:
        """Mark pauses, and how long they lasted."""
        now_s, pause = time.time(), self._pause
        if status.state is RunState.PAUSED and pause is None:
            mark = pause_mark(max(status.epoch - 1, 0), now_s, status.reason)
            self._pause = Pause(mark, now_s, status.reason)
            self._mark(mark)
        elif status.state is not RunState.PAUSED and pause is not None:
            self._pause = None
            self._marks.remove(pause.mark)
            self._mark(pause_mark(pause.mark.epoch, pause.unix_s, pause.reason, now_s - pause.unix_s))

    def _mark(self, mark: Mark | None) -> None:
        if mark is not None:
            self._marks = [*self._marks[-_MOST_MARKS:], mark]
            self._views.learning.set_marks(self._marks)

    def _recall(self, record: Path, epochs: int | None = None) -> None:
        """Epochs before the first event. epochs: so many at most."""
        try:
            contents = read_contents(record)
        except UserError as error:
            log.warning("earlier epochs are not shown: %s", error)
            return
        self._data.begin_with(contents.data, len(contents.data) if epochs is None else epochs)
        self._marks = contents.marks[-_MOST_MARKS:]
        self._mask = contents.mask
        self._views.learning.set_marks(self._marks)
        self._views.learning.renew()


def _with_cause(models: RunModels, record: Path | None) -> RunModels:
    if record is None or models.verdict.kind not in ASTRAY:
        return models
    with RunReader(record) as run:
        return models.with_cause(run)
