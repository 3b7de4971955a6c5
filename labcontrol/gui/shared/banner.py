"""Errors and notes in plain language, with what to do next."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QFrame, QPushButton, QWidget

from drivers.interfaces import DeviceError
from labcontrol.errors import UserError
from labcontrol.gui.shared.layouts import label, row
from labcontrol.gui.shared.theme import set_kind


class Banner(QFrame):
    """A line above the views; it stays until it is closed or replaced."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("banner")
        self.text = label(wraps=True, selectable=True)
        self.way_out = QPushButton("")
        self.way_out.setObjectName("primary")
        self.way_out.clicked.connect(lambda _: self._act())
        self._act: Callable[[], None] = self.hide
        close = QPushButton("Close")
        close.clicked.connect(self.hide)
        top = Qt.AlignmentFlag.AlignTop
        self.setLayout(row((self.text, 1), (self.way_out, 0, top), (close, 0, top), margins=(14, 8, 8, 8)))
        self.hide()

    def show_error(
        self, error: BaseException, what: str, way_out: tuple[str, Callable[[], None]] | None = None
    ) -> None:
        """what: what could not be done, as the beginning of a sentence. way_out: words and act of a button."""
        message, remedy = message_and_remedy(error)
        text = f"<b>{escape(what)}</b> {_lines(message)}"
        if remedy:
            text += f"<br><b>What to do:</b> {_lines(remedy)}"
        self._show(text, "error")
        if way_out is not None:
            words, self._act = way_out
            self.way_out.setText(words)
            self.way_out.show()

    def show_note(self, text: str) -> None:
        self._show(_lines(text), "note")

    def _show(self, html: str, kind: str) -> None:
        self.text.setText(html)
        set_kind(self, kind)
        self.way_out.hide()
        self.show()


def message_and_remedy(error: BaseException) -> tuple[str, str]:
    """What an error says, and what it advises."""
    if isinstance(error, UserError):
        return error.message, error.remedy
    if isinstance(error, DeviceError):
        return f"{error.device}: {error.message}", error.remedy
    return (
        f"{type(error).__name__}: {error}",
        "This is an error of the program. What was measured is in the record; please report it with the log.",
    )


def _lines(text: str) -> str:
    return escape(text).replace("\n", "<br>")
