"""The title bar of a dock: its name, a button to float it, one to close it."""

from __future__ import annotations

from PyQt5.QtCore import QPointF, QRectF, Qt
from PyQt5.QtGui import QColor, QPainter, QPaintEvent, QPen
from PyQt5.QtWidgets import QDockWidget, QToolButton, QWidget

from labcontrol.gui.shared.layouts import label, row


class DockTitle(QWidget):
    """Dragging it moves the dock, a double click floats it or puts it back."""

    def __init__(self, dock: QDockWidget) -> None:
        super().__init__(dock)
        float_button = _Button("float", "Float, or put back")
        float_button.clicked.connect(lambda _: dock.setFloating(not dock.isFloating()))
        close_button = _Button("close", "Close; the View menu brings it back")
        close_button.clicked.connect(lambda _: dock.hide())
        name = label(dock.windowTitle(), "dock")
        self.setLayout(row((name, 1), float_button, close_button, spacing=2, margins=(6, 4, 4, 2)))


class _Button(QToolButton):
    """A drawn symbol: fonts differ in the signs they have."""

    def __init__(self, symbol: str, tip: str) -> None:
        super().__init__()
        self._symbol = symbol
        self.setObjectName("dockButton")
        self.setToolTip(tip)
        self.setAccessibleName(tip)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setFixedSize(20, 20)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.Antialiasing)
        colour = QColor(self.palette().color(self.foregroundRole()))
        colour.setAlpha(255 if self.underMouse() else 150)
        painter.setPen(QPen(colour, 1.3))
        box = QRectF(6, 6, 8, 8)
        if self._symbol == "close":
            painter.drawLine(box.topLeft(), box.bottomRight())
            painter.drawLine(box.topRight(), box.bottomLeft())
        else:
            painter.drawRect(box.adjusted(0, 2.5, -2.5, 0))
            corner = box.topRight()
            painter.drawLine(QPointF(box.left() + 2.5, box.top()), corner)
            painter.drawLine(corner, QPointF(box.right(), box.bottom() - 2.5))
