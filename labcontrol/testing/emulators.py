"""What a driver can be opened against where there is no hardware, as context managers.

A test that uses one of them is skipped, with what has to be installed, where it cannot be had. The emulated instruments
are in `mock_devices.wire`; they are loaded by name, so that this package can be imported without them.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

import pytest

from drivers.interfaces import Table
from drivers.registry import load_driver

EMULATED_QUIET_S = 3e-3
"""How long a line to an emulated instrument must be silent to count as quiet: it answers at once."""


class EmulatedPort(Protocol):
    """A port behind which an emulated instrument is found; see `mock_devices.wire.ports.Port`.

    Attributes
    ----------
    instrument : mock_devices.wire.instrument.Instrument
        What answers.
    line_faults : mock_devices.wire.line_faults.LineFaults
        What goes wrong on this line: ``line_faults.plan("silent", times=2)``.
    received : list of bytes
        Every command that arrived, in order.
    """

    instrument: Any
    line_faults: Any
    received: list[bytes]

    @property
    def address(self) -> str:
        """Where a client finds the instrument, as pyserial writes it."""
        ...

    def plug(self) -> None:
        """Connect the line."""
        ...

    def unplug(self) -> None:
        """Break the line; the instrument goes on."""
        ...


class EmulatedNetworkPort(EmulatedPort, Protocol):
    """A port on the network of this computer."""

    @property
    def visa_address(self) -> str:
        """The same place as a VISA resource."""
        ...


def serial_port(instrument: Any) -> AbstractContextManager[EmulatedPort]:
    """A serial port with an emulated instrument behind it (not on Windows).

    Parameters
    ----------
    instrument : mock_devices.wire.instrument.Instrument
        The emulated instrument.

    Returns
    -------
    context manager of EmulatedPort
        The port, plugged in; its ``address`` is for pyserial.
    """
    return _port("PtyPort", instrument)


def network_port(instrument: Any) -> AbstractContextManager[EmulatedNetworkPort]:
    """A TCP port with an emulated instrument behind it (not on Windows).

    Parameters
    ----------
    instrument : mock_devices.wire.instrument.Instrument
        The emulated instrument.

    Returns
    -------
    context manager of EmulatedNetworkPort
        The port, plugged in; its ``visa_address`` is for VISA.
    """
    return _port("TcpPort", instrument)


@contextmanager
def _port(kind: str, instrument: Any) -> Iterator[Any]:
    pytest.importorskip("termios", reason="emulated instruments need pseudo-terminals")
    ports = importlib.import_module("mock_devices.wire.ports")
    with pytest.MonkeyPatch.context() as patch, getattr(ports, kind)(instrument) as port:
        patch.setattr("drivers.transports.conversation.SHORTEST_QUIET_S", EMULATED_QUIET_S)
        yield port


@contextmanager
def second_screen(columns: int = 640, rows: int = 480) -> Iterator[Any]:
    """A desktop of two screens, the first one primary, on which programs started meanwhile find themselves (Linux).

    Parameters
    ----------
    columns : int
        Width of the second screen in pixels.
    rows : int
        Its height; together one of the modes that an X server knows, as 800 x 600 or 1920 x 1080.

    Yields
    ------
    mock_devices.wire.desktop.VirtualDesktop
        ``names[1]`` is the second screen, ``see(name)`` what is on it, ``unplug(name)`` takes it away.
    """
    pytest.importorskip("fcntl", reason="screens are emulated by an X server")
    module = importlib.import_module("mock_devices.wire.desktop")
    if module.why_not():
        pytest.skip(module.why_not())
    with module.VirtualDesktop((640, 480), (columns, rows)) as desktop, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DISPLAY", desktop.display)
        yield desktop


@contextmanager
def gige_camera(serial_number: str = "GV01") -> Iterator[Any]:
    """A GigE Vision camera on the loopback network (Linux; one at a time).

    Parameters
    ----------
    serial_number : str
        What the camera says it is called.

    Yields
    ------
    mock_devices.wire.gige.GigECamera
        ``stop()`` is how it loses its power.
    """
    pytest.importorskip("fcntl", reason="the camera is a program for Linux")
    module = importlib.import_module("mock_devices.wire.gige")
    if module.why_not():
        pytest.skip(module.why_not())
    with module.GigECamera(serial_number) as camera:
        yield camera


@contextmanager
def simulated_table(**options: Any) -> Iterator[Table]:
    """A simulated optical table with a virtual clock, for drivers that stand on one.

    Parameters
    ----------
    **options : Any
        As in the section ``table.options`` of a bench file, for example ``rows=6, columns=5``.

    Yields
    ------
    drivers.interfaces.Table
        Goes into the driver with its clock: ``DriverContext("camera", clock=table.clock, table=table)``.
    """
    kind = load_driver("simulated-table")
    assert issubclass(kind, Table)
    table = kind.from_bench(kind.Options.model_validate(options))
    try:
        yield table
    finally:
        table.close()
