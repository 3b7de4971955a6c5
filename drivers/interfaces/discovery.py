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

    Attributes
    ----------
    address : str
        As the bench file wants it.
    what : str
        What is known of it, in words.
    sure : bool
        Whether it said itself who it is, or its USB numbers say so; otherwise it is only of the right kind.
    role : str
        ``slm`` or ``dmd`` where a modulator is one of them only; other roles follow from the driver.
    in_use : str
        What holds it now; empty when nothing does, or nobody can tell.
    options : mapping of str to Any
        What the driver's options must say beside their defaults.
    """

    address: str
    what: str
    sure: bool = True
    role: str = ""
    in_use: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


class Search(ABC):
    """One search, shared by all drivers, so that every port and screen is listed once.

    Attributes
    ----------
    identify : bool
        Whether devices may be asked who they are. Where not, nothing is sent to any port; what is in use is never
        asked.
    display : str or None
        X display to search for screens; None for the one of this program.
    notes : list of str
        See `note`.
    """

    identify: bool
    display: str | None
    notes: list[str]

    @abstractmethod
    def on_serial_ports(
        self, *, usb_vendors: Iterable[int], question: bytes, answer: re.Pattern[bytes], baudrate_hz: int = 115200
    ) -> Iterator[Found]:
        """Find serial ports where this kind of device is, or may be.

        Parameters
        ----------
        usb_vendors : iterable of int
            Numbers that only its maker's devices have; a port of one of them is sure to be one. Ports of converters
            (FTDI and the like) may be anything.
        question : bytes
            One that changes nothing, with its line ending; asked where the search may `identify`.
        answer : re.Pattern of bytes
            What is to be found in what comes back, and is shown to the user.
        baudrate_hz : int
            Symbols per second on the line, in Hz.

        Returns
        -------
        iterator of Found
            A port each.
        """

    @abstractmethod
    def on_visa(self, *, usb: Iterable[tuple[int, int | None]], identity: re.Pattern[str]) -> Iterator[Found]:
        """Find VISA resources where this kind of instrument is, or may be.

        Parameters
        ----------
        usb : iterable of (int, int or None)
            Vendor and product numbers that only such instruments have; without a product number, those of a maker of
            other instruments, too.
        identity : re.Pattern of str
            What is to be found in the answer to ``*IDN?``, which is asked where the search may `identify`.

        Returns
        -------
        iterator of Found
            A resource each.
        """

    def note(self, text: str) -> None:
        """Say something that a person should know, for example what could not be searched, and why.

        Parameters
        ----------
        text : str
            One sentence.
        """
        self.notes.append(text)

    @abstractmethod
    def on_screens(self) -> Iterator[Found]:
        """Find screens that are not the primary one.

        Returns
        -------
        iterator of Found
            A screen each; nobody can tell what stands behind a screen, so none is sure.
        """
