"""One computation in a process of its own: the window goes on drawing, and it can be ended at any moment."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from PyQt5.QtCore import QObject

from labcontrol.errors import UserError
from labcontrol.gui.shared.ticking import ticking

log = logging.getLogger(__name__)

_LOOK_MS = 100


class ModelProcess(QObject):
    """Runs a picklable job elsewhere and delivers its result in this thread. Close it before the program ends."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._process: BaseProcess | None = None
        self._line: Connection | None = None
        self._deliver: Callable[[Any], None] = lambda _: None
        self._refuse: Callable[[UserError], None] = lambda _: None
        self._timer = ticking(self, _LOOK_MS, self.look)

    @property
    def is_busy(self) -> bool:
        return self._process is not None

    def run(self, job: Callable[[], Any], deliver: Callable[[Any], None], refuse: Callable[[UserError], None]) -> None:
        """Begin a job, ending the one before. `refuse` is called with what a job raises."""
        self.close()
        context = multiprocessing.get_context("spawn")
        self._line, far_end = context.Pipe(duplex=False)
        self._process = context.Process(target=_work, args=(far_end, job), name="labcontrol-model", daemon=True)
        self._deliver, self._refuse = deliver, refuse
        self._process.start()
        far_end.close()
        self._timer.start()

    def look(self) -> None:
        """Deliver what is done."""
        line = self._line
        if line is None or not line.poll():
            return
        try:
            result = line.recv()
        except (EOFError, OSError):
            result = UserError("The computation ended without a result.", "The log may say why.")
        self.close()
        if isinstance(result, UserError):
            self._refuse(result)
        else:
            self._deliver(result)

    def close(self) -> None:
        """End the job at hand; its result is dropped."""
        self._timer.stop()
        if self._process is not None:
            self._process.terminate()
            self._process.join()
            self._process.close()
        if self._line is not None:
            self._line.close()
        self._process = self._line = None


def _work(line: Connection, job: Callable[[], Any]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(10)  # the run goes first
    try:
        result = job()
    except UserError as error:
        result = UserError(error.message, error.remedy)
    except Exception as error:
        result = UserError(f"The computation failed: {traceback.format_exception_only(error)[-1].strip()}")
    line.send(result)
    line.close()
