"""Legend and values of the curves, in one table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from PyQt5.QtCore import QPointF, QSize, Qt, pyqtSignal
from PyQt5.QtGui import QColor, QPainter, QPaintEvent, QPen
from PyQt5.QtWidgets import (
    QAbstractButton,
    QButtonGroup,
    QCheckBox,
    QGridLayout,
    QLabel,
    QRadioButton,
    QSizePolicy,
    QWidget,
)

from labcontrol.analysis.curve_facts import MEASURED, MODELS
from labcontrol.analysis.model_curve import ModelCurve
from labcontrol.formatting import rounded
from labcontrol.gui.learning.curves import LINES, curve_colours
from labcontrol.gui.shared.layouts import ROOM, headed_grid, row
from labcontrol.gui.shared.theme import Theme

_HEADINGS = ("", "", "τ (epochs), interval", "τ / N", "R²", "error now", "at the end", "residual")
_VALUES = 5
_LEAST_NAME_PX = 90


@dataclass(frozen=True)
class _Row:
    box: QCheckBox
    cells: list[QLabel]
    against: QRadioButton | None


class CurveTable(QWidget):
    """One row a curve: its line, its name, its values.

    `hidden_changed` emits the keys of curves switched off, `against_changed` the model that the residual is taken
    against.
    """

    hidden_changed = pyqtSignal(object)
    against_changed = pyqtSignal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        grid = headed_grid(_HEADINGS, words=2)
        self.setLayout(grid)
        self._swatches: dict[str, _Swatch] = {}
        self._boxes: dict[str, QCheckBox] = {}
        self._rows: dict[str, _Row] = {}
        self._residuals = QButtonGroup(self)
        self._add_measured(grid)
        for place, key in enumerate(MODELS, start=2):
            self._add_model(grid, place, key)
        for key, facts in MODELS.items():
            self._boxes[key].setChecked(not facts.on_demand)
        for box in self._boxes.values():
            box.toggled.connect(self._on_toggled)
        self.set_models({}, 1)

    def set_theme(self, theme: Theme) -> None:
        colours = curve_colours(theme)
        for key, swatch in self._swatches.items():
            swatch.set_colour(colours[key])

    @property
    def hidden(self) -> set[str]:
        """Keys of curves switched off."""
        return {key for key, box in self._boxes.items() if not box.isChecked()}

    @property
    def controls(self) -> list[QAbstractButton]:
        """What can be clicked."""
        boxes = self._boxes.values()
        return [*boxes, *(row.against for row in self._rows.values() if row.against is not None)]

    def set_models(self, models: Mapping[str, ModelCurve], neurons: int) -> None:
        """Values of the models; rows of models that are not there stay empty."""
        for key, shown in self._rows.items():
            if shown.against is None:
                continue
            model = models.get(key)
            shown.box.setEnabled(model is not None)
            shown.against.setEnabled(model is not None)
            texts = ["", "", ""]
            if model is None:
                shown.box.setText(MODELS[key].name)
            else:
                shown.box.setText(model.name)
                shown.box.setToolTip(model.help)
                texts = [
                    model.tau_text,
                    rounded(model.tau[0] / neurons) if model.tau else "",
                    rounded(model.r_squared, 4) if model.r_squared is not None else "",
                ]
            for cell, text in zip(shown.cells, texts, strict=False):
                cell.setText(text)

    def set_errors(self, now: Mapping[str, float], end: Mapping[str, float]) -> None:
        """Errors by key of the curve: at the present epoch, and at the last one the run may take."""
        for key, shown in self._rows.items():
            for cell, errors in zip(shown.cells[3:], (now, end), strict=True):
                cell.setText(rounded(errors[key]) if key in errors else "")

    def _add_measured(self, grid: QGridLayout) -> None:
        """Both measured curves share a row."""
        best, each = (self._box(key, MEASURED[key].name, MEASURED[key].help) for key in ("incumbent", "each"))
        self._swatches["incumbent"] = _Swatch(Qt.PenStyle.SolidLine)
        self._swatches["each"] = _Swatch(None)
        grid.addWidget(self._swatches["incumbent"], 1, 0)
        grid.addLayout(row(best, self._swatches["each"], each, ROOM, spacing=18), 1, 1)
        self._rows["incumbent"] = _Row(best, self._add_cells(grid, 1), None)

    def _add_model(self, grid: QGridLayout, place: int, key: str) -> None:
        swatch, box = _Swatch(LINES[key]), self._box(key, MODELS[key].name, MODELS[key].help)
        # A long name gives way rather than widening the window.
        box.setSizePolicy(QSizePolicy.Ignored, QSizePolicy.Fixed)
        against = QRadioButton()
        against.setToolTip("Show how far the measured error is from this curve, below the plot")
        against.setChecked(key == "prediction")
        against.toggled.connect(lambda on: self.against_changed.emit(key) if on else None)
        self._residuals.addButton(against)
        self._swatches[key] = swatch
        grid.addWidget(swatch, place, 0)
        grid.addWidget(box, place, 1)
        self._rows[key] = _Row(box, self._add_cells(grid, place), against)
        grid.addWidget(against, place, 2 + _VALUES, Qt.AlignmentFlag.AlignRight)

    @staticmethod
    def _add_cells(grid: QGridLayout, place: int) -> list[QLabel]:
        cells = [QLabel("") for _ in range(_VALUES)]
        for column, cell in enumerate(cells, start=2):
            cell.setAlignment(Qt.AlignmentFlag.AlignRight)
            grid.addWidget(cell, place, column)
        return cells

    def _box(self, key: str, name: str, tip: str) -> QCheckBox:
        box = QCheckBox(name)
        box.setMinimumWidth(_LEAST_NAME_PX)  # a long name must not widen the window
        box.setChecked(True)
        box.setToolTip(tip)
        self._boxes[key] = box
        return box

    def _on_toggled(self) -> None:
        self.hidden_changed.emit(self.hidden)


class _Swatch(QWidget):
    """A piece of the line a curve is drawn with; without a style, the dots of single epochs."""

    def __init__(self, style: Qt.PenStyle | None) -> None:
        super().__init__()
        self._style = style
        self._colour = QColor("black")
        self.setFixedSize(QSize(34, 12))

    def set_colour(self, colour: str) -> None:
        self._colour = QColor(colour)
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.Antialiasing)
        middle = self.height() / 2
        if self._style is None:
            painter.setPen(QPen(self._colour, 3.2, Qt.PenStyle.SolidLine, Qt.PenCapStyle.SquareCap))
            for x, y in ((4, 1), (11, -2), (18, 2), (25, -1), (31, 1)):
                painter.drawPoint(QPointF(x, middle + y))
        else:
            painter.setPen(QPen(self._colour, 2.2, self._style))
            painter.drawLine(QPointF(2, middle), QPointF(self.width() - 2, middle))
