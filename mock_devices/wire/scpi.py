"""The common part of emulated SCPI instruments: headers in short and long form, common commands, error queue.

Source: IEEE 488.2-1992 and SCPI-1999: a header after a semicolon starts where the last one ended, unless a colon comes
first; numbers may carry a unit with a prefix; words have a short and a long form and no other.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from mock_devices.wire.instrument import Instrument

# Given what follows the header, and the digits that stood for each ``#``.
Query = Callable[..., "str | bytes"]
Command = Callable[..., None]

DATA_TYPE = (-104, "Data type error")
MISSING_PARAMETER = (-109, "Missing parameter")
UNDEFINED_HEADER = (-113, "Undefined header")
INVALID_SUFFIX = (-131, "Invalid suffix")
EXECUTION = (-200, "Execution error")
SETTINGS_CONFLICT = (-221, "Settings conflict")
OUT_OF_RANGE = (-222, "Data out of range")
ILLEGAL_PARAMETER = (-224, "Illegal parameter value")
QUEUE_LENGTH = 16

_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:E[+-]?\d+)?)\s*([A-Z%]*)")
_PREFIXES = {"": 1.0, "K": 1e3, "M": 1e-3, "U": 1e-6, "N": 1e-9, "P": 1e-12}
_MESSAGES = re.compile(r'(?:"[^"]*"|[^;"])+')


class ScpiError(Exception):
    """What a handler raises to put an entry into the error queue."""

    def __init__(self, number: int, text: str) -> None:
        self.entry = (number, text)
        super().__init__(f"{number}, {text}")


def header_pattern(header: str) -> re.Pattern[str]:
    """The pattern of a header as manuals write it.

    Capitals are the short form, brackets hold what may be left out, ``#`` stands for any digits:
    ``[SENSe]:POWer[:LEVel]``, ``SOURce[1]:CURRent``.
    """
    header = re.sub(r"^\[(\w+)\]:", r"[\1:]", header)  # its colon goes with it
    pattern = ""
    for part in re.findall(r"[A-Za-z]+|\*|[\[\]#:?]|\d+", header):
        if part == "[":
            pattern += "(?:"
        elif part == "]":
            pattern += ")?"
        elif part == "#":
            pattern += r"(\d+)"
        elif part.isalpha():
            pattern += f"(?:{part}|{short_form(part)})"
        else:
            pattern += re.escape(part)
    return re.compile(pattern, re.IGNORECASE)


def short_form(word: str) -> str:
    """The capitals and digits of a word as manuals write it."""
    return "".join(letter for letter in word if not letter.islower())


def number(text: str, low: float, high: float, unit: str = "") -> float:
    """A parameter within limits, or the limit it names (MINimum, MAXimum); it may carry the unit with a prefix."""
    word = text.strip().upper()
    if word in ("MIN", "MINIMUM"):
        return low
    if word in ("MAX", "MAXIMUM"):
        return high
    if not word:
        raise ScpiError(*MISSING_PARAMETER)
    match = _NUMBER.fullmatch(word)
    if match is None:
        raise ScpiError(*DATA_TYPE)
    value, suffix = float(match[1]), match[2]
    if suffix:
        if not unit or not suffix.endswith(unit.upper()) or suffix.removesuffix(unit.upper()) not in _PREFIXES:
            raise ScpiError(*INVALID_SUFFIX)
        value *= _PREFIXES[suffix.removesuffix(unit.upper())]
    if not low <= value <= high:
        raise ScpiError(*OUT_OF_RANGE)
    return value


def switch(text: str) -> bool:
    """ON, OFF, 1 or 0."""
    return choice(text, "ON", "1", "OFF", "0") in ("ON", "1")


def choice(text: str, *words: str) -> str:
    """One of these words in its short or long form, as its short form."""
    if not text.strip():
        raise ScpiError(*MISSING_PARAMETER)
    for word in words:
        if text.strip().upper() in (word.upper(), short_form(word)):
            return short_form(word)
    raise ScpiError(*ILLEGAL_PARAMETER)


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
        self.add("*ESR", query=lambda _: "0")
        self.add("*SRE", query=lambda _: "0", command=lambda _: None)
        self.add("*STB", query=lambda _: "0")
        self.add("*OPC", query=lambda _: "1", command=lambda _: None)
        self.add("*TST", query=lambda _: "0")
        self.add("*WAI", command=lambda _: None)
        self.add("*CLS", command=lambda _: self.errors.clear())
        self.add("SYSTem:ERRor[:NEXT]", query=lambda _: self._next_error())
        self.add("SYSTem:VERSion", query=lambda _: "1999.0")

    def add(self, header: str, query: Query | None = None, command: Command | None = None) -> None:
        """Teach it a header; query and command are given what follows the header, and the digits in it, as text."""
        self._handlers.append((header_pattern(header), query, command))

    def add_choice(self, owner: Any, name: str, header: str, *words: str) -> None:
        """A setting that is one of some words, kept as an attribute in its short form."""
        self.add(header, lambda _: str(getattr(owner, name)), lambda text: setattr(owner, name, choice(text, *words)))

    def add_switch(self, owner: Any, name: str, header: str, words: tuple[str, str] = ("0", "1")) -> None:
        """A setting that is on or off, kept as an attribute; words: how it says that it is off and on."""
        self.add(header, lambda _: words[getattr(owner, name)], lambda text: setattr(owner, name, switch(text)))

    def add_number(self, owner: Any, name: str, header: str, low: float, high: float, unit: str = "") -> None:
        """A setting that is a number, kept as an attribute; MIN and MAX may be asked for."""
        self.add(
            header,
            lambda text: f"{number(text, low, high, unit) if text else getattr(owner, name):.7E}",
            lambda text: setattr(owner, name, number(text, low, high, unit)),
        )

    def answer(self, command: bytes) -> bytes:
        replies = []
        path = ""
        for message in _MESSAGES.findall(command.decode("ascii", "replace")):
            try:
                reply, path = self._carry_out(message.strip(), path)
            except ScpiError as error:
                del self.errors[QUEUE_LENGTH:]
                self.errors.append(error.entry)
            else:
                if reply is not None:
                    replies.append(reply if isinstance(reply, bytes) else reply.encode())
        return b";".join(replies) + b"\n" if replies else b""

    def _carry_out(self, message: str, path: str = "") -> tuple[str | bytes | None, str]:
        """Carry out one header and its parameters; what it answers, and where the next relative header starts."""
        if not message:
            return None, path
        given, _, rest = message.partition(" ")
        if given.startswith("*"):
            return self._obey(given, rest), path
        header = given[1:] if given.startswith(":") else path + given
        return self._obey(header, rest), header[: header.rfind(":") + 1]

    def _obey(self, header: str, rest: str) -> str | bytes | None:
        asks = header.endswith("?")
        for pattern, query, command in self._handlers:
            match = pattern.fullmatch(header.removesuffix("?"))
            if match is None:
                continue
            digits = [group for group in match.groups() if group is not None]
            if asks and query is not None:
                return query(rest.strip(), *digits)
            if not asks and command is not None:
                command(rest.strip(), *digits)
                return None
        raise ScpiError(*UNDEFINED_HEADER)

    def _next_error(self) -> str:
        if not self.errors:
            return self._no_error
        number_, text = self.errors.pop(0)
        return f'{number_},"{text}"'

    def _set_event_enable(self, value: str) -> None:
        self._event_enable = int(number(value, 0, 255))
