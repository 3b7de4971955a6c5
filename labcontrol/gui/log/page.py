"""The log: what program and devices reported, by level, searchable, with the whole text of a line below."""

from __future__ import annotations

import logging
from collections import deque
from pathlib import Path

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtGui import QGuiApplication, QShowEvent
from PyQt5.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QPlainTextEdit,
    QSplitter,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from labcontrol.errors import UserError
from labcontrol.gui.log.model import TEXT_ROLE, LogFilter, LogModel
from labcontrol.gui.shared.buttons import button
from labcontrol.gui.shared.theme import Theme
from labcontrol.gui.shared.ticking import ticking

LEVELS = {
    "everything": 0,
    "information": logging.INFO,
    "warnings and errors": logging.WARNING,
    "errors": logging.ERROR,
}
_FLUSH_MS = 100
_MOST_WAITING = 20_000


class LogRelay(logging.Handler):
    """Takes log records of any thread and keeps them until the window asks."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._records: deque[logging.LogRecord] = deque(maxlen=_MOST_WAITING)

    def emit(self, record: logging.LogRecord) -> None:
        self._records.append(record)

    def drain(self) -> list[logging.LogRecord]:
        return [self._records.popleft() for _ in range(len(self._records))]


class LogPage(QWidget):
    """A table of log lines with a choice of level and a search.

    Signals: `unread` carries how many errors came since the page was last shown; `problem` a UserError.
    """

    unread = pyqtSignal(int)
    problem = pyqtSignal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._unread = 0
        self._relay: LogRelay | None = None
        self.model = LogModel(self)
        self.filter = LogFilter(self)
        self.filter.setSourceModel(self.model)
        self.level = QComboBox()
        self.level.addItems(list(LEVELS))
        self.level.setToolTip("Least important lines to show")
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search the log")
        self.search.setClearButtonEnabled(True)
        self.table = _table(self.filter)
        self.whole = QPlainTextEdit()
        self.whole.setReadOnly(True)
        self.whole.setPlaceholderText("Choose a line to read all of it, with the traceback where there is one.")
        self._timer = ticking(self, _FLUSH_MS, self._flush)
        self._lay_out()
        self.level.currentTextChanged.connect(lambda name: self.filter.set_level(LEVELS[name]))
        self.search.textChanged.connect(self.filter.setFilterFixedString)
        selection = self.table.selectionModel()
        assert selection is not None
        selection.currentRowChanged.connect(lambda *_: self._show_whole())

    def listen(self, relay: LogRelay) -> None:
        """Show what this relay takes in."""
        self._relay = relay
        self._timer.start()

    def add(self, records: list[logging.LogRecord]) -> None:
        """Append; the view stays at the end if it was there."""
        bar = self.table.verticalScrollBar()
        at_end = bar is None or bar.value() >= bar.maximum() - 1
        self.model.add(records)
        if at_end:
            self.table.scrollToBottom()
        errors = sum(record.levelno >= logging.ERROR for record in records)
        if errors and not self.isVisible():
            self._unread += errors
            self.unread.emit(self._unread)

    def text(self) -> str:
        """The lines that are shown now, with times and whole texts."""
        rows = (self.filter.index(row, 0) for row in range(self.filter.rowCount()))
        return "".join(f"{self.filter.data(index, TEXT_ROLE)}\n" for index in rows)

    def save(self, path: Path) -> None:
        """Write the lines that are shown now."""
        try:
            path.write_text(self.text(), encoding="utf-8", newline="\n")
        except OSError as error:
            self.problem.emit(UserError(f"{path} cannot be written: {error.strerror}.", "Choose another place."))

    def set_theme(self, theme: Theme) -> None:
        self.model.set_theme(theme)

    def showEvent(self, event: QShowEvent | None) -> None:
        super().showEvent(event)
        self._unread = 0
        self.unread.emit(0)
        self.table.scrollToBottom()

    # --- parts --------------------------------------------------------------------------------------------------
    def _flush(self) -> None:
        if self._relay is not None and (records := self._relay.drain()):
            self.add(records)

    def _show_whole(self) -> None:
        index = self.table.currentIndex()
        self.whole.setPlainText(str(self.filter.data(index, TEXT_ROLE)) if index.isValid() else "")

    def _copy(self) -> None:
        clipboard = QGuiApplication.clipboard()
        selection = self.table.selectionModel()
        assert clipboard is not None
        assert selection is not None
        chosen = [str(self.filter.data(index, TEXT_ROLE)) for index in selection.selectedRows()]
        clipboard.setText("\n".join(chosen) if chosen else self.text())

    def _choose_and_save(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self, "Save the log as shown", "labcontrol.log", "Logs (*.log *.txt)")
        if name:
            self.save(Path(name))

    def _lay_out(self) -> None:
        bar = QHBoxLayout()
        bar.addWidget(self.level)
        bar.addWidget(self.search, 1)
        bar.addWidget(button("Copy", "Copy the selected lines, or all that are shown", self._copy))
        bar.addWidget(button("Save…", "Write the lines that are shown to a file", self._choose_and_save))
        split = QSplitter(Qt.Orientation.Vertical)
        split.addWidget(self.table)
        split.addWidget(self.whole)
        split.setStretchFactor(0, 5)
        split.setStretchFactor(1, 1)
        split.setSizes([500, 110])
        split.setChildrenCollapsible(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 8, 12, 12)
        layout.addLayout(bar)
        layout.addWidget(split, 1)


def _table(model: LogFilter) -> QTableView:
    table = QTableView()
    table.setModel(model)
    table.setShowGrid(False)
    table.setWordWrap(False)
    table.setSelectionBehavior(QTableView.SelectRows)
    table.setSelectionMode(QTableView.ExtendedSelection)
    rows, columns = table.verticalHeader(), table.horizontalHeader()
    assert rows is not None
    assert columns is not None
    rows.hide()
    rows.setDefaultSectionSize(24)
    columns.setStretchLastSection(True)
    columns.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft)
    columns.setHighlightSections(False)
    for column, width in enumerate((90, 100, 220)):
        columns.resizeSection(column, width)
    columns.setSectionResizeMode(QHeaderView.Interactive)
    return table
