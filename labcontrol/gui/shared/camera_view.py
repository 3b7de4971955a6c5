"""The camera frame: saturated pixels in red, neurons marked, a histogram, the neuron under the cursor."""

from __future__ import annotations

import math

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt5.QtCore import pyqtSignal
from PyQt5.QtGui import QColor
from PyQt5.QtWidgets import QCheckBox, QWidget

from drivers.interfaces import Frame
from labcontrol.gui.shared.image_panel import ImagePanel, rgb
from labcontrol.gui.shared.layouts import row
from labcontrol.gui.shared.theme import Theme

# More marks than this hide the picture they should explain.
_MOST_MARKS = 10_000
_BIT_DEPTHS = (8, 10, 12, 14, 16)
_HISTOGRAM_BINS = 64
_OCTAVES_SHOWN = 6


class CameraView(ImagePanel):
    """Shows frames as they come; nothing is computed while it is hidden.

    `neuron_pointed` emits the neuron under the cursor, or None; `neuron_clicked` one that was clicked.
    """

    neuron_pointed = pyqtSignal(object)
    neuron_clicked = pyqtSignal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._frame: Frame | None = None
        self._centres = np.empty((0, 2))
        self._bits = 8
        self._lut = np.zeros((256, 3), np.uint8)
        self._white = 0
        self.marks = pg.ScatterPlotItem(pxMode=False, symbol="s", size=3.0)
        self.chosen = pg.ScatterPlotItem(pxMode=False, symbol="s", size=3.0)
        self._chosen: list[tuple[int, str]] = []
        self.box.addItem(self.marks)
        self.box.addItem(self.chosen)
        self.histogram = pg.PlotCurveItem([0.0, 1.0], [0.0], stepMode="center", fillLevel=0)
        self._histogram_plot = pg.PlotWidget(enableMenu=False)
        self._histogram_plot.setFixedHeight(32)
        self._histogram_plot.hideAxis("left")
        self._histogram_plot.hideAxis("bottom")
        self._histogram_plot.setMouseEnabled(x=False, y=False)
        self._histogram_plot.hideButtons()
        self._histogram_plot.setToolTip("Fraction of pixels (logarithmic) from dark to full scale")
        self._histogram_plot.addItem(self.histogram)
        self.show_marks = QCheckBox("neurons")
        self.show_marks.setChecked(True)
        self.show_marks.setToolTip("Mark where each neuron lies on the sensor")
        self.show_marks.toggled.connect(self._draw_marks)
        self.rows.addLayout(row((self.facts, 1), self.show_marks))
        self.rows.addWidget(self._histogram_plot)
        self._pointed: tuple[int, int] | None = None
        self.hovered.connect(self._on_hover)
        self.clicked.connect(self._choose)

    def set_neurons(self, centres_px: NDArray[np.float64]) -> None:
        """centres_px: (N, 2) row and column of each neuron on the sensor."""
        self._centres = centres_px
        self.show_marks.setEnabled(len(centres_px) <= _MOST_MARKS)
        self._draw_marks()

    def set_bit_depth(self, bits: int) -> None:
        """Of the camera, where it is known; else it is what the frames have needed."""
        self._bits = bits

    def set_chosen(self, neurons: list[tuple[int, str]]) -> None:
        """Neurons to frame, each in a colour of its own."""
        self._chosen = neurons
        self._draw_marks()

    def set_frame(self, frame: Frame) -> None:
        self._frame = frame
        self.renew()

    def set_theme(self, theme: Theme) -> None:
        super().set_theme(theme)
        self._white = 0
        self._histogram_plot.setBackground(theme.panel)
        self.histogram.setPen(pg.mkPen(theme.muted, width=1))
        shade = QColor(theme.muted)
        shade.setAlpha(70)
        self.histogram.setBrush(pg.mkBrush(shade))
        self._draw_marks()
        self.renew()

    @property
    def full_scale(self) -> int:
        """Largest count, as far as the frames have shown it."""
        return int(2**self._bits - 1)

    # --- drawing ------------------------------------------------------------------------------------------------
    def draw(self) -> None:
        frame = self._frame
        if frame is None:
            return
        peak = int(frame.data.max())
        needed = 8 if frame.data.dtype == np.uint8 else next(b for b in _BIT_DEPTHS if peak < 2**b)
        self._bits = max(self._bits, needed)
        self._build_lut(peak)
        image = self._lut[frame.data]
        if frame.saturated_share > 0:
            image[frame.data == peak] = rgb(self.theme.danger)
        self.set_rgb(image)
        self._draw_histogram(frame)
        self._show_facts(frame, peak)

    def _build_lut(self, peak: int) -> None:
        """White is the brightest pixel, rounded up to an eighth of its octave so that the picture does not flicker.

        A dim spot is seen as well; noise alone, far below full scale, stays dark.
        """
        least = 2 ** (self._bits - _OCTAVES_SHOWN)
        octave = max(least, 2 ** math.ceil(math.log2(max(peak, 1))))
        step = max(1, octave // 8)
        white = min(max(least, -(-peak // step) * step), self.full_scale)
        if white == self._white and len(self._lut) == self.full_scale + 1:
            return
        self._white = white
        ramp = np.minimum(np.arange(self.full_scale + 1) / white, 1.0)
        self._lut = np.repeat((255 * ramp).astype(np.uint8)[:, None], 3, axis=1)

    def _draw_histogram(self, frame: Frame) -> None:
        counts, edges = np.histogram(frame.data, bins=_HISTOGRAM_BINS, range=(0, self.full_scale + 1))
        self.histogram.setData(edges, np.log1p(counts))
        self._histogram_plot.setRange(xRange=(0, self.full_scale + 1), yRange=(0, np.log1p(frame.data.size)), padding=0)

    def _show_facts(self, frame: Frame, peak: int) -> None:
        if self._pointed is not None:
            self.facts.setText(self._words_at(frame, *self._pointed))
            return
        saturated = (
            f'<span style="color:{self.theme.danger}; font-weight:600">{frame.saturated_share:.2%} saturated</span>'
            if frame.saturated_share > 0
            else "none saturated"
        )
        self.facts.setText(f"{frame.exposure_s * 1e3:.3g} ms · peak {peak / self.full_scale:.0%} · {saturated}")
        self.facts.setToolTip(
            f"Exposure, brightest pixel as a fraction of full scale, saturation; frame {frame.counter}"
        )

    def _words_at(self, frame: Frame, row: int, column: int) -> str:
        counts = f"pixel ({row}, {column}): {int(frame.data[row, column])} counts"
        neuron = self._neuron_at(row, column)
        if neuron is None:
            return counts
        side = math.isqrt(len(self._centres))
        return f"neuron {neuron} (row {neuron // side}, column {neuron % side}) · {counts}"

    def _neuron_at(self, row: int, column: int) -> int | None:
        if row < 0 or not len(self._centres):
            return None
        distance = np.abs(self._centres - (row, column)).max(axis=1)
        nearest = int(np.argmin(distance))
        return nearest if distance[nearest] <= self._spacing() / 2 else None

    def _draw_marks(self) -> None:
        colour = QColor(self.theme.accent)
        colour.setAlpha(150)
        self.marks.setPen(pg.mkPen(colour, width=1))
        self.marks.setBrush(None)
        self.chosen.setBrush(None)
        # A pixel's middle lies half a pixel beyond its corner, where the picture begins to draw it.
        centres = self._centres[:, ::-1] + 0.5
        shown = self.show_marks.isChecked() and len(centres) <= _MOST_MARKS
        self.marks.setData(*(centres if shown else centres[:0]).T, size=0.75 * self._spacing(), symbol="s")
        chosen = [(neuron, shade) for neuron, shade in self._chosen if neuron < len(centres)]
        self.chosen.setData(
            *centres[[neuron for neuron, _ in chosen]].T,
            size=0.9 * self._spacing(),
            symbol="s",
            pen=[pg.mkPen(shade, width=2.4) for _, shade in chosen],
        )

    def _spacing(self) -> float:
        if len(self._centres) < 2:
            return 3.0
        return float(np.linalg.norm(self._centres[1] - self._centres[0]))

    def _on_hover(self, row: int, column: int) -> None:
        self._pointed = (row, column) if row >= 0 else None
        self.neuron_pointed.emit(self._neuron_at(row, column))
        if self._frame is not None:
            self._show_facts(self._frame, int(self._frame.data.max()))

    def _choose(self, row: int, column: int) -> None:
        neuron = self._neuron_at(row, column)
        if neuron is not None:
            self.neuron_clicked.emit(neuron)
