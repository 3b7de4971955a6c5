"""The Qt application around the main window."""

from __future__ import annotations

import logging
import signal
import sys
from pathlib import Path
from types import TracebackType

import pyqtgraph as pg
from PyQt5.QtCore import QCoreApplication, QSettings, Qt, QTimer
from PyQt5.QtGui import QGuiApplication
from PyQt5.QtWidgets import QApplication

from labcontrol.config import BenchConfig, ExperimentConfig
from labcontrol.engine import Run
from labcontrol.gui.desktop import Appearance
from labcontrol.gui.log_page import LogRelay
from labcontrol.gui.main_window import MainWindow
from labcontrol.gui.run_process import ProcessRuns

log = logging.getLogger(__name__)

_END_TIMEOUT_S = 30.0
_SIGNAL_CHECK_MS = 200


def make_application() -> QApplication:
    """The one Qt application of this program, sharp on dense screens."""
    app = QApplication.instance()
    if isinstance(app, QApplication):
        return app
    QCoreApplication.setAttribute(Qt.ApplicationAttribute.AA_EnableHighDpiScaling)
    QCoreApplication.setAttribute(Qt.ApplicationAttribute.AA_UseHighDpiPixmaps)
    QGuiApplication.setHighDpiScaleFactorRoundingPolicy(Qt.HighDpiScaleFactorRoundingPolicy.PassThrough)
    app = QApplication(sys.argv[:1])
    app.setApplicationName("labcontrol")
    app.setOrganizationName("labcontrol")
    app.setApplicationDisplayName("labcontrol")
    pg.setConfigOptions(antialias=True)
    return app


def run_application(experiment: ExperimentConfig, bench: BenchConfig, directory: Path, *, autostart: bool) -> int:
    """See `labcontrol.gui.run_window`."""
    Run(experiment, bench, directory)  # what does not fit together is said in the terminal, before a window opens
    app = make_application()
    settings = QSettings()
    appearance = Appearance(app, settings)
    window = MainWindow(experiment, bench, ProcessRuns(directory), appearance, settings)
    relay = _log_into(window)
    _show_crashes_in(window)
    window.show()
    if autostart:
        QTimer.singleShot(0, window.start_run)
    interrupt = signal.signal(signal.SIGINT, lambda *_: window.close())
    # Python sees a signal only when it gets to run: wake it now and then.
    heartbeat = QTimer()
    heartbeat.timeout.connect(lambda: None)
    heartbeat.start(_SIGNAL_CHECK_MS)
    try:
        return app.exec_()
    finally:
        signal.signal(signal.SIGINT, interrupt)
        sys.excepthook = sys.__excepthook__
        logging.getLogger().removeHandler(relay)
        window.controller.abort()
        window.controller.finish(_END_TIMEOUT_S)


def _log_into(window: MainWindow) -> LogRelay:
    """Log lines go to the window too; the terminal shows as much as before."""
    root, relay = logging.getLogger(), LogRelay()
    for handler in root.handlers:
        handler.setLevel(max(handler.level, root.level))
    root.setLevel(logging.INFO)
    root.addHandler(relay)
    relay.arrived.connect(window.log.add)
    return relay


def _show_crashes_in(window: MainWindow) -> None:
    """An error of the program in a view is shown and logged; the run goes on in its own process."""

    def on_crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        log.critical("the window had an error", exc_info=(kind, error, trace))
        window.banner.show_error(error, "The window had an error; the run is not affected.")
        window.controller.note(f"the window had an error: {kind.__name__}: {error}")

    sys.excepthook = on_crash
