"""What an emulated instrument is: a state machine that turns commands into replies."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod

LONGEST_COMMAND = 4096


class Instrument(ABC):
    """One emulated instrument behind one or several ports.

    lock: held while a command is carried out, and by whoever changes the instrument meanwhile.
    """

    endings: tuple[bytes, ...] = (b"\n",)  # any of these ends a command, longer ones first

    def __init__(self) -> None:
        self.lock = threading.RLock()

    def greet(self) -> bytes:
        """What the instrument sends when somebody connects; empty for nothing."""
        return b""

    @abstractmethod
    def answer(self, command: bytes) -> bytes:
        """Carry out one command.

        Parameters
        ----------
        command : bytes
            Without its ending.

        Returns
        -------
        bytes
            All bytes of the reply; empty for none.
        """

    def split(self, pending: bytearray) -> bytes | None:
        """Take the first complete command, without its ending, from what was received; None where there is none."""
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
