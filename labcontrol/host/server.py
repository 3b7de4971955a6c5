"""The host: the one process that holds the table, and serves any number of clients."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from importlib.metadata import version
from logging.handlers import QueueHandler
from multiprocessing.connection import Connection
from typing import Any

from pydantic import ValidationError

from labcontrol.config import user_error
from labcontrol.errors import UserError
from labcontrol.host.codec import Codec
from labcontrol.host.directory import HostFile, HostPlace
from labcontrol.host.errors import VersionError, described
from labcontrol.host.framing import ProtocolError, pack
from labcontrol.host.holder import TableHolder
from labcontrol.host.jobs import Job, job_name
from labcontrol.host.outbox import Outbox, OverrunError
from labcontrol.host.protocol import (
    PROTOCOL_VERSION,
    Abort,
    Alive,
    Attach,
    Begin,
    End,
    Gap,
    GetStatus,
    HostStatus,
    LogLine,
    Note,
    Request,
    SafeOff,
    Welcome,
)
from labcontrol.host.session import Session
from labcontrol.host.transport import Listener

log = logging.getLogger(__name__)

COMMON = (HostStatus, LogLine, Gap)
"""Classes that every host sends, whatever its job."""

_VERSION = version("labcontrol")
_UNDERSTOOD_BY_ALL = (*COMMON, bool, type(None))  # without the classes of a job, which take long to import
_TICK_S = 0.04
_LONGEST_SILENCE_S = 0.3
_PUBLISHING_SHARE = 0.005  # of a core: publishing takes turns with the run on the interpreter lock
_HANDSHAKE_S = 5.0
_FREE_S = 5.0
_LEAVING_S = 1.0
_MOST_SESSIONS = 64
_LOG_LINES_WAITING = 10_000
_WITHOUT_ATTACHING: tuple[type[Request], ...] = (Attach, Abort, SafeOff)
_EVERYWHERE: dict[str, type[Request]] = {
    kind.name: kind for kind in (Attach, GetStatus, Welcome, Alive, Begin, End, SafeOff, Abort, Note)
}


class Host:
    """Lets clients in, has their requests carried out, and publishes what happens.

    Threads: the worker of the `TableHolder`; the ticker, which publishes events and watches; the door, which takes
    clients in; each client has two of its own. None of them is the run's.

    Parameters
    ----------
    place : HostPlace
        Where it is found.
    job : Job, optional
        To be held from the start; begun by `start`.
    ends_when_free : bool
        Whether it ends by itself when nothing is held and nobody attached for a while.
    """

    def __init__(self, place: HostPlace, job: Job | None = None, *, ends_when_free: bool = True) -> None:
        self.attended_here = False
        """Whether somebody looks at the job through this very process."""
        self._place, self._first_job, self._ends_when_free = place, job, ends_when_free
        self._table = TableHolder(place, self._answer, self._refuse, self._publish)
        self._listener: Listener | None = None
        self._codecs: dict[type[Job] | None, Codec] = {None: Codec(COMMON)}
        self._publishing = threading.Lock()  # between draining events and handing them to all who listen
        self._coming_and_going = threading.Lock()
        self._sessions: tuple[Session, ...] = ()
        self._over = threading.Event()
        self._used_s = time.monotonic()
        self._told: HostStatus | None = None
        self._log = _Collector()
        self._threads = [
            threading.Thread(target=run, name=name, daemon=True)
            for name, run in (("host-ticker", self._tick), ("host-door", self._open_door))
        ]

    # --- for the process that it lives in -----------------------------------------------------------------------
    def start(self) -> None:
        """Take the devices of the first job, begin it, and let clients in. Raises UserError."""
        logging.getLogger().addHandler(self._log)
        key = os.urandom(32)
        try:
            self._listener = Listener(self._place.address, key)
            if self._first_job is not None:
                self._table.take(self._first_job)
        except BaseException:
            self.stop()
            raise
        self._place.publish(
            HostFile(
                name=self._place.name, pid=os.getpid(), version=_VERSION, protocol=PROTOCOL_VERSION,
                address=self._place.address, key=key.hex(), started_unix_s=time.time(),
            )
        )  # fmt: skip
        self._table.start()
        for thread in self._threads:
            thread.start()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until the host has nothing more to do, or `stop` was called; whether that is so."""
        return self._over.wait(timeout_s)

    def stop(self) -> None:
        """Leave the table safe, tell all clients, and let nobody in any more."""
        self._over.set()
        if self._listener is not None:
            self._listener.close()
        self._table.stop()
        self._publish()
        for session in self._sessions:
            session.outbox.close()
        for session in self._sessions:
            session.close()
        for thread in self._threads:
            if thread.is_alive() and thread is not threading.current_thread():
                thread.join(_LEAVING_S)
        logging.getLogger().removeHandler(self._log)
        self._place.close()

    def status(self) -> HostStatus:
        """What the host does now."""
        job, lease = self._table.job, self._table.lease
        return HostStatus(
            host=self._place.name,
            pid=os.getpid(),
            version=_VERSION,
            since_unix_s=self._table.since_unix_s,
            last=self._table.last,
            clients=sum(session.listens for session in self._sessions),
            lease=lease.pid if lease is not None else None,
            **({"state": job.state, "bench": job.bench.name} | job.status() if job is not None else {}),
        )

    # --- clients ------------------------------------------------------------------------------------------------
    def _open_door(self) -> None:
        assert self._listener is not None
        while (line := self._listener.accept()) is not None:
            self._take_in(line, self._listener)

    def _take_in(self, line: Connection, listener: Listener) -> None:
        outbox = Outbox(lambda events: self._event(Gap(events=events)))
        session = Session(line, listener.authenticate, self._obey, outbox)
        with self._coming_and_going:
            self._sessions = tuple(other for other in self._sessions if not other.is_over)
            if len(self._sessions) >= _MOST_SESSIONS:
                log.warning("a client is sent away: %d are there already", len(self._sessions))
                line.close()
                return
            self._sessions = (*self._sessions, session)
        session.start()

    def _obey(self, session: Session, header: dict[str, Any]) -> None:
        """One message of a client, in its own thread."""
        number = header.get("n")
        try:
            request = self._checked(session, header.get("do"), header.get("with", {}))
            if not request.urgent:
                self._table.ask(session, number, request)
                return
            value = self._obey_now(session, request)
            if not isinstance(request, Alive):
                self._answer(session, number, value)
        except Exception as error:
            self._refuse(session, number, error)

    def _checked(self, session: Session, name: Any, fields: Any) -> Request:
        job = self._table.job
        known = _EVERYWHERE | ({kind.name: kind for kind in job.requests} if job is not None else {})
        kind = known.get(name) if isinstance(name, str) else None
        if kind is None:
            raise UserError(
                f"The host does not know the request {str(name)[:40]!r} while it holds the table for "
                f"{self.status().state}.",
                "'labcontrol ps' tells what it does.",
            )
        if kind is Attach and (not isinstance(fields, dict) or fields.get("version") != PROTOCOL_VERSION):
            found = fields.get("version") if isinstance(fields, dict) else None
            raise VersionError(
                f"The host is labcontrol {_VERSION} and speaks version {PROTOCOL_VERSION}, this program {found}.",
                "Use the version that started it; 'labcontrol abort' and 'labcontrol safe-off' work with any.",
            )
        if not session.attached and kind not in _WITHOUT_ATTACHING:
            raise ProtocolError(f"the request {name!r} before attaching")
        try:
            return kind.model_validate(fields)
        except ValidationError as error:
            raise user_error(error, kind, kind.name) from None

    def _obey_now(self, session: Session, request: Request) -> Any:
        match request:
            case Attach():
                session.client, session.pid = request.client or session.client, request.pid
                session.attached, session.attends, session.listens = True, request.attends, request.events
                return self.status()
            case Welcome():
                return self._welcome(session)
            case Alive():
                return None
            case GetStatus():
                return self.status()
            case Note():
                log.error(request.text)
                return None
            case SafeOff():
                return self._table.make_dark(f"safe off by the {session}")
            case Abort():
                return self._table.make_dark(f"aborted by the {session}")
        return self._table.obey_now(session, request)

    def _welcome(self, session: Session) -> None:
        """What was emitted before, and from then on everything; nothing in between is lost or doubled."""
        with self._publishing:
            job = self._table.job
            put = session.outbox.put_answer  # what makes sense of the rest is never dropped
            for event in job.welcome() if job is not None else ():
                put(self._event(event))
                put = session.outbox.put_event
            session.listens = True

    # --- every now and then -------------------------------------------------------------------------------------
    def _tick(self) -> None:
        pace = _Pace()
        while not self._over.wait(_TICK_S):
            try:
                self._watch(time.monotonic())
                if pace.allows():
                    self._publish()
            except Exception:
                log.exception("the host goes on")

    def _watch(self, now_s: float) -> None:
        for session in self._sessions:
            if not session.attached and not session.is_over and now_s - session.heard_s > _HANDSHAKE_S:
                log.warning("a client is sent away: it did not attach within %g s", _HANDSHAKE_S)
                session.cut()
        with self._coming_and_going:
            self._sessions = tuple(session for session in self._sessions if not session.is_over)
        attended = self.attended_here or any(session.attends for session in self._sessions)
        self._table.watch(now_s, attended=attended)
        if self._sessions or not self._table.is_idle:
            self._used_s = now_s
        elif self._ends_when_free and now_s - self._used_s > _FREE_S:
            self._over.set()

    def _publish(self) -> None:
        """Hand what happened to all who listen."""
        with self._publishing:
            job = self._table.job
            events = job.drain() if job is not None else []
            lines = self._log.drain()
            self._publish_status()
            listening = [session for session in self._sessions if session.listens]
            if not listening:
                return
            pictures = job.pictures if job is not None else ()
            for event in [*lines, *events]:
                message = self._event(event)
                for session in listening:
                    if isinstance(event, pictures):
                        session.outbox.put_picture(message)
                    else:
                        session.outbox.put_event(message)

    def _publish_status(self) -> None:
        """To every client, where it has changed; how far a run is, it hears from the run's own events."""
        status = self.status()
        told = status.model_copy(update={"epoch": 0, "error": None})
        if told != self._told:
            self._told = told
            for session in self._sessions:
                if session.attached:
                    session.outbox.put_event(self._event(status))

    # --- messages -----------------------------------------------------------------------------------------------
    def _event(self, event: Any) -> bytes:
        return self._message({}, "event", event)

    def _answer(self, session: Session, number: Any, value: Any) -> None:
        self._put_answer(session, self._message({"n": number}, "value", value))

    def _refuse(self, session: Session, number: Any, error: Exception) -> None:
        self._put_answer(session, pack({"n": number, "error": described(error)}))

    @staticmethod
    def _put_answer(session: Session, message: bytes) -> None:
        try:
            session.outbox.put_answer(message)
        except OverrunError:
            log.warning("%s is sent away: it asks and never reads an answer", session)
            session.cut()

    def _message(self, header: dict[str, Any], name: str, value: Any) -> bytes:
        job = self._table.job if type(value) not in _UNDERSTOOD_BY_ALL else None
        kind = None if job is None else type(job)
        if kind is not None and kind not in self._codecs:
            self._codecs[kind] = Codec((*COMMON, *kind.carries))
        arrays: list[Any] = []
        encoded = self._codecs[kind].encode(value, arrays)
        return pack(header | {name: encoded} | ({"job": job_name(job)} if job is not None else {}), arrays)


class _Pace:
    """How often clients are told something: often enough to look alive, seldom enough for the run not to feel it."""

    def __init__(self) -> None:
        self._begun_s = self._told_s = time.monotonic()
        self._worked_s = time.thread_time()

    def allows(self) -> bool:
        """Whether it is time, by what this thread has worked so far."""
        now_s = time.monotonic()
        affordable_s = _PUBLISHING_SHARE * (now_s - self._begun_s)
        if time.thread_time() - self._worked_s > affordable_s and now_s - self._told_s < _LONGEST_SILENCE_S:
            return False
        self._told_s = now_s
        return True


class _Collector(QueueHandler):
    """Keeps log records until they are published; the oldest are lost first."""

    def __init__(self) -> None:
        self._waiting: deque[LogLine] = deque(maxlen=_LOG_LINES_WAITING)
        super().__init__(self._waiting)  # type: ignore[arg-type]  # only `enqueue` uses it

    def enqueue(self, record: logging.LogRecord) -> None:
        self._waiting.append(
            LogLine(logger=record.name, level=record.levelno, unix_s=record.created, text=record.getMessage())
        )

    def drain(self) -> list[LogLine]:
        return [self._waiting.popleft() for _ in range(len(self._waiting))]
