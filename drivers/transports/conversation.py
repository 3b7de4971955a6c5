"""Questions and answers over a line, in step: an answer is only ever taken for the question it belongs to.

An instrument answers in the order in which it is asked, but it may answer late: after a time-out, the late reply
waits in the line and would pass for the answer to the next question. Therefore a conversation that is out of step
(at its start, after a time-out, after a reply that makes no sense) first gets back in step by asking something whose
answer it recognises; whatever came before that answer is thrown away. If that fails, nothing else is asked.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar, TypeVar

from drivers.interfaces import (
    DeviceDisconnectedError,
    DeviceFaultError,
    DeviceRefusedError,
    DeviceReplyError,
    DeviceTimeoutError,
)
from drivers.transports.line import Line
from drivers.transports.reply import Parse, Reply, shown

T = TypeVar("T")

ATTEMPTS = 3
SHORTEST_QUIET_S = 0.05
MOST_LINES = 200

logger = logging.getLogger(__name__)


class Conversation(ABC):
    """Asks one instrument questions, from any thread, one at a time.

    line: where the instrument is.
    timeout_s: how long one answer may take.
    spacing_s: rest that the instrument needs between an answer and the next command.
    """

    ending: ClassVar[bytes]  # sent after every command
    reply_ending: ClassVar[bytes]  # ends every line of a reply

    def __init__(self, line: Line, *, timeout_s: float = 1.0, spacing_s: float = 0.0) -> None:
        self.line = line
        self.timeout_s = timeout_s
        self.spacing_s = spacing_s
        self.round_trip_s = 0.0
        self.last_answer_s = -math.inf
        """When the instrument last gave an answer that was understood (`time.monotonic`)."""
        self.urgent: tuple[str, ...] = ()
        """Commands that are safe in every state, sent blindly before each attempt to get in step."""
        self._lock = threading.RLock()
        self._in_step = False
        self._disturbed = threading.Event()  # something was sent that nobody waits for
        self._free_at = 0.0

    @property
    def device(self) -> str:
        return self.line.device

    @property
    def is_open(self) -> bool:
        return self.line.is_open

    @property
    def in_step(self) -> bool:
        """Whether the next command is sent at once, and nothing has to be thrown away before."""
        return self._in_step and not self._disturbed.is_set()

    def open(self, safe_commands: Sequence[str] = ()) -> None:
        """Open the line, send what is safe in any state (see `send_blindly`) and get in step.

        Raises the errors of drivers.interfaces.
        """
        with self._lock:
            self.line.open()
            self._in_step = False
            self._forget()
            self.send_blindly(safe_commands)
            self._get_in_step("")

    def send_blindly(self, commands: Sequence[str]) -> bool:
        """Send commands at once and wait for nothing; whether the line took them.

        For commands that are safe in every state: it takes no turn, needs no answer and never raises, so that it works
        from any thread while another one waits for an answer, and on a line of which only the way out is left. The
        answer that is waited for meanwhile is thrown away, since those to these commands may come in its place.
        """
        if not commands or not self.line.is_open:
            return False
        self._disturbed.set()
        return self.line.send_if_possible(self._blindly(commands))

    def _blindly(self, commands: Sequence[str]) -> bytes:
        # The first goes out twice: what a program that died has left half written in the instrument's input makes it
        # unreadable, and is made unreadable by it, where a mere ending would carry it out.
        return b"".join(command.encode("ascii") + self.ending for command in (commands[0], *commands))

    def close(self) -> None:
        """Let go of the line; may be called again."""
        with self._lock:
            self._in_step = False
            self.line.close()

    def ask(self, command: str, parse: Parse[T], timeout_s: float | None = None) -> T:
        """Send a command and return what its reply means.

        parse: reads the reply strictly, for example ``Reply.number``.
        Raises DeviceTimeoutError, DeviceReplyError, DeviceDisconnectedError, DeviceRefusedError where the instrument
        says no, and what ``parse`` raises.
        """
        with self._lock:
            self._get_in_step(command)
            self._in_step = False  # until the whole reply has been understood
            try:
                reply = self._exchange(command, self.timeout_s if timeout_s is None else timeout_s)
                if self._disturbed.is_set():
                    raise reply.unexpected("an answer to nothing else", "Ask again: a command was sent meanwhile.")
                self._check(reply)
                meaning = parse(reply)
            except (DeviceRefusedError, DeviceFaultError):
                self._in_step = True  # the device understood and said no, which is an answer
                self.last_answer_s = time.monotonic()
                raise
            self._in_step = True
            self.last_answer_s = time.monotonic()
            return meaning

    @abstractmethod
    def write(self, command: str) -> None:
        """Send a setting. Raises DeviceRefusedError when the instrument does not take it."""

    def ask_if_known(self, command: str, parse: Parse[T]) -> T | None:
        """What `ask` returns; None where this model does not know the question."""
        try:
            return self.ask(command, parse)
        except DeviceRefusedError:
            return None

    def get_in_step(self) -> None:
        """Make sure now, rather than with the next question, that no old reply is on its way."""
        with self._lock:
            self._get_in_step("")

    @property
    def quiet_s(self) -> float:
        """How long a line must be silent to count as quiet: longer than this instrument takes to answer."""
        return max(SHORTEST_QUIET_S, 2.0 * self.round_trip_s)

    # --- for dialects -------------------------------------------------------------------------------------------
    def _read_reply(self, timeout_s: float) -> bytes:
        """The reply to the command just sent; one line, unless the dialect says otherwise."""
        return self.line.read_line(self.reply_ending, timeout_s)

    def _read_lines(self, timeout_s: float, is_last: Callable[[bytes], bool]) -> list[bytes]:
        """Lines up to and with the one that closes the reply, all within ``timeout_s``."""
        deadline = time.monotonic() + timeout_s
        lines: list[bytes] = []
        while not lines or not is_last(lines[-1]):
            if len(lines) == MOST_LINES:
                raise Reply(self.device, b"", b"\n".join(lines)).unexpected(f"at most {MOST_LINES} lines")
            lines.append(self.line.read_line(self.reply_ending, deadline - time.monotonic()))
        return lines

    def _check(self, reply: Reply) -> None:
        """Raise DeviceRefusedError when the reply is the instrument's way to say no."""
        del reply

    @abstractmethod
    def _synchronise(self) -> None:
        """Ask until it is certain that no old reply is on its way; raise one of our errors if it is not."""

    def _forget(self) -> None:
        """Forget what was learnt about the instrument: another one may be plugged in now."""
        self.round_trip_s = 0.0

    def _exchange(self, command: str, timeout_s: float) -> Reply:
        message = self._send(command)
        start = time.monotonic()
        received = self._read_reply(timeout_s)
        self._free_at = time.monotonic()
        self.round_trip_s = self._free_at - start
        self._free_at += self.spacing_s
        return Reply(self.device, message, received)

    def _send(self, command: str) -> bytes:
        rest_s = self._free_at - time.monotonic()
        if rest_s > 0.0:
            time.sleep(rest_s)
        message = command.encode("ascii") + self.ending
        self.line.send(message)
        return message

    def _get_in_step(self, command: str) -> None:
        """Make sure that the answer to this command cannot be taken for another one."""
        if self._in_step and (unasked := self.line.unread(command.encode())):
            logger.warning("%s: bytes nobody asked for: %s", self.device, shown(unasked))
            self._in_step = False
        if not self.in_step:
            self._disturbed.clear()
            self._in_step = False
            self._synchronise()
            self._in_step = True


class LandmarkConversation(Conversation):
    """Gets in step by two questions with known, constant and different answers: serial number and firmware.

    The first is asked once and the second twice or more. Only an instrument that is in step answers A, B, B, …, and
    then is quiet; no single late reply put before that row, whatever it is, gives the same row.
    """

    landmarks: ClassVar[tuple[str, str]]

    def __init__(self, line: Line, *, timeout_s: float = 1.0, spacing_s: float = 0.0) -> None:
        super().__init__(line, timeout_s=timeout_s, spacing_s=spacing_s)
        self._known: tuple[bytes, bytes] | None = None

    @property
    def landmark_replies(self) -> tuple[Reply, Reply]:
        """What the instrument answers to its two landmarks, as learnt when the conversation was opened."""
        if self._known is None:
            raise DeviceDisconnectedError(self.device, "is not connected.", "Close the device and open it again.")
        first, second = self.landmarks
        return (
            Reply(self.device, first.encode() + self.ending, self._known[0]),
            Reply(self.device, second.encode() + self.ending, self._known[1]),
        )

    def _forget(self) -> None:
        super()._forget()
        self._known = None

    def _prepare(self) -> None:
        """Bring the instrument into the state in which it answers as this dialect expects."""

    def _synchronise(self) -> None:
        error: DeviceTimeoutError | DeviceReplyError | DeviceRefusedError | None = None
        for attempt in range(ATTEMPTS):
            # What another program left half written would otherwise become part of the first question.
            self.line.send(self._blindly(self.urgent) if self.urgent and attempt else self.ending)
            self.line.drain(self.quiet_s)
            try:
                self._prepare()
                self._follow_landmarks(again=1 + attempt)
            except (DeviceTimeoutError, DeviceReplyError, DeviceRefusedError) as failure:
                error = failure
            else:
                return
        assert error is not None
        raise error

    def _follow_landmarks(self, again: int) -> None:
        first, second = self.landmarks
        found = self._landmark(first)
        known = self._known or (found.received, None)
        if found.received != known[0]:
            raise self._lost(found, known[0])
        self.last_answer_s = time.monotonic()
        expected = known[1]
        for _ in range(1 + again):
            found = self._landmark(second)
            if expected is None and found.received != known[0]:
                expected = found.received
            if found.received != expected:
                raise self._lost(found, expected)
            self.last_answer_s = time.monotonic()
        if rest := self.line.drain(self.quiet_s):
            raise self._lost(Reply(self.device, found.command, found.received + self.reply_ending + rest), expected)
        assert expected is not None
        self._known = (known[0], expected)

    def _landmark(self, question: str) -> Reply:
        """Ask for a landmark. A refusal is none: it is the same for every question, and so marks no place."""
        reply = self._exchange(question, self.timeout_s)
        self._check(reply)
        reply.text()
        return reply

    def _lost(self, found: Reply, expected: bytes | None) -> DeviceReplyError:
        return found.unexpected(
            "its firmware version, as a second question" if expected is None else repr(expected),
            "It answers out of step: switch it off and on, and check that no other program uses it.",
        )
