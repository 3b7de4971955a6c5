"""What did not go well is done again, counted and told, within a bound."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from drivers.interfaces import DeviceReplyError, DeviceTimeoutError

T = TypeVar("T")

TRANSIENT = (DeviceTimeoutError, DeviceReplyError)
"""What may go well when it is tried again at once."""


class Retakes:
    """Counts what is taken again.

    retakes: how often something is done again at most. tries: how often it is done at most, the first time included.
    count: of everything taken again so far. on_retake: told the device and its fault, in words, each time.
    """

    def __init__(self, retakes: int) -> None:
        self.tries = retakes + 1
        self.count = 0
        self.on_retake: Callable[[str, str], None] = _not_told

    def note(self, device: str, fault: str) -> None:
        """Something is taken again."""
        self.count += 1
        self.on_retake(device, fault)

    def insist(self, command: Callable[[], T]) -> T:
        """Give a command again when its reply did not come, within the bound.

        A command that was obeyed although its reply was lost does no harm when given twice: a pattern is shown again,
        and a second frame is noticed by its counter or its time.
        """
        for _ in range(self.tries - 1):
            try:
                return command()
            except TRANSIENT as error:
                self.note(error.device, error.message)
        return command()


def _not_told(device: str, fault: str) -> None:
    """What is taken again, where nobody wants to know."""
