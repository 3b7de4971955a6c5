"""Log records on their way into the window."""

from __future__ import annotations

import logging
from collections import deque

_MOST_WAITING = 20_000


class LogRelay(logging.Handler):
    """Takes log records of any thread and keeps the newest until the window asks."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._records: deque[logging.LogRecord] = deque(maxlen=_MOST_WAITING)

    def emit(self, record: logging.LogRecord) -> None:
        self._records.append(record)

    def drain(self) -> list[logging.LogRecord]:
        return [self._records.popleft() for _ in range(len(self._records))]
