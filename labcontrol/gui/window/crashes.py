"""Errors of the program itself: caught, shown, logged, and noted in the record of the run, which goes on."""

from __future__ import annotations

import logging
import sys
import threading
from collections import Counter
from types import TracebackType

from PyQt5.QtCore import QMessageLogContext, QObject, QtMsgType, pyqtSignal, qInstallMessageHandler

log = logging.getLogger(__name__)
qt_log = logging.getLogger("qt")

_LEVELS = {
    QtMsgType.QtDebugMsg: logging.DEBUG,
    QtMsgType.QtInfoMsg: logging.INFO,
    QtMsgType.QtWarningMsg: logging.WARNING,
    QtMsgType.QtCriticalMsg: logging.ERROR,
    QtMsgType.QtFatalMsg: logging.CRITICAL,
}

# What Qt warns of where a desktop session or a window manager is missing; it changes nothing for this program.
_HARMLESS = ("XDG_RUNTIME_DIR not set", "does not support propagateSizeHints")


class CrashWatch(QObject):
    """Takes over what Python and Qt do with errors nobody caught, until `close`.

    Signal: `caught` with the error, once for each place that errors come from.
    """

    caught = pyqtSignal(object)

    def __init__(self) -> None:
        super().__init__()
        self._seen: Counter[tuple[str, str, int]] = Counter()
        self._before = sys.excepthook, threading.excepthook
        sys.excepthook = self._on_error
        threading.excepthook = self._on_thread_error
        qInstallMessageHandler(_on_qt_message)

    def close(self) -> None:
        """Give everything back."""
        sys.excepthook, threading.excepthook = self._before
        qInstallMessageHandler(None)

    def _on_error(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            return
        place = _place(kind, trace)
        self._seen[place] += 1
        if self._seen[place] > 1:  # a view that fails at every frame would bury everything else
            log.debug("the window had the same error again (%d times)", self._seen[place])
            return
        log.critical("the window had an error; the run is not affected", exc_info=(kind, error, trace))
        self.caught.emit(error)

    def _on_thread_error(self, arguments: threading.ExceptHookArgs) -> None:
        error = arguments.exc_value or arguments.exc_type()
        self._on_error(arguments.exc_type, error, arguments.exc_traceback)


def _place(kind: type[BaseException], trace: TracebackType | None) -> tuple[str, str, int]:
    """Kind of error, and the file and line it comes from."""
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return kind.__name__, "", 0
    return kind.__name__, trace.tb_frame.f_code.co_filename, trace.tb_lineno


def _on_qt_message(kind: QtMsgType, context: QMessageLogContext, message: str | None) -> None:  # noqa: ARG001 (Qt's)
    text = message or ""
    harmless = any(words in text for words in _HARMLESS)
    qt_log.log(logging.DEBUG if harmless else _LEVELS.get(kind, logging.WARNING), "%s", text)
