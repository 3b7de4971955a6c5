"""The page of past runs: a table, and below it what is selected, one run over the other."""

from __future__ import annotations

from pathlib import Path

from PyQt5.QtCore import QItemSelectionModel, Qt, QUrl, pyqtSignal
from PyQt5.QtGui import QDesktopServices
from PyQt5.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSplitter,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from labcontrol.errors import UserError
from labcontrol.gui.background import Background
from labcontrol.gui.buttons import button
from labcontrol.gui.learning_plot import Overlay
from labcontrol.gui.learning_view import LearningView
from labcontrol.gui.model_curves import ModelCurve
from labcontrol.gui.output_view import OutputView
from labcontrol.gui.pattern_views import MaskView
from labcontrol.gui.record_contents import RecordContents, read_contents
from labcontrol.gui.runs_table import RunsFilter, RunsModel
from labcontrol.gui.theme import Theme
from labcontrol.records import RunReader
from labcontrol.records.export import export_epochs

_MOST_SHOWN = 6


class RunsPage(QWidget):
    """Browse, compare, export, continue.

    Signals: `problem` tells a UserError; `use_settings` an experiment to set the form to; `continue_run` the path of a
    record to go on with; `compare` the overlays to lay over the live run.
    """

    problem = pyqtSignal(object)
    use_settings = pyqtSignal(object)
    continue_run = pyqtSignal(object)
    compare = pyqtSignal(object)

    def __init__(self, folder: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._folder = folder
        self._shown: list[RecordContents] = []
        self._background = Background(self)
        self.model = RunsModel(self)
        self._filter = RunsFilter(self)
        self._filter.setSourceModel(self.model)
        self.search = QLineEdit()
        self.search.setPlaceholderText("Filter: words that the row contains, for example  mackey uniform 900")
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._filter.set_text)
        self.where = QLabel("")
        self.where.setProperty("role", "muted")
        self.table = self._make_table()
        self.learning, self.mask_view, self.output = LearningView(), MaskView(), OutputView()
        self._buttons = {
            "continue": button("Continue", "Go on with an interrupted or aborted run", self._continue),
            "settings": button("Use settings", "Set up the next run like this one", self._use_settings),
            "compare": button("Lay over live", "Show the selected runs behind the running one", self._compare),
            "export": button("Export…", "Write the epochs as CSV, JSON or Parquet", self._choose_and_export),
            "figure": button("Figure", "Draw the figure of the run beside its record and open it", self._open_figure),
        }
        self._lay_out()
        self._show_selected()

    def read(self) -> None:
        """Look at the folder again."""
        self.where.setText(str(self._folder.absolute()))
        self.model.read(self._folder)

    def select(self, path: Path) -> None:
        """Select the run of this file, if it is in the table."""
        for row in range(self._filter.rowCount()):
            index = self._filter.index(row, 0)
            if self.model.run(self._filter.mapToSource(index).row()).path == path:
                self.table.selectRow(row)
                return

    def export(self, path: Path) -> None:
        """Write the epochs of the first selected run."""
        try:
            with RunReader(self._shown[0].path) as run:
                export_epochs(run, path)
        except UserError as error:
            self.problem.emit(error)

    def close_background(self) -> None:
        """Let go of what works beside the window."""
        self._background.close()
        self.learning.close_background()

    def set_theme(self, theme: Theme) -> None:
        self.model.theme = theme
        for view in (self.learning, self.mask_view, self.output):
            view.set_theme(theme)

    # --- parts --------------------------------------------------------------------------------------------------
    def _show_selected(self) -> None:
        selection = self.table.selectionModel()
        assert selection is not None
        rows = [self._filter.mapToSource(index).row() for index in selection.selectedRows()][:_MOST_SHOWN]
        self._shown = []
        for row in rows:
            try:
                self._shown.append(read_contents(self.model.run(row).path))
            except UserError as error:
                self.problem.emit(error)
        for action in self._buttons.values():
            action.setEnabled(bool(self._shown))
        self._buttons["continue"].setEnabled(
            len(rows) == 1 and self.model.run(rows[0]).state in ("interrupted", "aborted", "failed")
        )
        if self._shown:
            self._show(self._shown[0])

    def _show(self, first: RecordContents) -> None:
        self.learning.set_overlays([])
        self.learning.begin(first.data, first.planned, first.path, is_over=True)
        self.learning.set_marks(first.marks)
        self.learning.set_overlays(self._overlays(self._shown[1:]))
        self.learning.refresh()
        self.mask_view.set_mask(first.mask)
        self.output.set_target(first.measure.target)
        if first.output is not None:
            self.output.set_output(first.output, first.measure, first.data.loss)
        self._model(first)

    def _model(self, contents: RecordContents) -> None:
        """Show the models of a run when they are there, if it is still the one selected by then."""

        def show(models: list[ModelCurve]) -> None:
            current = self._shown[0] if self._shown else None
            if current is contents:
                self.learning.set_models(models)
            elif current is not None:
                self._model(current)

        self._background.run(contents.models, show)

    @staticmethod
    def _overlays(contents: list[RecordContents]) -> list[Overlay]:
        return [Overlay(content.name, content.data) for content in contents if len(content.data)]

    def _compare(self) -> None:
        self.compare.emit(self._overlays(self._shown))

    def _continue(self) -> None:
        self.continue_run.emit(self._shown[0].path)

    def _use_settings(self) -> None:
        self.use_settings.emit(self._shown[0].experiment)

    def _open_figure(self) -> None:
        path = self._shown[0].path

        def draw() -> list[Path]:
            from labcontrol.plots.run_figure import save_run_figure  # Matplotlib takes long to import

            return save_run_figure(path)

        self._background.run(draw, lambda paths: _open(paths[0]))

    def _choose_and_export(self) -> None:
        start = str(self._shown[0].path.with_suffix(".csv"))
        name, _ = QFileDialog.getSaveFileName(self, "Export the epochs", start, "Tables (*.csv *.json *.parquet)")
        if name:
            self.export(Path(name))

    def _make_table(self) -> QTableView:
        table = QTableView()
        table.setModel(self._filter)
        table.setSortingEnabled(True)
        table.sortByColumn(0, Qt.SortOrder.DescendingOrder)
        table.setSelectionBehavior(QTableView.SelectRows)
        table.setSelectionMode(QTableView.ExtendedSelection)
        table.setShowGrid(False)
        rows, columns = table.verticalHeader(), table.horizontalHeader()
        assert rows is not None
        assert columns is not None
        rows.hide()
        rows.setDefaultSectionSize(26)
        columns.setStretchLastSection(True)
        columns.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft)
        table.setMinimumHeight(120)
        for column, width in enumerate((140, 130, 70, 100, 70, 80, 90, 90, 70)):
            columns.resizeSection(column, width)
        selection = table.selectionModel()
        assert isinstance(selection, QItemSelectionModel)
        selection.selectionChanged.connect(lambda *_: self._show_selected())
        return table

    def _lay_out(self) -> None:
        bar = QHBoxLayout()
        bar.addWidget(self.search, 1)
        bar.addWidget(button("Refresh", "Look at the folder again", self.read))
        bar.addWidget(
            button("Folder", "Open the folder of the records", lambda: _open(self._folder)),
        )
        for action in self._buttons.values():
            bar.addWidget(action)
        side = QSplitter(Qt.Orientation.Vertical)
        side.addWidget(self.mask_view)
        side.addWidget(self.output)
        below = QSplitter(Qt.Orientation.Horizontal)
        below.addWidget(self.learning)
        below.addWidget(side)
        below.setStretchFactor(0, 3)
        below.setStretchFactor(1, 1)
        whole = QSplitter(Qt.Orientation.Vertical)
        whole.addWidget(self.table)
        whole.addWidget(below)
        whole.setStretchFactor(0, 1)
        whole.setStretchFactor(1, 3)
        whole.setSizes([200, 500])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 8, 12, 8)
        layout.addLayout(bar)
        layout.addWidget(whole, 1)
        layout.addWidget(self.where)


def _open(path: Path) -> None:
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(path.absolute())))
