"""The main window: header, learning view in the middle, the views of the table in docks around it."""

from __future__ import annotations

from collections.abc import Callable

from PyQt5.QtCore import QSettings, Qt
from PyQt5.QtGui import QCloseEvent
from PyQt5.QtWidgets import QDockWidget, QMainWindow, QMessageBox, QVBoxLayout, QWidget

from labcontrol.engine import Run, RunStatus
from labcontrol.errors import UserError
from labcontrol.gui.banner import Banner
from labcontrol.gui.camera_view import CameraView
from labcontrol.gui.learning_view import LearningView
from labcontrol.gui.output_view import OutputView
from labcontrol.gui.pattern_views import MaskView, SlmView
from labcontrol.gui.run_controller import LiveViews, RunController
from labcontrol.gui.run_header import RunHeader
from labcontrol.gui.theme import Theme

_END_TIMEOUT_S = 30.0


class MainWindow(QMainWindow):
    """Everything a person sees. make_run: builds the next run. settings: where layout and choices are kept."""

    def __init__(self, make_run: Callable[[], Run], settings: QSettings) -> None:
        super().__init__()
        self.setWindowTitle("labcontrol")
        self._settings = settings
        self.header = RunHeader()
        self.banner = Banner()
        self.learning = LearningView()
        self.camera, self.slm, self.mask, self.output = CameraView(), SlmView(), MaskView(), OutputView()
        self.controller = RunController(
            LiveViews(self.learning, self.camera, self.slm, self.mask, self.output), make_run, self
        )
        self._lay_out()
        self._connect()
        self._default_state = self.saveState()
        self._restore()

    # --- life ---------------------------------------------------------------------------------------------------
    def start_run(self) -> None:
        """Start; what stands in the way is shown with its remedy."""
        self.banner.hide()
        try:
            self.controller.start()
        except UserError as error:
            self.banner.show_error(error, "The run cannot start.")
        self._show_status(self.controller.status)

    def set_theme(self, theme: Theme) -> None:
        for view in (self.learning, self.camera, self.slm, self.mask, self.output):
            view.set_theme(theme)

    def closeEvent(self, event: QCloseEvent | None) -> None:
        assert event is not None
        if self.controller.is_active and not self._may_end():
            event.ignore()
            return
        self._settings.setValue("window/geometry", self.saveGeometry())
        self._settings.setValue("window/state", self.saveState())
        super().closeEvent(event)

    def _may_end(self) -> bool:
        """Ask whether to end the run in progress, and end it; False to stay."""
        box = QMessageBox(self)
        box.setIcon(QMessageBox.Question)
        box.setWindowTitle("A run is in progress")
        box.setText("A run is in progress and holds the table.")
        box.setInformativeText("Either way the laser is switched off, the record closed, and every epoch kept.")
        stop = box.addButton("Stop after this epoch", QMessageBox.AcceptRole)
        abort = box.addButton("Abort now", QMessageBox.DestructiveRole)
        stay = box.addButton("Keep running", QMessageBox.RejectRole)
        box.setDefaultButton(stay)
        box.exec_()
        if box.clickedButton() is stop:
            self.controller.stop()
        elif box.clickedButton() is abort:
            self.controller.abort()
        else:
            return False
        return self.controller.finish(_END_TIMEOUT_S)

    # --- parts --------------------------------------------------------------------------------------------------
    def _lay_out(self) -> None:
        top = QWidget()
        layout = QVBoxLayout(top)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self.header)
        layout.addWidget(self.banner)
        self.setMenuWidget(top)
        centre = QWidget()
        inner = QVBoxLayout(centre)
        inner.setContentsMargins(8, 0, 2, 8)
        inner.addWidget(self.learning)
        self.setCentralWidget(centre)
        self.setDockNestingEnabled(True)
        camera = self._dock("Camera", self.camera)
        mask = self._dock("DMD mask", self.mask)
        slm = self._dock("SLM pattern", self.slm)
        output = self._dock("Output and target", self.output)
        self.addDockWidget(Qt.RightDockWidgetArea, camera)
        self.addDockWidget(Qt.RightDockWidgetArea, mask)
        self.addDockWidget(Qt.RightDockWidgetArea, output)
        self.splitDockWidget(mask, slm, Qt.Horizontal)
        self.resizeDocks([camera, mask, output], [250, 190, 220], Qt.Vertical)
        self.resizeDocks([camera], [430], Qt.Horizontal)

    def _dock(self, title: str, widget: QWidget) -> QDockWidget:
        dock = QDockWidget(title)
        dock.setObjectName(title)
        dock.setWidget(widget)
        return dock

    def _connect(self) -> None:
        header, controller = self.header, self.controller
        header.start.connect(self.start_run)
        header.pause.connect(controller.pause)
        header.resume.connect(controller.resume)
        header.stop.connect(controller.stop)
        header.abort.connect(controller.abort)
        header.safe_off.connect(controller.abort)
        controller.status_changed.connect(self._show_status)
        controller.failed.connect(lambda error: self.banner.show_error(error, "The run failed."))

    def _show_status(self, status: RunStatus) -> None:
        run = self.controller.run
        loss = run.experiment.learning.loss if run else "nmse"
        power_w = run.bench_config.laser.power_w if run else None
        self.header.show_status(status, loss, power_w)

    def _restore(self) -> None:
        geometry, state = self._settings.value("window/geometry"), self._settings.value("window/state")
        if geometry is None:
            self.resize(1280, 800)
        else:
            self.restoreGeometry(geometry)
        if state is not None:
            self.restoreState(state)
