"""Turns a run's events into calls of the views, on a timer; the run never waits for it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PyQt5.QtCore import QObject, QTimer, pyqtSignal

from labcontrol.engine import EpochDone, Event, Predicted, Prepared, RunStatus, Seen
from labcontrol.engine.events import Mailbox
from labcontrol.errors import UserError
from labcontrol.gui.background import Background
from labcontrol.gui.camera_view import CameraView
from labcontrol.gui.learning_data import LearningData
from labcontrol.gui.learning_view import LearningView
from labcontrol.gui.model_curves import MeasuredCurve, ModelCurve, prediction_curve
from labcontrol.gui.output_view import OutputView
from labcontrol.gui.pattern_views import MaskView, SlmView
from labcontrol.gui.record_contents import read_contents
from labcontrol.gui.run_process import LiveRun
from labcontrol.tasks import ErrorMeasure
from labcontrol.theory import AmplitudeLaw

log = logging.getLogger(__name__)

_TICK_MS = 40
_MODEL_INTERVAL_S = 1.0


@dataclass(frozen=True)
class LiveViews:
    """The views that follow a run."""

    learning: LearningView
    camera: CameraView
    slm: SlmView
    mask: MaskView
    output: OutputView


class RunController(QObject):
    """Starts runs and follows them.

    Signals: `status_changed` on every look at the run, `failed`
    with the error of a run that ended by one, `finished` with the status of every run that is over, `seen` with the
    newest camera frame.
    """

    status_changed = pyqtSignal(object)
    failed = pyqtSignal(object)
    finished = pyqtSignal(object)
    seen = pyqtSignal(object)

    def __init__(self, views: LiveViews, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._views = views
        self.run: LiveRun | None = None
        self._mailbox = Mailbox()
        self._data = LearningData("nmse")
        self._measure: ErrorMeasure | None = None
        self._law: AmplitudeLaw | None = None
        self._modelled_s = 0.0
        self._modelled_epochs = 0
        self._background = Background(self)
        self._target: NDArray[np.float64] = np.zeros(0)
        self._mask: NDArray[np.bool_] = np.zeros(0, dtype=bool)
        self._reported = True
        self._timer = QTimer(self)
        self._timer.setInterval(_TICK_MS)
        self._timer.timeout.connect(self.tick)

    # --- what a person can ask ----------------------------------------------------------------------------------
    @property
    def status(self) -> RunStatus:
        return self.run.status if self.run is not None else RunStatus()

    @property
    def is_active(self) -> bool:
        """Whether a run holds the table."""
        return self.run is not None and not self.run.wait(0)

    def start(self, make_run: Callable[[], LiveRun]) -> None:
        """Begin a run; does nothing while one is active. Raises what `make_run` raises."""
        if self.is_active:
            return
        run = make_run()
        self.run = run
        self._mailbox = run.subscribe()
        self._reported = False
        self._measure = self._law = None
        self._modelled_epochs = 0
        self._data = LearningData(run.experiment.learning.loss, run.experiment.neurons)
        self._views.learning.begin(self._data, run.experiment.epochs)
        run.start()
        self._timer.start()

    def pause(self) -> None:
        if self.run is not None:
            self.run.pause()

    def resume(self) -> None:
        if self.run is not None:
            self.run.resume()

    def stop(self) -> None:
        if self.run is not None:
            self.run.stop()

    def abort(self) -> None:
        if self.run is not None:
            self.run.abort()

    def note(self, text: str) -> None:
        """Something worth knowing for the run's log and record."""
        if self.run is not None:
            self.run.note(text)

    def close(self) -> None:
        """Let go of what works beside the window."""
        self._timer.stop()
        self._background.close()

    def finish(self, timeout_s: float) -> bool:
        """Wait for the run's thread to end; False if it has not."""
        return self.run is None or self.run.wait(timeout_s)

    # --- following ----------------------------------------------------------------------------------------------
    def tick(self) -> None:
        """Take what has happened since the last call to the views."""
        run = self.run
        if run is None:
            return
        over = run.wait(0)
        if self._reported and len(self._data) == self._modelled_epochs:
            self._timer.stop()
        self._deliver(self._mailbox.drain())
        self.status_changed.emit(run.status)
        self._renew_models(at_once=over)
        if over and not self._reported:
            self._reported = True
            if run.error is not None:
                self.failed.emit(run.error)
            self.finished.emit(run.status)

    def _deliver(self, events: list[Event]) -> None:
        done = [event for event in events if isinstance(event, EpochDone)]
        for event in events:
            if isinstance(event, Prepared):
                self._views.camera.set_neurons(event.centres_px)
                self._target = event.task.train_target
                self._views.output.set_target(self._target)
                self._mask = event.initial_mask
                self._views.mask.set_mask(self._mask)
            elif isinstance(event, Predicted):
                self._on_prediction(event.law)
            elif isinstance(event, Seen):
                self._views.camera.set_frame(event.view.frame)
                self._views.slm.set_pattern(event.view.pattern)
                self.seen.emit(event.view.frame)
        if done:
            self._on_epochs(done)
        if events:
            self._data.epoch_s = self.status.epoch_s
            self._views.learning.refresh()

    def _on_prediction(self, law: AmplitudeLaw) -> None:
        assert self.run is not None
        learning = self.run.experiment.learning
        self._measure = ErrorMeasure(self._target, law.gain)
        self._law = law
        self._views.learning.set_models([prediction_curve(law, learning.loss, learning.selection)])

    def _renew_models(self, *, at_once: bool) -> None:
        """Fit what has been measured since, now and then."""
        run, data, now_s = self.run, self._data, time.monotonic()
        if run is None or self._law is None or len(data) == self._modelled_epochs:
            return
        if now_s - self._modelled_s < _MODEL_INTERVAL_S and not at_once:
            return
        measured = MeasuredCurve(
            data.index.values.copy(),
            data.incumbent(data.loss).copy(),
            self._law,
            data.loss,
            run.experiment.learning.selection,
        )

        def show(models: list[ModelCurve]) -> None:
            if data is self._data:
                self._views.learning.set_models(models)

        if self._background.run(measured.models, show):
            self._modelled_s, self._modelled_epochs = now_s, len(data)

    def _recall(self, epochs: int, record: Path | None) -> None:
        """The epochs before the first one told: those of a run that is continued."""
        if record is None or epochs == 0:
            return
        try:
            self._data.begin_with(read_contents(record).data, epochs)
        except UserError as error:
            log.warning("earlier epochs are not shown: %s", error)

    def _on_epochs(self, done: list[EpochDone]) -> None:
        if not len(self._data):
            self._recall(done[0].epoch.index, done[0].status.record)
        self._data.append([event.epoch for event in done], [event.incumbent_error for event in done])
        accepted = [event.epoch for event in done if event.epoch.accepted]
        if accepted:
            self._mask = accepted[-1].mask
            if self._measure is not None:
                self._views.output.set_output(accepted[-1].output, self._measure, self._data.loss)
        last = done[-1].epoch
        self._views.mask.set_mask(self._mask, last.mirror, last.accepted)
