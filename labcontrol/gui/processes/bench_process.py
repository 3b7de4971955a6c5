"""A bench that is no run's lives in a process of its own, so that neither a slow device nor a dead window does harm.

It is used by hand or calibrated (`labcontrol.host.jobs`). The window asks, the process answers; one
request after the other, except for 'light off', which is obeyed at once, whatever else is going on. The light also
goes off when the window's end of the line is gone (closed, crashed, killed) and when the window has not been heard
for `SILENCE_S`.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import queue
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import Any, Protocol

from labcontrol.gui.processes.process_talk import (
    Described,
    LogLine,
    LogLines,
    LostProcessError,
    as_error,
    collect_log,
    described,
    end_words,
    log_here,
)

log = logging.getLogger(__name__)

SILENCE_S = 5.0
_GIVE_UP_S = 20.0
_GONE_S = 1.0
_OFF = "light_off"
_ALIVE = "alive"
_LIGHTING = ("light_on", "measure", "self_test")
_ANSWER_TO_NOTHING = 0


@dataclass(frozen=True)
class _Request:
    number: int
    command: str
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True)
class _Reply:
    number: int
    value: Any = None
    error: Described | None = None
    log: tuple[LogLine, ...] = ()


Deliver = Callable[[Any], None]
Refuse = Callable[[BaseException], None]


class Served(Protocol):
    """What such a process holds. darks: how often the light was switched off; the methods that light the table
    are given its value when they were asked for, as last argument: who has asked for dark since does not get light.
    """

    darks: int

    def light_off(self, reason: str = ...) -> None: ...
    def end(self) -> None: ...


MakeServed = Callable[[Deliver], Served]
"""Builds what is held, in its process; is given a function that tells the window something it has not asked for."""


class BenchProcess:
    """The window's end. Nothing here waits, but for `close`.

    make: picklable. on_lost: told when the process ends though nobody asked it to. on_news: told what comes unasked.
    """

    def __init__(self, make: MakeServed, on_lost: Refuse, on_news: Deliver = lambda _: None) -> None:
        context = multiprocessing.get_context("spawn")
        self._line, far_end = context.Pipe()
        self._process = context.Process(target=serve, args=(far_end, make), name="labcontrol-devices")
        self._process.start()
        far_end.close()
        self._on_lost, self._on_news = on_lost, on_news
        self._waiting: dict[int, tuple[Deliver, Refuse]] = {}
        self._number = 0
        self._closing = self._closed = False

    @property
    def pid(self) -> int | None:
        return self._process.pid

    @property
    def is_over(self) -> bool:
        """Whether the process has ended and nothing holds the devices any more."""
        return self._closed or not self._process.is_alive()

    def ask(self, command: str, *arguments: Any, then: Deliver, refused: Refuse) -> None:
        """Have a method of what is served called. The answer comes with a later `pump`."""
        self._number += 1
        self._waiting[self._number] = (then, refused)
        self._send(_Request(self._number, command, arguments))

    def say_alive(self) -> None:
        """To be called more often than every `SILENCE_S`."""
        self._send(_Request(_ANSWER_TO_NOTHING, _ALIVE))

    def pump(self) -> None:
        """Deliver the answers that have arrived."""
        try:
            while not self._line.closed and self._line.poll():
                reply: _Reply = self._line.recv()
                log_here(reply.log)
                if reply.number == _ANSWER_TO_NOTHING:
                    if reply.error is not None:
                        self._end(as_error(reply.error))
                        return
                    if not self._closing:
                        self._on_news(reply.value)
                    continue
                then, refused = self._waiting.pop(reply.number)
                if reply.error is None:
                    then(reply.value)
                else:
                    refused(as_error(reply.error))
        except (EOFError, OSError):
            self._process.join(_GONE_S)
            self._end(
                LostProcessError(
                    f"The process that held the devices {end_words(self._process.exitcode)}.",
                    "Connect the devices again.",
                )
            )

    def release(self) -> None:
        """Have the light switched off and all devices let go; `is_over` tells when that is done."""
        self._closing = True
        self._waiting.clear()
        self._line.close()

    def close(self) -> None:
        """As `release`, and wait for the end. May be called more than once."""
        if self._closed:
            return
        self.release()
        self._process.join(_GIVE_UP_S)
        if self._process.is_alive():
            log.error("the process of the devices does not end; look at the laser: check that it is off")
            self._process.kill()
            self._process.join()
        self._process.close()
        self._closed = True

    def _send(self, request: _Request) -> None:
        if not self._line.closed:
            with contextlib.suppress(OSError):  # it is gone: the next pump says so
                self._line.send(request)

    def _end(self, error: BaseException) -> None:
        self._line.close()
        self._waiting.clear()
        if not self._closing:
            self._on_lost(error)


def serve(line: Connection, make: MakeServed, silence_s: float = SILENCE_S) -> None:
    """The process's end: obey until the window is gone, then leave the table safe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of the terminal; the window decides
    post = _Post(line, collect_log())
    try:
        bench = make(post.tell)
    except Exception as error:
        post.send(_Reply(_ANSWER_TO_NOTHING, error=described(error)))
        line.close()
        return
    server = _Server(line, post, bench, silence_s)
    listener = threading.Thread(target=server.listen, name="listener")
    listener.start()
    try:
        server.work()
    finally:
        bench.end()
        listener.join()
        line.close()


class _Post:
    """Sends from any thread; a window that is gone is no error here."""

    def __init__(self, line: Connection, log_lines: LogLines) -> None:
        self._line, self._log_lines = line, log_lines
        self._sending = threading.Lock()

    def tell(self, news: Any) -> None:
        self.send(_Reply(_ANSWER_TO_NOTHING, news))

    def send(self, reply: _Reply) -> None:
        with self._sending, contextlib.suppress(OSError):
            self._line.send(replace(reply, log=tuple(self._log_lines.drain())))


class _Server:
    def __init__(self, line: Connection, post: _Post, bench: Served, silence_s: float) -> None:
        self._line, self._post, self._bench, self._silence_s = line, post, bench, silence_s
        self._requests: queue.Queue[_Request | None] = queue.Queue()

    def listen(self) -> None:
        """Take requests in, and obey those that cannot wait."""
        try:
            while True:
                if not self._line.poll(self._silence_s):
                    log.warning("the window was silent for %g s: light off", self._silence_s)
                    self._try_light_off()
                    continue
                request: _Request = self._line.recv()
                if request.command == _OFF:
                    self._answer(request)
                elif request.command in _LIGHTING:
                    stamped = (*request.arguments, self._bench.darks)
                    self._requests.put(replace(request, arguments=stamped))
                elif request.command != _ALIVE:
                    self._requests.put(request)
        except (EOFError, OSError):
            self._try_light_off()
        finally:
            self._requests.put(None)

    def work(self) -> None:
        """One request after the other until the window is gone."""
        while (request := self._requests.get()) is not None:
            self._answer(request)

    def _answer(self, request: _Request) -> None:
        value, error = None, None
        try:
            value = getattr(self._bench, request.command)(*request.arguments)
        except Exception as caught:
            log.info("%s: %s", request.command, caught)
            error = described(caught)
        self._post.send(_Reply(request.number, value, error))

    def _try_light_off(self) -> None:
        try:
            self._bench.light_off()
        except Exception:
            log.exception("the laser did not confirm that emission is off; check it by eye")
