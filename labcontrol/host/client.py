"""A client of a host: asks, and takes in answers and events in the caller's own thread."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Self

from labcontrol.errors import UserError
from labcontrol.host.codec import Codec
from labcontrol.host.directory import HostFile
from labcontrol.host.errors import LostHostError, as_error
from labcontrol.host.framing import LARGEST_EVENT, pack, unpack
from labcontrol.host.jobs import job_class
from labcontrol.host.protocol import PROTOCOL_VERSION, Abort, Alive, Attach, Gap, HostStatus, LogLine, Request, SafeOff
from labcontrol.host.transport import connect, hang_up

log = logging.getLogger(__name__)

Then = Callable[[Any], None]
Refused = Callable[[Exception], None]
Hear = Callable[[Any], None]

_ANSWER_S = 30.0
_ALIVE_S = 0.5
_POLL_FOR_S = 0.03
_ENDS_WITHIN_S = 1.0  # a process whose connection is gone
_MOST_WAITING = 1000
_END = b""


class HostClient:
    """An attached client. Nothing here calls back from another thread, and only `request` and `wait` wait.

    Parameters
    ----------
    host : HostFile
        Of the host, from `directory.hosts`.
    process : subprocess.Popen, optional
        Of the host, where this program has started it: tells how it ended.

    Attributes
    ----------
    status : HostStatus
        The newest that arrived. How far a run is, its own events tell.
    lost : LostHostError or None
        When the line to the host has ended and `close` was not called.
    """

    def __init__(self, host: HostFile, process: subprocess.Popen[bytes] | None = None) -> None:
        """Connect, without attaching: use `connect`. Raises UserError."""
        self.host = host
        self.status = HostStatus(host=host.name, pid=host.pid, version=host.version)
        self.lost: LostHostError | None = None
        self._process = process
        self._line: Connection = connect(host.address, bytes.fromhex(host.key))
        self._inbox: queue.Queue[bytes] = queue.Queue(_MOST_WAITING)  # full: the host is not read from for a while
        self._outbox: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._hearers: tuple[Hear, ...] = ()
        self._waiting: dict[int, tuple[Then, Refused]] = {}
        self._codecs: dict[str, Codec] = {}
        self._number = 0
        self._spoke_s = 0.0
        self._closed = False
        self._threads = [
            threading.Thread(target=self._read, name="host-reader", daemon=True),
            threading.Thread(target=self._send, name="host-sender", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @classmethod
    def connect(
        cls,
        host: HostFile,
        client: str = "terminal",
        *,
        events: bool = True,
        attends: bool = True,
        process: subprocess.Popen[bytes] | None = None,
        timeout_s: float = _ANSWER_S,
    ) -> Self:
        """Connect and attach.

        Parameters
        ----------
        host : HostFile
            From `directory.hosts`.
        client : str
            What the caller is, for people.
        events : bool
            Whether to be told what the job emits, and the log.
        attends : bool
            Whether somebody looks at the run through this client.
        process : subprocess.Popen, optional
            Of the host, where this program has started it.
        timeout_s : float
            How long it may take to answer.

        Raises
        ------
        VersionError
            When the host speaks another version; `abort` and `safe_off` below work with any.
        UserError
            When it does not answer, or is another user's.
        """
        made = cls(host, process)
        try:
            made.status = made.request(
                Attach(version=PROTOCOL_VERSION, client=client, pid=os.getpid(), events=events, attends=attends),
                timeout_s,
            )
        except BaseException:
            made.close()
            raise
        return made

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- asking -------------------------------------------------------------------------------------------------
    def ask(self, request: Request, then: Then = lambda _: None, refused: Refused | None = None) -> None:
        """Send a request; a later `poll` calls one of these.

        Parameters
        ----------
        request : Request
            From `protocol`, or of a job.
        then : callable
            Given the answer.
        refused : callable, optional
            Given the error: UserError, or ProgramError when the program failed there; LostHostError when the host
            has gone. Without it, errors are logged.
        """
        self._number += 1
        self._waiting[self._number] = (then, refused or (lambda error: log.error("%s: %s", request.name, error)))
        self._put(self._number, request)
        if self.lost is not None:
            self._forget_questions(self.lost)

    def request(self, request: Request, timeout_s: float = _ANSWER_S) -> Any:
        """Send a request and wait for the answer, delivering on the way what else arrives.

        Raises
        ------
        UserError, ProgramError
            What the host refused it with; also when it did not answer in time, or has gone.
        """
        answered: list[Any] = []
        refused: list[Exception] = []
        self.ask(request, answered.append, refused.append)
        number, deadline_s = self._number, time.monotonic() + timeout_s
        while not answered and not refused:
            if time.monotonic() > deadline_s:
                self._waiting.pop(number, None)
                raise UserError(
                    f"The host (process {self.host.pid}) did not answer {request.name!r} within {timeout_s:g} s.",
                    "Is it stopped, or its computer very busy? Its laser has a guardian of its own.",
                )
            self.wait(min(0.1, max(0.0, deadline_s - time.monotonic())))
        if refused:
            raise refused[0]
        return answered[0]

    # --- taking in ----------------------------------------------------------------------------------------------
    def hear(self, hearer: Hear) -> None:
        """Have every event handed to this function by `poll`.

        These are `HostStatus`, what the job emits, `Gap`, and last, when the host has gone, `LostHostError`. Log lines
        are logged here instead.
        """
        self._hearers = (*self._hearers, hearer)

    def poll(self) -> None:
        """Deliver what has arrived, as far as that can be done soon; to be called more often than once a second.

        This is also what tells the host that its client lives.
        """
        self._say_alive()
        begun_s = time.monotonic()
        while time.monotonic() - begun_s < _POLL_FOR_S:
            try:
                message = self._inbox.get_nowait()
            except queue.Empty:
                return
            self._deliver(message)

    def wait(self, timeout_s: float) -> None:
        """As `poll`, and wait for a first message."""
        self._say_alive()
        try:
            message = self._inbox.get(timeout=timeout_s)
        except queue.Empty:
            return
        self._deliver(message)
        self.poll()

    def close(self) -> None:
        """Leave. What the host does goes on, unless this client has a lease; may be called more than once."""
        self._closed = True
        self._outbox.put(_END)
        self._threads[1].join(1.0)  # what was asked for last is on its way
        hang_up(self._line)
        self._waiting.clear()

    # --- parts --------------------------------------------------------------------------------------------------
    def _put(self, number: int, request: Request) -> None:
        self._spoke_s = time.monotonic()
        self._outbox.put(pack({"n": number, "do": request.name, "with": request.model_dump(mode="json")}))

    def _say_alive(self) -> None:
        if self.lost is None and time.monotonic() - self._spoke_s > _ALIVE_S:
            self._put(0, Alive())

    def _deliver(self, message: bytes) -> None:
        if self._closed:
            return
        if message == _END:
            self._end()
            return
        header, arrays = unpack(message)
        if "event" in header:
            self._hear(self._codec(header).decode(header["event"], arrays))
            return
        then, refused = self._waiting.pop(header.get("n", 0), (None, None))
        if then is None or refused is None:
            return  # nobody waits for it any more
        if "error" in header:
            refused(as_error(header["error"]))
        else:
            then(self._codec(header).decode(header.get("value"), arrays))

    def _hear(self, event: Any) -> None:
        if isinstance(event, LogLine):
            _log_here(event)
            return
        if isinstance(event, HostStatus):
            self.status = event
        for hearer in self._hearers:
            hearer(event)

    def _codec(self, header: dict[str, Any]) -> Codec:
        name = str(header.get("job", ""))
        if name not in self._codecs:
            self._codecs[name] = Codec((HostStatus, LogLine, Gap, *(job_class(name).carries if name else ())))
        return self._codecs[name]

    def _end(self) -> None:
        self.lost = LostHostError(
            f"The process that held the table {self._how_it_ended()}.",
            "What a run measured is in its record; 'labcontrol resume' goes on from there.",
        )
        self._forget_questions(self.lost)
        for hearer in self._hearers:
            hearer(self.lost)

    def _forget_questions(self, error: LostHostError) -> None:
        waiting, self._waiting = self._waiting, {}
        for _, refused in waiting.values():
            refused(error)

    def _how_it_ended(self) -> str:
        code = self._process.poll() if self._process is not None else None
        if code is None:
            return "has gone"
        if code < 0:
            return f"was killed ({signal.Signals(-code).name})"
        return "has ended" if code == 0 else f"ended without a word (exit code {code})"

    def _read(self) -> None:
        try:
            while not self._closed:
                self._take_in(self._line.recv_bytes(LARGEST_EVENT))
        except (EOFError, OSError):
            if self._process is not None:
                with contextlib.suppress(subprocess.TimeoutExpired):  # to be able to tell how it ended
                    self._process.wait(_ENDS_WITHIN_S)
            self._take_in(_END)
        finally:
            self._line.close()

    def _take_in(self, message: bytes) -> None:
        """Keep a message until the caller polls; while too many wait, the host is not read from."""
        while not self._closed:
            with contextlib.suppress(queue.Full):
                self._inbox.put(message, timeout=_ALIVE_S)
                return

    def _send(self) -> None:
        try:
            while (message := self._outbox.get()) != _END:
                self._line.send_bytes(message)
        except OSError:
            pass  # it is gone: the reader says so


def abort(host: HostFile, timeout_s: float = _ANSWER_S) -> None:
    """Abort what a host of any version does. Raises UserError when it does not answer."""
    _alone(host, Abort(), timeout_s)


def safe_off(host: HostFile, timeout_s: float = _ANSWER_S) -> None:
    """Have a host of any version switch emission off. Raises UserError when it does not answer."""
    _alone(host, SafeOff(), timeout_s)


def _alone(host: HostFile, request: Request, timeout_s: float) -> None:
    client = HostClient(host)
    try:
        client.request(request, timeout_s)
    finally:
        client.close()


def _log_here(line: LogLine) -> None:
    if not logging.getLogger(line.logger).isEnabledFor(line.level):
        return
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
