"""An image as the bench sees it: square pixels, row 0 on top, a line of facts below, the pixel under the cursor."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt5.QtCore import QEvent, Qt, pyqtSignal
from PyQt5.QtWidgets import QWidget

from labcontrol.gui.shared.layouts import column, label
from labcontrol.gui.shared.panel import Panel
from labcontrol.gui.shared.theme import LIGHT, Theme


class ImagePanel(Panel):
    """Shows grey or coloured images of any size.

    `hovered` emits row and column under the cursor, or (-1, -1); `clicked` those of a click. Dragging and the wheel
    move and scale the picture, a double click shows all of it again.
    """

    hovered = pyqtSignal(int, int)
    clicked = pyqtSignal(int, int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shape: tuple[int, int] = (0, 0)
        self.theme = LIGHT
        self.canvas = pg.GraphicsView()
        self.box = pg.ViewBox(lockAspect=True, invertY=True, enableMenu=False)
        self.canvas.setCentralItem(self.box)
        self.canvas.setMinimumSize(120, 100)
        self.image = pg.ImageItem(axisOrder="row-major")
        self.box.addItem(self.image)
        self.facts = label("nothing shown yet", "muted", narrow=True)
        self.rows = column((self.canvas, 1), self.facts, spacing=4, margins=(6, 4, 6, 6))
        self.setLayout(self.rows)
        self.canvas.scene().sigMouseMoved.connect(self._on_mouse)
        self.canvas.scene().sigMouseClicked.connect(self._on_click)

    def set_rgb(self, image: NDArray[np.uint8]) -> None:
        """image: (rows, columns, 3)."""
        self.image.setImage(image, autoLevels=False, levels=None)
        shape = (int(image.shape[0]), int(image.shape[1]))
        if shape != self._shape:
            self._shape = shape
            self._show_all()

    def draw(self) -> None:
        """Nothing is kept here: `set_rgb` shows a picture at once."""

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        self.canvas.setBackground(theme.panel)

    def leaveEvent(self, event: QEvent | None) -> None:
        super().leaveEvent(event)
        self.hovered.emit(-1, -1)

    def _show_all(self) -> None:
        self.box.setRange(xRange=(0, self._shape[1]), yRange=(0, self._shape[0]), padding=0.03)

    def _on_mouse(self, position: Any) -> None:
        self.hovered.emit(*self._pixel_at(position))

    def _on_click(self, event: Any) -> None:
        if event.double():
            self._show_all()
            return
        row, column = self._pixel_at(event.scenePos())
        if event.button() == Qt.MouseButton.LeftButton and row >= 0:
            self.clicked.emit(row, column)

    def _pixel_at(self, position: Any) -> tuple[int, int]:
        point = self.box.mapSceneToView(position)
        row, column = int(np.floor(point.y())), int(np.floor(point.x()))
        inside = 0 <= row < self._shape[0] and 0 <= column < self._shape[1]
        return (row, column) if inside else (-1, -1)


def grey_lut(levels: int) -> NDArray[np.uint8]:
    """(levels, 3) from black to white."""
    ramp = np.linspace(0, 255, levels).astype(np.uint8)
    return np.repeat(ramp[:, None], 3, axis=1)


def rgb(colour: str) -> NDArray[np.uint8]:
    """(3,) of #rrggbb."""
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)], dtype=np.uint8)
