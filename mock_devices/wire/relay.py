"""An emulated relay on a serial port that drives a shutter.

Source: published command tables of one-channel serial relays with a status question: three bytes each, no line end.
"""

from __future__ import annotations

from collections.abc import Callable

from mock_devices.wire.instrument import Instrument

_LENGTH = 3


class RelayInstrument(Instrument):
    """moved: called with whether the shutter is open now, whenever that changes; it keeps what the last user left."""

    def __init__(self, moved: Callable[[bool], None] = lambda _: None) -> None:
        super().__init__()
        self.is_open = False
        self.stuck = False
        self._moved = moved

    def split(self, pending: bytearray) -> bytes | None:
        while pending and pending[0] != 0xFF:
            del pending[0]  # what makes no sense is passed over
        if len(pending) < _LENGTH:
            return None
        command = bytes(pending[:_LENGTH])
        del pending[:_LENGTH]
        return command

    def answer(self, command: bytes) -> bytes:
        if command[1] != 1:
            return b""
        if command[2] == 3:
            return bytes((0xFF, 1, self.is_open))
        if command[2] in (0, 1) and not self.stuck:
            self.is_open = command[2] == 1
            self._moved(self.is_open)
        return b""
