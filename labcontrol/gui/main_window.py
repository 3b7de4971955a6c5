"""The main window: header, pages, menus."""

from __future__ import annotations

from collections.abc import Callable
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
    QStackedWidget,
    QTabBar,
    QVBoxLayout,
    QWidget,
)

from labcontrol.calibration import NotCalibratedError
from labcontrol.config import BenchConfig, ExperimentConfig, ReservoirConfig
from labcontrol.engine import RunStatus
from labcontrol.engine.light_record import laser_journal
from labcontrol.errors import UserError
from labcontrol.gui.arming import armed
from labcontrol.gui.banner import Banner
from labcontrol.gui.calibration_link import CalibrationLink
from labcontrol.gui.calibration_page import CalibrationPage
from labcontrol.gui.closing import Ending, ask_how_to_end
from labcontrol.gui.desktop import Appearance
from labcontrol.gui.devices_link import BenchLink
from labcontrol.gui.devices_page import DevicesPage
from labcontrol.gui.experiment_page import ExperimentPage
from labcontrol.gui.learning_plot import Overlay
from labcontrol.gui.live_page import LivePage
from labcontrol.gui.log_page import LogPage
from labcontrol.gui.lost_light import LostLight
from labcontrol.gui.pause_notice import PauseNotice
from labcontrol.gui.process_talk import LostProcessError
from labcontrol.gui.queue_list import QueuedRun, RunQueue
from labcontrol.gui.run_controller import RunController
from labcontrol.gui.run_header import RunHeader
from labcontrol.gui.run_process import LiveRun, RunFactory
from labcontrol.gui.runs_page import RunsPage
from labcontrol.gui.scaling_page import ScalingPage
from labcontrol.gui.screens import fit_to_screen
from labcontrol.gui.theme import Theme
from labcontrol.gui.welcome_page import WelcomePage
from labcontrol.gui.window_menus import fill_menus

_SOON_S = 0.5
_SIZE = QSize(1280, 800)
_QUEUE_KEY = "queue/waiting"
_WELCOME_KEY = "welcome/show"
_SCALING_KEY = "scaling/folder"
_RUN_OWNS_TABLE = "A run owns the table; the devices can be used by hand when it is over."
_RUN_BEFORE_CALIBRATION = "A run owns the table; calibrate when it is over."
_CALIBRATION_OWNS_TABLE = "The calibration holds the table; 'Let go' there gives it back."


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
        self._settings, self.appearance, self._runs = settings, appearance, runs
        self._ending: Ending | None = None
        self.header = RunHeader()
        self.banner = Banner()
        self.pause_notice = PauseNotice()
        self.live = LivePage()
        self.queue_words = QLabel("")
        self.queue_words.setProperty("role", "muted")
        self.tabs = QTabBar()
        self.pages = QStackedWidget()
        self.page_titles: list[str] = []
        self.welcome = WelcomePage()
        self.experiment = ExperimentPage(experiment, bench)
        self.devices = DevicesPage(lambda: self.experiment.chosen()[1])
        self.calibration = CalibrationPage(self.experiment.chosen, self.devices.release)
        self.runs = RunsPage(runs.folder)
        self.scaling = ScalingPage(Path(str(settings.value(_SCALING_KEY, "scaling"))))
        self.log = LogPage()
        self._add_page("Welcome", self.welcome)
        self._add_page("Live", self.live)
        self._add_page("Experiment", self.experiment)
        self._add_page("Devices", self.devices)
        self._add_page("Calibration", self.calibration)
        self._add_page("Runs", self.runs)
        self._add_page("Scaling", self.scaling)
        self._add_page("Log", self.log)
        self.menus = QMenuBar()
        self.menus.setSizePolicy(QSizePolicy.Maximum, QSizePolicy.Preferred)
        self.controller = RunController(self.live.follower, self)
        self.lost_light = LostLight(self)
        self._loss: tuple[LostProcessError, str] | None = None
        self._lay_out()
        fill_menus(self)
        self._connect()
        self._restore()
        self.set_theme(appearance.theme)

    # --- life ---------------------------------------------------------------------------------------------------
    @property
    def first_page(self) -> int:
        """Index of the first page that is always there."""
        return self.pages.indexOf(self.welcome) + 1

    def start_run(self) -> None:
        """Start what the form says; what stands in the way is shown with its remedy."""
        self._start(lambda: self._runs.new(*self.experiment.chosen()))

    def start_queued(self, queued: QueuedRun) -> None:
        """Start a run of the queue."""
        experiment = queued.experiment
        self._start(lambda: self._runs.new(experiment, self.experiment.bench_of(experiment)))

    def start_simulated(self) -> None:
        """The experiment that needs no setting, on the simulated table."""
        self.experiment.show_experiment(ExperimentConfig())
        self.start_run()

    def continue_run(self, record: Path) -> None:
        """Go on with the run of a record."""
        self._start(lambda: self._runs.continued(record))

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

    def _start(self, make_run: Callable[[], LiveRun]) -> None:
        """Start a run as soon as nobody else holds the devices."""
        if self.controller.is_active:
            return
        if self.calibration.is_working:
            self._stop_queue()
            self.banner.show_note(
                "The calibration is measuring. Stop it, or wait until it is done; then start the run."
            )
            return
        self.devices.set_locked(_RUN_OWNS_TABLE)
        start = partial(self._start_on_free_table, make_run)
        self.calibration.release(partial(self.devices.release, start))

    def _start_on_free_table(self, make_run: Callable[[], LiveRun]) -> None:
        self.banner.hide()
        self.lost_light.forget()
        try:
            self.controller.start(lambda: armed(self, self._runs, make_run))
        except NotCalibratedError as error:
            self._stop_queue()
            shorter = UserError(error.message.replace("\n  - ", "; ").replace(":; ", ": ").strip())
            self.banner.show_error(shorter, "The run cannot start.", ("Calibrate now", self.calibrate))
        except UserError as error:
            self._stop_queue()
            self.banner.show_error(error, "The run cannot start.")
        else:
            self.show_page(self.live)
        self._show_status(self.controller.status)

    def _stop_queue(self) -> None:
        self.experiment.queue.queue.stop()
        self.experiment.queue.refresh()

    def show_page(self, page: QWidget) -> None:
        """Bring a page to the front."""
        self.tabs.setCurrentIndex(self.pages.indexOf(page))

    def show_crash(self, error: BaseException) -> None:
        """An error of the program in the window: said here and in the record of the run, which goes on."""
        self.banner.show_error(error, "The window had an error; the run is not affected.")
        self.controller.note(f"the window had an error: {type(error).__name__}: {error}")

    def show_welcome(self) -> None:
        """Bring the welcome to the front; it goes when another page is chosen."""
        self._show_welcome_tab(True)
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
        self.live.set_theme(theme)
        self.devices.set_theme(theme)
        self.calibration.set_theme(theme)
        self.runs.set_theme(theme)
        self.scaling.set_theme(theme)
        self.log.set_theme(theme)

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
        layout.addWidget(self.pages, 1)
        self.setCentralWidget(centre)

    def _add_page(self, title: str, page: QWidget) -> None:
        self.tabs.addTab(title)
        self.pages.addWidget(page)
        if page is not self.welcome:
            self.page_titles.append(title)
            self.tabs.setTabToolTip(self.tabs.count() - 1, f"{title} (Ctrl+{len(self.page_titles)})")

    def _connect(self) -> None:
        header, controller = self.header, self.controller
        self.tabs.setUsesScrollButtons(False)
        self.tabs.setDrawBase(False)
        self.tabs.setExpanding(False)
        self.tabs.currentChanged.connect(self._on_page)
        header.start.connect(self.start_run)
        header.pause.connect(controller.pause)
        header.resume.connect(controller.resume)
        header.stop.connect(controller.stop)
        header.abort.connect(controller.abort)
        header.safe_off.connect(self.safe_off)
        controller.status_changed.connect(self._show_status)
        controller.failed.connect(self._on_failed)
        self.welcome.start_simulated.connect(self.start_simulated)
        self.welcome.show_experiment.connect(lambda: self.show_page(self.experiment))
        self.welcome.show_devices.connect(lambda: self.show_page(self.devices))
        self.welcome.show_calibration.connect(self.calibrate)
        self.welcome.show_runs.connect(lambda: self.show_page(self.runs))
        self.welcome.shown_at_start.connect(lambda wanted: self._settings.setValue(_WELCOME_KEY, wanted))
        self.log.unread.connect(self._show_unread)
        self.log.problem.connect(lambda error: self.banner.show_error(error, "The log was not written."))
        controller.finished.connect(self._on_finished)
        controller.fault_seen.connect(self.pause_notice.show_fault)
        self.pause_notice.resume.connect(controller.resume)
        self.pause_notice.abort.connect(controller.abort)
        self.experiment.queue.start_asked.connect(self.start_queued)
        self.experiment.queue.changed.connect(self._show_queue)
        controller.seen.connect(self.devices.show_frame)
        self.devices.light.connect(lambda *_: self._show_status(controller.status))
        self.devices.problem.connect(self.banner.show_error)
        self.calibration.light.connect(lambda *_: self._show_status(controller.status))
        self.calibration.table_changed.connect(lambda: self._show_status(controller.status))
        self.calibration.problem.connect(self.banner.show_error)
        self.calibration.use_point.connect(self._use_point)
        self.devices.lost.connect(partial(self._on_devices_lost, self.devices.link))
        self.calibration.lost.connect(partial(self._on_devices_lost, self.calibration.link))
        self.calibration.light.connect(lambda on, _: self.lost_light.forget() if on else None)
        self.devices.laser_read.connect(self.lost_light.forget)
        self.lost_light.changed.connect(self._tell_loss)
        self.experiment.problem.connect(lambda error: self.banner.show_error(error, "The file cannot be used."))
        self.runs.problem.connect(lambda error: self.banner.show_error(error, "This run cannot be used."))
        self.scaling.problem.connect(lambda error: self.banner.show_error(error, "This study cannot be shown."))
        self.runs.continue_run.connect(self.continue_run)
        self.runs.use_settings.connect(self._use_settings)
        self.runs.compare.connect(self._lay_over)
        self.appearance.changed.connect(self.set_theme)

    def _on_page(self, index: int) -> None:
        self.pages.setCurrentIndex(index)
        if self.pages.currentWidget() is not self.welcome:
            self._show_welcome_tab(False)
        if self.pages.currentWidget() is self.runs:
            self.runs.read()
        elif self.pages.currentWidget() is self.devices:
            self.devices.read_bench()
        elif self.pages.currentWidget() is self.calibration:
            self.calibration.read()

    def _show_welcome_tab(self, shown: bool) -> None:
        self.tabs.setTabVisible(self.pages.indexOf(self.welcome), shown)
        self.tabs.updateGeometry()  # the bar does not say by itself that it needs more room

    def _on_finished(self, status: RunStatus) -> None:
        """Go on with the queue, if it is going and the run ended by itself."""
        if self._ending is not None:
            QTimer.singleShot(0, self.ask_to_close)
            return
        queue = self.experiment.queue
        waiting, was_going, halts = len(queue.queue.waiting), queue.queue.going, queue.queue.halts
        following = queue.queue.after(status)
        queue.refresh()
        if following is not None:
            # not from within the signal: the run that has ended is still being put away
            QTimer.singleShot(0, partial(self.start_queued, following))
        else:
            self._runs.armed_by = ""
        if following is None and was_going and waiting and not halts:
            self.banner.show_note(f"The queue waits ({waiting} to go): the last run did not end by itself.")

    def _on_failed(self, error: BaseException) -> None:
        what, run = "The run failed.", self.controller.run
        if isinstance(error, LostProcessError) and run is not None:
            record = run.status.record
            journal = Path() if record is None else laser_journal(record)
            self._loss = error, what
            self.lost_light.begin(run.bench_config, journal, was_on=run.status.laser_on)
        else:
            self.banner.show_error(error, what)

    def _on_devices_lost(self, link: BenchLink | CalibrationLink, error: BaseException) -> None:
        what = "The devices are lost."
        if isinstance(error, LostProcessError) and link.config is not None:
            self._loss = error, what
            self.lost_light.begin(link.config, link.journal, was_on=link.light_is_on)
        else:
            self.banner.show_error(error, what)

    def _tell_loss(self) -> None:
        """What was lost, and as much as is known of the laser by now."""
        light = self.lost_light.known
        if light is not None and self._loss is not None:
            error, what = self._loss
            self.banner.show_error(UserError(f"{error.message} {light.words}", error.remedy), what)
        self._show_status(self.controller.status)

    def _show_unread(self, errors: int) -> None:
        self.tabs.setTabText(self.pages.indexOf(self.log), f"Log · {errors} new" if errors else "Log")

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
        if (light := self.lost_light.known) is not None:
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
