"""A line that carries bytes to and from one instrument.

Whatever a serial or VISA stack raises ends here: a stack's own errors mean that the line is lost
(DeviceDisconnectedError), silence means DeviceTimeoutError. Both name the device, the command and the bytes received.
"""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod

from drivers.interfaces import DeviceDisconnectedError, DeviceReplyError, DeviceTimeoutError
from drivers.transports.reply import shown

LONGEST_LINE = 1 << 16
LONGEST_BABBLE_S = 2.0

logger = logging.getLogger(__name__)


class Line(ABC):
    """Bytes to and from one instrument. Not safe for several threads: a Conversation holds the lock.

    device: the name of the device on its bench, used in every message.
    address: where the line leads, in the words of its stack.
    """

    def __init__(self, device: str, address: str) -> None:
        self.device = device
        self.address = address
        self._buffer = bytearray()
        self._sent = b""
        self._open = False
        self._binary = False

    @property
    def is_open(self) -> bool:
        return self._open

    def open(self) -> None:
        """Connect. Opening an open line does nothing. Raises DeviceDisconnectedError."""
        if self._open:
            return
        try:
            self._connect()
        except Exception as error:  # each stack has its own errors, some of them bare Exceptions
            self._let_go()
            raise DeviceDisconnectedError(
                self.device, f"cannot open {self.address}: {_plainly(error)}.", self._opening_remedy(error)
            ) from error
        self._buffer.clear()
        self._sent = b""
        self._binary = False
        self._open = True

    def close(self) -> None:
        """Let go of the line, in whatever state it is; may be called again."""
        self._open = False
        self._buffer.clear()
        self._let_go()

    def send(self, data: bytes) -> None:
        """Send all of the data. Raises DeviceDisconnectedError when the line is lost."""
        self._require_open("sending", data)
        self._sent = data
        try:
            self._send(data)
        except Exception as error:
            raise self._lost("sending", data, error) from error

    def send_if_possible(self, data: bytes) -> bool:
        """Send from any thread, also while another one reads; whether the stack took it. Never raises."""
        if not self._open:
            return False
        try:
            self._send(data)
        except Exception as error:  # each stack has its own; the thread that uses the line will find it lost
            logger.warning("%s: sending %s: %s", self.device, shown(data), _plainly(error))
            return False
        return True

    def read_line(self, ending: bytes, timeout_s: float) -> bytes:
        """The next line, without its ending.

        Raises DeviceTimeoutError when it is not complete in time, DeviceReplyError when it never seems to end.
        """
        deadline = time.monotonic() + timeout_s
        self._expect(binary=False)
        while (end := self._buffer.find(ending)) < 0:
            if len(self._buffer) > LONGEST_LINE:
                raise DeviceReplyError(
                    self.device,
                    f"answered {shown(self._sent)} with more than {LONGEST_LINE} bytes without an end of line: "
                    f"{shown(bytes(self._buffer))}.",
                    "Check that this driver fits the device at this address.",
                )
            self._read_more(4096, deadline)
        line = bytes(self._buffer[:end])
        del self._buffer[: end + len(ending)]
        return line

    def read_exactly(self, count: int, timeout_s: float) -> bytes:
        """The next ``count`` bytes. Raises DeviceTimeoutError when they are not here in time."""
        deadline = time.monotonic() + timeout_s
        while len(self._buffer) < count:
            self._expect(binary=True)
            self._read_more(count - len(self._buffer), deadline)
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    def unread(self, before: bytes) -> bytes:
        """Throw away and return what has arrived unasked, before a command is sent; never waits."""
        self._require_open("sending", before)
        try:
            self._buffer += self._waiting()
        except Exception as error:
            raise self._lost("sending", before, error) from error
        return self._take()

    def drain(self, quiet_s: float) -> bytes:
        """Throw away and return everything until nothing has arrived for ``quiet_s``.

        Raises DeviceReplyError when the device does not stop talking.
        """
        self._expect(binary=False)
        end = time.monotonic() + quiet_s + LONGEST_BABBLE_S
        quiet_until = time.monotonic() + quiet_s
        while (now := time.monotonic()) < quiet_until:
            if now > end:
                raise DeviceReplyError(
                    self.device,
                    f"keeps talking without being asked: {shown(self._take())}.",
                    "Check the baud rate and that nothing else uses the line.",
                )
            news = self._news("draining the line", b"", 4096, quiet_until - now)
            if news:
                self._buffer += news
                quiet_until = time.monotonic() + quiet_s
        return self._take()

    # --- for stacks ---------------------------------------------------------------------------------------------
    @abstractmethod
    def _connect(self) -> None:
        """Open the stack's own port; may raise anything."""

    @abstractmethod
    def _disconnect(self) -> None:
        """Close the stack's own port, also a half open or dead one; may raise anything."""

    @abstractmethod
    def _send(self, data: bytes) -> None: ...

    @abstractmethod
    def _receive(self, limit: int, timeout_s: float) -> bytes:
        """Up to ``limit`` bytes as soon as there are some; empty after about ``timeout_s`` or earlier."""

    def _waiting(self) -> bytes:
        """What has arrived already, where the stack can tell without waiting."""
        return b""

    def _expect_binary(self, on: bool) -> None:  # noqa: B027
        """Whether line ends among the next bytes are data, where a stack treats them specially."""

    def _opening_remedy(self, error: Exception) -> str:
        return "Check the cable, the power and the address in the bench file."

    # --- inner workings -----------------------------------------------------------------------------------------
    def _expect(self, *, binary: bool) -> None:
        if binary != self._binary:
            self._expect_binary(binary)
            self._binary = binary

    def _read_more(self, limit: int, deadline: float) -> None:
        # What has arrived in time counts, however late this computer gets round to looking.
        news = self._news("waiting for the answer to", self._sent, limit, max(0.0, deadline - time.monotonic()))
        self._buffer += news
        late_s = time.monotonic() - deadline
        if late_s > LONGEST_BABBLE_S or (late_s >= 0.0 and not news):
            raise DeviceTimeoutError(
                self.device,
                f"did not answer {shown(self._sent)} in time; received {shown(bytes(self._buffer))}.",
                "Check that it is switched on and that no other program uses it.",
            )

    def _take(self) -> bytes:
        data = bytes(self._buffer)
        self._buffer.clear()
        return data

    def _news(self, doing: str, sent: bytes, limit: int, timeout_s: float) -> bytes:
        self._require_open(doing, sent)
        try:
            return self._receive(limit, timeout_s)
        except Exception as error:
            raise self._lost(doing, sent, error) from error

    def _require_open(self, doing: str, sent: bytes) -> None:
        if not self._open:
            raise DeviceDisconnectedError(
                self.device,
                f"lost its line {self.address} earlier ({_activity(doing, sent)}).",
                "Close the device and open it again.",
            )

    def _lost(self, doing: str, sent: bytes, error: Exception) -> DeviceDisconnectedError:
        """Each stack has its own errors; all of them mean that the line is lost."""
        received = bytes(self._buffer)
        self.close()
        return DeviceDisconnectedError(
            self.device,
            f"lost its line {self.address} while {_activity(doing, sent)}: {_plainly(error)}; "
            f"received {shown(received)}.",
            "Check the cable and the power, then close the device and open it again.",
        )

    def _let_go(self) -> None:
        try:
            self._disconnect()
        except Exception as error:  # a port that is gone already cannot be closed properly, and need not be
            logger.debug("%s: closing %s: %s", self.device, self.address, _plainly(error))


def _plainly(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".strip(": ")


def _activity(doing: str, sent: bytes) -> str:
    return f"{doing} {shown(sent)}" if sent else doing
