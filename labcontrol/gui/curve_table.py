"""Legend and values of the curves, in one table."""

from __future__ import annotations

import math
from collections.abc import Mapping

from PyQt5.QtCore import QSize, Qt, pyqtSignal
from PyQt5.QtGui import QColor, QPainter, QPaintEvent, QPen
from PyQt5.QtWidgets import QCheckBox, QGridLayout, QLabel, QWidget

from labcontrol.gui.model_curves import ModelCurve
from labcontrol.gui.theme import Theme
from labcontrol.gui.words import figures

_HEADINGS = ("", "", "τ (epochs), 95 %", "τ / N", "R²", "error now", "at the end")
_LINES = {
    "each": Qt.PenStyle.SolidLine,
    "incumbent": Qt.PenStyle.SolidLine,
    "prediction": Qt.PenStyle.DashLine,
    "fit": Qt.PenStyle.DashDotLine,
    "coverage": Qt.PenStyle.DotLine,
}
_NAMES = {
    "each": "Each epoch, measured",
    "incumbent": "Best so far, measured",
    "prediction": "Law 2, predicted before learning",
    "fit": "Fit of an exponential",
    "coverage": "Law 1, coverage",
}


class CurveTable(QWidget):
    """One row a curve: its line, its name, its values. `hidden_changed` tells the keys of curves switched off."""

    hidden_changed = pyqtSignal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(18)
        grid.setVerticalSpacing(3)
        grid.setColumnStretch(1, 1)
        for column, heading in enumerate(_HEADINGS):
            label = QLabel(heading)
            label.setProperty("role", "head")
            label.setAlignment(Qt.AlignmentFlag.AlignRight if column > 1 else Qt.AlignmentFlag.AlignLeft)
            grid.addWidget(label, 0, column)
        self._swatches: dict[str, _Swatch] = {}
        self._boxes: dict[str, QCheckBox] = {}
        self._cells: dict[str, list[QLabel]] = {}
        for row, key in enumerate(("incumbent", "each", "prediction", "fit", "coverage"), start=1):
            self._add_row(grid, row, key)

    def set_theme(self, theme: Theme) -> None:
        colours = {
            "each": theme.each_epoch,
            "incumbent": theme.accent,
            "prediction": theme.prediction,
            "fit": theme.fit,
            "coverage": theme.coverage,
        }
        for key, swatch in self._swatches.items():
            swatch.set_colour(colours[key])

    def set_models(self, models: Mapping[str, ModelCurve], neurons: int) -> None:
        """Values of the models; rows of models that are not there stay empty."""
        for key in ("prediction", "fit", "coverage"):
            model = models.get(key)
            self._boxes[key].setEnabled(model is not None)
            if model is None:
                texts = ["", "", ""]
            else:
                self._boxes[key].setText(model.name)
                self._boxes[key].setToolTip(model.help)
                texts = [
                    _interval(model.tau),
                    figures(model.tau[0] / neurons) if model.tau else "",
                    figures(model.r_squared, 4) if model.r_squared is not None else "",
                ]
            for cell, text in zip(self._cells[key], texts, strict=False):
                cell.setText(text)

    def set_errors(self, now: Mapping[str, float], end: Mapping[str, float]) -> None:
        """Errors by key of the curve: at the present epoch, and at the last one the run may take."""
        for key, cells in self._cells.items():
            for cell, errors in zip(cells[3:], (now, end), strict=True):
                cell.setText(figures(errors[key]) if key in errors else "")

    def _add_row(self, grid: QGridLayout, row: int, key: str) -> None:
        swatch = _Swatch(_LINES[key])
        box = QCheckBox(_NAMES[key])
        box.setChecked(True)
        box.toggled.connect(lambda _: self._tell())
        grid.addWidget(swatch, row, 0)
        grid.addWidget(box, row, 1)
        cells = [QLabel("") for _ in range(5)]
        for column, cell in enumerate(cells, start=2):
            cell.setAlignment(Qt.AlignmentFlag.AlignRight)
            grid.addWidget(cell, row, column)
        self._swatches[key], self._boxes[key], self._cells[key] = swatch, box, cells

    def _tell(self) -> None:
        self.hidden_changed.emit({key for key, box in self._boxes.items() if not box.isChecked()})


class _Swatch(QWidget):
    """A piece of the line a curve is drawn with."""

    def __init__(self, style: Qt.PenStyle) -> None:
        super().__init__()
        self._pen = QPen(QColor("black"), 2.4, style)
        self.setFixedSize(QSize(34, 12))

    def set_colour(self, colour: str) -> None:
        self._pen.setColor(QColor(colour))
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.Antialiasing)
        painter.setPen(self._pen)
        painter.drawLine(2, self.height() // 2, self.width() - 2, self.height() // 2)


def _interval(tau: tuple[float, float, float] | None) -> str:
    if tau is None or not math.isfinite(tau[0]):
        return ""
    value, low, high = tau
    if low == high:
        return figures(value)
    return f"{figures(value)}  [{figures(low)}, {figures(high)}]"
