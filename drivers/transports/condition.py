"""The whole condition of an instrument that a driver relies on, as a table: what the last user left is seen and mended.

A driver that only sets what it uses works on its own emulator and fails at the first instrument that somebody else has
used: a gate left on, a channel left inverted, a unit left at dBm. So each driver declares every setting its numbers
depend on. At opening each is read; what differs is set and read again; what cannot be had is refused with a remedy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from drivers.interfaces import DeviceRefusedError, DeviceTimeoutError
from drivers.transports.reply import Reply

UNKNOWN = "not known to this model"
SENT = "sent, cannot be read back"


class Talk(Protocol):
    """A conversation that asks and sets."""

    def ask(self, command: str, parse: Callable[[Reply], Any]) -> Any: ...

    def write(self, command: str) -> None: ...

    @property
    def device(self) -> str: ...


@dataclass(frozen=True)
class Condition:
    """One setting of an instrument.

    name: in status and record, for example ``operating_mode``; with its unit where it is a number.
    question: reads it; empty where the instrument has none, so that the command can only be sent.
    wanted: words that are right, as the instrument says them; or a number, right within a thousandth of itself. Empty
        where it is only reported.
    command: sets it; empty where only a person can.
    optional: some models do not know it, and then do without.
    remedy: what a person can do where it cannot be had.
    """

    name: str
    question: str
    wanted: tuple[str, ...] | float = ()
    command: str = ""
    optional: bool = False
    remedy: str = "Set it at the instrument, and check that this driver fits the device."

    def holds(self, found: str | float) -> bool:
        """Whether a value that was read is right."""
        if isinstance(self.wanted, tuple):
            return not self.wanted or str(found).upper() in self.wanted
        return isinstance(found, float) and abs(found - self.wanted) <= 1e-3 * abs(self.wanted) + 1e-12

    def value(self, reply: Reply) -> str | float:
        """What a reply says, strictly: a number where one is wanted, or where anything is right and it is one."""
        if self.wanted == () and reply.is_number:
            return reply.number()
        return reply.text().strip('"') if isinstance(self.wanted, tuple) else reply.number()


def establish(talk: Talk, conditions: Iterable[Condition]) -> dict[str, str | float]:
    """Bring an instrument into its condition; what was read in the end, by name.

    Raises DeviceRefusedError where a setting is not as it must be and cannot be changed.
    """
    return {condition.name: _established(talk, condition) for condition in conditions}


def _established(talk: Talk, condition: Condition) -> str | float:
    try:
        if not condition.question:
            talk.write(condition.command)
            return SENT
        found: str | float = talk.ask(condition.question, condition.value)
        if not condition.holds(found) and condition.command:
            talk.write(condition.command)
            found = talk.ask(condition.question, condition.value)
    except (DeviceRefusedError, DeviceTimeoutError):
        # A SCPI instrument does not answer what it does not know; one that answers nothing fails at the next question.
        if condition.optional:
            return UNKNOWN
        raise
    if not condition.holds(found):
        wanted = condition.wanted if isinstance(condition.wanted, float | int) else " or ".join(condition.wanted)
        raise DeviceRefusedError(
            talk.device,
            f"its {condition.name.replace('_', ' ')} is {found}, {wanted} is needed (asked {condition.question!r}).",
            condition.remedy,
        )
    return found
