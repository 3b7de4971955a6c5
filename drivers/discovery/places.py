"""Places where devices are connected, and who holds them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from serial.tools import list_ports

_BY_NAME = Path("/dev/serial/by-id")  # names that stay, whatever else is plugged in
_LOCK_FILES = (Path("/run/lock"), Path("/var/lock"))


@dataclass
class Place:
    """A serial port, VISA resource or screen.

    Attributes
    ----------
    kind : str
        ``serial port``, ``VISA resource`` or ``screen``.
    address : str
        As a bench file has it.
    what : str
        As the system describes it.
    usb : (int, int) or None
        Vendor and product number, where it has them.
    in_use : str
        What holds it, as far as one can tell.
    heard : bytes or None
        What it has answered so far; None where it was not asked.
    note : str
        What else a person should know.
    """

    kind: str
    address: str
    what: str
    usb: tuple[int, int] | None = None
    in_use: str = ""
    heard: bytes | None = None
    note: str = ""


def serial_ports() -> Iterator[Place]:
    """The serial ports of this computer; none is opened."""
    stays = {link.resolve(): str(link) for link in _BY_NAME.iterdir()} if _BY_NAME.is_dir() else {}
    for port in sorted(list_ports.comports()):
        usb = None if port.vid is None or port.pid is None else (port.vid, port.pid)
        words = [port.manufacturer, port.product or port.description, port.serial_number]
        what = " ".join(word for word in words if word and word != "n/a") or "serial port"
        address = stays.get(Path(port.device).resolve(), port.device)
        shown = what if address == port.device else f"{what}, now {port.device}"
        yield Place("serial port", address, shown, usb, holder_of(port.device))


def named_port(address: str) -> Place:
    """The place of a serial port that somebody has named as pyserial writes it."""
    return Place("serial port", address, "named by you", None, "" if "://" in address else holder_of(address))


def holder_of(device: str) -> str:
    """The program that has a port open or locked, in words; empty when none is seen. Opens nothing.

    Linux tells of the programs of the same user, and of locks; Windows tells when the port is opened.
    """
    if not sys.platform.startswith("linux"):
        return ""
    path = Path(device).resolve()
    for number in _lockers(path):
        return _program(number)
    if path.is_relative_to("/dev/pts"):
        return ""  # the program at the other end of a pseudo-terminal holds it, too
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):  # of another user, or gone meanwhile
                if any(_leads_to(link, path) for link in (folder / "fd").iterdir()):
                    return _program(folder.name)
    return ""


def _leads_to(link: Path, path: Path) -> bool:
    with suppress(OSError):
        return link.readlink() == path
    return False


def _lockers(path: Path) -> Iterator[str]:
    """Processes that hold a lock on the port: as the kernel has it, and as lock files say."""
    with suppress(OSError):
        inode = path.stat().st_ino
        device = path.stat().st_dev
        place = f"{os.major(device):02x}:{os.minor(device):02x}:{inode}"
        for line in Path("/proc/locks").read_text().splitlines():
            fields = line.split()
            if place in fields and "->" not in fields:
                yield fields[fields.index(place) - 1]
    for folder in _LOCK_FILES:
        with suppress(OSError, ValueError):
            number = (folder / f"LCK..{path.name}").read_text().split()[0]
            if Path("/proc", number).is_dir():
                yield number


def _program(number: str) -> str:
    with suppress(OSError):
        return f"{Path('/proc', number, 'comm').read_text().strip()} (process {number})"
    return f"process {number}"
