"""The log: what program and devices reported, by level, searchable."""

from __future__ import annotations

import logging
import time
from collections import deque
from typing import Any

from PyQt5.QtCore import QAbstractTableModel, QModelIndex, QObject, QSortFilterProxyModel, Qt, pyqtSignal
from PyQt5.QtGui import QColor
from PyQt5.QtWidgets import QComboBox, QHBoxLayout, QHeaderView, QLineEdit, QTableView, QVBoxLayout, QWidget

from labcontrol.gui.theme import LIGHT, Theme

_LINES_KEPT = 20_000
_COLUMNS = ("Time", "Level", "From", "Message")
_LEVELS = {"all": 0, "information": logging.INFO, "warnings": logging.WARNING, "errors": logging.ERROR}
_LEVEL_ROLE = int(Qt.ItemDataRole.UserRole)


class LogRelay(QObject, logging.Handler):
    """Brings log records of any thread into the window's."""

    arrived = pyqtSignal(object)

    def __init__(self) -> None:
        QObject.__init__(self)
        logging.Handler.__init__(self, logging.INFO)

    def emit(self, record: logging.LogRecord) -> None:
        self.arrived.emit(record)


class LogPage(QWidget):
    """A table of log lines with a choice of level and a search."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = _LogModel(self)
        self._filter = _LogFilter(self)
        self._filter.setSourceModel(self.model)
        self.level = QComboBox()
        self.level.addItems(list(_LEVELS))
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search the log")
        self.search.setClearButtonEnabled(True)
        self.table = QTableView()
        self.table.setModel(self._filter)
        self.table.setShowGrid(False)
        self.table.setWordWrap(False)
        self.table.setSelectionBehavior(QTableView.SelectRows)
        rows, columns = self.table.verticalHeader(), self.table.horizontalHeader()
        assert rows is not None
        assert columns is not None
        rows.hide()
        rows.setDefaultSectionSize(24)
        columns.setStretchLastSection(True)
        columns.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft)
        for column, width in enumerate((90, 100, 200)):
            columns.resizeSection(column, width)
        columns.setSectionResizeMode(QHeaderView.Interactive)

        bar = QHBoxLayout()
        bar.addWidget(self.level)
        bar.addWidget(self.search, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 8, 12, 12)
        layout.addLayout(bar)
        layout.addWidget(self.table)
        self.level.currentTextChanged.connect(lambda name: self._filter.set_level(_LEVELS[name]))
        self.search.textChanged.connect(self._filter.setFilterFixedString)

    def add(self, record: logging.LogRecord) -> None:
        """Append one record; the view stays at the end if it was there."""
        bar = self.table.verticalScrollBar()
        at_end = bar is None or bar.value() >= bar.maximum() - 1
        self.model.add(record)
        if at_end:
            self.table.scrollToBottom()

    def set_theme(self, theme: Theme) -> None:
        self.model.theme = theme


class _LogModel(QAbstractTableModel):
    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._records: deque[logging.LogRecord] = deque()
        self.theme = LIGHT

    def add(self, record: logging.LogRecord) -> None:
        if len(self._records) >= _LINES_KEPT:
            self.beginRemoveRows(QModelIndex(), 0, 0)
            self._records.popleft()
            self.endRemoveRows()
        end = len(self._records)
        self.beginInsertRows(QModelIndex(), end, end)
        self._records.append(record)
        self.endInsertRows()

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._records)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        return len(_COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return _COLUMNS[section]
        return None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        record = self._records[index.row()]
        if role == _LEVEL_ROLE:
            return record.levelno
        if role == Qt.ItemDataRole.DisplayRole:
            return (
                time.strftime("%H:%M:%S", time.localtime(record.created)),
                record.levelname.lower(),
                record.name,
                _text(record).partition("\n")[0],
            )[index.column()]
        if role == Qt.ItemDataRole.ToolTipRole:
            return _text(record)
        if role == Qt.ItemDataRole.ForegroundRole and record.levelno >= logging.WARNING:
            return QColor(self.theme.danger if record.levelno >= logging.ERROR else self.theme.caution)
        return None


def _text(record: logging.LogRecord) -> str:
    """Message, and the traceback where there is one."""
    return logging.Formatter().format(record)


class _LogFilter(QSortFilterProxyModel):
    """Lines of at least one level that contain a text in any column."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._level = 0
        self.setFilterKeyColumn(-1)
        self.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)

    def set_level(self, level: int) -> None:
        self._level = level
        self.invalidateFilter()

    def filterAcceptsRow(self, row: int, parent: QModelIndex) -> bool:
        model = self.sourceModel()
        assert model is not None
        high_enough = int(model.data(model.index(row, 0, parent), _LEVEL_ROLE)) >= self._level
        return high_enough and super().filterAcceptsRow(row, parent)
