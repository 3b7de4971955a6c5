"""A window on a run of another process: shows its record while it grows, and can do nothing to it."""

from __future__ import annotations

from datetime import datetime
from html import escape
from pathlib import Path

from PyQt5.QtCore import QSettings, QTimer
from PyQt5.QtGui import QCloseEvent, QTextCursor
from PyQt5.QtWidgets import QMainWindow, QPlainTextEdit

from labcontrol.analysis.record_follower import RecordFollower, RecordUpdate
from labcontrol.config import ExperimentConfig
from labcontrol.engine import Event
from labcontrol.errors import UserError
from labcontrol.formatting import count, duration, rounded
from labcontrol.gui.app import ended_by_signals, make_application
from labcontrol.gui.learning.view import LearningView
from labcontrol.gui.live.run_follower import LiveViews, RunFollower
from labcontrol.gui.shared.background import Background
from labcontrol.gui.shared.layouts import ROOM, column, holder, label, row, splitter
from labcontrol.gui.shared.output_view import OutputView
from labcontrol.gui.shared.pattern_views import MaskView
from labcontrol.gui.shared.theme import Theme, set_kind
from labcontrol.gui.window.desktop import Appearance
from labcontrol.records.contents import LogLine

_KINDS = {"running": "active", "finished": "good", "failed": "danger"}
_GEOMETRY = "monitor/geometry"
_LOG_LINES = 100

_Read = tuple[RecordUpdate, bool, list[Event]]


class MonitorWindow(QMainWindow):
    """Follows one record, also beyond the end of the run and into its continuation.

    interval_s: between two polls. Closing it does nothing to the run. Raises UserError for what is no run file.
    """

    def __init__(self, record: Path, appearance: Appearance, settings: QSettings, interval_s: float = 0.5) -> None:
        super().__init__()
        self._follower = RecordFollower(record)
        self._experiment = _known_experiment(self._follower)
        self._settings = settings
        self._reading = Background(self)
        self.state, self.facts, self.trouble = label("reading", centred=True), label(narrow=True), label(wraps=True)
        self.learning, self.dmd, self.output = LearningView(), MaskView(), OutputView()
        self.log = QPlainTextEdit()
        self.follower = RunFollower(LiveViews(self.learning, self.dmd, self.output), self)
        self.setWindowTitle(f"{record.stem} – monitor")
        self._lay_out(record)
        self._set_theme(appearance.theme)
        appearance.changed.connect(self._set_theme)
        geometry = settings.value(_GEOMETRY)
        if geometry is None or not self.restoreGeometry(geometry):
            self.resize(1280, 800)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.poll)
        self._timer.start(round(1000 * interval_s))
        self.poll()

    def poll(self) -> None:
        """Read what is new, beside the event loop, and show it."""
        self._reading.run(self._read, self._show, self._show_trouble)
        self.follower.renew_models(at_once=False)

    # --- how ----------------------------------------------------------------------------------------------------
    def _read(self) -> _Read:
        update = self._follower.poll()
        return update, *self._follower.events()

    def _show_trouble(self, error: UserError) -> None:
        self.trouble.setText(escape(str(error)))
        self.trouble.show()

    def _show(self, read: _Read) -> None:
        update, afresh, events = read
        if afresh:
            self.follower.begin(self._experiment)
        self.follower.follow(events, update.status)
        if update.is_over:
            self.follower.end()
            self.follower.renew_models(at_once=True)
        self._show_state(update)
        text = "\n".join(map(_log_line, update.log[-_LOG_LINES:]))
        if text != self.log.toPlainText():
            self.log.setPlainText(text)
            self.log.moveCursor(QTextCursor.MoveOperation.End)

    def _show_state(self, update: RecordUpdate) -> None:
        status, over = update.status, update.is_over
        self.state.setText(update.state.name)
        self.state.setToolTip(update.state.reason)
        set_kind(self.state, _KINDS.get(update.state.name, "caution"))
        facts = [f"epoch <b>{count(status.epoch)}</b> of {count(status.epochs)}"]
        if status.epoch:
            facts.append(f"{self._experiment.learning.loss} <b>{rounded(status.error)}</b>")
        facts.append(f"masks kept {count(status.accepted)}")
        if status.epoch_s:
            facts.append(f"{rounded(status.epoch_s * 1e3)} ms an epoch")
        if not over and status.epoch_s:
            facts.append(f"<b>{duration(status.seconds_left)}</b> left")
        if over and update.state.reason:
            facts.append(escape(update.state.reason))
        self.facts.setText(" &nbsp;·&nbsp; ".join(facts))
        self.trouble.setText(self._trouble(update))
        self.trouble.setVisible(bool(self.trouble.text()))

    def _trouble(self, update: RecordUpdate) -> str:
        if update.state.name == "interrupted":
            path = escape(str(self._follower.path))
            return f"Nobody writes this record any more. 'labcontrol resume {path}' goes on."
        return f"No epoch for {duration(update.idle_s)}." if update.stands_still else ""

    def _set_theme(self, theme: Theme) -> None:
        for view in (self.learning, self.dmd, self.output):
            view.set_theme(theme)

    def _lay_out(self, record: Path) -> None:
        self.state.setObjectName("chip")
        self.trouble.hide()
        self.log.setReadOnly(True)
        self.log.setPlaceholderText("The log of the run")
        name = label(record.stem, "title", narrow=True)  # a long name must not keep the window wide
        name.setToolTip(str(record.absolute()))
        side = splitter(self.dmd, self.output, self.log, vertical=True, sizes=(300, 300, 120))
        views = splitter(self.learning, side, sizes=(900, 380))
        self.setCentralWidget(
            holder(column(row(name, self.state, ROOM), self.facts, self.trouble, (views, 1), margins=(10, 8, 10, 10)))
        )

    def closeEvent(self, event: QCloseEvent | None) -> None:
        self._timer.stop()
        self._settings.setValue(_GEOMETRY, self.saveGeometry())
        self.follower.close()
        self._reading.close()
        self._follower.close()
        super().closeEvent(event)


def open_monitor(record: Path, interval_s: float) -> int:
    """Show the window and stay until it is closed; returns the exit code. Raises UserError for what is no run file."""
    app, settings = make_application(), QSettings()
    window = MonitorWindow(record, Appearance(app, settings), settings, interval_s)
    window.show()

    def close() -> None:
        window.close()

    with ended_by_signals(close, close):
        return app.exec_()


def _log_line(line: LogLine) -> str:
    return f"{datetime.fromtimestamp(line.unix_s):%m-%d %H:%M:%S}  {line.level}: {line.text}"


def _known_experiment(follower: RecordFollower) -> ExperimentConfig:
    if follower.experiment is None:
        follower.close()
        raise UserError(f"The experiment in {follower.path} is not one of this version of the program.")
    return follower.experiment
