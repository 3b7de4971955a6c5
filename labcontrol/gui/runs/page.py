"""The page of past runs: a table, and below it what is selected, one run over the other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PyQt5.QtCore import QItemSelectionModel, QPoint, Qt, QUrl
from PyQt5.QtGui import QDesktopServices
from PyQt5.QtWidgets import QFileDialog, QLineEdit, QMenu, QMessageBox, QPushButton, QTableView

from labcontrol.analysis.plots.run_figures import save_run_figure
from labcontrol.errors import UserError
from labcontrol.gui.learning.plot import Overlay
from labcontrol.gui.learning.record_contents import RecordContents
from labcontrol.gui.learning.view import LearningView
from labcontrol.gui.runs.selection import RunsSelection
from labcontrol.gui.runs.table import COLUMNS, CURVE_COLUMN, NOTE_COLUMN, RunsFilter, RunsModel
from labcontrol.gui.runs.thumbnail import ThumbnailDelegate
from labcontrol.gui.session.context import WindowContext
from labcontrol.gui.session.page import Invitation, Page
from labcontrol.gui.shared.background import Background
from labcontrol.gui.shared.buttons import button
from labcontrol.gui.shared.layouts import column, label, row, splitter, stack, tidy_table
from labcontrol.gui.shared.output_view import OutputView
from labcontrol.gui.shared.pattern_views import MaskView
from labcontrol.gui.shared.theme import Theme
from labcontrol.records import RunReader
from labcontrol.records.catalogue import RunSummary, trash_run
from labcontrol.records.export import export_epochs

_UNFINISHED = ("interrupted", "stopped", "aborted", "failed")
_ROW_PX = 30


class RunsPage(Page):
    """Browse, compare, note, report, export, delete, continue."""

    title = "Runs"
    invitation = Invitation("Browse earlier runs", "compare, report, export, continue an interrupted one")

    def __init__(self, context: WindowContext) -> None:
        super().__init__(context)
        self._context, self._folder = context, context.folder
        self._selected: list[RunSummary] = []
        self.model = RunsModel(self)
        self._filter = RunsFilter(self)
        self._filter.setSourceModel(self.model)
        self._thumbnails = ThumbnailDelegate(self)
        self._selection = RunsSelection(self)
        self._drawing = Background(self)
        self.search = QLineEdit()
        self.search.setPlaceholderText("Filter:  mackey  neurons>=400  error<0.01")
        self.search.setClearButtonEnabled(True)
        self.search.setToolTip(
            "Words that the row contains, and comparisons such as error<0.01 or started>=2026-11-20; all must hold"
        )
        self.wrong = label("", "problem")
        self.wrong.hide()
        self.nothing = label("", "muted", centred=True)
        self.table = self._make_table()
        self.learning, self.mask_view, self.output = LearningView(), MaskView(), OutputView()
        self._buttons = self._make_buttons()
        self._lay_out()
        self.search.textChanged.connect(self._filter_by)
        self.model.problem.connect(self._refuse)
        self.model.read_all.connect(self._show_what_is_there)
        self._selection.arrived.connect(self._show)
        self._selection.modelled.connect(self.learning.set_models)
        self._selection.problem.connect(self._refuse)
        self._on_selection()

    def refresh(self) -> None:
        """Read the folder again."""
        self.model.read(self._folder)
        self._show_what_is_there()

    def select(self, path: Path) -> None:
        """Select the run of this file, if it is in the table."""
        for place in range(self._filter.rowCount()):
            if self._run_at(place).path == path:
                self.table.selectRow(place)
                return

    def export(self, path: Path) -> None:
        """Write the epochs of the first selected run."""
        try:
            with RunReader(self._selected[0].path) as run:
                export_epochs(run, path)
        except UserError as error:
            self._refuse(error)

    def delete(self) -> None:
        """Move the selected runs to the trash; what cannot be moved stays, with a word."""
        for run in self._selected:
            try:
                trash_run(run.path)
            except UserError as error:
                self._refuse(error)
                return
            self.model.remove(run.path)
        self._show_what_is_there()

    def shut_down(self) -> None:
        self.model.close_background()
        self._selection.close()
        self._drawing.close()

    def set_theme(self, theme: Theme) -> None:
        self.model.theme = self._thumbnails.theme = theme
        for view in (self.learning, self.mask_view, self.output):
            view.set_theme(theme)

    # --- the selection ------------------------------------------------------------------------------------------
    def _run_at(self, row: int) -> RunSummary:
        return self.model.run(self._filter.mapToSource(self._filter.index(row, 0)).row())

    def _on_selection(self) -> None:
        selection = self.table.selectionModel()
        assert selection is not None
        self._selected = [self._run_at(index.row()) for index in selection.selectedRows()]
        readable = [run for run in self._selected if not run.problem]
        for action in self._buttons.values():
            action.setEnabled(bool(readable))
        self._buttons["delete"].setEnabled(bool(self._selected))
        self._buttons["continue"].setEnabled(len(readable) == 1 and readable[0].state in _UNFINISHED)
        self._buttons["settings"].setEnabled(len(readable) == 1)
        self._selection.set([run.path for run in readable])

    def _refuse(self, error: UserError) -> None:
        self.problem.emit(error, "This run cannot be used.")

    def _show(self, contents: list[RecordContents]) -> None:
        first = contents[0]
        self._views.setCurrentIndex(1)
        self.learning.title.setText(first.name)
        self.learning.title.setToolTip(first.path.name)
        self.learning.set_overlays([])
        self.learning.begin(first.data, first.planned, first.experiment.learning, is_over=True)
        self.learning.set_marks(first.marks)
        self.learning.set_overlays(overlays(contents[1:]))
        self.learning.renew()
        self.mask_view.set_mask(first.mask)
        self.output.set_target(first.measure.target)
        if first.output is not None:
            self.output.set_output(first.output, first.measure, first.data.loss)

    def _compare(self) -> None:
        self._context.overlays_chosen.emit(overlays(self._selection.contents))

    def _continue(self) -> None:
        self._context.starter.continue_run(self._selected[0].path)

    def _use_settings(self) -> None:
        if self._selection.contents:
            self._context.setup.replace(self._selection.contents[0].experiment)

    def _open_figure(self) -> None:
        def draw(path: Path) -> Path:
            drawn = path.with_suffix(".png")
            with RunReader(path) as run:
                save_run_figure(run, [drawn])
            return drawn

        self._make_and_open(draw)

    def _open_report(self) -> None:
        def write(path: Path) -> Path:
            from labcontrol.analysis.report import write_report

            return write_report(path)

        self._make_and_open(write)

    def _make_and_open(self, make: Callable[[Path], Path]) -> None:
        """Make a file from the first selected run beside the event loop, then open it."""
        path = self._selected[0].path
        self._drawing.run(lambda: make(path), open_file, self._refuse)

    def _choose_and_export(self) -> None:
        start = str(self._selected[0].path.with_suffix(".csv"))
        name, _ = QFileDialog.getSaveFileName(self, "Export the epochs", start, "Tables (*.csv *.json *.parquet)")
        if name:
            self.export(Path(name))

    def _edit_note(self) -> None:
        index = self.table.selectionModel().selectedRows(NOTE_COLUMN)[0]  # type: ignore[union-attr]
        self.table.scrollTo(index)
        self.table.edit(index)

    def _ask_and_delete(self) -> None:
        count = len(self._selected)
        what = "this run" if count == 1 else f"these {count} runs"
        answer = QMessageBox.question(
            self,
            "Delete",
            f"Move {what} to the trash? Figures, reports and notes of the same name go with it.",
            QMessageBox.Yes | QMessageBox.No,
            QMessageBox.No,
        )
        if answer == QMessageBox.Yes:
            self.delete()

    # --- parts --------------------------------------------------------------------------------------------------
    def _filter_by(self, text: str) -> None:
        wrong = self._filter.set_text(text)
        self.wrong.setText(wrong)
        self.wrong.setVisible(bool(wrong))

    def _show_what_is_there(self) -> None:
        is_empty = self.model.rowCount() == 0
        self.nothing.setText(
            "Reading …" if self.model.is_reading else "No runs here yet.\nStart one with F5; it appears when it begins."
        )
        self._stack.setCurrentIndex(0 if is_empty else 1)

    def _make_buttons(self) -> dict[str, QPushButton]:
        return {
            "continue": button("Continue", "Go on with an interrupted or aborted run", self._continue),
            "settings": button("Use settings", "Set up the next run like this one", self._use_settings),
            "compare": button("Overlay on Live", "Show the selected runs behind the live curve", self._compare),
            "report": button("Report", "Write a page about the run beside its record and open it", self._open_report),
            "figure": button("Figure", "Draw the figure of the run beside its record and open it", self._open_figure),
            "export": button("Export…", "Write the epochs as CSV, JSON or Parquet", self._choose_and_export),
            "note": button("Note", "Write a note about the run", self._edit_note),
            "delete": button("Delete…", "Move the selected runs to the trash", self._ask_and_delete),
        }

    def _make_table(self) -> QTableView:
        table = QTableView()
        table.setModel(self._filter)
        table.setItemDelegateForColumn(CURVE_COLUMN, self._thumbnails)
        table.setSortingEnabled(True)
        table.sortByColumn(0, Qt.SortOrder.DescendingOrder)
        table.setEditTriggers(QTableView.DoubleClicked | QTableView.EditKeyPressed)
        table.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        table.customContextMenuRequested.connect(self._open_menu)
        tidy_table(table, _ROW_PX, [column.width_px for column in COLUMNS])
        table.setMinimumHeight(120)
        selection = table.selectionModel()
        assert isinstance(selection, QItemSelectionModel)
        selection.selectionChanged.connect(lambda *_: self._on_selection())
        return table

    def _open_menu(self, where: QPoint) -> None:
        menu = QMenu(self)
        for action in self._buttons.values():
            entry = menu.addAction(action.text(), action.click)
            if entry is not None:
                entry.setEnabled(action.isEnabled())
        viewport = self.table.viewport()
        assert viewport is not None
        menu.exec_(viewport.mapToGlobal(where))
        menu.deleteLater()

    def _lay_out(self) -> None:
        refresh = button("Refresh", "Reload the folder", self.refresh)
        folder = button("Folder", f"Open {self._folder.absolute()}", lambda: open_file(self._folder))
        top = row((self.search, 1), refresh, folder, 12, *self._buttons.values())
        side = splitter(self.mask_view, self.output, vertical=True)
        hint = label("Select a run to see it here, several to overlay their curves.", "muted", centred=True)
        self._views = stack(hint, splitter(self.learning, side, stretch=(3, 1)))
        whole = splitter(self.table, self._views, vertical=True, stretch=(1, 3), sizes=(190, 510))
        self._stack = stack(self.nothing, whole)
        self.setLayout(column(top, self.wrong, (self._stack, 1), margins=(12, 8, 12, 8)))


def overlays(contents: list[RecordContents]) -> list[Overlay]:
    """Runs to lay over another one."""
    return [Overlay(content.name, content.data) for content in contents if len(content.data)]


def open_file(path: Path) -> None:
    """With the program the desktop has for it."""
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(path.absolute())))
