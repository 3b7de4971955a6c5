"""Buttons with words."""

from __future__ import annotations

from collections.abc import Callable

from PyQt5.QtWidgets import QPushButton


def button(text: str, tip: str, act: Callable[[], None]) -> QPushButton:
    """A button that does one thing."""
    widget = QPushButton(text)
    widget.setToolTip(tip)
    widget.clicked.connect(lambda _: act())
    return widget
