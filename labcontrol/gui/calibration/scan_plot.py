"""The scan of operating points as it grows: expected error against each of the three settings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from PyQt5.QtWidgets import QWidget

from labcontrol.gui.shared.axes import readable_plot, style_plot
from labcontrol.gui.shared.layouts import NO_MARGINS, row
from labcontrol.gui.shared.theme import LIGHT, Theme
from labcontrol.selftest import Trial

_SETTINGS = {"feedback": "feedback β (π)", "injection": "injection γ (π)", "phase_offset": "phase offset θ (π)"}
_LEAST_ERROR = 1e-6


class ScanPlot(QWidget):
    """Every trial as a dot, the first one as a square, the best one as a star; crosses could not be measured."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.trials: list[Trial] = []
        self._theme = LIGHT
        self._canvas = pg.GraphicsLayoutWidget()
        self._plots: dict[str, Any] = {}
        self._dots: dict[str, pg.ScatterPlotItem] = {}
        for column, (name, words) in enumerate(_SETTINGS.items()):
            plot = readable_plot("expected nmse" if column == 0 else "", words)
            plot.setLogMode(y=True)
            self._canvas.addItem(plot, 0, column)
            self._dots[name] = dots = pg.ScatterPlotItem(pxMode=True)
            plot.addItem(dots)
            self._plots[name] = plot
            if column:
                plot.setYLink(self._plots["feedback"])
        self.setLayout(row(self._canvas, margins=NO_MARGINS))

    @property
    def best(self) -> Trial | None:
        return min(self.trials, key=lambda trial: trial.error, default=None)

    def clear(self) -> None:
        self.trials = []
        self._draw()

    def add(self, trial: Trial) -> None:
        self.trials.append(trial)
        self._draw()

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self._canvas.setBackground(theme.panel)
        for plot in self._plots.values():
            style_plot(plot, theme)
        self._draw()

    def _draw(self) -> None:
        theme, best = self._theme, self.best
        styles = []
        for number, trial in enumerate(self.trials):
            if trial is best:
                styles.append(("star", 18, theme.prediction))
            elif number == 0:
                styles.append(("s", 12, theme.text))
            else:
                styles.append(("o" if trial.figures else "x", 8, theme.accent if trial.figures else theme.muted))
        y = np.log10([max(trial.error, _LEAST_ERROR) for trial in self.trials])
        # the best and the first lie on top
        order = sorted(range(len(styles)), key=lambda k: styles[k][1])
        for name, dots in self._dots.items():
            dots.setData(
                [
                    {
                        "pos": (getattr(self.trials[k].config, name), y[k]),
                        "symbol": styles[k][0],
                        "size": styles[k][1],
                        "brush": pg.mkBrush(styles[k][2]),
                        "pen": pg.mkPen(theme.panel, width=1),
                    }
                    for k in order
                ]
            )
