"""A view that draws only while it can be seen."""

from __future__ import annotations

from abc import abstractmethod

from PyQt5.QtGui import QHideEvent, QShowEvent
from PyQt5.QtWidgets import QFrame, QWidget

from labcontrol.gui.shared.abstract import AbstractQt


class Panel(QFrame, metaclass=AbstractQt):
    """Keeps what it is given, draws it with `renew`, and catches up when it comes in sight.

    Out of sight means closed, behind another dock or page, or in a minimised window.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self._in_sight = self._behind = False

    def renew(self) -> None:
        """Draw what is held: now, or as soon as it can be seen."""
        self._behind = not self._in_sight
        if self._in_sight:
            self.draw()

    @abstractmethod
    def draw(self) -> None:
        """Bring the picture up to date."""

    def showEvent(self, event: QShowEvent | None) -> None:
        super().showEvent(event)
        self._in_sight = True
        if self._behind:
            self.renew()

    def hideEvent(self, event: QHideEvent | None) -> None:
        super().hideEvent(event)
        self._in_sight = False
