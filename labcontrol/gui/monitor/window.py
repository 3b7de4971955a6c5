"""A window on a run of another process: shows its record while it grows, and can do nothing to it."""

from __future__ import annotations

from datetime import datetime
from html import escape
from pathlib import Path

from PyQt5.QtCore import QSettings, Qt, QTimer
from PyQt5.QtGui import QCloseEvent, QTextCursor
from PyQt5.QtWidgets import QFrame, QHBoxLayout, QLabel, QMainWindow, QPlainTextEdit, QSplitter, QVBoxLayout

from labcontrol.analysis.report.follow import stands_still
from labcontrol.errors import UserError
from labcontrol.formatting import count, duration, rounded
from labcontrol.gui.app import ended_by_signals, make_application
from labcontrol.gui.learning.view import LearningView
from labcontrol.gui.live.run_follower import LiveViews, RunFollower
from labcontrol.gui.monitor.record_teller import News, RecordTeller
from labcontrol.gui.shared.background import Background
from labcontrol.gui.shared.output_view import OutputView
from labcontrol.gui.shared.pattern_views import MaskView
from labcontrol.gui.shared.theme import Theme, set_kind
from labcontrol.gui.window.desktop import Appearance
from labcontrol.records.reader import LogLine

_KINDS = {"running": "active", "finished": "good", "failed": "danger"}
_GEOMETRY = "monitor/geometry"


class MonitorWindow(QMainWindow):
    """Follows one record, also beyond the end of the run and into its continuation.

    interval_s: between two looks. Closing it does nothing to the run. Raises UserError for what is no run file.
    """

    def __init__(self, record: Path, appearance: Appearance, settings: QSettings, interval_s: float = 0.5) -> None:
        super().__init__()
        self._teller = RecordTeller(record)
        self._settings = settings
        self._reading = Background(self)
        self.state, self.facts, self.trouble = QLabel("reading"), QLabel(""), QLabel("")
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
        self._timer.timeout.connect(self.look)
        self._timer.start(round(1000 * interval_s))
        self.look()

    def look(self) -> None:
        """Read what is new, beside the event loop, and show it."""
        self._reading.run(self._news_or_error, self._show)
        self.follower.renew_models(at_once=False)

    # --- how ----------------------------------------------------------------------------------------------------
    def _news_or_error(self) -> News | UserError:
        try:
            return self._teller.look()
        except UserError as error:
            return error

    def _show(self, news: News | UserError) -> None:
        if isinstance(news, UserError):
            self.trouble.setText(escape(str(news)))
            self.trouble.show()
            return
        if news.afresh:
            self.follower.begin(self._teller.experiment)
        self.follower.follow(news.events, news.status)
        over = news.state.name != "running"
        if over:
            self.follower.end()
            self.follower.renew_models(at_once=True)
        self._show_state(news, over=over)
        text = "\n".join(map(_log_line, news.log))
        if text != self.log.toPlainText():
            self.log.setPlainText(text)
            self.log.moveCursor(QTextCursor.MoveOperation.End)

    def _show_state(self, news: News, *, over: bool) -> None:
        status = news.status
        self.state.setText(news.state.name)
        self.state.setToolTip(news.state.reason)
        set_kind(self.state, _KINDS.get(news.state.name, "caution"))
        facts = [f"epoch <b>{count(status.epoch)}</b> of {count(status.epochs)}"]
        if status.epoch:
            facts.append(f"{self._teller.experiment.learning.loss} <b>{rounded(status.error)}</b>")
        facts.append(f"masks kept {count(status.accepted)}")
        if status.epoch_s:
            facts.append(f"{rounded(status.epoch_s * 1e3)} ms an epoch")
        if not over and status.epoch_s:
            facts.append(f"<b>{duration(status.seconds_left)}</b> left")
        if over and news.state.reason:
            facts.append(escape(news.state.reason))
        self.facts.setText(" &nbsp;·&nbsp; ".join(facts))
        self.trouble.setText(self._trouble(news, over=over))
        self.trouble.setVisible(bool(self.trouble.text()))

    def _trouble(self, news: News, *, over: bool) -> str:
        if news.state.name == "interrupted":
            return f"Nobody writes this record any more. 'labcontrol resume {escape(str(self._teller.path))}' goes on."
        if not over and stands_still(news.idle_s, news.status.epoch_s):
            return f"No epoch for {duration(news.idle_s)}."
        return ""

    def _set_theme(self, theme: Theme) -> None:
        for view in (self.learning, self.dmd, self.output):
            view.set_theme(theme)

    def _lay_out(self, record: Path) -> None:
        self.state.setObjectName("chip")
        self.state.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.trouble.setWordWrap(True)
        self.trouble.hide()
        self.log.setReadOnly(True)
        self.log.setPlaceholderText("The log of the run")
        name = QLabel(record.stem)
        name.setProperty("role", "title")
        name.setToolTip(str(record.absolute()))
        line = QHBoxLayout()
        line.addWidget(name)
        line.addWidget(self.state)
        line.addStretch(1)
        for words in (name, self.facts):
            words.setMinimumWidth(1)  # a long name must not keep the window wide
        side, all_of_it = QSplitter(Qt.Orientation.Vertical), QSplitter(Qt.Orientation.Horizontal)
        for view in (self.dmd, self.output, self.log):
            side.addWidget(view)
        side.setSizes([300, 300, 120])
        all_of_it.addWidget(self.learning)
        all_of_it.addWidget(side)
        all_of_it.setSizes([900, 380])
        centre = QFrame()
        layout = QVBoxLayout(centre)
        layout.setContentsMargins(10, 8, 10, 10)
        layout.addLayout(line)
        layout.addWidget(self.facts)
        layout.addWidget(self.trouble)
        layout.addWidget(all_of_it, 1)
        self.setCentralWidget(centre)

    def closeEvent(self, event: QCloseEvent | None) -> None:
        self._timer.stop()
        self._settings.setValue(_GEOMETRY, self.saveGeometry())
        self.follower.close()
        self._reading.close()
        self._teller.close()
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
