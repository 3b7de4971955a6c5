"""Turns a run's events into calls of the views, on a timer; the run never waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable

from PyQt5.QtCore import QObject, QTimer, pyqtSignal

from labcontrol.engine import FaultSeen, RunStatus, Seen
from labcontrol.engine.events import Mailbox
from labcontrol.gui.live.run_follower import RunFollower
from labcontrol.gui.processes.run_process import LiveRun
from labcontrol.gui.shared.ticking import ticking

_TICK_MS = 80
_MOST_TICK_MS = 500
_DRAWING_SHARE = 0.15  # of the time: a run on the same computer needs the rest


class RunController(QObject):
    """Starts runs and follows them.

    Signals: `status_changed` on every poll of the run, `failed`
    with the error of a run that ended by one, `finished` with the status of every run that is over, `seen` with the
    newest camera frame, `fault_seen` with every Fault.
    """

    status_changed = pyqtSignal(object)
    failed = pyqtSignal(object)
    finished = pyqtSignal(object)
    seen = pyqtSignal(object)
    fault_seen = pyqtSignal(object)

    def __init__(self, follower: RunFollower, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._follower = follower
        self.run: LiveRun | None = None
        self._mailbox = Mailbox()
        self._reported = True
        self._timer = ticking(self, _TICK_MS, self._tick_at_pace)
        self._begun_s = 0.0
        self._painted = QTimer(self)  # of no time: due when what a poll has changed is painted
        self._painted.setSingleShot(True)
        self._painted.timeout.connect(self._set_pace)

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
        self._follower.begin(run.experiment)
        run.start()
        self._timer.start()

    def pause(self) -> None:
        self._wish("pause")

    def resume(self) -> None:
        self._wish("resume")

    def stop(self) -> None:
        self._wish("stop")

    def abort(self) -> None:
        self._wish("abort")

    def note(self, text: str) -> None:
        """Something worth knowing for the run's log and record."""
        if self.run is not None:
            self.run.note(text)

    def close(self) -> None:
        """Let go of what works beside the window."""
        self._timer.stop()
        self._follower.close()

    def finish(self, timeout_s: float) -> bool:
        """Wait for the run's thread to end; False if it has not."""
        return self.run is None or self.run.wait(timeout_s)

    def _wish(self, name: str) -> None:
        if self.run is not None:
            getattr(self.run, name)()
            self._timer.setInterval(_TICK_MS)  # a person waits for the answer

    # --- following ----------------------------------------------------------------------------------------------
    def _tick_at_pace(self) -> None:
        """The slower a poll and its drawing are, on a large screen or a busy computer, the fewer there are."""
        self._begun_s = time.perf_counter()
        self.tick()
        self._painted.start()

    def _set_pace(self) -> None:
        look_s = time.perf_counter() - self._begun_s
        self._timer.setInterval(min(max(_TICK_MS, round(1e3 * look_s / _DRAWING_SHARE)), _MOST_TICK_MS))

    def tick(self) -> None:
        """Take what has happened since the last call to the views."""
        run = self.run
        if run is None:
            return
        over = run.wait(0)
        if self._reported and self._follower.is_up_to_date:
            self._timer.stop()
        events = self._mailbox.drain()
        self._follower.follow(events, run.status)
        for event in events:
            if isinstance(event, Seen):
                self.seen.emit(event.view.frame)
            elif isinstance(event, FaultSeen):
                self.fault_seen.emit(event.fault)
        self.status_changed.emit(run.status)
        self._follower.renew_models(at_once=over)
        if over and not self._reported:
            self._reported = True
            self._follower.end()
            if run.error is not None:
                self.failed.emit(run.error)
            self.finished.emit(run.status)
