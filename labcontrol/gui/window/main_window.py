"""The main window: header, notices, pages, menus."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from PyQt5.QtCore import QEvent, QSettings, QSize, QTimer
from PyQt5.QtGui import QCloseEvent
from PyQt5.QtWidgets import QMainWindow, QMenuBar, QSizePolicy

from labcontrol.config import BenchConfig, ExperimentConfig
from labcontrol.engine import RunStatus
from labcontrol.gui.calibration.page import CalibrationPage
from labcontrol.gui.session.arming import Arming
from labcontrol.gui.session.context import WindowContext
from labcontrol.gui.session.page import Page
from labcontrol.gui.session.table import TableSession
from labcontrol.gui.shared.banner import Banner
from labcontrol.gui.shared.layouts import NO_MARGINS, ROOM, column, holder, label, row
from labcontrol.gui.shared.theme import Theme
from labcontrol.gui.window.closing import Ending, ask_how_to_end
from labcontrol.gui.window.desktop import Appearance
from labcontrol.gui.window.menus import fill_menus
from labcontrol.gui.window.notices import TableNotices
from labcontrol.gui.window.page_tabs import PageTabs
from labcontrol.gui.window.pages import PAGES
from labcontrol.gui.window.pause_notice import PauseNotice
from labcontrol.gui.window.run_header import RunHeader
from labcontrol.gui.window.safe_off_everywhere import SafeOffEverywhere
from labcontrol.gui.window.screens import fit_to_screen
from labcontrol.gui.window.welcome_page import WelcomePage
from labcontrol.host import HostState

_SOON_S = 0.5
_SIZE = QSize(1280, 800)
_GEOMETRY_KEY = "window/geometry"

P = TypeVar("P", bound=Page)


class MainWindow(QMainWindow):
    """Everything a person sees.

    experiment, bench: of the first run. folder: where records go. settings: where the layout is kept. table, arming:
    see `WindowContext`. kinds: the pages, in the order of their tabs.
    """

    def __init__(
        self,
        experiment: ExperimentConfig,
        bench: BenchConfig,
        folder: Path,
        appearance: Appearance,
        settings: QSettings,
        *,
        table: TableSession | None = None,
        arming: Arming | None = None,
        kinds: Sequence[type[Page]] = PAGES,
    ) -> None:
        super().__init__()
        self.setWindowTitle("labcontrol")
        self._settings, self.appearance = settings, appearance
        self._ending: Ending | None = None
        self.context = context = WindowContext(folder, experiment, bench, table=table, arming=arming, window=self)
        self.table, self.queue, self.starter = context.table, context.queue, context.starter
        self.header, self.banner, self.pause_notice = RunHeader(), Banner(), PauseNotice()
        self.notices = TableNotices(self.banner, self.table, partial(self.begin_with, CalibrationPage), self)
        self.queue_label = label("", "muted")
        pages = [kind(context) for kind in kinds]
        self.welcome = WelcomePage(context, pages)
        self.tabs = PageTabs(self.welcome)
        for page in pages:
            self.tabs.add_page(page)
        self.menus = QMenuBar()
        self.menus.setSizePolicy(QSizePolicy.Maximum, QSizePolicy.Preferred)
        self._lay_out()
        fill_menus(self)
        self._everywhere = SafeOffEverywhere(self.safe_off, lambda: self.table.light_is_on, self)
        self._connect_table()
        self._connect_pages()
        self._restore()
        self.set_theme(appearance.theme)
        self._show_table()

    # --- pages --------------------------------------------------------------------------------------------------
    def page(self, kind: type[P]) -> P:
        """The page of this class."""
        return next(page for page in self.tabs.numbered if isinstance(page, kind))

    def show_page(self, page: Page) -> None:
        """Bring a page to the front."""
        self.tabs.show_page(page)

    def begin_with(self, kind: type[Page]) -> None:
        """Turn to where a person starts on a page."""
        self.banner.hide()
        page = self.page(kind)
        self.show_page(page)
        page.begin()

    def welcome_if_wanted(self) -> None:
        """Show the welcome unless a person has said not to."""
        if self.welcome.at_start.isChecked():
            self.show_page(self.welcome)

    def restore_default_layout(self) -> None:
        """Every dock and splitter back in its place."""
        for page in self.tabs.all:
            page.restore_default_layout()

    def set_theme(self, theme: Theme) -> None:
        """Colours of what the style sheet does not reach."""
        for page in self.tabs.all:
            page.set_theme(theme)

    # --- life ---------------------------------------------------------------------------------------------------
    def safe_off(self) -> None:
        """Light off at once, whoever switched it on; a run ends and keeps what was measured."""
        self.queue.stop()
        self.table.safe_off()

    def attach(self) -> None:
        """Follow the newest run that goes on elsewhere, unless this window holds the table or follows one already."""
        if self.table.state is HostState.FREE:
            self.table.host.attach_to_run(none=lambda: self.banner.show_note("No run is in progress."))
        else:
            self.banner.show_note("This window holds the table. Disconnect the devices, or end the run, first.")

    def show_crash(self, error: BaseException) -> None:
        """An error of the program in the window: shown here and in the record of the run, which goes on."""
        self.banner.show_error(error, "The window had an error; the run is not affected.")
        self.table.note(f"the window had an error: {type(error).__name__}: {error}")

    def changeEvent(self, event: QEvent | None) -> None:
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.ActivationChange and self.isActiveWindow():
            self.appearance.update()

    def closeEvent(self, event: QCloseEvent | None) -> None:
        assert event is not None
        if self.table.state is HostState.RUN and not self._leave_run():
            event.ignore()
            return
        self._settings.setValue(_GEOMETRY_KEY, self.saveGeometry())
        for page in self.tabs.all:
            page.save(self._settings)
            page.shut_down()
        self.table.shut_down()
        super().closeEvent(event)

    def end_now(self) -> None:
        """Close the window without a question, and leave the run to its host: the session ends."""
        self._ending = Ending.KEEP
        self.close()

    def ask_to_close(self) -> None:
        """As the close button does."""
        self.close()

    def _leave_run(self) -> bool:
        """Whether the window may close now; when a person wants the run to end first, it closes itself then."""
        ending = self._ending or ask_how_to_end(self, goes_on=self.table.host.status.unattended)
        if ending in (Ending.STAY, Ending.KEEP):
            return ending is Ending.KEEP
        self.queue.stop()
        if ending is Ending.STOP:
            self.table.stop()
        else:
            self.table.abort()
        self._ending = ending
        self.banner.show_note("The run is ending; the window closes when laser and record are safe.")
        return self.table.finish(_SOON_S)

    # --- parts --------------------------------------------------------------------------------------------------
    def _lay_out(self) -> None:
        notices = column(self.pause_notice, self.banner, margins=(8, 0, 8, 0))
        bar = row(self.tabs, ROOM, self.queue_label, self.menus, margins=(8, 0, 8, 0))
        self.setCentralWidget(
            holder(column(self.header, notices, bar, (self.tabs.pages, 1), spacing=4, margins=NO_MARGINS))
        )

    def _connect_table(self) -> None:
        header, table, starter, notice = self.header, self.table, self.starter, self.pause_notice
        header.start.connect(starter.start_form)
        for steering in (header, notice):
            steering.resume.connect(table.resume)
            steering.abort.connect(table.abort)
        header.pause.connect(table.pause)
        header.pause_dark.connect(table.pause_dark)
        header.stop.connect(table.stop)
        header.safe_off.connect(self.safe_off)
        starter.refused.connect(self.notices.show_refusal)
        starter.note.connect(self.banner.show_note)
        table.changed.connect(self._show_table)
        table.run_over.connect(self._on_run_over)
        self.queue.changed.connect(lambda: self.queue_label.setText(self.queue.summary))

    def _connect_pages(self) -> None:
        for page in self.tabs.all:
            page.problem.connect(self.banner.show_error)
            page.note.connect(self.banner.show_note)
            page.wants_front.connect(partial(self.show_page, page))
            page.tab_text.connect(partial(self.tabs.set_text, page))
        self.tabs.turned_to.connect(lambda page: page.refresh())
        self.welcome.page_chosen.connect(lambda page: self.begin_with(type(page)))
        self.appearance.changed.connect(self.set_theme)

    def _show_table(self) -> None:
        self.header.show_table(self.table)
        self.pause_notice.show_status(self.table.status)

    def _on_run_over(self, status: RunStatus) -> None:
        if self._ending is not None:
            QTimer.singleShot(0, self.ask_to_close)
        else:
            self.starter.after_run(status)

    def _restore(self) -> None:
        geometry = self._settings.value(_GEOMETRY_KEY)
        if geometry is None or not self.restoreGeometry(geometry):
            self.resize(_SIZE)
        fit_to_screen(self)
        for page in self.tabs.all:
            page.restore(self._settings)
        self.show_page(self.tabs.numbered[0])
