"""What waits to be sent to one client: every event up to a bound, and of pictures only the newest."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

_MOST_BYTES = 8 * 2**20
_MOST_ANSWERS = 1000


class OverrunError(Exception):
    """The client asks and asks, and never reads an answer."""


class Outbox:
    """Filled by the host, which never waits for a client; emptied by the one thread that sends.

    When a client does not keep up, all events that wait become one gap: it is in the record what they said.

    Parameters
    ----------
    gap : callable
        Makes the message that stands for so many dropped events.
    most_bytes : int
        Of waiting events, before they are dropped.
    """

    def __init__(self, gap: Callable[[int], bytes], most_bytes: int = _MOST_BYTES) -> None:
        self._gap, self._most_bytes = gap, most_bytes
        self._filled = threading.Condition()
        self._answers: deque[bytes] = deque()
        self._events: deque[bytes] = deque()
        self._bytes = self._dropped = 0
        self._picture: bytes | None = None
        self._closed = False

    def put_answer(self, message: bytes) -> None:
        """To a request, or as important: never dropped, and sent before events.

        Raises OverrunError when the client has left too many unread.
        """
        with self._filled:
            if len(self._answers) >= _MOST_ANSWERS:
                raise OverrunError
            self._answers.append(message)
            self._filled.notify()

    def put_event(self, message: bytes) -> None:
        with self._filled:
            if self._bytes + len(message) > self._most_bytes and self._events:
                self._dropped += len(self._events)
                self._events.clear()
                self._bytes = 0
            self._events.append(message)
            self._bytes += len(message)
            self._filled.notify()

    def put_picture(self, message: bytes) -> None:
        """In place of the one before, if that waits still."""
        with self._filled:
            self._picture = message
            self._filled.notify()

    def take(self) -> bytes | None:
        """The next message, waiting for one; None when there will be no more."""
        with self._filled:
            self._filled.wait_for(self._has_something)
            if self._answers:
                return self._answers.popleft()
            if self._dropped:
                dropped, self._dropped = self._dropped, 0
                return self._gap(dropped)
            if self._events:
                message = self._events.popleft()
                self._bytes -= len(message)
                return message
            picture, self._picture = self._picture, None
            return picture

    def close(self) -> None:
        """Nothing more comes; what waits can still be taken."""
        with self._filled:
            self._closed = True
            self._filled.notify()

    def _has_something(self) -> bool:
        return bool(self._closed or self._answers or self._dropped or self._events or self._picture is not None)
