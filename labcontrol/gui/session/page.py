"""A page of the window: everything that the window asks of one."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from PyQt5.QtCore import QSettings, pyqtSignal
from PyQt5.QtWidgets import QAction, QWidget

from labcontrol.gui.session.context import WindowContext
from labcontrol.gui.shared.theme import Theme


class Invitation(NamedTuple):
    """The button that leads to a page from the welcome: its text, and what it leads to."""

    text: str
    meaning: str


class Page(QWidget):
    """Base class of the pages. A page overrides what it needs; the window calls nothing else of it.

    A page is one module with one subclass, built from a `WindowContext` alone, and one entry in
    `labcontrol.gui.window.pages`. It reaches other pages only through the context.

    Attributes
    ----------
    title : str
        On the tab and in the View menu.
    invitation : Invitation or None
        The button that leads here from the welcome.

    Signals
    -------
    problem : (error, what could not be done)
        For the banner; the second is the beginning of a sentence.
    note : (text)
        For the banner.
    wants_front : ()
        The page has something to show that was asked for.
    tab_text : (text)
        Another text for the tab.
    """

    title: ClassVar[str]
    invitation: ClassVar[Invitation | None] = None

    problem = pyqtSignal(object, str)
    note = pyqtSignal(str)
    wants_front = pyqtSignal()
    tab_text = pyqtSignal(str)

    def __init__(self, context: WindowContext) -> None:
        super().__init__()
        self.context = context

    def refresh(self) -> None:
        """Read again what may have changed since the page was last in front; called when it comes to the front."""

    def begin(self) -> None:
        """Turn to where a person starts; called when the page is opened from the welcome or by a remedy."""

    def set_theme(self, theme: Theme) -> None:
        """Colours of what the style sheet does not reach."""

    def view_actions(self) -> list[QAction]:
        """Actions for the View menu."""
        return []

    def save(self, settings: QSettings) -> None:
        """Keep what should be the same in the next session."""

    def restore(self, settings: QSettings) -> None:
        """Take up what `save` kept."""

    def restore_default_layout(self) -> None:
        """Every dock and splitter back in its place."""

    def shut_down(self) -> None:
        """End what works beside the window. May be called more than once."""
