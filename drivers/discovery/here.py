"""The search on this computer. Lists each kind of place once; asks only where it may, and each question once."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import cached_property
from importlib import import_module

from drivers.discovery.places import Place, named_port, serial_ports
from drivers.interfaces import DeviceError, Found, Search
from drivers.modulators.screen_link import list_screens
from drivers.transports import SerialLine, VisaLine

ANSWER_S = 0.3
# Makers of chips that turn USB into a serial line: what is behind them may be anything.
CONVERTERS = {0x0403, 0x067B, 0x10C4, 0x1A86, 0x04B4, 0x9710, 0x0557, 0x110A, 0x1A28}
_USB_RESOURCE = re.compile(r"USB\d*::(0x[0-9A-F]+|\d+)::(0x[0-9A-F]+|\d+)::", re.IGNORECASE)
_VISA = re.compile(r"(USB|TCPIP|GPIB|VICP|PXI)\d*::", re.IGNORECASE)


class ThisComputer(Search):
    """What can be seen from here.

    Parameters
    ----------
    identify : bool
        Whether devices may be asked who they are.
    named : iterable of str
        Addresses to search although nothing lists them: ``socket://``, ``TCPIP::...::SOCKET``, a pseudo-terminal.
    display : str or None
        X display to search for screens; None for the one of this program.
    visa_backend : str
        As in the drivers' options.

    Attributes
    ----------
    places : list of Place
        Everything listed so far.
    notes : list of str
        What could not be searched, and why.
    """

    def __init__(
        self,
        *,
        identify: bool = False,
        named: Iterable[str] = (),
        display: str | None = None,
        visa_backend: str = "@py",
    ) -> None:
        self.identify = identify
        self.display = display
        self.visa_backend = visa_backend
        self.places: list[Place] = []
        self.notes: list[str] = []
        self._named = tuple(named)
        self._known: set[str] = set()  # places that have said who they are
        self._identities: dict[str, str] = {}

    # --- for drivers --------------------------------------------------------------------------------------------
    def on_serial_ports(
        self, *, usb_vendors: Iterable[int], question: bytes, answer: re.Pattern[bytes], baudrate_hz: int = 115200
    ) -> Iterator[Found]:
        vendors = set(usb_vendors)
        options = {} if baudrate_hz == 115200 else {"baudrate_hz": baudrate_hz}
        for port in self.ports:
            if port.usb is not None and port.usb[0] in vendors:
                self._known.add(port.address)
                yield Found(port.address, port.what, in_use=port.in_use, options=options)
            elif port.address in self._known or not _may_be_anything(port):
                continue
            elif not self.identify or port.in_use:
                yield Found(port.address, port.what, sure=False, in_use=port.in_use, options=options)
            elif said := answer.search(self._ask(port, question, baudrate_hz)):
                self._known.add(port.address)
                words = said[0].decode("ascii", "replace").strip()
                yield Found(port.address, f"{port.what}, answers {words!r}", options=options)

    def on_visa(self, *, usb: Iterable[tuple[int, int | None]], identity: re.Pattern[str]) -> Iterator[Found]:
        numbers = set(usb)
        options = {} if self.visa_backend == "@py" else {"visa_backend": self.visa_backend}
        for resource in self.resources:
            if resource.usb in numbers:
                yield Found(resource.address, resource.what, options=options)
            elif self.identify:
                if identity.search(said := self._identity(resource)):
                    yield Found(resource.address, said, options=options)
            elif resource.usb is None or (resource.usb[0], None) in numbers:
                yield Found(resource.address, resource.what, sure=False, options=options)

    def on_screens(self) -> Iterator[Found]:
        options = {} if self.display is None else {"display": self.display}
        for screen in self.screens:
            if not screen.note:
                yield Found(screen.address, screen.what, sure=False, in_use=screen.in_use, options=options)

    # --- what there is ------------------------------------------------------------------------------------------
    @cached_property
    def ports(self) -> list[Place]:
        named = [named_port(address) for address in self._named if not _VISA.match(address)]
        names = {port.address for port in named}
        return self._listed([*named, *(port for port in serial_ports() if port.address not in names)])

    @cached_property
    def resources(self) -> list[Place]:
        import pyvisa  # slow to import

        names = [address for address in self._named if _VISA.match(address)]
        listed: tuple[str, ...] = ()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # on packages that would let it find more; said below where it matters
                listed = pyvisa.ResourceManager(self.visa_backend).list_resources("?*")
        except Exception as error:  # the library of a vendor may raise anything, or not be there
            self.note(f"VISA resources are not seen: {error}")
        if self.visa_backend == "@py" and (missing := _missing_for_usb()):
            self.note(
                f'USB instruments are not seen: they need {missing}, or --visa "" for the VISA library of a vendor.'
            )
        found = [*names, *(name for name in listed if _VISA.match(name) and name not in names)]
        return self._listed(
            Place("VISA resource", name, "named by you" if name in names else "instrument", _usb(name))
            for name in found
        )

    @cached_property
    def screens(self) -> list[Place]:
        try:
            screens = list_screens(self.display)
        except DeviceError as error:
            self.note(f"Screens are not seen: {error.message} {error.remedy}")
            return []
        places = []
        for screen in screens:
            words = [screen.manufacturer, screen.model, screen.serial_number]
            name = " ".join(word for word in words if word)
            size = f"{screen.columns} x {screen.rows} at {screen.refresh_hz:.0f} Hz"
            note = "primary screen, where people work" if screen.primary else ""
            what = f"{name}, {size}" if name else size
            places.append(Place("screen", screen.name, what, in_use=screen.in_use, note=note))
        return self._listed(places)

    # --- inner workings -----------------------------------------------------------------------------------------
    def _listed(self, places: Iterable[Place]) -> list[Place]:
        new = list(places)
        self.places += new
        return new

    def _ask(self, port: Place, question: bytes, baudrate_hz: int) -> bytes:
        if port.note:
            return b""  # it could not be opened, and would not be now
        try:
            with closing(SerialLine(port.address, port.address, baudrate_hz)) as line:
                line.open()
                line.drain(0.05)
                line.send(question)
                said = line.drain(ANSWER_S)
                port.heard = (port.heard or b"") + said
                return said
        except DeviceError as error:
            port.note = f"{error.message} {error.remedy}"
            return b""

    def _identity(self, resource: Place) -> str:
        if resource.address not in self._identities:
            self._identities[resource.address] = self._ask_identity(resource)
        return self._identities[resource.address]

    def _ask_identity(self, resource: Place) -> str:
        try:
            with closing(VisaLine(resource.address, resource.address, self.visa_backend)) as line:
                line.open()
                line.send(b"*IDN?\n")
                said = line.read_line(b"\n", 2.0).decode("ascii", "replace").strip()
        except DeviceError as error:
            resource.note = f"{error.message} {error.remedy}"
            return ""
        resource.what = said
        return said


def _may_be_anything(port: Place) -> bool:
    return port.usb is None or port.usb[0] in CONVERTERS


def _missing_for_usb() -> str:
    """What pyvisa-py lacks to see USB instruments, of which it says nothing by itself; empty for nothing."""
    try:
        core = import_module("usb.core")
    except ImportError:
        return 'pyusb, pip install "labcontrol[usb]"'
    try:
        core.find()
    except core.NoBackendError:
        return "libusb of the system (Debian: apt install libusb-1.0-0)"
    return ""


def _usb(resource: str) -> tuple[int, int] | None:
    match = _USB_RESOURCE.match(resource)
    return (int(match[1], 0), int(match[2], 0)) if match else None
