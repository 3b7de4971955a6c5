"""The Qt application around the main window."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import FrameType

import pyqtgraph as pg
from PyQt5.QtCore import QCoreApplication, QSettings, Qt, QTimer
from PyQt5.QtGui import QGuiApplication
from PyQt5.QtWidgets import QApplication

from labcontrol.calibration import NotCalibratedError
from labcontrol.config import BenchConfig, ExperimentConfig
from labcontrol.engine import Run
from labcontrol.gui.log.file import log_folder, logging_to_file
from labcontrol.gui.log.page import LogRelay
from labcontrol.gui.processes.run_process import ProcessRuns
from labcontrol.gui.window.crashes import CrashWatch
from labcontrol.gui.window.desktop import Appearance
from labcontrol.gui.window.main_window import MainWindow

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


def run_application(
    experiment: ExperimentConfig, bench: BenchConfig, directory: Path, *, autostart: bool, armed_by: str = ""
) -> int:
    """See `labcontrol.gui.run_window`."""
    with suppress(NotCalibratedError):  # the window says it better: it can calibrate
        Run(experiment, bench, directory)  # what does not fit together is said in the terminal, before a window opens
    watch = CrashWatch()
    app = make_application()
    settings = QSettings()
    window = MainWindow(experiment, bench, ProcessRuns(directory, armed_by), Appearance(app, settings), settings)
    watch.caught.connect(window.show_crash)
    signals = ended_by_signals(window.ask_to_close, window.end_now)
    with closing(watch), logging_to_file(log_folder()), _logging_into(window), signals:
        window.show()
        if autostart:
            QTimer.singleShot(0, window.starter.start_form)
        else:
            window.welcome_if_wanted()
        code = app.exec_()
        window.controller.abort()  # where the window was not closed but the loop ended
        window.controller.finish(_END_TIMEOUT_S)
        return code


@contextmanager
def _logging_into(window: MainWindow) -> Iterator[None]:
    """Log lines go to the window too; the terminal shows as much as before."""
    root, relay, level = logging.getLogger(), LogRelay(), logging.getLogger().level
    for handler in root.handlers:
        if not isinstance(handler, logging.FileHandler):
            handler.setLevel(max(handler.level, level))
    root.setLevel(logging.INFO)
    root.addHandler(relay)
    window.log.listen(relay)
    try:
        yield
    finally:
        root.removeHandler(relay)
        root.setLevel(level)


@contextmanager
def ended_by_signals(on_interrupt: Callable[[], None], on_end: Callable[[], None]) -> Iterator[None]:
    """What is done in the event loop upon Ctrl-C, and upon the end of the session (SIGTERM)."""

    def soon(act: Callable[[], None]) -> Callable[[int, FrameType | None], None]:
        """Not within the handler: it interrupts whatever the window is doing."""
        return lambda *_: QTimer.singleShot(0, act)

    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, soon(on_interrupt)),
        signal.SIGTERM: signal.signal(signal.SIGTERM, soon(on_end)),
    }
    # Python sees a signal only when it gets to run: wake it now and then.
    heartbeat = QTimer()
    heartbeat.timeout.connect(lambda: None)
    heartbeat.start(_SIGNAL_CHECK_MS)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
