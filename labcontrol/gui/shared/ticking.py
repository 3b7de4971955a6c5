"""Timers that act again and again."""

from __future__ import annotations

from collections.abc import Callable

from PyQt5.QtCore import QObject, QTimer


def ticking(owner: QObject, interval_ms: int, act: Callable[[], None]) -> QTimer:
    """A timer that acts at this interval from its `start` to its `stop`, and goes with its owner."""
    timer = QTimer(owner)
    timer.setInterval(interval_ms)
    timer.timeout.connect(act)
    return timer
