"""The main window: header, pages, menus."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from PyQt5.QtCore import QEvent, QSettings, QSize, QTimer
from PyQt5.QtGui import QCloseEvent
from PyQt5.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QMenuBar,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from labcontrol.calibration import NotCalibratedError
from labcontrol.config import BenchConfig, ExperimentConfig, ReservoirConfig
from labcontrol.engine import RunStatus
from labcontrol.errors import UserError
from labcontrol.gui.calibration.page import CalibrationPage
from labcontrol.gui.devices.page import DevicesPage
from labcontrol.gui.experiment.page import ExperimentPage
from labcontrol.gui.experiment.queue_list import RunQueue
from labcontrol.gui.learning.plot import Overlay
from labcontrol.gui.live.page import LivePage
from labcontrol.gui.live.run_controller import RunController
from labcontrol.gui.log.page import LogPage
from labcontrol.gui.processes.run_process import RunFactory
from labcontrol.gui.runs.page import RunsPage
from labcontrol.gui.scaling.page import ScalingPage
from labcontrol.gui.shared.banner import Banner
from labcontrol.gui.shared.theme import Theme
from labcontrol.gui.window.closing import Ending, ask_how_to_end
from labcontrol.gui.window.desktop import Appearance
from labcontrol.gui.window.loss_notice import LossNotice
from labcontrol.gui.window.menus import fill_menus
from labcontrol.gui.window.page_tabs import PageTabs
from labcontrol.gui.window.pause_notice import PauseNotice
from labcontrol.gui.window.run_header import RunHeader
from labcontrol.gui.window.run_starter import RunStarter
from labcontrol.gui.window.screens import fit_to_screen
from labcontrol.gui.window.welcome_page import WelcomePage

_SOON_S = 0.5
_SIZE = QSize(1280, 800)
_QUEUE_KEY = "queue/waiting"
_WELCOME_KEY = "welcome/show"
_SCALING_KEY = "scaling/folder"
_RUN_OWNS_TABLE = "A run owns the table; the devices can be used by hand when it is over."
_RUN_BEFORE_CALIBRATION = "A run owns the table; calibrate when it is over."
_CALIBRATION_OWNS_TABLE = "The calibration holds the table; 'Disconnect' there releases it."


class MainWindow(QMainWindow):
    """Everything a person sees.

    experiment, bench: of the first run. runs: builds runs and has their records. settings: where the layout is kept.
    """

    def __init__(
        self,
        experiment: ExperimentConfig,
        bench: BenchConfig,
        runs: RunFactory,
        appearance: Appearance,
        settings: QSettings,
    ) -> None:
        super().__init__()
        self.setWindowTitle("labcontrol")
        self._settings, self.appearance = settings, appearance
        self._ending: Ending | None = None
        self.header = RunHeader()
        self.banner = Banner()
        self.pause_notice = PauseNotice()
        self.live = LivePage()
        self.queue_words = QLabel("")
        self.queue_words.setProperty("role", "muted")
        self.welcome = WelcomePage()
        self.experiment = ExperimentPage(experiment, bench)
        self.devices = DevicesPage(lambda: self.experiment.chosen()[1])
        self.calibration = CalibrationPage(self.experiment.chosen, self.devices.release)
        self.runs = RunsPage(runs.folder)
        self.scaling = ScalingPage(Path(str(settings.value(_SCALING_KEY, "scaling"))))
        self.log = LogPage()
        self.tabs = PageTabs("Welcome", self.welcome)
        self.tabs.add_page("Live", self.live)
        self.tabs.add_page("Experiment", self.experiment)
        self.tabs.add_page("Devices", self.devices)
        self.tabs.add_page("Calibration", self.calibration)
        self.tabs.add_page("Runs", self.runs)
        self.tabs.add_page("Scaling", self.scaling)
        self.tabs.add_page("Log", self.log)
        self.menus = QMenuBar()
        self.menus.setSizePolicy(QSizePolicy.Maximum, QSizePolicy.Preferred)
        self.controller = RunController(self.live.follower, self)
        self.starter = RunStarter(self, runs, self.controller, self.experiment, self.devices, self.calibration)
        self.loss = LossNotice(self.banner, self)
        self._lay_out()
        fill_menus(self)
        self._connect_run()
        self._connect_table()
        self._connect_pages()
        self._restore()
        self.set_theme(appearance.theme)

    # --- life ---------------------------------------------------------------------------------------------------
    def safe_off(self) -> None:
        """Light off at once, whoever switched it on; a run ends and keeps what was measured."""
        self.devices.light_off()
        self.calibration.light_off()
        self.experiment.queue.queue.stop()
        self.controller.abort()

    def calibrate(self) -> None:
        """Turn to the first calibration of the chosen bench that does not hold."""
        self.banner.hide()
        self.calibration.begin()
        self.show_page(self.calibration)

    def show_page(self, page: QWidget) -> None:
        """Bring a page to the front."""
        self.tabs.show_page(page)

    def show_crash(self, error: BaseException) -> None:
        """An error of the program in the window: said here and in the record of the run, which goes on."""
        self.banner.show_error(error, "The window had an error; the run is not affected.")
        self.controller.note(f"the window had an error: {type(error).__name__}: {error}")

    def show_welcome(self) -> None:
        """Bring the welcome to the front; it goes when another page is chosen."""
        self.show_page(self.welcome)

    def welcome_if_wanted(self) -> None:
        """Show the welcome unless a person has said not to."""
        if self.welcome.at_start.isChecked():
            self.show_welcome()

    def restore_default_layout(self) -> None:
        """Every dock and splitter back in its place."""
        self.live.restore_default_layout()
        self.devices.restore_default_layout()

    def set_theme(self, theme: Theme) -> None:
        """Colours of what the style sheet does not reach."""
        for page in (self.live, self.devices, self.calibration, self.runs, self.scaling, self.log):
            page.set_theme(theme)

    def changeEvent(self, event: QEvent | None) -> None:
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.ActivationChange and self.isActiveWindow():
            self.appearance.update()

    def closeEvent(self, event: QCloseEvent | None) -> None:
        assert event is not None
        if self.controller.is_active and not self._end_run():
            event.ignore()
            return
        self._save_layout()
        self.devices.close_bench()
        self.calibration.close_bench()
        self.controller.close()
        self.runs.close_background()
        self.scaling.close_background()
        self._settings.setValue(_SCALING_KEY, str(self.scaling.folder))
        super().closeEvent(event)

    def end_now(self) -> None:
        """Abort the run and close the window as soon as it is over, without a question: the session ends."""
        self._ending = Ending.ABORT
        self.close()

    def ask_to_close(self) -> None:
        """As the window's close button does."""
        self.close()

    def _end_run(self) -> bool:
        """Whether the run in progress is over now; when a person wants it to end, the window closes itself then."""
        ending = self._ending or ask_how_to_end(self)
        if ending is Ending.STAY:
            return False
        self.experiment.queue.queue.stop()
        if ending is Ending.STOP:
            self.controller.stop()
        else:
            self.controller.abort()
        self._ending = ending
        self.banner.show_note("The run is ending; the window closes when laser and record are safe.")
        return self.controller.finish(_SOON_S)

    # --- parts --------------------------------------------------------------------------------------------------
    def _lay_out(self) -> None:
        centre = QWidget()
        layout = QVBoxLayout(centre)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.header)
        notices = QVBoxLayout()
        notices.setContentsMargins(8, 0, 8, 0)
        notices.addWidget(self.pause_notice)
        notices.addWidget(self.banner)
        layout.addLayout(notices)
        row = QHBoxLayout()
        row.setContentsMargins(8, 0, 8, 0)
        row.addWidget(self.tabs)
        row.addStretch(1)
        row.addWidget(self.queue_words)
        row.addWidget(self.menus)
        layout.addLayout(row)
        layout.addWidget(self.tabs.pages, 1)
        self.setCentralWidget(centre)

    def _connect_run(self) -> None:
        """What starts, steers and follows a run."""
        header, controller, starter = self.header, self.controller, self.starter
        header.start.connect(starter.start_form)
        header.pause.connect(controller.pause)
        header.resume.connect(controller.resume)
        header.stop.connect(controller.stop)
        header.abort.connect(controller.abort)
        header.safe_off.connect(self.safe_off)
        self.welcome.start_simulated.connect(starter.start_simulated)
        self.experiment.queue.start_asked.connect(starter.start_queued)
        self.runs.continue_run.connect(starter.continue_run)
        starter.taking.connect(lambda: self.devices.set_locked(_RUN_OWNS_TABLE))
        starter.beginning.connect(self.banner.hide)
        starter.beginning.connect(self.loss.clear)
        starter.started.connect(lambda: self.show_page(self.live))
        starter.started.connect(self._show_present)
        starter.refused.connect(self._on_refused)
        starter.note.connect(self.banner.show_note)
        controller.status_changed.connect(self._show_status)
        controller.failed.connect(lambda error: self.loss.show_run_error(controller.run, error))
        controller.finished.connect(self._on_finished)
        controller.seen.connect(self.devices.show_frame)
        controller.fault_seen.connect(self.pause_notice.show_fault)
        self.pause_notice.resume.connect(controller.resume)
        self.pause_notice.abort.connect(controller.abort)

    def _connect_table(self) -> None:
        """The devices by hand and under calibration, and the light."""
        devices, calibration, loss = self.devices, self.calibration, self.loss
        devices.light.connect(self._show_present)
        devices.problem.connect(self.banner.show_error)
        devices.lost.connect(partial(loss.show_devices_error, devices.link))
        devices.laser_read.connect(loss.clear)
        calibration.light.connect(self._show_present)
        calibration.light.connect(lambda on, _: loss.clear() if on else None)
        calibration.table_changed.connect(self._show_present)
        calibration.problem.connect(self.banner.show_error)
        calibration.lost.connect(partial(loss.show_devices_error, calibration.link))
        calibration.use_point.connect(self._use_point)
        loss.changed.connect(self._show_present)

    def _connect_pages(self) -> None:
        """The way from page to page, and what the others have to say."""
        welcome, banner = self.welcome, self.banner
        self.tabs.turned_to.connect(self._on_page)
        welcome.show_experiment.connect(lambda: self.show_page(self.experiment))
        welcome.show_devices.connect(lambda: self.show_page(self.devices))
        welcome.show_calibration.connect(self.calibrate)
        welcome.show_runs.connect(lambda: self.show_page(self.runs))
        welcome.shown_at_start.connect(lambda wanted: self._settings.setValue(_WELCOME_KEY, wanted))
        self.experiment.problem.connect(lambda error: banner.show_error(error, "The file cannot be used."))
        self.experiment.queue.changed.connect(self._show_queue)
        self.runs.problem.connect(lambda error: banner.show_error(error, "This run cannot be used."))
        self.runs.use_settings.connect(self._use_settings)
        self.runs.compare.connect(self._lay_over)
        self.scaling.problem.connect(lambda error: banner.show_error(error, "This study cannot be shown."))
        self.log.problem.connect(lambda error: banner.show_error(error, "The log was not written."))
        self.log.unread.connect(self._show_unread)
        self.appearance.changed.connect(self.set_theme)

    def _on_page(self, page: QWidget) -> None:
        """What a page shows may have changed since it was last in front."""
        if page is self.runs:
            self.runs.read()
        elif page is self.devices:
            self.devices.read_bench()
        elif page is self.calibration:
            self.calibration.read()

    def _on_refused(self, error: UserError) -> None:
        """A run cannot start; a bench that is not calibrated can be calibrated here."""
        what = "The run cannot start."
        if isinstance(error, NotCalibratedError):
            shorter = UserError(error.message.replace("\n  - ", "; ").replace(":; ", ": ").strip())
            self.banner.show_error(shorter, what, ("Calibrate now", self.calibrate))
        else:
            self.banner.show_error(error, what)
        self._show_present()

    def _on_finished(self, status: RunStatus) -> None:
        if self._ending is not None:
            QTimer.singleShot(0, self.ask_to_close)
        else:
            self.starter.go_on(status)

    def _show_unread(self, errors: int) -> None:
        self.tabs.set_title(self.log, f"Log · {errors} new" if errors else "Log")

    def _show_queue(self) -> None:
        queue = self.experiment.queue.queue
        words = f"{len(queue.waiting)} in the queue" if queue.waiting else ""
        self.queue_words.setText(f"{words}, next one starts by itself" if queue.going and words else words)

    def _use_settings(self, experiment: ExperimentConfig) -> None:
        self.experiment.show_experiment(experiment)
        self.show_page(self.experiment)

    def _use_point(self, reservoir: ReservoirConfig) -> None:
        """The form with this operating point; whoever stands before a form that says nonsense is told there."""
        try:
            experiment = self.experiment.form.experiment()
        except UserError as error:
            self.banner.show_error(error, "The operating point was not taken over.")
            return
        self._use_settings(experiment.model_copy(update={"reservoir": reservoir}))

    def _lay_over(self, overlays: list[Overlay]) -> None:
        self.live.learning.set_overlays(overlays)
        self.show_page(self.live)

    def _show_present(self) -> None:
        self._show_status(self.controller.status)

    def _show_status(self, status: RunStatus) -> None:
        run = self.controller.run
        loss = run.experiment.learning.loss if run else "nmse"
        active = self.controller.is_active
        calibrating = self.calibration.is_in_use
        self.devices.set_locked(_RUN_OWNS_TABLE if active else _CALIBRATION_OWNS_TABLE if calibrating else "")
        self.calibration.set_locked(_RUN_BEFORE_CALIBRATION if active else "")
        power_w = run.bench_config.laser.power_w if run else None
        if not active and self.devices.light_is_on:
            status, power_w = replace(status, laser_on=True), self.devices.power_w
        elif not active and self.calibration.light_is_on:
            status, power_w = replace(status, laser_on=True), self.calibration.power_w
        self.header.show_status(status, loss, power_w)
        if (light := self.loss.light) is not None:
            self.header.show_light(light.kind, light.chip, light.words)
        self.pause_notice.show_status(status)
        self.experiment.queue.show_run(active=active)
        if not active and self.devices.is_in_use:
            self.header.show_by_hand()
        elif not active and calibrating:
            self.header.show_calibrating(measuring=self.calibration.is_working)

    def _save_layout(self) -> None:
        self._settings.setValue("window/geometry", self.saveGeometry())
        self._settings.setValue(_QUEUE_KEY, self.experiment.queue.queue.to_text())
        self.live.save_layout(self._settings)
        self.devices.save_layout(self._settings)

    def _restore(self) -> None:
        geometry = self._settings.value("window/geometry")
        if geometry is None or not self.restoreGeometry(geometry):
            self.resize(_SIZE)
        fit_to_screen(self)
        self.live.restore_layout(self._settings)
        self.devices.restore_layout(self._settings)
        self.experiment.queue.load(RunQueue.from_text(str(self._settings.value(_QUEUE_KEY, ""))))
        self.welcome.at_start.setChecked(self._settings.value(_WELCOME_KEY, True, type=bool))
        self.show_page(self.live)
