"""The host: the one process that holds the table, what it holds it for, and who may say what about it."""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from collections import deque
from dataclasses import dataclass
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
from labcontrol.host.jobs import Job, job_class, job_name
from labcontrol.host.outbox import Outbox
from labcontrol.host.protocol import (
    PROTOCOL_VERSION,
    SILENCE_S,
    UNATTENDED_S,
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
from labcontrol.host.real_devices import real_devices
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
_MOST_SESSIONS = 64
_LOG_LINES_WAITING = 10_000
_WITHOUT_ATTACHING: tuple[type[Request], ...] = (Attach, Abort, SafeOff)
_EVERYWHERE: dict[str, type[Request]] = {
    kind.name: kind for kind in (Attach, GetStatus, Welcome, Alive, Begin, End, SafeOff, Abort, Note)
}


@dataclass(frozen=True)
class _Asked:
    """A request that waits for its turn. darks: what had been asked to be dark when it arrived."""

    session: Session
    number: Any
    request: Request
    darks: tuple[int, int]


class Host:
    """Holds the table for one job at a time, and serves any number of clients.

    Threads: the worker takes the table, carries out requests one after the other, and lets go; the ticker publishes
    events and watches leases; the door takes clients in; each client has two of its own. None of them is the run's.

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
        self._place, self._ends_when_free = place, ends_when_free
        self._first_job = job
        self._listener: Listener | None = None
        self._job: Job | None = None
        self._codec = Codec(COMMON)
        self._lease: Session | None = None
        self._last = ""
        self._dark_since_s = 0.0  # last word of the client whose silence or end has made it dark
        self._ending: Job | None = None
        self._darks = 0
        self._taking = threading.Lock()  # who changes the job, or asks for dark
        self._publishing = threading.Lock()  # between draining events and handing them to all who listen
        self._sessions: tuple[Session, ...] = ()
        self._asked: queue.SimpleQueue[_Asked | Job | None] = queue.SimpleQueue()
        self._over = threading.Event()
        self._busy = False
        self._since_unix_s = time.time()
        self._used_s = self._attended_s = time.monotonic()
        self._told: HostStatus | None = None
        self._log = _Collector()
        self._threads = [
            threading.Thread(target=run, name=name, daemon=True)
            for name, run in (("host-worker", self._work), ("host-ticker", self._tick), ("host-door", self._open_door))
        ]

    # --- for the process that it lives in -----------------------------------------------------------------------
    def start(self) -> None:
        """Take the devices of the first job, let clients in, and begin it. Raises UserError."""
        if self._first_job is not None:
            self._place.hold(real_devices(self._first_job.bench), self._first_job.bench.name)
        key = os.urandom(32)
        self._listener = Listener(self._place.address, key)
        logging.getLogger().addHandler(self._log)
        self._place.publish(
            HostFile(
                name=self._place.name, pid=os.getpid(), version=_VERSION, protocol=PROTOCOL_VERSION,
                address=self._place.address, key=key.hex(), started_unix_s=time.time(),
            )
        )  # fmt: skip
        if self._first_job is not None:
            self._install(self._first_job, None)
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
        self._asked.put(None)
        self._threads[0].join()  # the worker ends the job
        self._publish()
        for session in self._sessions:
            session.outbox.close()
        for session in self._sessions:
            session.close()
        logging.getLogger().removeHandler(self._log)
        self._place.close()

    def status(self) -> HostStatus:
        """What the host does now."""
        job, lease = self._job, self._lease
        return HostStatus(
            host=self._place.name,
            pid=os.getpid(),
            version=_VERSION,
            since_unix_s=self._since_unix_s,
            last=self._last,
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
        self._sessions = tuple(session for session in self._sessions if not session.is_over)
        if len(self._sessions) >= _MOST_SESSIONS:
            log.warning("a client is sent away: %d are there already", len(self._sessions))
            line.close()
            return
        outbox = Outbox(lambda events: self._event(Gap(events=events)))
        session = Session(line, listener.authenticate, self._obey, outbox)
        self._sessions = (*self._sessions, session)
        session.start()

    def _obey(self, session: Session, header: dict[str, Any]) -> None:
        """One message of a client, in its own thread."""
        number, name, fields = header.get("n"), header.get("do"), header.get("with", {})
        job = self._job
        known = _EVERYWHERE | ({kind.name: kind for kind in job.requests} if job is not None else {})
        try:
            request = self._checked(session, known, name, fields)
            if not request.urgent:
                self._asked.put(_Asked(session, number, request, (self._darks, job.darks if job is not None else 0)))
                return
            value = self._obey_now(session, request)
        except Exception as error:
            self._refuse(session, number, error)
        else:
            if not isinstance(request, Alive):
                self._answer(session, number, value)

    def _checked(self, session: Session, known: dict[str, type[Request]], name: Any, fields: Any) -> Request:
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
            case SafeOff() | Abort():
                self._make_dark(f"asked for by the {session}")
                return None
        job = self._job
        if job is None or type(request) not in job.requests:
            raise UserError("The host has just let go of the table.", "'labcontrol ps' tells what hosts do.")
        self._require_lease(session, job)
        return job.requests[type(request)](request)

    def _make_dark(self, reason: str) -> None:
        with self._taking:
            self._darks += 1
            job = self._job
        if job is not None:
            job.light_off(reason)

    def _require_lease(self, session: Session, job: Job) -> None:
        if job.leased and session is not self._lease:
            raise UserError(
                f"The table is under {job.state} by the {self._lease}.", "Wait until it is free, or end it there."
            )

    def _welcome(self, session: Session) -> None:
        """What was emitted before, and from then on everything; nothing in between is lost or doubled."""
        with self._publishing:
            for event in self._job.welcome() if self._job is not None else ():
                session.outbox.put_event(self._event(event))
            session.listens = True

    # --- one request after the other ----------------------------------------------------------------------------
    def _work(self) -> None:
        while (asked := self._asked.get()) is not None:
            self._busy = True
            if isinstance(asked, _Asked):
                self._carry_out(asked)
            else:
                self._try_let_go(asked)
            self._busy = False
        if self._job is not None:
            self._try_let_go(self._job)

    def _carry_out(self, asked: _Asked) -> None:
        try:
            value = self._done(asked)
        except Exception as error:
            log.info("%s: %s", asked.request.name, error)
            self._refuse(asked.session, asked.number, error)
        else:
            self._answer(asked.session, asked.number, value)

    def _done(self, asked: _Asked) -> Any:
        request, job = asked.request, self._job
        if isinstance(request, Begin):
            return self._begin(asked, request)
        if job is None or (type(request) not in job.requests and not isinstance(request, End)):
            raise UserError("The host has let go of the table.", "Begin again.")
        self._require_lease(asked.session, job)
        if isinstance(request, End):
            if not job.leased:
                raise UserError("A run ends by itself, or when it is stopped or aborted.", "Use stop or abort.")
            return self._let_go(job)
        handle = job.requests[type(request)]
        return handle(request, asked.darks[1]) if request.lights else handle(request)

    def _begin(self, asked: _Asked, request: Begin) -> Any:
        if self._job is not None and self._job.is_over:
            self._try_let_go(self._job)
        if self._job is not None:
            status = self.status()
            raise UserError(
                f"The table is held for {status.state} already{f': {status.record}' if status.record else ''}.",
                "Wait until that is over, or end it.",
            )
        kind = job_class(request.job)
        try:
            settings = kind.settings.model_validate(request.settings)
        except ValidationError as error:
            raise user_error(error, kind.settings, request.job) from None
        job = kind.make(settings)
        self._place.hold(real_devices(job.bench), job.bench.name)
        try:
            with self._taking:
                if self._darks != asked.darks[0]:
                    raise UserError("It was asked to be dark meanwhile; nothing was begun.", "Begin again.")
                self._install(job, asked.session if job.leased else None)
        except BaseException:
            self._place.let_go()
            raise
        return job.description()

    def _install(self, job: Job, lease: Session | None) -> None:
        try:
            job.begin()
        except BaseException:
            job.end()
            raise
        self._codec = Codec((*COMMON, *job.carries))
        self._since_unix_s, self._attended_s = time.time(), time.monotonic()
        self._job, self._lease = job, lease
        log.info("the table is held for %s on the bench %s", job.state, job.bench.name)

    def _try_let_go(self, job: Job) -> None:
        try:
            if job is self._job:
                self._let_go(job)
        except Exception:
            log.exception("%s did not end properly; check by eye that the laser is off", job.state)

    def _let_go(self, job: Job) -> None:
        try:
            job.end()
        finally:
            self._publish()
            with self._taking:
                self._job, self._lease, self._last = None, None, job.outcome()
                self._since_unix_s, self._used_s = time.time(), time.monotonic()
            self._place.let_go()
            log.info("the table is free")
        job.afterwards()

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
        self._sessions = tuple(session for session in self._sessions if not session.is_over)
        job, lease = self._job, self._lease
        if job is None:
            self._end_when_free(now_s)
            return
        if lease is not None and self._dark_since_s != lease.heard_s:
            silent = now_s - lease.heard_s > SILENCE_S
            if lease.is_over or silent:
                self._dark_since_s = lease.heard_s
                self._try_light_off(job, f"the {lease} {'was silent' if silent else 'has gone'}")
        if self._ending is not job and (job.is_over or (lease is not None and lease.is_over)):
            self._ending = job
            self._asked.put(job)
        if self.attended_here or any(session.attends for session in self._sessions):
            self._attended_s = now_s
        job.attend(now_s - self._attended_s < UNATTENDED_S)

    def _try_light_off(self, job: Job, reason: str) -> None:
        log.warning("light off: %s", reason)
        try:
            job.light_off(reason)
        except Exception:
            log.exception("the laser did not confirm that emission is off; check it by eye")

    def _end_when_free(self, now_s: float) -> None:
        if self._sessions or self._busy or not self._asked.empty():
            self._used_s = now_s
        elif self._ends_when_free and now_s - self._used_s > _FREE_S:
            self._over.set()

    def _publish(self) -> None:
        """Hand what happened to all who listen."""
        with self._publishing:
            events = self._job.drain() if self._job is not None else []
            lines = self._log.drain()
            self._publish_status()
            listening = [session for session in self._sessions if session.listens]
            if not listening:
                return
            pictures = self._job.pictures if self._job is not None else ()
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
        session.outbox.put_answer(self._message({"n": number}, "value", value))

    def _refuse(self, session: Session, number: Any, error: Exception) -> None:
        session.outbox.put_answer(pack({"n": number, "error": described(error)}))

    def _message(self, header: dict[str, Any], name: str, value: Any) -> bytes:
        arrays: list[Any] = []
        job = self._job if type(value) not in _UNDERSTOOD_BY_ALL else None
        encoded = self._codec.encode(value, arrays)
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
