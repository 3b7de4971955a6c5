"""The page of scaling studies: does learning time grow in proportion to the number of neurons?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyqtgraph as pg
from PyQt5.QtCore import QSettings, QSize, Qt, pyqtSignal
from PyQt5.QtGui import QHideEvent, QPainter, QPaintEvent, QShowEvent
from PyQt5.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QFileDialog,
    QLabel,
    QRadioButton,
    QWidget,
)
from pyqtgraph.graphicsItems.ScatterPlotItem import drawSymbol

from labcontrol.analysis.scaling_verdict import ScalingKind, scaling_verdict
from labcontrol.errors import UserError
from labcontrol.formatting import rounded
from labcontrol.gui.scaling.plots import SYMBOLS, CollapsePlot, GroupFigures, QuantityPlot, group_colour
from labcontrol.gui.session.context import WindowContext
from labcontrol.gui.session.page import Page
from labcontrol.gui.shared.background import Background
from labcontrol.gui.shared.buttons import button
from labcontrol.gui.shared.elided import ElidedLabel
from labcontrol.gui.shared.layouts import column, headed_grid, label, panel, row, stack
from labcontrol.gui.shared.theme import LIGHT, Theme
from labcontrol.gui.shared.ticking import ticking
from labcontrol.theory.scaling import Exponent, Group, Study, load_study
from labcontrol.theory.scaling.storage import STUDY_FILE

_POLL_MS = 2000
_NOTHING = (
    "No study here yet.\n\nlabcontrol scaling --output scaling\n\n"
    "measures how learning time grows with the number of neurons;\nopen its folder here, also while it runs."
)
_FOLDER = "scaling"
_FOLDER_KEY = "scaling/folder"
_HEADINGS = ("", "", "exponent of τ, 95 %", "of k(5 %), 95 %", "τ / N", "R²", "sizes", "runs", "collapse")


class ScalingPage(Page):
    """Shows the study of a folder, also while `labcontrol scaling` is making it."""

    title = "Scaling"

    def __init__(self, context: WindowContext) -> None:
        super().__init__(context)
        self._folder = Path(_FOLDER)
        self._seen_mtime = 0.0
        self._study: Study | None = None
        self._groups: list[GroupFigures] = []
        self._theme = LIGHT
        self._background = Background(self)
        self._timer = ticking(self, _POLL_MS, self.poll)
        self.verdict = QLabel("")
        self.where = ElidedLabel()
        self.nothing = label(_NOTHING, "muted", centred=True, selectable=True)
        self.tau = QuantityPlot("tau", "Time constant τ (epochs)")
        self.k5 = QuantityPlot("k5", "Epochs to 5 % of the excess")
        self.collapse = CollapsePlot()
        self.table = GroupTable()
        self.table.chosen.connect(self._draw)
        self._lay_out()

    def open(self, folder: Path) -> None:
        """Show the study of this folder."""
        self._folder, self._seen_mtime, self._study = folder, 0.0, None
        self._stack.setCurrentIndex(0)
        self.poll()

    def poll(self) -> None:
        """Read the study if it has changed."""
        path = self._folder / STUDY_FILE
        mtime = path.stat().st_mtime if path.is_file() else 0.0
        if not mtime or mtime == self._seen_mtime:
            return
        folder = self._folder

        def job() -> tuple[Study, list[GroupFigures]]:
            study = load_study(folder)
            return study, [GroupFigures.of(number, group) for number, group in enumerate(study.groups)]

        def deliver(read: tuple[Study, list[GroupFigures]]) -> None:
            if folder == self._folder:
                self._show(*read)
            else:
                self.poll()

        def refuse(error: UserError) -> None:
            if folder == self._folder:
                self.problem.emit(error, "This study cannot be shown.")
            else:
                self.poll()

        if self._background.run(job, deliver, refuse):
            self._seen_mtime = mtime

    @property
    def folder(self) -> Path:
        """Of the study on show, absolute."""
        return self._folder.absolute()

    @property
    def is_busy(self) -> bool:
        return self._background.is_busy

    def save(self, settings: QSettings) -> None:
        settings.setValue(_FOLDER_KEY, str(self.folder))

    def restore(self, settings: QSettings) -> None:
        self._folder = Path(str(settings.value(_FOLDER_KEY, _FOLDER)))

    def shut_down(self) -> None:
        self._timer.stop()
        self._background.close()

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        for part in (self.tau, self.k5, self.collapse, self.table):
            part.set_theme(theme)
        self._draw()

    def showEvent(self, event: QShowEvent | None) -> None:
        super().showEvent(event)
        self.poll()
        self._timer.start()

    def hideEvent(self, event: QHideEvent | None) -> None:
        self._timer.stop()
        super().hideEvent(event)

    # --- parts --------------------------------------------------------------------------------------------------
    def _show(self, study: Study, groups: list[GroupFigures]) -> None:
        self._study, self._groups = study, groups
        self._stack.setCurrentIndex(1)
        runs = len(study.results)
        self.where.setText(f"{study.states} states, {runs} runs · {self._folder.absolute()}")
        self.table.show_groups(groups)
        self._draw()

    def _draw(self) -> None:
        study = self._study
        if study is None:
            return
        shown = [group for group in self._groups if self.table.is_shown(group.number)]
        for plot in (self.tau, self.k5):
            plot.show_groups(shown)
        self.collapse.show_group(study.grid, self.table.collapsed(self._groups))
        judged = scaling_verdict([group.exponents["tau"] for group in shown])
        colours = {ScalingKind.LINEAR: self._theme.good, ScalingKind.NOT_LINEAR: self._theme.caution}
        colour = colours.get(judged.kind, self._theme.muted)
        self.verdict.setText(f'<span style="color:{colour}; font-weight:600">{judged.text}</span>')

    def _choose(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Folder of a scaling study", str(self._folder))
        if not name:
            return
        if not (Path(name) / STUDY_FILE).is_file():
            self.problem.emit(
                UserError(f"There is no study in {name}.", "'labcontrol scaling --output DIR' makes one; choose DIR.")
            )
            return
        self.open(Path(name))

    def _lay_out(self) -> None:
        choose = button("Open study…", "Choose the folder that labcontrol scaling wrote", self._choose)
        bar = row(label("Scaling of learning time", "title"), 8, self.verdict, 16, (self.where, 1), choose)
        plots = row((self.tau, 1), (self.k5, 1), (self.collapse, 1))
        self._stack = stack(self.nothing, panel(column((plots, 1), self.table, margins=(14, 10, 14, 12))))
        self.setLayout(column(bar, (self._stack, 1), margins=(12, 8, 12, 8)))


class GroupTable(QWidget):
    """Legend and figures: one row for each rule and loss. `chosen` is emitted when what is ticked has changed."""

    chosen = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = LIGHT
        self._grid = headed_grid(_HEADINGS, words=2)
        self.setLayout(self._grid)
        self._boxes: list[QCheckBox] = []
        self._radios: list[QRadioButton] = []
        self._cells: list[list[QLabel]] = []
        self._marks: list[_Mark] = []
        self._choice = QButtonGroup(self)

    def show_groups(self, groups: list[GroupFigures]) -> None:
        """Figures of all groups; rows are added as groups appear, never taken away."""
        while len(self._boxes) < len(groups):
            self._add_row()
        for number in range(len(self._boxes)):
            self._set_row(number, groups[number] if number < len(groups) else None)

    def is_shown(self, number: int) -> bool:
        return self._boxes[number].isChecked()

    def collapsed(self, groups: list[GroupFigures]) -> Group | None:
        """The group whose curves are drawn over k / N."""
        return next((one.group for one, radio in zip(groups, self._radios, strict=False) if radio.isChecked()), None)

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        for number, mark in enumerate(self._marks):
            mark.set_colour(group_colour(theme, number))

    def _set_row(self, number: int, shown: GroupFigures | None) -> None:
        row = [self._marks[number], self._boxes[number], *self._cells[number], self._radios[number]]
        for widget in row:
            widget.setVisible(shown is not None)
        if shown is None:
            return
        group = shown.group
        self._boxes[number].setText(f"{group.selection} selection, {group.loss}")
        tau = np.concatenate([v / n for n, v in group.values("tau").items()])
        r2 = np.concatenate(list(group.values("r2").values()))
        texts = (
            _exponent(shown.exponents["tau"]),
            _exponent(shown.exponents["k5"]),
            rounded(float(np.nanmedian(tau))) if np.isfinite(tau).any() else "",
            rounded(float(np.nanmedian(r2)), 4) if np.isfinite(r2).any() else "",
            f"{group.sizes[0]} – {group.sizes[-1]}",
            str(sum(len(results) for results in group.results.values())),
        )
        for cell, text in zip(self._cells[number], texts, strict=True):
            cell.setText(text)

    def _add_row(self) -> None:
        number = len(self._boxes)
        mark, box, radio = _Mark(SYMBOLS[number % len(SYMBOLS)]), QCheckBox(), QRadioButton()
        mark.set_colour(group_colour(self._theme, number))
        box.setChecked(True)
        radio.setChecked(number == 0)
        radio.setToolTip("Show these curves over k / N")
        box.toggled.connect(lambda _: self.chosen.emit())
        radio.toggled.connect(lambda on: self.chosen.emit() if on else None)
        self._choice.addButton(radio)
        cells = [QLabel("") for _ in range(len(_HEADINGS) - 3)]
        for place, widget in enumerate([mark, box, *cells, radio]):
            if place > 1:
                self._grid.addWidget(widget, number + 1, place, Qt.AlignmentFlag.AlignRight)
            else:
                self._grid.addWidget(widget, number + 1, place)
        self._marks.append(mark)
        self._boxes.append(box)
        self._cells.append(cells)
        self._radios.append(radio)


class _Mark(QWidget):
    """The symbol of a group on a piece of its line."""

    def __init__(self, symbol: str) -> None:
        super().__init__()
        self._symbol, self._colour = symbol, "#000000"
        self.setFixedSize(QSize(34, 14))

    def set_colour(self, colour: str) -> None:
        self._colour = colour
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.Antialiasing)
        painter.setPen(pg.mkPen(self._colour, width=2))
        painter.drawLine(2, self.height() // 2, self.width() - 2, self.height() // 2)
        painter.translate(self.width() / 2, self.height() / 2)
        drawSymbol(painter, self._symbol, 9, pg.mkPen(None), pg.mkBrush(self._colour))


def _exponent(exponent: Exponent | None) -> str:
    if exponent is None:
        return ""
    return f"{exponent.value:.2f}  [{exponent.low:.2f}, {exponent.high:.2f}]"
