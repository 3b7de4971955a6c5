"""What an emulated instrument is: a state machine that turns commands into replies."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod

LONGEST_COMMAND = 4096


class Instrument(ABC):
    """One emulated instrument behind one or several ports.

    lock: held while a command is carried out, and by whoever meddles with the instrument meanwhile.
    """

    endings: tuple[bytes, ...] = (b"\n",)  # any of these ends a command, longer ones first

    def __init__(self) -> None:
        self.lock = threading.RLock()

    def greet(self) -> bytes:
        """What the instrument sends when somebody connects."""
        return b""

    @abstractmethod
    def answer(self, command: bytes) -> bytes:
        """Carry out one command (without its ending) and return all bytes of the reply; empty for no reply."""

    def split(self, pending: bytearray) -> bytes | None:
        """Take the first complete command from what has been received, if there is one."""
        found = min(
            ((at, -len(ending), ending) for ending in self.endings if (at := pending.find(ending)) >= 0), default=None
        )
        if found is None:
            if len(pending) > LONGEST_COMMAND:
                pending.clear()  # an instrument's input buffer overflows
            return None
        at, _, ending = found
        command = bytes(pending[:at])
        del pending[: at + len(ending)]
        return command
