"""One reply of an instrument, read strictly: what its manual does not allow is an error that shows the bytes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from drivers.interfaces import DeviceRefusedError, DeviceReplyError

T = TypeVar("T")

_NUMBER = re.compile(rb"[+-]?(\d{1,30}(\.\d{0,30})?|\.\d{1,30})([eE][+-]?\d{1,2})?")
_WHOLE = re.compile(rb"[+-]?\d{1,15}")
_PART = re.compile(rb'(?:"[^"]*"|[^;"])+')
_REMEDY = "Check that this driver fits the device at this address; if it does, report these bytes."


def shown(data: bytes, longest: int = 120) -> str:
    """Bytes as they appear in a message, cut where they would flood it."""
    return repr(data) if len(data) <= longest else f"{data[:longest]!r}… ({len(data)} bytes)"


@dataclass(frozen=True)
class Reply:
    """What one device answered to one command.

    received: the answer without line endings; lines of a longer answer are separated by a line feed.
    Every method raises DeviceReplyError, naming device, command and bytes, for anything but the expected.
    """

    device: str
    command: bytes
    received: bytes

    def unexpected(self, expected: str, remedy: str = _REMEDY) -> DeviceReplyError:
        """The error to raise when this reply is not ``expected``."""
        return DeviceReplyError(
            self.device, f"answered {shown(self.received)} to {shown(self.command)}, expected {expected}.", remedy
        )

    def refusal(self, reason: str = "") -> DeviceRefusedError:
        """The error to raise when this reply is the instrument's way to say no."""
        words = f"{shown(self.received)}, {reason}" if reason else shown(self.received)
        return DeviceRefusedError(
            self.device,
            f"refused {shown(self.command)}: {words}.",
            "Check the value, the state of the device and whether this model knows the command.",
        )

    def nothing_but(self, expected: bytes) -> None:
        """Accept exactly these bytes."""
        if self.received != expected:
            raise self.unexpected(repr(expected))

    def parts(self, count: int) -> list[Reply]:
        """The answers to a message of ``count`` questions, which semicolons separate (IEEE 488.2)."""
        parts = _PART.findall(self.received)
        if len(parts) != count or b";".join(parts) != self.received:
            raise self.unexpected(f"{count} answers separated by semicolons")
        return [Reply(self.device, self.command, part) for part in parts]

    def text(self) -> str:
        """One non-empty line of printable ASCII, stripped of blanks at its ends."""
        line = self.received.strip(b" ")
        if not line or not line.isascii() or not (text := line.decode("ascii")).isprintable():
            raise self.unexpected("one line of text")
        return text

    @property
    def is_number(self) -> bool:
        """Whether it is a finite decimal number."""
        return _NUMBER.fullmatch(self.received.strip(b" ")) is not None

    def number(self) -> float:
        """A finite decimal number."""
        if not self.is_number:
            raise self.unexpected("a number")
        return float(self.received)

    def whole(self) -> int:
        """A whole number."""
        line = self.received.strip(b" ")
        if not _WHOLE.fullmatch(line):
            raise self.unexpected("a whole number")
        return int(line)

    def flag(self) -> bool:
        """``0`` or ``1``."""
        return self.one_of({b"0": False, b"1": True})

    def one_of(self, meanings: Mapping[bytes, T]) -> T:
        """One of these words, as what it means."""
        try:
            return meanings[self.received.strip(b" ")]
        except KeyError:
            raise self.unexpected(" or ".join(repr(word) for word in meanings)) from None

    def matching(self, pattern: re.Pattern[bytes], expected: str) -> re.Match[bytes]:
        """The whole reply as this pattern; ``expected`` says in words what that is."""
        match = pattern.fullmatch(self.received)
        if match is None:
            raise self.unexpected(expected)
        return match


Parse = Callable[[Reply], T]
