"""What single neurons do over the sequence: their light on the camera, step by step."""

from __future__ import annotations

import math

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import QWidget

from drivers.interfaces import Frame
from labcontrol.gui.learning.axes import round_up
from labcontrol.gui.shared.axes import readable_plot, style_plot
from labcontrol.gui.shared.layouts import column, label
from labcontrol.gui.shared.panel import Panel
from labcontrol.gui.shared.theme import LIGHT, Theme

Floats = NDArray[np.float64]

MOST_PINNED = 4
_MOST_CELLS = 8_000_000  # neurons times steps kept for all; beyond, only for those on show
_LEFT_AXIS_PX = 46


class NeuronTraces(Panel):
    """The neuron under the cursor, and up to four that were clicked.

    The reservoir is driven the same in every replay, so that steps seen in different replays make one trace. It fills
    as the views of single steps come in. `shown_changed` emits the neurons on show with the colours of their curves.
    """

    shown_changed = pyqtSignal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.pinned: list[int] = []
        self.pointed: int | None = None
        self._pixels: NDArray[np.intp] = np.empty((2, 0), np.intp)
        self._side = 1
        self._seen: NDArray[np.float32] = np.empty((0, 0), np.float32)
        self._rows: dict[int, int] = {}
        self._last_step = 0
        self._theme = LIGHT
        self.canvas = pg.GraphicsLayoutWidget()
        self.canvas.setMinimumSize(160, 100)
        self.plot = readable_plot("counts", "step of the sequence")
        self.plot.getAxis("left").setWidth(_LEFT_AXIS_PX)
        self.plot.setMouseEnabled(x=True, y=False)
        self.plot.disableAutoRange()
        self.canvas.addItem(self.plot, 0, 0)
        self.curves = [pg.PlotCurveItem(connect="finite") for _ in range(MOST_PINNED + 1)]
        self.now = pg.InfiniteLine(0)
        for item in (*self.curves, self.now):
            self.plot.addItem(item)
        self.hint = label("", "muted", narrow=True)
        self.setLayout(column((self.canvas, 1), self.hint, spacing=4, margins=(6, 4, 6, 6)))
        self._describe()

    def begin(self, centres_px: Floats, steps: int) -> None:
        """A new run. centres_px: (N, 2) row and column of each neuron on the sensor. steps: of the training part."""
        self._pixels = np.rint(centres_px).astype(np.intp).T
        neurons = len(centres_px)
        self._side = max(math.isqrt(neurons), 1)
        self.pinned = self._spread(neurons)
        self.pointed = None
        self._rows = {}
        keeps_all = neurons * steps <= _MOST_CELLS
        if keeps_all:
            self._rows = {neuron: neuron for neuron in range(neurons)}
        self._seen = np.full((neurons if keeps_all else MOST_PINNED + 1, steps), np.nan, np.float32)
        self._keep_shown()
        self.plot.setXRange(0, max(steps - 1, 1), padding=0.01)
        self._describe()
        self.renew()

    def set_frame(self, step: int, frame: Frame) -> None:
        """One step of the training part as the camera saw it; steps of the washout are negative and not drawn."""
        if not 0 <= step < self._seen.shape[1] or not len(self._rows):
            return
        rows, columns = self._pixels
        if len(self._rows) == len(rows):
            self._seen[:, step] = frame.data[rows, columns]
        else:
            for neuron, row in self._rows.items():
                self._seen[row, step] = frame.data[rows[neuron], columns[neuron]]
        self._last_step = step
        self.renew()

    def point_at(self, neuron: int | None) -> None:
        """The neuron under the cursor."""
        if neuron == self.pointed:
            return
        self.pointed = neuron
        self._keep_shown()
        self._describe()
        self.renew()

    def pin(self, neuron: int) -> None:
        """Keep a neuron on show, or let it go; a fifth one takes the place of the first."""
        if neuron in self.pinned:
            self.pinned.remove(neuron)
        else:
            self.pinned = [*self.pinned, neuron][-MOST_PINNED:]
        self._keep_shown()
        self._describe()
        self.renew()

    def trace(self, neuron: int) -> NDArray[np.float32]:
        """(T,) counts of a neuron; NaN where not seen yet, or not kept."""
        row = self._rows.get(neuron)
        return np.full(self._seen.shape[1], np.nan, np.float32) if row is None else self._seen[row]

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self.canvas.setBackground(theme.panel)
        style_plot(self.plot, theme)
        for curve, colour, style in zip(self.curves, self._colours(), _STYLES, strict=True):
            curve.setPen(pg.mkPen(colour, width=1.8, style=style))
        self.now.setPen(pg.mkPen(theme.muted, width=1, style=Qt.PenStyle.DotLine))
        self._describe()

    # --- parts --------------------------------------------------------------------------------------------------
    def _colours(self) -> list[str]:
        theme = self._theme
        return [theme.text, theme.accent, theme.prediction, theme.fit, theme.mean_field]

    @property
    def _shown(self) -> list[int | None]:
        pinned: list[int | None] = [*self.pinned]
        return [self.pointed, *pinned, *[None] * (MOST_PINNED - len(pinned))]

    @staticmethod
    def _spread(neurons: int) -> list[int]:
        """Three from corner to corner, to begin with."""
        side = math.isqrt(neurons)
        return sorted({(side * n // 4) * (side + 1) for n in (1, 2, 3)} & set(range(neurons)))

    def _keep_shown(self) -> None:
        """Where not all neurons are kept: rows for those on show, emptied for new ones."""
        if len(self._rows) == self._pixels.shape[1]:
            return
        shown = {neuron for neuron in self._shown if neuron is not None}
        self._rows = {neuron: row for neuron, row in self._rows.items() if neuron in shown}
        free = [row for row in range(len(self._seen)) if row not in self._rows.values()]
        for neuron, row in zip(sorted(shown - set(self._rows)), free, strict=False):
            self._seen[row] = np.nan
            self._rows[neuron] = row

    def draw(self) -> None:
        highest = 1.0
        steps = np.arange(self._seen.shape[1], dtype=np.float64)
        for neuron, curve in zip(self._shown, self.curves, strict=True):
            if neuron is None:
                curve.setData([], [])
                continue
            trace = self.trace(neuron)
            seen = np.isfinite(trace)
            curve.setData(steps[seen], trace[seen])
            if seen.any():
                highest = max(highest, float(trace[seen].max()))
        self.plot.setYRange(0, round_up(1.05 * highest, fine=True), padding=0)
        self.now.setValue(self._last_step)

    def _describe(self) -> None:
        shown = zip(self._shown, self._colours(), strict=True)
        self.shown_changed.emit([(neuron, colour) for neuron, colour in shown if neuron is not None])
        if not self._pixels.shape[1]:
            self.hint.setText("Nothing measured yet: traces appear with the first frames of a run.")
            return
        names = [
            f'<span style="color:{colour}">━ {neuron} ({neuron // self._side}, {neuron % self._side})</span>'
            for neuron, colour in zip(self._shown, self._colours(), strict=True)
            if neuron is not None
        ]
        self.hint.setText(" &nbsp; ".join(names) or "Click a neuron on the camera picture or the mask.")
        self.hint.setToolTip("Neuron (row, column). A click on the camera picture or on the mask adds or removes one.")


_STYLES = (
    Qt.PenStyle.DotLine,
    Qt.PenStyle.SolidLine,
    Qt.PenStyle.DashLine,
    Qt.PenStyle.DashDotLine,
    Qt.PenStyle.DashDotDotLine,
)
