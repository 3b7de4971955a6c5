"""What did not go well is tried again at once, counted and reported, within a bound."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from drivers.interfaces import DeviceReplyError, DeviceTimeoutError

T = TypeVar("T")

TRANSIENT = (DeviceTimeoutError, DeviceReplyError)
"""What may go well when it is tried again at once."""


class Retries:
    """Counts what is tried again.

    retries: how often something is tried again at most. tries: how often it is done at most, the first time included.
    count: of all retries so far. on_retry: called each time with the device and its fault, in words.
    """

    def __init__(self, retries: int) -> None:
        self.tries = retries + 1
        self.count = 0
        self.on_retry: Callable[[str, str], None] = _ignore

    def note(self, device: str, fault: str) -> None:
        """Something is tried again."""
        self.count += 1
        self.on_retry(device, fault)

    def retry(self, command: Callable[[], T]) -> T:
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


def _ignore(device: str, fault: str) -> None:
    """Retries where nobody listens."""
