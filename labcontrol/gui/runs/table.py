"""The table of past runs: read beside the event loop, sorted, filtered, notes edited in place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PyQt5.QtCore import QAbstractTableModel, QModelIndex, QObject, QSortFilterProxyModel, Qt, pyqtSignal
from PyQt5.QtGui import QColor

from labcontrol.errors import UserError
from labcontrol.formatting import rounded
from labcontrol.gui.runs.reading import RunRow, read_row, read_rows
from labcontrol.gui.runs.thumbnail import CURVE_ROLE
from labcontrol.gui.shared.background import Background
from labcontrol.gui.shared.theme import LIGHT, Theme
from labcontrol.learning import strategy_label
from labcontrol.records.catalogue import RunSummary, read_note, write_note
from labcontrol.records.run_filter import chosen, started_text

SORT_ROLE = int(Qt.ItemDataRole.UserRole)
_ALIGN_RIGHT = int(Qt.AlignmentFlag.AlignRight) | int(Qt.AlignmentFlag.AlignVCenter)
_ALIGN_LEFT = int(Qt.AlignmentFlag.AlignLeft) | int(Qt.AlignmentFlag.AlignVCenter)
_CHANGING = ("running", "paused", "unreadable")


@dataclass(frozen=True)
class Column:
    """text: of a run. key: what it is sorted by. width_px: to begin with."""

    heading: str
    text: Callable[[RunRow], str]
    key: Callable[[RunRow], Any]
    width_px: int
    is_number: bool = False
    tip: str = ""


def _of(field: str) -> Callable[[RunRow], Any]:
    return lambda run: getattr(run.summary, field)


COLUMNS: tuple[Column, ...] = (
    Column("Started", lambda run: started_text(run.summary.started_unix_s), _of("started_unix_s"), 146),
    Column("Curve", lambda _run: "", _of("error"), 110, tip="Best error over the epochs, logarithmic"),
    Column("Task", lambda run: Path(run.summary.task).stem or run.path.name, _of("task"), 112),
    Column("N", lambda run: _integer(run.summary.neurons), _of("neurons"), 58, is_number=True, tip="Neurons"),
    Column("Selection", lambda run: _how(run.summary), lambda run: _how(run.summary), 96, tip="Rule, or strategy"),
    Column("Loss", _of("loss"), _of("loss"), 56),
    Column("Epochs", lambda run: _integer(run.summary.epochs), _of("epochs"), 70, is_number=True),
    Column("Final error", lambda run: _number(run.summary.error), _of("error"), 88, is_number=True,
           tip="Of the best mask, over the training part"),
    Column("Test error", lambda run: _number(run.summary.test_error), _of("test_error"), 84, is_number=True),
    Column("τ / N", lambda run: _number(run.tau_per_neuron), lambda run: run.tau_per_neuron, 66, is_number=True,
           tip="Time constant of the fitted exponential, in epochs per neuron"),
    Column("State", _of("state"), _of("state"), 86),
    Column("Note", lambda run: run.summary.note.replace("\n", " · "), _of("note"), 120,
           tip="Double click to write a note; it is kept beside the record"),
)  # fmt: skip
NOTE_COLUMN = len(COLUMNS) - 1
CURVE_COLUMN = 1


class RunsModel(QAbstractTableModel):
    """The runs of one folder. `problem` emits a UserError, `read_all` that nothing is left to read."""

    problem = pyqtSignal(object)
    read_all = pyqtSignal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._runs: list[RunRow] = []
        self._waiting: list[Path] = []
        self._background = Background(self)
        self.theme: Theme = LIGHT

    def read(self, folder: Path) -> None:
        """Begin to read a folder again; files known and unchanged since are not opened."""
        paths = set(folder.glob("*.h5")) if folder.is_dir() else set()
        for row in reversed(range(len(self._runs))):
            run = self._runs[row]
            if run.path not in paths or run.summary.state in _CHANGING:
                self.beginRemoveRows(QModelIndex(), row, row)
                del self._runs[row]
                self.endRemoveRows()
        known = {run.path for run in self._runs}
        self._waiting = sorted(paths - known, key=lambda path: path.name)
        self._read_more()

    @property
    def is_reading(self) -> bool:
        return bool(self._waiting) or self._background.is_busy

    def run(self, row: int) -> RunSummary:
        return self._runs[row].summary

    def remove(self, path: Path) -> None:
        """Take a run that is gone out of the table."""
        row = next((row for row, run in enumerate(self._runs) if run.path == path), None)
        if row is not None:
            self.beginRemoveRows(QModelIndex(), row, row)
            del self._runs[row]
            self.endRemoveRows()

    def close_background(self) -> None:
        """End reading."""
        self._waiting = []
        self._background.close()

    def _read_more(self) -> None:
        paths = self._waiting
        if not paths:
            self.read_all.emit()
            return

        def take_in(read: tuple[list[RunRow], list[Path]]) -> None:
            rows, waiting = read
            if self._waiting is paths:
                self._waiting = waiting
                self._add(rows)
            self._read_more()

        self._background.run(lambda: read_rows(paths), take_in)

    def _add(self, rows: list[RunRow]) -> None:
        if rows:
            end = len(self._runs)
            self.beginInsertRows(QModelIndex(), end, end + len(rows) - 1)
            self._runs += rows
            self.endInsertRows()

    # --- what Qt asks -------------------------------------------------------------------------------------------
    def rowCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._runs)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        return len(COLUMNS)

    def flags(self, index: QModelIndex) -> Qt.ItemFlags:
        flags = super().flags(index)
        return flags | Qt.ItemFlag.ItemIsEditable if index.column() == NOTE_COLUMN else flags

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        column = COLUMNS[section]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.heading
        if role == Qt.ItemDataRole.ToolTipRole:
            return column.tip or None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _ALIGN_RIGHT if column.is_number else _ALIGN_LEFT
        return None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        run, column = self._runs[index.row()], COLUMNS[index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.text(run)
        if role == SORT_ROLE:
            return _sortable(column.key(run))
        if role == CURVE_ROLE and index.column() == CURVE_COLUMN:
            return run.curve
        if role == Qt.ItemDataRole.EditRole and index.column() == NOTE_COLUMN:
            return self._note(run.path)
        if role == Qt.ItemDataRole.TextAlignmentRole and column.is_number:
            return _ALIGN_RIGHT
        if role == Qt.ItemDataRole.ToolTipRole:
            summary = run.summary
            return "\n".join(filter(None, [str(run.path), summary.reason, summary.problem, summary.note]))
        if role == Qt.ItemDataRole.ForegroundRole:
            return self._colour(run.summary.state)
        return None

    def setData(self, index: QModelIndex, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Write a note."""
        if role != Qt.ItemDataRole.EditRole or index.column() != NOTE_COLUMN:
            return False
        run = self._runs[index.row()]
        if str(value).strip() == self._note(run.path):
            return False
        try:
            write_note(run.path, str(value))
            note = read_row(run.path).summary.note
        except UserError as error:
            self.problem.emit(error)
            return False
        self._runs[index.row()] = replace(run, summary=replace(run.summary, note=note))
        self.dataChanged.emit(index, index)
        return True

    def _note(self, path: Path) -> str:
        try:
            return read_note(path)
        except UserError as error:
            self.problem.emit(error)
            return ""

    def _colour(self, state: str) -> QColor | None:
        if state in ("failed", "unreadable"):
            return QColor(self.theme.danger)
        if state in ("interrupted", "stopped", "aborted"):
            return QColor(self.theme.caution)
        return None


class RunsFilter(QSortFilterProxyModel):
    """Runs that meet what is typed: words of their row, and comparisons such as error<0.01."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._conditions: list[str] = []
        self.setSortRole(SORT_ROLE)

    def set_text(self, text: str) -> str:
        """Returns what is wrong with the text, and then keeps the filter as it was; empty when all is well."""
        conditions = text.split()
        try:
            chosen([], conditions)
        except UserError as error:
            return str(error)
        self._conditions = conditions
        self.invalidateFilter()
        return ""

    def filterAcceptsRow(self, row: int, parent: QModelIndex) -> bool:
        model = self.sourceModel()
        assert isinstance(model, RunsModel)
        return bool(chosen([model.run(row)], self._conditions))


def _how(run: RunSummary) -> str:
    known = {"strategy": run.strategy, "selection": run.selection}
    return strategy_label({key: value for key, value in known.items() if value})


def _sortable(value: Any) -> Any:
    """Qt cannot compare with None; what is unknown comes last of rising numbers."""
    return float("inf") if value is None else value


def _number(value: float | None) -> str:
    return "" if value is None else rounded(value)


def _integer(value: int) -> str:
    return str(value) if value else ""
