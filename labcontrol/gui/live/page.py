"""The page of the running experiment: learning curve in the middle, the table's views in docks around it."""

from __future__ import annotations

from PyQt5.QtCore import QSettings, Qt
from PyQt5.QtGui import QShowEvent
from PyQt5.QtWidgets import QAction, QDockWidget, QMainWindow, QVBoxLayout, QWidget

from labcontrol.gui.learning.view import LearningView
from labcontrol.gui.live.dock_title import DockTitle
from labcontrol.gui.live.neuron_traces import NeuronTraces
from labcontrol.gui.live.run_follower import LiveViews, RunFollower, TableViews
from labcontrol.gui.shared.camera_view import CameraView
from labcontrol.gui.shared.output_view import OutputView
from labcontrol.gui.shared.pattern_views import MaskView, SlmView
from labcontrol.gui.shared.theme import Theme

_RIGHT = Qt.DockWidgetArea.RightDockWidgetArea
_LAYOUT_KEY = "live/layout"
_ROOMY_PX = 950  # of height: enough for four rows of docks


class LivePage(QMainWindow):
    """Docks can be moved, floated, closed and brought back; their layout is kept in the settings."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.WindowType.Widget)
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
        centre = QWidget()
        inner = QVBoxLayout(centre)
        inner.setContentsMargins(8, 2, 2, 8)
        inner.addWidget(self.learning)
        self.setCentralWidget(centre)
        self.setDockNestingEnabled(True)
        self._docks = [
            self._dock("Camera", self.camera),
            self._dock("DMD mask", self.dmd),
            self._dock("SLM pattern", self.slm),
            self._dock("Output and target", self.output),
            self._dock("Neuron traces", self.traces),
        ]
        self._arrange()

    @property
    def dock_actions(self) -> list[QAction]:
        """Actions that close a dock or bring it back."""
        actions = (dock.toggleViewAction() for dock in self._docks)
        return [action for action in actions if action is not None]

    def restore_default_layout(self) -> None:
        """Every dock back in its place."""
        for dock in self._docks:
            self.removeDockWidget(dock)
            dock.setFloating(False)
            dock.show()
        self._arrange()

    def save_layout(self, settings: QSettings) -> None:
        settings.setValue(_LAYOUT_KEY, self.saveState())

    def restore_layout(self, settings: QSettings) -> None:
        state = settings.value(_LAYOUT_KEY)
        self._restored = state is not None and self.restoreState(state)

    def set_theme(self, theme: Theme) -> None:
        for view in (self.learning, self.camera, self.slm, self.dmd, self.output, self.traces):
            view.set_theme(theme)

    def _arrange(self) -> None:
        camera, dmd, slm, output, traces = self._docks
        for dock in (camera, dmd, output):
            self.addDockWidget(_RIGHT, dock)
        self.splitDockWidget(dmd, slm, Qt.Orientation.Horizontal)
        if self.height() >= _ROOMY_PX:
            self.addDockWidget(_RIGHT, traces)
        else:
            self.tabifyDockWidget(output, traces)
            output.raise_()
        self._fit_docks()

    def _fit_docks(self) -> None:
        camera, dmd, _, output, traces = self._docks
        height, width = self.height(), self.width()
        column = [camera, dmd, output]
        shares = [0.34, 0.25, 0.41]
        if height >= _ROOMY_PX:
            column, shares = [*column, traces], [0.36, 0.22, 0.22, 0.2]
        self.resizeDocks(column, [round(share * height) for share in shares], Qt.Orientation.Vertical)
        self.resizeDocks([camera], [round(0.27 * width)], Qt.Orientation.Horizontal)

    def showEvent(self, event: QShowEvent | None) -> None:
        super().showEvent(event)
        if not self._restored:
            self._restored = True
            self.restore_default_layout()

    @staticmethod
    def _dock(title: str, widget: QWidget) -> QDockWidget:
        holder = QWidget()
        layout = QVBoxLayout(holder)
        layout.setContentsMargins(2, 0, 6, 6)
        layout.addWidget(widget)
        dock = QDockWidget(title)
        dock.setObjectName(title)
        dock.setWidget(holder)
        dock.setTitleBarWidget(DockTitle(dock))
        return dock
