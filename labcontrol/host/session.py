"""One client at one line: a thread that reads, a thread that sends, and nothing that anybody else waits for."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from labcontrol.host.framing import LARGEST_REQUEST, ProtocolError, unpack
from labcontrol.host.outbox import Outbox
from labcontrol.host.transport import ForeignUserError, hang_up

log = logging.getLogger(__name__)

_LAST_WORDS_S = 1.0

Obey = Callable[["Session", dict[str, Any]], None]


class Session:
    """A client, from its connection to its end.

    Parameters
    ----------
    line : Connection
        To the client, not yet authenticated.
    authenticate : callable
        Checks the other end of the line; raises ForeignUserError, EOFError or OSError.
    obey : callable
        Given this session and the header of each message, in the thread that reads.
    outbox : Outbox
        What waits to be sent.

    Attributes
    ----------
    attached, listens, attends : bool
        What the client has said about itself, see `protocol.Attach`.
    client : str
    pid : int
    heard_s : float
        When it last said anything, by the monotonic clock; at first, when it came.
    is_over : bool
    """

    def __init__(
        self, line: Connection, authenticate: Callable[[Connection], None], obey: Obey, outbox: Outbox
    ) -> None:
        self.attached = self.listens = self.attends = self.is_over = False
        self.client, self.pid = "client", 0
        self.heard_s = time.monotonic()
        self.outbox = outbox
        self._line, self._authenticate, self._obey = line, authenticate, obey
        self._reader = threading.Thread(target=self._read, name="client-reader", daemon=True)
        self._sender = threading.Thread(target=self._send, name="client-sender", daemon=True)

    def start(self) -> None:
        self._reader.start()

    def close(self) -> None:
        """Send what waits, for a moment at most, and cut the line."""
        self.outbox.close()
        if self._sender.is_alive() and threading.current_thread() is not self._sender:
            self._sender.join(_LAST_WORDS_S)
        self.cut()

    def cut(self) -> None:
        """Cut the line at once; the threads end by themselves."""
        self.is_over = True
        hang_up(self._line)

    def __str__(self) -> str:
        return f"{self.client} (process {self.pid})" if self.pid else self.client

    def _read(self) -> None:
        try:
            self._authenticate(self._line)
            self._sender.start()
            while True:
                message = self._line.recv_bytes(LARGEST_REQUEST)
                self.heard_s = time.monotonic()
                header, _ = unpack(message)
                self._obey(self, header)
        except (EOFError, OSError):
            pass  # it is gone
        except (ProtocolError, ForeignUserError) as error:
            log.warning("%s is sent away: %s", self, error or type(error).__name__)
        except Exception:
            log.exception("%s is sent away", self)
        finally:
            self.is_over = True
            self.outbox.close()
            if self._sender.ident is not None:
                hang_up(self._line)
                self._sender.join()
            self._line.close()

    def _send(self) -> None:
        try:
            while (message := self.outbox.take()) is not None:
                self._line.send_bytes(message)
        except OSError:
            pass  # it is gone
        except Exception:
            log.exception("sending to %s failed", self)
        finally:
            hang_up(self._line)
