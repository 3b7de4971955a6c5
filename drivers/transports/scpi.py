"""SCPI over a line: queries, commands checked through the error queue, and binary blocks.

Source: IEEE 488.2-1992 (common commands, definite-length blocks) and SCPI-1999 (SYSTem:ERRor).
"""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable
from typing import TypeVar

from drivers.interfaces import DeviceRefusedError, DeviceReplyError, DeviceTimeoutError, Identity
from drivers.transports.conversation import ATTEMPTS, Conversation
from drivers.transports.line import Line
from drivers.transports.reply import Parse, Reply

T = TypeVar("T")

INFINITY = 9.9e37  # SCPI-1999 volume 1, 7.2.1.4: what instruments answer for "over range"
LARGEST_BLOCK = 1 << 28

_ERROR = re.compile(rb'([+-]?\d{1,6}),\s*"([^"]*)"')
_REFUSED = "Check the value and the state of the instrument."


def scpi_error(reply: Reply) -> tuple[int, str]:
    """One entry of the error queue: number and text; number 0 means that the queue is empty."""
    match = reply.matching(_ERROR, 'an entry of the error queue such as 0,"No error"')
    return int(match[1]), match[2].decode("ascii", "replace")


def scpi_identity(reply: Reply) -> Identity:
    """The four fields of ``*IDN?``."""
    fields = [field.strip() for field in reply.text().split(",")]
    if len(fields) != 4 or not all(fields[:2]):
        raise reply.unexpected("vendor, model, serial number and firmware, separated by commas")
    return Identity(*fields)


class ScpiConversation(Conversation):
    """Gets in step with two numbers used once: it writes one into a register nobody needs and reads until it returns,
    then does so with the other, because a late answer to an earlier question may have looked like the first.
    """

    ending = b"\n"
    reply_ending = b"\n"

    def __init__(self, line: Line, *, timeout_s: float = 2.0, spacing_s: float = 0.0) -> None:
        super().__init__(line, timeout_s=timeout_s, spacing_s=spacing_s)
        self._once = itertools.cycle(range(100, 256))  # other answers are rarely as large
        self._read_other: Callable[[float], bytes] | None = None

    def identity(self) -> Identity:
        """Who the instrument says it is."""
        return self.ask("*IDN?", scpi_identity)

    def write(self, command: str) -> None:
        """Send a command without reply, and make sure that the instrument took it.

        Raises DeviceRefusedError with the instrument's own words when it did not.
        """
        with self._lock:
            self._get_in_step(command)
            self._in_step = False
            self._send(command)
            self._in_step = True
            number, text = self.ask("SYST:ERR?", scpi_error)
            if number != 0:
                self._clear_errors()
                raise DeviceRefusedError(self.device, f"refused {command!r}: {number}, {text}.", _REFUSED)

    def ask_with_block(
        self, command: str, parse: Parse[T], byte_count: Callable[[T], int], timeout_s: float | None = None
    ) -> tuple[T, bytes]:
        """Ask two questions in one message, the second one for a definite-length block, and return both answers.

        byte_count: how long the block must be, by the first answer.
        """
        answer: list[T] = []

        def read(timeout_s: float) -> bytes:
            head = self.line.read_line(b";", timeout_s)
            answer.append(parse(Reply(self.device, command.encode("ascii"), head)))
            return self._read_block(byte_count(answer[0]), timeout_s)

        with self._lock:
            self._read_other = read
            try:
                block = self.ask(command, lambda reply: reply.received, timeout_s)
            finally:
                self._read_other = None
            return answer[0], block

    # --- dialect ------------------------------------------------------------------------------------------------
    def _read_reply(self, timeout_s: float) -> bytes:
        if self._read_other is not None:
            return self._read_other(timeout_s)
        return self.line.read_line(self.reply_ending, timeout_s).removesuffix(b"\r")

    def _read_block(self, expected: int, timeout_s: float) -> bytes:
        head = self.line.read_exactly(2, timeout_s)
        digits = head[1:2]
        if head[:1] != b"#" or not digits.isdigit() or digits == b"0":
            rest = self.line.read_line(self.reply_ending, timeout_s)
            raise self._bad_block(head + rest, "a definite-length block")
        length = self.line.read_exactly(int(digits), timeout_s)
        if not length.isdigit() or int(length) != expected or expected > LARGEST_BLOCK:
            raise self._bad_block(head + length, f"a block of {expected} bytes")
        data = self.line.read_exactly(expected, timeout_s)
        end = self.line.read_exactly(len(self.reply_ending), timeout_s)
        if end != self.reply_ending:
            raise self._bad_block(head + length + b"..." + end, "the end of the line after the block")
        return data

    def _bad_block(self, received: bytes, expected: str) -> DeviceReplyError:
        return Reply(self.device, b"the last question", received).unexpected(expected)

    def _synchronise(self) -> None:
        error: DeviceTimeoutError | DeviceReplyError | None = None
        for attempt in range(ATTEMPTS):
            try:
                # The ending alone closes what another program left half written.
                self.line.send(self._blindly(self.urgent) if self.urgent and attempt else self.ending)
                for _ in range(2):
                    token = next(self._once)
                    self._send(f"*ESE {token}")
                    self._send("*ESE?")
                    self._read_until_token(token)
                self._send("*ESE 0")
                self._clear_errors()
            except (DeviceTimeoutError, DeviceReplyError) as failure:
                error = failure
            else:
                return
        assert error is not None
        raise error

    def _read_until_token(self, token: int) -> None:
        # Everything that comes before the token is older than it, and thrown away.
        deadline = time.monotonic() + self.timeout_s
        while self.line.read_line(self.reply_ending, deadline - time.monotonic()).strip(b" \r+") != b"%d" % token:
            pass
        self.last_answer_s = time.monotonic()

    def _clear_errors(self) -> None:
        # *CLS also throws away what the interrupted query before left in the error queue.
        self._send("*CLS")
