"""Log lines as a table model, and which of them are shown."""

from __future__ import annotations

import logging
import time
from collections import deque
from typing import Any

from PyQt5.QtCore import QAbstractTableModel, QModelIndex, QObject, QSortFilterProxyModel, Qt
from PyQt5.QtGui import QColor

from labcontrol.gui.shared.theme import LIGHT, Theme

LINES_KEPT = 20_000
LEVEL_ROLE = int(Qt.ItemDataRole.UserRole)
TEXT_ROLE = LEVEL_ROLE + 1
_COLUMNS = ("Time", "Level", "From", "Message")


class LogModel(QAbstractTableModel):
    """The newest lines; older ones are in the log file."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._records: deque[logging.LogRecord] = deque()
        self._theme = LIGHT

    def add(self, records: list[logging.LogRecord]) -> None:
        records = records[-LINES_KEPT:]
        surplus = len(self._records) + len(records) - LINES_KEPT
        if surplus > 0:
            self.beginRemoveRows(QModelIndex(), 0, surplus - 1)
            for _ in range(surplus):
                self._records.popleft()
            self.endRemoveRows()
        end = len(self._records)
        self.beginInsertRows(QModelIndex(), end, end + len(records) - 1)
        self._records.extend(records)
        self.endInsertRows()

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme

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
        if role == LEVEL_ROLE:
            return record.levelno
        if role == TEXT_ROLE:
            return line_of(record)
        if role == Qt.ItemDataRole.DisplayRole:
            return (
                time.strftime("%H:%M:%S", time.localtime(record.created)),
                record.levelname.lower(),
                record.name,
                _text(record).partition("\n")[0],
            )[index.column()]
        if role == Qt.ItemDataRole.ForegroundRole and record.levelno >= logging.WARNING:
            return QColor(self._theme.danger if record.levelno >= logging.ERROR else self._theme.caution)
        return None


def line_of(record: logging.LogRecord) -> str:
    """Time, level, source and the whole text."""
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
    return f"{when} {record.levelname.lower()} {record.name}: {_text(record)}"


def _text(record: logging.LogRecord) -> str:
    """Message, and the traceback where there is one."""
    return logging.Formatter().format(record)


class LogFilter(QSortFilterProxyModel):
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
        high_enough = int(model.data(model.index(row, 0, parent), LEVEL_ROLE)) >= self._level
        return high_enough and super().filterAcceptsRow(row, parent)
