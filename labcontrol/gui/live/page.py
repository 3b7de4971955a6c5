"""The page of the running experiment: learning curve in the middle, the table's views in docks around it."""

from __future__ import annotations

from PyQt5.QtCore import QSettings, Qt
from PyQt5.QtGui import QShowEvent
from PyQt5.QtWidgets import QAction, QDockWidget, QMainWindow, QWidget

from labcontrol.engine import Event, RunStatus
from labcontrol.gui.learning.plot import Overlay
from labcontrol.gui.learning.view import LearningView
from labcontrol.gui.live.dock_title import DockTitle
from labcontrol.gui.live.neuron_traces import NeuronTraces
from labcontrol.gui.live.run_follower import LiveViews, RunFollower, TableViews
from labcontrol.gui.session.context import WindowContext
from labcontrol.gui.session.page import Page
from labcontrol.gui.shared.camera_view import CameraView
from labcontrol.gui.shared.layouts import NO_MARGINS, column, holder
from labcontrol.gui.shared.output_view import OutputView
from labcontrol.gui.shared.pattern_views import MaskView, SlmView
from labcontrol.gui.shared.theme import Theme
from labcontrol.host.remote_run import RemoteRun

_RIGHT = Qt.DockWidgetArea.RightDockWidgetArea
_LAYOUT_KEY = "live/layout"
_ROOMY_PX = 950  # of height: enough for four rows of docks


class LivePage(Page):
    """Docks can be moved, floated, closed and brought back; their layout is kept in the settings."""

    title = "Live"

    def __init__(self, context: WindowContext) -> None:
        super().__init__(context)
        self._restored = False
        self.learning = LearningView()
        self.camera, self.slm, self.dmd, self.output = CameraView(), SlmView(), MaskView(), OutputView()
        self.traces = NeuronTraces()
        self.follower = RunFollower(
            LiveViews(self.learning, self.dmd, self.output, TableViews(self.camera, self.slm, self.traces)), self
        )
        for picture in (self.camera, self.dmd):
            picture.neuron_pointed.connect(self.traces.point_at)
            picture.neuron_clicked.connect(self.traces.pin)
        self.traces.shown_changed.connect(self.camera.set_chosen)
        self._area = QMainWindow()  # no window of its own: the layout takes it in
        self._area.setCentralWidget(holder(column(self.learning, margins=(8, 2, 2, 8))))
        self._area.setDockNestingEnabled(True)
        self.setLayout(column(self._area, margins=NO_MARGINS))
        self._docks = [
            self._dock("Camera", self.camera),
            self._dock("DMD mask", self.dmd),
            self._dock("SLM pattern", self.slm),
            self._dock("Output and target", self.output),
            self._dock("Neuron traces", self.traces),
        ]
        self._arrange()
        context.table.run_began.connect(self._on_run)
        context.table.run_events.connect(self._on_events)
        context.overlays_chosen.connect(self._on_overlays)

    def view_actions(self) -> list[QAction]:
        """Actions that close a dock or bring it back."""
        actions = (dock.toggleViewAction() for dock in self._docks)
        return [action for action in actions if action is not None]

    def restore_default_layout(self) -> None:
        for dock in self._docks:
            self._area.removeDockWidget(dock)
            dock.setFloating(False)
            dock.show()
        self._arrange()

    def save(self, settings: QSettings) -> None:
        settings.setValue(_LAYOUT_KEY, self._area.saveState())

    def restore(self, settings: QSettings) -> None:
        state = settings.value(_LAYOUT_KEY)
        self._restored = state is not None and self._area.restoreState(state)

    def shut_down(self) -> None:
        self.follower.close()

    def set_theme(self, theme: Theme) -> None:
        for view in (self.learning, self.camera, self.slm, self.dmd, self.output, self.traces):
            view.set_theme(theme)

    # --- the run ------------------------------------------------------------------------------------------------
    def _on_run(self, run: RemoteRun, attached: bool) -> None:
        self.follower.begin(run.experiment, run.record if attached and run.record.exists() else None)
        self.wants_front.emit()

    def _on_events(self, events: list[Event], status: RunStatus, over: bool) -> None:
        self.follower.follow(events, status)
        self.follower.renew_models(at_once=over)
        if over:
            self.follower.end()

    def _on_overlays(self, overlays: list[Overlay]) -> None:
        self.learning.set_overlays(overlays)
        self.wants_front.emit()

    # --- docks --------------------------------------------------------------------------------------------------
    def _arrange(self) -> None:
        camera, dmd, slm, output, traces = self._docks
        for dock in (camera, dmd, output):
            self._area.addDockWidget(_RIGHT, dock)
        self._area.splitDockWidget(dmd, slm, Qt.Orientation.Horizontal)
        if self.height() >= _ROOMY_PX:
            self._area.addDockWidget(_RIGHT, traces)
        else:
            self._area.tabifyDockWidget(output, traces)
            output.raise_()
        self._fit_docks()

    def _fit_docks(self) -> None:
        camera, dmd, _, output, traces = self._docks
        height, width = self.height(), self.width()
        stack = [camera, dmd, output]
        fractions = [0.34, 0.25, 0.41]
        if height >= _ROOMY_PX:
            stack, fractions = [*stack, traces], [0.36, 0.22, 0.22, 0.2]
        self._area.resizeDocks(stack, [round(fraction * height) for fraction in fractions], Qt.Orientation.Vertical)
        self._area.resizeDocks([camera], [round(0.27 * width)], Qt.Orientation.Horizontal)

    def showEvent(self, event: QShowEvent | None) -> None:
        super().showEvent(event)
        if not self._restored:
            self._restored = True
            self.restore_default_layout()

    @staticmethod
    def _dock(title: str, widget: QWidget) -> QDockWidget:
        dock = QDockWidget(title)
        dock.setObjectName(title)
        dock.setWidget(holder(column(widget, margins=(2, 0, 6, 6))))
        dock.setTitleBarWidget(DockTitle(dock))
        return dock
