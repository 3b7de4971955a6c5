"""Thumbnails of learning curves in a table."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PyQt5.QtCore import QModelIndex, QObject, QPointF, QSize, Qt
from PyQt5.QtGui import QColor, QPainter, QPen, QPolygonF
from PyQt5.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem

from labcontrol.gui.shared.theme import LIGHT, Theme

CURVE_ROLE = int(Qt.ItemDataRole.UserRole) + 1
"""Under which a model keeps the curve (P,) of a cell."""

_LEAST_SPAN = 1.0  # decade: a run that learns nothing looks flat
_SIZE = QSize(110, 30)


class ThumbnailDelegate(QStyledItemDelegate):
    """Paints the curve of a cell from its start, at the upper left, downwards."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.theme: Theme = LIGHT

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        return _SIZE

    def paint(self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        super().paint(painter, option, index)
        curve = index.data(CURVE_ROLE)
        if painter is None or curve is None or len(curve) < 2:
            return
        painter.save()
        painter.setRenderHint(QPainter.Antialiasing)
        painter.setPen(QPen(QColor(self.theme.accent), 1.6))
        box = option.rect.adjusted(8, 5, -8, -5)
        x, y = _in_box(curve)
        points = (
            QPointF(box.left() + a * box.width(), box.top() + b * box.height()) for a, b in zip(x, y, strict=True)
        )
        painter.drawPolyline(QPolygonF(points))
        painter.restore()


def _in_box(curve: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """From 0 to 1, downwards."""
    top = float(curve.max())
    span = max(top - float(curve.min()), _LEAST_SPAN)
    return np.linspace(0, 1, len(curve)), (top - curve) / span
