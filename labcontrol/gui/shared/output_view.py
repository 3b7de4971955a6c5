"""Target against the output of the best mask so far, and their difference."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt5.QtWidgets import QWidget

from labcontrol.gui.shared.axes import readable_plot, style_plot
from labcontrol.gui.shared.layouts import column
from labcontrol.gui.shared.panel import Panel
from labcontrol.gui.shared.theme import Theme
from labcontrol.tasks import ErrorMeasure

Floats = NDArray[np.float64]


class OutputView(Panel):
    """Both curves in standard deviations of the target, over the steps of the training part."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._target = np.empty(0)
        self._scaled = np.empty(0)
        self.canvas = pg.GraphicsLayoutWidget()
        self.canvas.setMinimumSize(160, 120)
        self.plot = readable_plot("output", "")
        self.error = readable_plot("error", "step of the sequence")
        self.canvas.addItem(self.plot, 0, 0)
        self.canvas.addItem(self.error, 1, 0)
        self.canvas.ci.layout.setRowStretchFactor(0, 3)
        self.canvas.ci.layout.setRowStretchFactor(1, 1)
        self.canvas.ci.layout.setSpacing(4)
        self.error.setXLink(self.plot)
        self.plot.getAxis("bottom").setStyle(showValues=False)
        for item in (self.plot, self.error):
            item.getAxis("left").setWidth(54)
            item.setMouseEnabled(x=True, y=False)
            item.disableAutoRange()
        self.plot.setRange(xRange=(0, 100), yRange=(-2, 2), padding=0)
        self.error.setYRange(-1, 1, padding=0)
        self._target_curve, self._output_curve = pg.PlotCurveItem(), pg.PlotCurveItem()
        self._error_curve = pg.PlotCurveItem()
        self.plot.addItem(self._target_curve)
        self.plot.addItem(self._output_curve)
        self.error.addItem(self._error_curve)
        self.setLayout(column(self.canvas, margins=(6, 4, 6, 6)))

    def set_target(self, target: Floats) -> None:
        """target: (T,) standardised."""
        self._target = target
        steps = np.arange(len(target), dtype=np.float64)
        self._target_curve.setData(steps, target)
        self._scaled = np.empty(0)
        self.renew()
        self.plot.setXRange(0, max(len(target) - 1, 1), padding=0.01)
        span = float(np.abs(target).max()) * 1.25
        self.plot.setYRange(-span, span, padding=0)

    def set_output(self, output: NDArray[np.float32], measure: ErrorMeasure, loss: str) -> None:
        """output: (T,) as measured; scaled as the error in use does: by the fixed gain, or by its own spread."""
        centred = output.astype(np.float64) - float(output.mean(dtype=np.float64))
        spread = measure.gain if loss == "mse" else float(np.sqrt(np.mean(centred * centred)))
        self._scaled = centred / spread if spread > 0 else centred
        self.renew()

    def draw(self) -> None:
        steps = np.arange(len(self._scaled), dtype=np.float64)
        self._output_curve.setData(steps, self._scaled)
        if not len(steps):
            self._error_curve.setData([], [])
            return
        difference = self._scaled - self._target
        self._error_curve.setData(steps, difference)
        # An even step of a fifth keeps the axis still while the error shrinks.
        reach = max(float(np.abs(difference).max()), 1e-6)
        limit = 10 ** (np.ceil(5 * np.log10(reach)) / 5)
        self.error.setYRange(-limit, limit, padding=0.05)

    def set_theme(self, theme: Theme) -> None:
        self.canvas.setBackground(theme.panel)
        for item in (self.plot, self.error):
            style_plot(item, theme)
        self._target_curve.setPen(pg.mkPen(theme.muted, width=2))
        self._output_curve.setPen(pg.mkPen(theme.accent, width=1.6))
        self._error_curve.setPen(pg.mkPen(theme.prediction, width=1.2))
        colours = (
            f'<span style="color:{theme.muted}">━ target</span> <span style="color:{theme.accent}">━ output</span>'
        )
        self.plot.setTitle(colours, size="8pt", justify="right")
