"""The button of a device that is asked again and again."""

from __future__ import annotations

from collections.abc import Callable

from PyQt5.QtWidgets import QPushButton

from labcontrol.gui.shared.ticking import ticking

_LIVE_MS = 50


class LiveButton(QPushButton):
    """Asks while it is down and can be seen.

    once: the button that asks once, which rests meanwhile. begin: called when it goes down.
    """

    def __init__(self, tip: str, once: QPushButton, begin: Callable[[], None], ask: Callable[[], None]) -> None:
        super().__init__("Live")
        self.setCheckable(True)
        self.setToolTip(tip)
        self._once, self._begin, self._ask = once, begin, ask
        self._timer = ticking(self, _LIVE_MS, self._on_tick)
        self.toggled.connect(self._on_toggled)

    def _on_toggled(self, on: bool) -> None:
        self._once.setEnabled(not on)
        if on:
            self._begin()
            self._timer.start()
        else:
            self._timer.stop()

    def _on_tick(self) -> None:
        if self.isVisible():
            self._ask()
