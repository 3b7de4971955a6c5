"""The common part of emulated SCPI instruments: headers in short and long form, common commands, error queue.

Source: IEEE 488.2-1992 and SCPI-1999.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from mock_devices.wire.instrument import Instrument

Query = Callable[[str], str | bytes]
Command = Callable[[str], None]

UNDEFINED_HEADER = (-113, "Undefined header")
DATA_TYPE = (-104, "Data type error")
OUT_OF_RANGE = (-222, "Data out of range")
EXECUTION = (-200, "Execution error")
QUEUE_LENGTH = 16


class ScpiError(Exception):
    """What a handler raises to put an entry into the error queue."""

    def __init__(self, number: int, text: str) -> None:
        self.entry = (number, text)
        super().__init__(f"{number}, {text}")


def header_pattern(header: str) -> re.Pattern[str]:
    """The pattern of a header as manuals write it.

    Capitals are the short form, brackets hold what may be left out, ``#`` stands for any digits:
    ``SOURce[1]:POWer[:LEVel]``.
    """
    pattern = ""
    for part in re.findall(r"[A-Za-z]+|\*|[\[\]#:?]|\d+", header):
        if part == "[":
            pattern += "(?:"
        elif part == "]":
            pattern += ")?"
        elif part == "#":
            pattern += r"(\d+)"
        elif part.isalpha():
            short = "".join(letter for letter in part if letter.isupper())
            pattern += f"(?:{part}|{short})" if short != part else part
        else:
            pattern += re.escape(part)
    return re.compile(f":?{pattern}", re.IGNORECASE)


def number(text: str, low: float, high: float) -> float:
    """A parameter within limits, or the limit it names (MINimum, MAXimum)."""
    word = text.strip().upper()
    if word in ("MIN", "MINIMUM"):
        return low
    if word in ("MAX", "MAXIMUM"):
        return high
    try:
        value = float(word)
    except ValueError:
        raise ScpiError(*DATA_TYPE) from None
    if not low <= value <= high:
        raise ScpiError(*OUT_OF_RANGE)
    return value


def switch(text: str) -> bool:
    """ON, OFF, 1 or 0."""
    try:
        return {"ON": True, "1": True, "OFF": False, "0": False}[text.strip().upper()]
    except KeyError:
        raise ScpiError(*DATA_TYPE) from None


class ScpiInstrument(Instrument):
    """An instrument that knows the headers given to `add`.

    identity: what it answers to ``*IDN?``.
    no_error: what it answers when its error queue is empty.
    """

    endings: tuple[bytes, ...] = (b"\r\n", b"\n")

    def __init__(self, identity: str, no_error: str = '0,"No error"') -> None:
        super().__init__()
        self.errors: list[tuple[int, str]] = []
        self._no_error = no_error
        self._event_enable = 0
        self._handlers: list[tuple[re.Pattern[str], Query | None, Command | None]] = []
        self.add("*IDN", query=lambda _: identity)
        self.add("*ESE", query=lambda _: str(self._event_enable), command=self._set_event_enable)
        self.add("*OPC", query=lambda _: "1")
        self.add("*CLS", command=lambda _: self.errors.clear())
        self.add("SYSTem:ERRor[:NEXT]", query=lambda _: self._next_error())

    def add(self, header: str, query: Query | None = None, command: Command | None = None) -> None:
        """Teach it a header; query and command are given what follows the header, as text."""
        self._handlers.append((header_pattern(header), query, command))

    def answer(self, command: bytes) -> bytes:
        replies = []
        for message in command.decode("ascii", "replace").split(";"):
            try:
                reply = self._carry_out(message.strip())
            except ScpiError as error:
                del self.errors[QUEUE_LENGTH:]
                self.errors.append(error.entry)
            else:
                if reply is not None:
                    replies.append(reply if isinstance(reply, bytes) else reply.encode())
        return b";".join(replies) + b"\n" if replies else b""

    def _carry_out(self, message: str) -> str | bytes | None:
        if not message:
            return None
        header, _, rest = message.partition(" ")
        asks = header.endswith("?")
        for pattern, query, command in self._handlers:
            if not pattern.fullmatch(header.removesuffix("?")):
                continue
            if asks and query is not None:
                return query(rest.strip())
            if not asks and command is not None:
                command(rest.strip())
                return None
        raise ScpiError(*UNDEFINED_HEADER)

    def _next_error(self) -> str:
        if not self.errors:
            return self._no_error
        number_, text = self.errors.pop(0)
        return f'{number_},"{text}"'

    def _set_event_enable(self, value: str) -> None:
        self._event_enable = int(number(value, 0, 255))
