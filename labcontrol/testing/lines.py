"""Lines with a scripted other end: what a driver sends is compared byte for byte."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator

from drivers.transports import Line


class _PlayedLine(Line):
    """A line whose other end is played here: what it says is put into `arriving`.

    Parameters
    ----------
    device : str
        Name of the device on its bench, for messages.
    kind : str
        Stands for the address.
    """

    def __init__(self, device: str, kind: str) -> None:
        super().__init__(device, kind)
        self.arriving = bytearray()

    def _connect(self) -> None:
        pass

    def _disconnect(self) -> None:
        pass

    def _receive(self, limit: int, timeout_s: float) -> bytes:
        data = bytes(self.arriving[:limit])
        del self.arriving[:limit]
        return data

    def _waiting(self) -> bytes:
        return self._receive(len(self.arriving), 0.0)


class ScriptedLine(_PlayedLine):
    """A line whose other end expects exact bytes in exact order and answers exact bytes.

    Parameters
    ----------
    script : list of (bytes, bytes)
        What must be sent and what comes back, endings included; an empty reply is silence.
    device : str
        Name of the device on its bench, for messages.

    Notes
    -----
    A wrong byte raises `UnexpectedBytes`, which no driver can catch.
    """

    def __init__(self, script: list[tuple[bytes, bytes]], device: str = "laser") -> None:
        super().__init__(device, "scripted")
        self.script = deque(script)
        self._junk: Iterator[bytes] | None = None

    def answer_everything(self, replies: list[bytes]) -> None:
        """From now on answer whatever is sent with these, over and over.

        Parameters
        ----------
        replies : list of bytes
            Answers, endings included.
        """
        self._junk = itertools.cycle(replies)

    def _send(self, data: bytes) -> None:
        if self._junk is not None:
            self.arriving += next(self._junk)
            return
        # A wrong byte is the test's failure, not the line's: it must not be wrapped like an error of a stack.
        if not self.script:
            raise UnexpectedBytes(f"sent {data!r}, expected nothing more")
        expected, reply = self.script.popleft()
        if data != expected:
            raise UnexpectedBytes(f"sent {data!r}, expected {expected!r}")
        self.arriving += reply

    def all_said(self) -> bool:
        """Whether the whole script was gone through and every answer read.

        Returns
        -------
        bool
            False as long as something is missing.
        """
        return not self.script and not self.arriving


class UnexpectedBytes(BaseException):
    """A driver sent what its script does not expect. Not an Exception, so that no driver can catch it."""


class AnsweringLine(_PlayedLine):
    """A line whose other end answers every question it knows, and takes ``*ESE`` for what it is.

    Parameters
    ----------
    answers : dict of bytes to bytes
        What comes back for what is sent, endings included.
    device : str
        Name of the device on its bench, for messages.

    Attributes
    ----------
    instead : dict of bytes to bytes
        Other answers, once each.
    """

    def __init__(self, answers: dict[bytes, bytes], device: str) -> None:
        super().__init__(device, "answering")
        self.answers = answers
        self.instead: dict[bytes, bytes] = {}
        self._register = b""

    def _disconnect(self) -> None:
        self.arriving.clear()

    def _send(self, data: bytes) -> None:
        if data.startswith(b"*ESE "):
            self._register = data[5:]
        elif data in self.instead:
            self.arriving += self.instead.pop(data)
        elif data == b"*ESE?\n":
            self.arriving += self._register
        elif data in self.answers:
            self.arriving += self.answers[data]
        else:
            raise UnexpectedBytes(f"sent {data!r}, which this end does not know")
