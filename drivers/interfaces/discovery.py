"""How a driver says where its devices are: the hook `Device.discover` and what it may ask of a `Search`."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Found:
    """Something that a driver can open, or may be able to.

    address: as the bench file wants it. what: what is known of it, in words.
    sure: it said itself who it is, or its USB numbers say so; otherwise it is only of the right kind.
    role: ``slm`` or ``dmd`` where a modulator is one of them only; other roles follow from the driver.
    in_use: what holds it now; empty when nothing does, or nobody can tell.
    options: what the driver's options must say beside their defaults.
    """

    address: str
    what: str
    sure: bool = True
    role: str = ""
    in_use: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


class Search(ABC):
    """One look around, shared by all drivers, so that every port and screen is listed once.

    identify: whether devices may be asked who they are. Where not, nothing is sent to any port; what is in use is
    never asked.
    display: X display to look for screens on; None for the one of this program. notes: see `note`.
    """

    identify: bool
    display: str | None
    notes: list[str]

    @abstractmethod
    def on_serial_ports(
        self, *, usb_vendors: Iterable[int], question: bytes, answer: re.Pattern[bytes], baudrate_hz: int = 115200
    ) -> Iterator[Found]:
        """Serial ports where this kind of device is, or may be.

        usb_vendors: numbers that only its maker's devices have; a port of one of them is sure to be one. Ports of
        converters (FTDI and the like) may be anything.
        question: one that changes nothing, with its line ending; asked where the search may `identify`.
        answer: what is to be found in what comes back, and is shown to the user.
        """

    @abstractmethod
    def on_visa(self, *, usb: Iterable[tuple[int, int | None]], identity: re.Pattern[str]) -> Iterator[Found]:
        """VISA resources where this kind of instrument is, or may be.

        usb: vendor and product numbers that only such instruments have; without a product number, those of a maker
        of other instruments, too. identity: what is to be found in the answer to ``*IDN?``, which is asked where the
        search may `identify`.
        """

    def note(self, text: str) -> None:
        """Something that a person should know, for example what could not be looked at, and why."""
        self.notes.append(text)

    @abstractmethod
    def on_screens(self) -> Iterator[Found]:
        """Screens that are not the primary one. Nobody can tell what stands behind a screen, so none is sure."""
