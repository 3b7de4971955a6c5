"""What the modulators show: the mask of the DMD, neuron by neuron, and the pattern of the SLM."""

from __future__ import annotations

import math

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QWidget

from drivers.interfaces import Pattern
from labcontrol.formatting import count
from labcontrol.gui.shared.image_panel import ImagePanel, grey_lut, rgb
from labcontrol.gui.shared.theme import Theme


class MaskView(ImagePanel):
    """The incumbent mask as a square of neurons; the mirror tried last is framed.

    `neuron_pointed` emits the neuron under the cursor, or None; `neuron_clicked` one that was clicked.
    """

    neuron_pointed = pyqtSignal(object)
    neuron_clicked = pyqtSignal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._mask: NDArray[np.bool_] | None = None
        self._mirror, self._accepted = -1, False
        self._tried = pg.ScatterPlotItem(pxMode=False, symbol="s", size=1.0)
        self.box.addItem(self._tried)
        self.hovered.connect(self._on_hover)
        self.clicked.connect(self._choose)

    def set_mask(self, mask: NDArray[np.bool_], mirror: int = -1, accepted: bool = False) -> None:
        """mask: (N,) incumbent. mirror: tried last, -1 for none; accepted: and kept."""
        self._mask, self._mirror, self._accepted = mask, mirror, accepted
        self.renew()

    def set_theme(self, theme: Theme) -> None:
        super().set_theme(theme)
        self.renew()

    def draw(self) -> None:
        mask = self._mask
        if mask is None:
            return
        side = self._side(mask)
        colours = np.stack([rgb(self.theme.faint), rgb(self.theme.accent)])
        self.set_rgb(colours[mask.reshape(side, side).astype(np.intp)])
        colour = self.theme.fit if self._accepted else self.theme.prediction
        self._tried.setPen(pg.mkPen(colour, width=2))
        self._tried.setBrush(None)
        if self._mirror >= 0:
            self._tried.setData([self._mirror % side + 0.5], [self._mirror // side + 0.5])
        else:
            self._tried.setData([], [])
        self.facts.setText(f"{count(int(mask.sum()))} / {count(mask.size)} on")

    @staticmethod
    def _side(mask: NDArray[np.bool_]) -> int:
        return math.isqrt(mask.size)

    def _on_hover(self, row: int, column: int) -> None:
        if self._mask is None:
            return
        if row < 0:
            self.neuron_pointed.emit(None)
            self.draw()
            return
        neuron = row * self._side(self._mask) + column
        self.neuron_pointed.emit(neuron)
        self.facts.setText(f"neuron {neuron} (row {row}, column {column}) · {'on' if self._mask[neuron] else 'off'}")

    def _choose(self, row: int, column: int) -> None:
        if self._mask is not None:
            self.neuron_clicked.emit(row * self._side(self._mask) + column)


class SlmView(ImagePanel):
    """The SLM's grey levels as sent."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pattern: Pattern | None = None
        self._lut = grey_lut(256)
        self.hovered.connect(self._on_hover)

    def set_pattern(self, pattern: Pattern) -> None:
        self._pattern = pattern
        self.renew()

    def draw(self) -> None:
        if self._pattern is None:
            return
        self.set_rgb(self._lut[self._pattern])
        self.facts.setToolTip(f"Grey levels sent to its {' × '.join(map(str, self._pattern.shape))} pixels")
        self.facts.setText(f"grey {self._pattern.min()}–{self._pattern.max()}")

    def _on_hover(self, row: int, column: int) -> None:
        if self._pattern is None:
            return
        if row < 0:
            self.draw()
        else:
            self.facts.setText(f"pixel ({row}, {column}): grey level {self._pattern[row, column]}")
