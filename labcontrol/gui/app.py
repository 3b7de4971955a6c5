"""The Qt application around the main window."""

from __future__ import annotations

import signal
import sys
from functools import partial
from pathlib import Path

import pyqtgraph as pg
from PyQt5.QtCore import QCoreApplication, QSettings, Qt, QTimer
from PyQt5.QtGui import QGuiApplication
from PyQt5.QtWidgets import QApplication

from labcontrol.config import BenchConfig, ExperimentConfig
from labcontrol.engine import Run
from labcontrol.gui.desktop import desktop_theme
from labcontrol.gui.main_window import MainWindow
from labcontrol.gui.run_process import RunProcess
from labcontrol.gui.theme import apply_theme


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
    make_run = partial(Run, experiment, bench, directory)
    make_run()  # what does not fit together is said in the terminal, before a window opens
    app = make_application()
    theme = desktop_theme(app)
    apply_theme(app, theme)
    window = MainWindow(lambda: RunProcess(make_run), QSettings())
    window.set_theme(theme)
    window.show()
    if autostart:
        QTimer.singleShot(0, window.start_run)
    interrupt = signal.signal(signal.SIGINT, lambda *_: window.close())
    # Python sees a signal only when it gets to run: wake it now and then.
    heartbeat = QTimer()
    heartbeat.timeout.connect(lambda: None)
    heartbeat.start(200)
    try:
        return app.exec_()
    finally:
        signal.signal(signal.SIGINT, interrupt)
        window.controller.abort()
        window.controller.finish(30.0)
