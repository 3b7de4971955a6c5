"""The Qt application around the main window."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType

import pyqtgraph as pg
from PyQt5.QtCore import QCoreApplication, QSettings, Qt, QTimer
from PyQt5.QtGui import QGuiApplication
from PyQt5.QtWidgets import QApplication

from labcontrol.config import BenchConfig, ExperimentConfig
from labcontrol.gui.log.file import log_folder, logging_to_file
from labcontrol.gui.session.arming import Arming
from labcontrol.gui.window.crashes import CrashWatch
from labcontrol.gui.window.desktop import Appearance
from labcontrol.gui.window.main_window import MainWindow

_SIGNAL_CHECK_MS = 200


def make_application() -> QApplication:
    """The one Qt application of this program, sharp on dense screens."""
    app = QApplication.instance()
    if isinstance(app, QApplication):
        return app
    QCoreApplication.setAttribute(Qt.ApplicationAttribute.AA_EnableHighDpiScaling)
    QCoreApplication.setAttribute(Qt.ApplicationAttribute.AA_UseHighDpiPixmaps)
    # A file dialog of the desktop keeps every key to itself, also the one that switches the laser off.
    QCoreApplication.setAttribute(Qt.ApplicationAttribute.AA_DontUseNativeDialogs)
    QGuiApplication.setHighDpiScaleFactorRoundingPolicy(Qt.HighDpiScaleFactorRoundingPolicy.PassThrough)
    app = QApplication(sys.argv[:1])
    app.setApplicationName("labcontrol")
    app.setOrganizationName("labcontrol")
    app.setApplicationDisplayName("labcontrol")
    pg.setConfigOptions(antialias=True)
    return app


def run_application(
    experiment: ExperimentConfig,
    bench: BenchConfig,
    directory: Path,
    *,
    autostart: bool,
    arming: Arming,
) -> int:
    """See `labcontrol.gui.run_window`."""
    watch = CrashWatch()
    app = make_application()
    settings = QSettings()
    window = MainWindow(experiment, bench, directory, Appearance(app, settings), settings, arming=arming)
    watch.caught.connect(window.show_crash)
    signals = ended_by_signals(window.ask_to_close, window.end_now)
    with closing(watch), logging_to_file(log_folder()), _logging_into(window), signals:
        window.show()
        if autostart:
            QTimer.singleShot(0, window.starter.start_form)
        else:
            window.table.host.attach_to_run(none=window.welcome_if_wanted)
        code = app.exec_()
        window.end_now()  # where the window was not closed but the loop ended
        return code


@contextmanager
def _logging_into(window: MainWindow) -> Iterator[None]:
    """Log lines go to the window too; the terminal shows as much as before."""
    root, relay, level = logging.getLogger(), window.context.log, logging.getLogger().level
    for handler in root.handlers:
        if not isinstance(handler, logging.FileHandler):
            handler.setLevel(max(handler.level, level))
    root.setLevel(logging.INFO)
    root.addHandler(relay)
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
