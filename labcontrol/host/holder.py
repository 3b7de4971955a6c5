"""What the table is held for: one job at a time, taken, carried out and let go by one thread."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from labcontrol.config import user_error
from labcontrol.errors import UserError
from labcontrol.host.directory import HostPlace
from labcontrol.host.jobs import Job, job_class
from labcontrol.host.protocol import SILENCE_S, UNATTENDED_S, Begin, End, Request
from labcontrol.host.real_devices import real_devices
from labcontrol.host.session import Session

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Asked:
    """A request that waits for its turn. darks: how often dark had been asked for when it came: here, of the job."""

    session: Session
    number: Any
    request: Request
    darks: tuple[int, int]


class TableHolder:
    """Holds the table for one job at a time; requests are carried out one after the other, but for dark.

    Parameters
    ----------
    place : HostPlace
        Locks the real devices of a bench.
    answer, refuse : callable
        Given a session, the number of a request, and the answer or the error.
    publish : callable
        Called when a job has ended, before it is forgotten.

    Attributes
    ----------
    job : Job or None
    lease : Session or None
        Of the client that steers it.
    last : str
        How the job before ended.
    since_unix_s : float
        When the job, or its end, began.
    """

    def __init__(
        self,
        place: HostPlace,
        answer: Callable[[Session, Any, Any], None],
        refuse: Callable[[Session, Any, Exception], None],
        publish: Callable[[], None],
    ) -> None:
        self.job: Job | None = None
        self.lease: Session | None = None
        self.last = ""
        self.since_unix_s = time.time()
        self._place, self._answer, self._refuse, self._publish = place, answer, refuse, publish
        self._taking = threading.Lock()  # who changes the job, or asks for dark
        self._darks = 0
        self._asked: queue.SimpleQueue[_Asked | Job | None] = queue.SimpleQueue()
        self._busy = self._stopping = False
        self._attended_s = time.monotonic()
        self._dark_since_s = 0.0  # last word of the client whose silence or end has made it dark
        self._ending: Job | None = None
        self._worker = threading.Thread(target=self._work, name="host-worker", daemon=True)

    @property
    def is_idle(self) -> bool:
        """Whether it holds nothing and has nothing to do."""
        return self.job is None and not self._busy and self._asked.empty()

    def take(self, job: Job) -> None:
        """Hold the table for a first job, before `start`. Raises UserError."""
        self._place.hold(real_devices(job.bench), job.bench.name)
        self._install(job, None)

    def start(self) -> None:
        self._worker.start()

    def stop(self) -> None:
        """End the job, and wait for that; what it would do afterwards is left out."""
        self._stopping = True
        self._asked.put(None)
        if self._worker.ident is not None:
            self._worker.join()
        elif self.job is not None:
            self._try_let_go(self.job)

    # --- in any thread ------------------------------------------------------------------------------------------
    def ask(self, session: Session, number: Any, request: Request) -> None:
        """Have a request carried out in its turn."""
        job = self.job
        self._asked.put(_Asked(session, number, request, (self._darks, job.darks if job is not None else 0)))

    def obey_now(self, session: Session, request: Request) -> Any:
        """What an urgent request of the job is answered. Raises UserError."""
        return self._steered(session, request).requests[type(request)](request)

    def make_dark(self, reason: str) -> None:
        """Emission off now; what was asked for before does not bring it back."""
        with self._taking:
            self._darks += 1
            job = self.job
        if job is not None:
            job.light_off(reason)

    def watch(self, now_s: float, *, attended: bool) -> None:
        """To be called several times a second: leases run out, jobs end, people leave.

        now_s: by the monotonic clock. attended: whether somebody looks at the job through any client.
        """
        job, lease = self.job, self.lease
        if job is None:
            return
        if lease is not None and self._dark_since_s != lease.heard_s:
            silent = now_s - lease.heard_s > SILENCE_S
            if lease.is_over or silent:
                self._dark_since_s = lease.heard_s
                _try_light_off(job, f"the {lease} {'was silent' if silent else 'has gone'}")
        if self._ending is not job and (job.is_over or (lease is not None and lease.is_over)):
            self._ending = job
            self._asked.put(job)
        if attended:
            self._attended_s = now_s
        job.attend(now_s - self._attended_s < UNATTENDED_S)

    def _steered(self, session: Session, request: Request) -> Job:
        """The job, where this client may ask it for this."""
        job = self.job
        if job is None or (type(request) not in job.requests and not isinstance(request, End)):
            raise UserError("The host has just let go of the table.", "'labcontrol ps' tells what hosts do.")
        if job.leased and session is not self.lease:
            raise UserError(
                f"The table is under {job.state} by the {self.lease}.", "Wait until it is free, or end it there."
            )
        return job

    # --- the worker ---------------------------------------------------------------------------------------------
    def _work(self) -> None:
        while (asked := self._asked.get()) is not None:
            self._busy = True
            if isinstance(asked, _Asked):
                self._carry_out(asked)
            else:
                self._try_let_go(asked)
            self._busy = False
        if self.job is not None:
            self._try_let_go(self.job)

    def _carry_out(self, asked: _Asked) -> None:
        try:
            self._answer(asked.session, asked.number, self._done(asked))
        except Exception as error:
            log.info("%s: %s", asked.request.name, error)
            self._refuse(asked.session, asked.number, error)

    def _done(self, asked: _Asked) -> Any:
        request = asked.request
        if isinstance(request, Begin):
            return self._begin(asked, request)
        job = self._steered(asked.session, request)
        if isinstance(request, End):
            if not job.leased:
                raise UserError("A run ends by itself, or when it is stopped or aborted.", "Use stop or abort.")
            return self._let_go(job)
        handle = job.requests[type(request)]
        return handle(request, asked.darks[1]) if request.lights else handle(request)

    def _begin(self, asked: _Asked, request: Begin) -> Any:
        held = self.job
        if held is not None and held.is_over:
            self._try_let_go(held)
        elif held is not None:
            record = held.status().get("record")
            raise UserError(
                f"The table is held for {held.state} already{f': {record}' if record else ''}.",
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
        self.since_unix_s, self._attended_s = time.time(), time.monotonic()
        self.job, self.lease = job, lease
        log.info("the table is held for %s on the bench %s", job.state, job.bench.name)

    def _try_let_go(self, job: Job) -> None:
        try:
            if job is self.job:
                self._let_go(job)
        except Exception:
            log.exception("%s did not end properly; check by eye that the laser is off", job.state)

    def _let_go(self, job: Job) -> None:
        try:
            job.end()
        finally:
            self._publish()
            with self._taking:
                self.job, self.lease, self.last = None, None, job.outcome()
                self.since_unix_s = time.time()
            self._place.let_go()
            log.info("the table is free")
        if not self._stopping:
            job.afterwards()


def _try_light_off(job: Job, reason: str) -> None:
    log.warning("light off: %s", reason)
    try:
        job.light_off(reason)
    except Exception:
        log.exception("the laser did not confirm that emission is off; check it by eye")
