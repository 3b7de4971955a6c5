"""The pages of the window and the tabs that choose the one in front."""

from __future__ import annotations

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QStackedWidget, QTabBar, QWidget

from labcontrol.gui.session.page import Page


class PageTabs(QTabBar):
    """The tabs; the pages themselves are in `pages`. `turned_to` carries the page that has come to the front.

    guest: the first page; it has no number, and its tab is hidden as long as another page is in front.
    """

    turned_to = pyqtSignal(object)

    def __init__(self, guest: Page, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setUsesScrollButtons(False)
        self.setDrawBase(False)
        self.setExpanding(False)
        self.pages = QStackedWidget()
        self.numbered: list[Page] = []
        """In their order; the first one has the shortcut Ctrl+1."""
        self._guest = guest
        self.pages.addWidget(guest)
        self.addTab(guest.title)
        self.currentChanged.connect(self._on_current)

    def add_page(self, page: Page) -> None:
        self.numbered.append(page)
        self.pages.addWidget(page)
        self.setTabToolTip(self.addTab(page.title), f"{page.title} (Ctrl+{len(self.numbered)})")

    @property
    def all(self) -> list[Page]:
        """The guest first."""
        return [self._guest, *self.numbered]

    def show_page(self, page: Page) -> None:
        """Bring a page to the front."""
        if page is self._guest:
            self._show_guest(True)
        self.setCurrentIndex(self.pages.indexOf(page))

    def set_text(self, page: Page, text: str) -> None:
        """Another text on the tab of a page."""
        self.setTabText(self.pages.indexOf(page), text)

    def _on_current(self, index: int) -> None:
        self.pages.setCurrentIndex(index)
        page = self.pages.currentWidget()
        if page is not self._guest:
            self._show_guest(False)
        self.turned_to.emit(page)

    def _show_guest(self, shown: bool) -> None:
        self.setTabVisible(self.pages.indexOf(self._guest), shown)
        self.updateGeometry()  # the bar does not say by itself that it needs more room
