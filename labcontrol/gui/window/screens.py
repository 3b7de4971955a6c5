"""Windows that lie on a screen that is there, whole."""

from __future__ import annotations

from PyQt5.QtGui import QGuiApplication
from PyQt5.QtWidgets import QWidget


def fit_to_screen(window: QWidget) -> None:
    """Make the window small enough for its screen and move it there; for one whose screen is gone, to the first."""
    frame = window.geometry()
    screen = QGuiApplication.screenAt(frame.center()) or QGuiApplication.primaryScreen()
    if screen is None:
        return
    room = screen.availableGeometry()
    frame.setSize(frame.size().boundedTo(room.size()))
    frame.moveLeft(min(max(frame.left(), room.left()), room.right() + 1 - frame.width()))
    frame.moveTop(min(max(frame.top(), room.top()), room.bottom() + 1 - frame.height()))
    window.setGeometry(frame)
