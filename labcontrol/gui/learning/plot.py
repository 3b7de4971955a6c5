"""The plot of the learning curve with its models, and the residual below it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QWidget

from labcontrol.analysis.model_curve import ModelCurve
from labcontrol.gui.learning.axes import Course, Scales
from labcontrol.gui.learning.curves import MeasuredCurves, ModelLines, Overlay, OverlayCurves, Residual, Window
from labcontrol.gui.learning.data import LearningData
from labcontrol.gui.learning.marks import Mark, Marks
from labcontrol.gui.shared.axes import readable_plot, style_plot
from labcontrol.gui.shared.theme import LIGHT, Theme

__all__ = ["LearningPlot", "Overlay"]

_LEFT_AXIS_PX = 64


class LearningPlot(pg.GraphicsLayoutWidget):  # type: ignore[misc]  # pyqtgraph is untyped
    """Draws what it is given, at the resolution of the screen; cost does not grow with the number of epochs on screen.

    `followed` carries whether the axes follow the data; a person's zoom ends that, a double click begins it again.
    """

    followed = pyqtSignal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._data = LearningData("nmse")
        self._loss = "nmse"
        self._models: dict[str, ModelCurve] = {}
        self._hidden: set[str] = set()
        self._scales = Scales()
        self._planned = 100.0
        self._following = True
        self._settling = False
        self._against = "prediction"
        self._theme = LIGHT

        self.plot = readable_plot("", "")
        self.residual = readable_plot("", self._scales.horizontal.label)
        self.addItem(self.plot, 0, 0)
        self.addItem(self.residual, 1, 0)
        self.ci.layout.setRowStretchFactor(0, 4)
        self.ci.layout.setRowStretchFactor(1, 1)
        self.ci.layout.setSpacing(6)
        self.residual.setXLink(self.plot)
        self.plot.getAxis("bottom").setStyle(showValues=False)
        for item in (self.plot, self.residual):
            item.getAxis("left").setWidth(_LEFT_AXIS_PX)
            item.disableAutoRange()
        self.residual.setMouseEnabled(x=True, y=False)
        self.residual.setYRange(-1, 1, padding=0)

        self.model_lines = ModelLines(self.plot)
        self.measured = MeasuredCurves(self.plot)
        self.overlays = OverlayCurves(self.plot)
        self.marks = Marks(self.plot)
        self.difference = Residual(self.residual)
        self.plot.vb.sigRangeChangedManually.connect(lambda _: self.set_following(False))
        self.residual.vb.sigRangeChangedManually.connect(lambda _: self.set_following(False))
        self.plot.vb.sigXRangeChanged.connect(lambda *_: self._draw())
        self.plot.vb.sigResized.connect(lambda _: self._draw())

    # --- what to show -------------------------------------------------------------------------------------------
    def set_data(self, data: LearningData, planned: int) -> None:
        """planned: epochs the run may take."""
        self._data = data
        self._planned = float(max(planned, 1))
        self.marks.set([])

    def set_planned(self, epochs: int) -> None:
        """Epochs the run may take; drawn with the next refresh."""
        self._planned = float(max(epochs, 1))

    def set_models(self, models: Mapping[str, ModelCurve]) -> None:
        """Models by key; drawn with the next refresh."""
        self._models = dict(models)

    def set_overlays(self, overlays: Sequence[Overlay]) -> None:
        """Runs whose incumbent is drawn too, each with its own colour and its name."""
        self.overlays.set(overlays)
        self.refresh()

    def set_marks(self, marks: Sequence[Mark]) -> None:
        """What happened to the run; drawn with the next refresh."""
        self.marks.set(marks)

    def set_hidden(self, keys: set[str]) -> None:
        """Curves not to draw: keys of models, `each` or `incumbent`."""
        self._hidden = keys
        self._draw()

    def set_against(self, key: str) -> None:
        """The model that the residual is taken against."""
        self._against = key
        self._draw()

    def set_loss(self, loss: str) -> None:
        self._loss = loss
        self.plot.setLabel("left", f"Error ({loss})")
        self.set_following(True)

    def set_scales(self, scales: Scales) -> None:
        """What the axes count, and how."""
        self._scales = scales
        self._settling = True
        self.residual.setLabel("bottom", scales.horizontal.label)
        self.residual.setLabel("left", "ratio" if scales.log_y else "residual")
        for item in (self.plot, self.residual):
            item.getAxis("bottom").setLogMode(x=scales.log_x)
            item.getAxis("left").setLogMode(y=scales.log_y)
        self.set_following(True)

    def set_following(self, on: bool) -> None:
        changed, self._following = on != self._following, on
        if changed:
            self.followed.emit(on)
        self.refresh()

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self.setBackground(theme.plot)
        for item in (self.plot, self.residual):
            style_plot(item, theme)
        for part in (self.measured, self.model_lines, self.overlays, self.marks, self.difference):
            part.set_theme(theme)
        self._draw()

    # --- drawing ------------------------------------------------------------------------------------------------
    def refresh(self) -> None:
        """Draw what is new."""
        self._settling = True
        if self._following:
            others = [overlay.data for overlay in self.overlays.overlays]
            course = Course(self._data, self._loss, self._planned, list(self._speaking().values()), others)
            self.plot.setYRange(*course.y_range(self._scales), padding=0)
            self.plot.setXRange(*course.x_range(self._scales), padding=0)
        self._settling = False
        self._draw()

    def mouseDoubleClickEvent(self, event: Any) -> None:
        super().mouseDoubleClickEvent(event)
        self.set_following(True)

    def _speaking(self) -> dict[str, ModelCurve]:
        """Models of the error that is shown."""
        return {key: model for key, model in self._models.items() if model.loss == self._loss}

    def _draw(self) -> None:
        if self._settling:  # axes that are being changed tell so one by one
            return
        low, high = (float(end) for end in self.plot.vb.viewRange()[0])
        pixels = max(float(self.plot.vb.width()), 16.0)
        columns = np.linspace(low, high, max(int(pixels / 2), 16))
        window = Window(self._scales, columns, self._hidden)
        models = self._speaking()
        at, held = self.measured.draw(self._data, self._loss, window)
        self.model_lines.draw(self._data, models, window)
        self.overlays.draw(self._loss, window)
        self.marks.draw(self._data, self._scales)
        against = models.get(self._against) or models.get("prediction") or models.get("fit")
        self.difference.draw(self._data, at, held, against, self._scales)
