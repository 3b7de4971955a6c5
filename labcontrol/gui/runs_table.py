"""The table of past runs: read one by one in the pauses of the event loop, sorted, filtered."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PyQt5.QtCore import QAbstractTableModel, QModelIndex, QObject, QSortFilterProxyModel, Qt, QTimer
from PyQt5.QtGui import QColor

from labcontrol.gui.theme import LIGHT, Theme
from labcontrol.gui.words import figures
from labcontrol.records.catalogue import RunSummary, summary

SORT_ROLE = int(Qt.ItemDataRole.UserRole)
_ALIGN_RIGHT = int(Qt.AlignmentFlag.AlignRight) | int(Qt.AlignmentFlag.AlignVCenter)

# Heading; text of a run; what it is sorted by; whether it is a number.
_COLUMNS: tuple[tuple[str, Callable[[RunSummary], str], Callable[[RunSummary], Any], bool], ...] = (
    ("Started", lambda run: _date(run.started_unix_s), lambda run: run.started_unix_s, False),
    ("Task", lambda run: Path(run.task).stem or run.path.name, lambda run: run.task, False),
    ("N", lambda run: _integer(run.neurons), lambda run: run.neurons, True),
    ("Selection", lambda run: run.selection, lambda run: run.selection, False),
    ("Loss", lambda run: run.loss, lambda run: run.loss, False),
    ("Epochs", lambda run: _integer(run.epochs), lambda run: run.epochs, True),
    ("Error", lambda run: _number(run.error), lambda run: run.error or 0.0, True),
    ("Test error", lambda run: _number(run.test_error), lambda run: run.test_error or 0.0, True),
    ("Seed", lambda run: "" if run.seed is None else str(run.seed), lambda run: run.seed or 0, True),
    ("State", lambda run: run.state, lambda run: run.state, False),
)


class RunsModel(QAbstractTableModel):
    """The runs of one folder."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._runs: list[RunSummary] = []
        self._waiting: list[Path] = []
        self.theme: Theme = LIGHT
        self._timer = QTimer(self)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._read_one)

    def read(self, folder: Path) -> None:
        """Begin to read a folder again; files known and unchanged since are not opened."""
        paths = set(folder.glob("*.h5")) if folder.is_dir() else set()
        self.beginResetModel()
        self._runs = [run for run in self._runs if run.path in paths and run.state not in ("running", "unreadable")]
        self.endResetModel()
        known = {run.path for run in self._runs}
        self._waiting = sorted(paths - known, key=lambda path: path.name)
        self._timer.start()

    @property
    def is_reading(self) -> bool:
        return bool(self._waiting)

    def run(self, row: int) -> RunSummary:
        return self._runs[row]

    def _read_one(self) -> None:
        if not self._waiting:
            self._timer.stop()
            return
        path = self._waiting.pop()
        if not path.exists():
            return
        end = len(self._runs)
        run = summary(path)
        self.beginInsertRows(QModelIndex(), end, end)
        self._runs.append(run)
        self.endInsertRows()

    # --- what Qt asks -------------------------------------------------------------------------------------------
    def rowCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._runs)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        return len(_COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return _COLUMNS[section][0]
        return None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        run = self._runs[index.row()]
        _, text, key, numeric = _COLUMNS[index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return text(run)
        if role == SORT_ROLE:
            return key(run)
        if role == Qt.ItemDataRole.TextAlignmentRole and numeric:
            return _ALIGN_RIGHT
        if role == Qt.ItemDataRole.ToolTipRole:
            return "\n".join(filter(None, [str(run.path), run.reason, run.problem]))
        if role == Qt.ItemDataRole.ForegroundRole and run.state in ("failed", "unreadable"):
            return QColor(self.theme.danger)
        if role == Qt.ItemDataRole.ForegroundRole and run.state in ("interrupted", "aborted"):
            return QColor(self.theme.caution)
        return None


class RunsFilter(QSortFilterProxyModel):
    """Runs whose row contains every word of a text."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._words: list[str] = []
        self.setSortRole(SORT_ROLE)

    def set_text(self, text: str) -> None:
        self._words = text.lower().split()
        self.invalidateFilter()

    def filterAcceptsRow(self, row: int, parent: QModelIndex) -> bool:
        model = self.sourceModel()
        assert isinstance(model, RunsModel)
        run = model.run(row)
        line = " ".join([run.path.name, *(text(run) for _, text, _, _ in _COLUMNS)]).lower()
        return all(word in line for word in self._words)


def _date(unix_s: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(unix_s))


def _number(value: float | None) -> str:
    return "" if value is None else figures(value)


def _integer(value: int) -> str:
    return str(value) if value else ""
