"""Abstract classes among those of Qt."""

from __future__ import annotations

from abc import ABCMeta

from PyQt5.QtCore import QObject


class AbstractQt(ABCMeta, type(QObject)):  # type: ignore[misc]  # made by sip, which mypy does not know
    """The metaclass of widgets that leave something to their kinds; one that lacks it cannot be made."""
