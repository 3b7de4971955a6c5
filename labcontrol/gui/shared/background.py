"""Work beside the event loop: one job at a time, its result in the loop again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from PyQt5.QtCore import QObject

from labcontrol.errors import UserError
from labcontrol.gui.shared.ticking import ticking

log = logging.getLogger(__name__)

_POLL_MS = 50


class Background(QObject):
    """One thread for work that takes longer than a frame. Close it before the program ends."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool: ThreadPoolExecutor | None = None
        self._future: Future[Any] | None = None
        self._deliver: Callable[[Any], None] = lambda _: None
        self._refused: Callable[[UserError], None] | None = None
        self._timer = ticking(self, _POLL_MS, self.poll)

    @property
    def is_busy(self) -> bool:
        return self._future is not None

    def run(
        self,
        job: Callable[[], Any],
        deliver: Callable[[Any], None],
        refused: Callable[[UserError], None] | None = None,
    ) -> bool:
        """Do a job, then hand its result to `deliver` in this thread; False, and nothing done, while one is busy.

        A UserError goes to `refused`; a job that raises anything else is logged and delivers nothing.
        """
        if self.is_busy:
            return False
        if self._pool is None:
            self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="window")
        self._deliver, self._refused = deliver, refused
        self._future = self._pool.submit(job)
        self._timer.start()
        return True

    def poll(self) -> None:
        """Deliver what is done."""
        future = self._future
        if future is None or not future.done():
            return
        self._future = None
        self._timer.stop()
        error = future.exception()
        if error is None:
            self._deliver(future.result())
        elif isinstance(error, UserError) and self._refused is not None:
            self._refused(error)
        else:
            log.error("work beside the window failed", exc_info=error)

    def close(self) -> None:
        """Wait for the job at hand and end; its result is dropped."""
        self._timer.stop()
        self._future = None
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None
