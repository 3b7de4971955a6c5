"""The log: what program and devices reported, by level, searchable, with the whole text of a line below."""

from __future__ import annotations

import logging
from pathlib import Path

from PyQt5.QtGui import QGuiApplication, QShowEvent
from PyQt5.QtWidgets import QComboBox, QFileDialog, QLineEdit, QPlainTextEdit, QTableView

from labcontrol.errors import UserError
from labcontrol.gui.log.model import TEXT_ROLE, LogFilter, LogModel
from labcontrol.gui.session.context import WindowContext
from labcontrol.gui.session.page import Page
from labcontrol.gui.shared.buttons import button
from labcontrol.gui.shared.layouts import column, row, splitter, tidy_table
from labcontrol.gui.shared.theme import Theme
from labcontrol.gui.shared.ticking import ticking

LEVELS = {
    "everything": 0,
    "information": logging.INFO,
    "warnings and errors": logging.WARNING,
    "errors": logging.ERROR,
}
_FLUSH_MS = 100


class LogPage(Page):
    """A table of log lines with a choice of level and a search; its tab says how many errors nobody has seen yet."""

    title = "Log"

    def __init__(self, context: WindowContext) -> None:
        super().__init__(context)
        self._unread = 0
        self._relay = context.log
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
            self.tab_text.emit(f"{self.title} · {self._unread} new")

    def text(self) -> str:
        """The lines that are shown now, with times and whole texts."""
        rows = (self.filter.index(row, 0) for row in range(self.filter.rowCount()))
        return "".join(f"{self.filter.data(index, TEXT_ROLE)}\n" for index in rows)

    def save_file(self, path: Path) -> None:
        """Write the lines that are shown now."""
        try:
            path.write_text(self.text(), encoding="utf-8", newline="\n")
        except OSError as error:
            problem = UserError(f"{path} cannot be written: {error.strerror}.", "Choose another place.")
            self.problem.emit(problem, "The log was not written.")

    def shut_down(self) -> None:
        self._timer.stop()

    def set_theme(self, theme: Theme) -> None:
        self.model.set_theme(theme)

    def showEvent(self, event: QShowEvent | None) -> None:
        super().showEvent(event)
        self._unread = 0
        self.tab_text.emit(self.title)
        self.table.scrollToBottom()

    # --- parts --------------------------------------------------------------------------------------------------
    def _flush(self) -> None:
        if records := self._relay.drain():
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
            self.save_file(Path(name))

    def _lay_out(self) -> None:
        copy = button("Copy", "Copy the selected lines, or all that are shown", self._copy)
        save = button("Save…", "Write the lines that are shown to a file", self._choose_and_save)
        split = splitter(self.table, self.whole, vertical=True, stretch=(5, 1), sizes=(500, 110), collapsible=False)
        bar = row(self.level, (self.search, 1), copy, save)
        self.setLayout(column(bar, (split, 1), margins=(12, 8, 12, 12)))


def _table(model: LogFilter) -> QTableView:
    table = QTableView()
    table.setModel(model)
    tidy_table(table, 24, (90, 100, 220))
    return table
