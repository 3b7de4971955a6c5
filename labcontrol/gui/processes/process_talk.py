"""What the window and the processes that hold devices tell each other: errors and log lines."""

from __future__ import annotations

import logging
import signal
import traceback
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from drivers.interfaces import DeviceError
from labcontrol.errors import UserError

_LOG_LINES_WAITING = 10_000

Described = tuple[str, str, str]
"""An error as kind ("user" or "program"), message and remedy."""


class ProgramError(Exception):
    """An error of the program in another process, in words."""


class LostProcessError(UserError):
    """A process that held devices has ended without a word: nothing that it said about the laser holds any more.

    The remedy is silent about the laser, of which `LostLaser` tells what is known.
    """


def end_words(exit_code: int | None) -> str:
    """How a process has ended, for people."""
    if exit_code is None:
        return "cut its line"
    if exit_code < 0:
        return f"was killed ({signal.Signals(-exit_code).name})"
    return f"ended without a word (exit code {exit_code})"


@dataclass(frozen=True)
class LogLine:
    logger: str
    level: int
    unix_s: float
    text: str


class LogLines(logging.Handler):
    """Keeps log lines until they are sent."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: deque[LogLine] = deque(maxlen=_LOG_LINES_WAITING)

    def emit(self, record: logging.LogRecord) -> None:
        self.waiting.append(LogLine(record.name, record.levelno, record.created, self.format(record)))

    def drain(self) -> list[LogLine]:
        return [self.waiting.popleft() for _ in range(len(self.waiting))]


def collect_log() -> LogLines:
    """Everything this process logs from now on, to be sent to the window."""
    lines = LogLines()
    logging.getLogger().addHandler(lines)
    logging.getLogger().setLevel(logging.INFO)
    return lines


def log_here(lines: Iterable[LogLine]) -> None:
    """Log the lines of another process as if they had been said here."""
    for line in lines:
        logging.getLogger(line.logger).handle(
            logging.makeLogRecord(
                {
                    "name": line.logger,
                    "levelno": line.level,
                    "levelname": logging.getLevelName(line.level),
                    "created": line.unix_s,
                    "msg": line.text,
                }
            )
        )


def described(error: BaseException | None) -> Described | None:
    """An error in words that survive the way to the window, whatever its class needs to be built."""
    if error is None:
        return None
    if isinstance(error, UserError):
        return "user", error.message, error.remedy
    if isinstance(error, DeviceError):
        return "user", f"{error.device}: {error.message}", error.remedy
    return "program", "".join(traceback.format_exception_only(error)).strip(), ""


def as_error(described: Described) -> BaseException:
    kind, message, remedy = described
    return UserError(message, remedy) if kind == "user" else ProgramError(message)
