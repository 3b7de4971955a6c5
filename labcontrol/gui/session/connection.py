"""The window's line to a host: connects beside the event loop, asks without waiting, takes in at a pace."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable
from typing import Any

from PyQt5.QtCore import QObject, QTimer, pyqtSignal

from labcontrol.errors import UserError
from labcontrol.gui.shared.background import Background
from labcontrol.gui.shared.ticking import ticking
from labcontrol.host import HostClient, HostFile, HostState, HostStatus, hosts, start_host
from labcontrol.host.protocol import GetStatus, Request, SafeOff, Welcome

log = logging.getLogger(__name__)

Then = Callable[[Any], None]
Refused = Callable[[Exception], None]

CLIENT = "window"
_TICK_MS = {HostState.FREE: 100, HostState.MANUAL: 20, HostState.CALIBRATION: 20, HostState.RUN: 80}
_MOST_TICK_MS = 500
_DRAWING_FRACTION = 0.15  # of the time: a run on the same computer needs the rest
_ASK_EVERY_S = 0.5
_SILENT_S = 1.0  # a host that answers nothing for so long hangs; it answers while it works
_NO_HOST = HostStatus(host="", pid=0, version="")


class HostConnection(QObject):
    """At most one client of a host, which is started when something is asked and there is none.

    Parameters
    ----------
    start : callable
        Starts a host and attaches to it; called in a thread.

    Signals
    -------
    heard : (event)
        Everything that the host emits, and LostHostError at last when it has gone.
    ticked : ()
        What has arrived is delivered; from a timer, the more seldom the longer drawing takes.
    """

    heard = pyqtSignal(object)
    ticked = pyqtSignal()

    def __init__(self, start: Callable[[], HostClient] | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.client: HostClient | None = None
        self._start = start or (lambda: start_host(CLIENT))
        self._connecting = Background(self)
        self._unsent: list[tuple[Request, Then, Refused]] = []
        self._timer = ticking(self, _TICK_MS[HostState.FREE], self._tick_at_pace)
        self._begun_s = self._next_question_s = 0.0
        self._questioned_s: float | None = None  # since when the host owes an answer
        self._dark_is_asked = False  # and not confirmed
        self._painted = QTimer(self)  # of no time: due when what a tick has changed is painted
        self._painted.setSingleShot(True)
        self._painted.timeout.connect(self._set_pace)

    @property
    def status(self) -> HostStatus:
        """Of the host that is attached; that of a free one where there is none."""
        return _NO_HOST if self.client is None else self.client.status

    @property
    def silent_s(self) -> float:
        """How long the host has answered nothing although it was asked; 0 while it answers in time."""
        silent_s = 0.0 if self._questioned_s is None else time.monotonic() - self._questioned_s
        return silent_s if silent_s > _SILENT_S else 0.0

    def ask(self, request: Request, then: Then = lambda _: None, refused: Refused | None = None) -> None:
        """Send a request; a later tick calls one of the two. Without `refused` errors are logged."""
        refused = refused or (lambda error: log.error("%s: %s", request.name, error))
        if self.client is None:
            self._unsent.append((request, then, refused))
            self._connect(self._start)
        else:
            self.client.ask(request, then, refused)
            self.hurry()

    def hurry(self) -> None:
        """Somebody waits for an answer."""
        self._timer.setInterval(_TICK_MS[self.status.state])

    def safe_off(self, not_confirmed: Refused) -> None:
        """Light off at once; what was asked for before and is not sent yet is dropped.

        A host that hangs and has left an earlier request unanswered is ended: then the guardian switches off.
        """
        unsent, self._unsent = self._unsent, []
        for _, _, refused in unsent:
            refused(UserError("It was asked to be dark meanwhile; nothing was begun.", "Begin again."))
        if self.client is None:
            return
        if self._dark_is_asked and self.silent_s:
            log.error("the process %d does not answer and is ended", self.client.host.pid)
            os.kill(self.client.host.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
            return

        def answered(error: Exception | None = None) -> None:
            self._dark_is_asked = False
            if error is not None:
                not_confirmed(error)

        self._dark_is_asked = True
        self.client.ask(SafeOff(), lambda _: answered(), answered)

    def attach_to_run(self, none: Callable[[], None] = lambda: None) -> None:
        """Attach to the newest run that a host of this user holds; where there is none, do that."""

        def deliver(client: HostClient | None) -> None:
            if client is not None:
                self.use(client)
                return
            none()
            if self._unsent:  # asked for meanwhile
                self._connect(self._start)

        self._connecting.run(_client_of_run, deliver)

    def attach(self, host: HostFile) -> None:
        """Attach to another host."""
        self._connect(lambda: HostClient.connect(host, CLIENT))

    def use(self, client: HostClient) -> None:
        """Talk to this host from now on."""
        self.drop()
        self.client = client
        client.hear(self.heard.emit)
        if client.status.state is HostState.RUN:
            client.ask(Welcome())  # its run has begun before
        unsent, self._unsent = self._unsent, []
        for request, then, refused in unsent:
            client.ask(request, then, refused)
        self._timer.start()

    def drop(self) -> None:
        """Leave the host. A run goes on; anything else that this window holds ends."""
        self._timer.stop()
        self._questioned_s, self._dark_is_asked = None, False
        client, self.client = self.client, None
        if client is not None:
            client.close()

    def close(self) -> None:
        """Leave the host, and connect to no other."""
        self._connecting.close()
        self.drop()

    def tick(self) -> None:
        """Deliver what has arrived."""
        if self.client is not None:
            self.client.poll()
        self._ask_whether_it_is_there()
        self.ticked.emit()

    # --- parts --------------------------------------------------------------------------------------------------
    def _ask_whether_it_is_there(self) -> None:
        def answered(_: Any) -> None:
            self._questioned_s = None

        now_s = time.monotonic()
        if self.client is not None and self._questioned_s is None and now_s >= self._next_question_s:
            self._questioned_s, self._next_question_s = now_s, now_s + _ASK_EVERY_S
            self.client.ask(GetStatus(), answered, answered)

    def _connect(self, connect: Callable[[], HostClient]) -> None:
        def refuse(error: UserError) -> None:
            unsent, self._unsent = self._unsent, []
            for _, _, refused in unsent:
                refused(error)

        self._connecting.run(connect, self.use, refuse)

    def _tick_at_pace(self) -> None:
        """The slower a tick and its drawing are, on a large screen or a busy computer, the fewer there are."""
        self._begun_s = time.perf_counter()
        self.tick()
        self._painted.start()

    def _set_pace(self) -> None:
        taken_s = time.perf_counter() - self._begun_s
        shortest_ms = _TICK_MS[self.status.state]
        self._timer.setInterval(min(max(shortest_ms, round(1e3 * taken_s / _DRAWING_FRACTION)), _MOST_TICK_MS))


def _client_of_run() -> HostClient | None:
    """A client of the newest host that holds a run; None where there is none."""
    for host in hosts():
        try:
            client = HostClient.connect(host, CLIENT)
        except UserError as error:
            log.info("the host %s is not asked: %s", host.name, error)
            continue
        if client.status.state is HostState.RUN:
            return client
        client.close()
    return None
