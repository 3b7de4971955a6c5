"""`labcontrol devices`: what is connected, which driver fits, and the lines of a bench file for it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from drivers.discovery import ThisComputer
from labcontrol.bench.discover import Discovery, choices, discover
from labcontrol.cli.devices_tables import found_json, show_entries, show_found
from labcontrol.cli.devices_write import write_devices
from labcontrol.cli.terminal_text import AsJson
from labcontrol.errors import UserError
from labcontrol.records.json_text import to_json


def devices(
    identify: Annotated[
        bool,
        typer.Option(
            "--identify",
            help="Ask free ports and instruments who they are, with questions that change nothing. Without it, not a "
            "byte is sent to a port. What is in use is never asked.",
        ),
    ] = False,
    at: Annotated[
        list[str] | None,
        typer.Option(
            help="Look at this address, too, which nothing lists: socket://host:port, TCPIP::host::port::SOCKET. May "
            "be given several times.",
            show_default=False,
        ),
    ] = None,
    use: Annotated[
        list[str] | None,
        typer.Option(
            help="Take this device for a role, where several may be meant: slm=HDMI-1, camera=basler@23456789. May be "
            "given several times.",
            show_default=False,
        ),
    ] = None,
    write: Annotated[
        Path | None,
        typer.Option(
            help="Write the devices into this bench file; the one before is kept beside it. A new file starts from the "
            "nearest example.",
            show_default=False,
        ),
    ] = None,
    display: Annotated[
        str | None, typer.Option(help="X display to look for screens on, such as :1.", show_default="this one")
    ] = None,
    visa: Annotated[
        str, typer.Option(help="VISA library: @py for pyvisa-py, an empty text for that of a vendor.")
    ] = "@py",
    as_json: AsJson = False,
) -> None:
    """Find lasers, cameras, detectors, DMDs and screens, and say which driver fits.

    Nothing is disturbed: ports are listed, not opened, and nothing is written to them unless you say --identify.
    """
    if as_json and write is not None:
        raise UserError("--json and --write exclude each other.", "Leave one of them out.")
    console = Console()
    search = ThisComputer(identify=identify, named=filter(None, at or ()), display=display, visa_backend=visa)
    discovery = _look(search)
    picked = choices(discovery.fits, use or ())
    if as_json:
        typer.echo(to_json(found_json(search, discovery, picked)))
        return
    show_found(console, search, discovery)
    show_entries(console, discovery, picked, printed=write is None)
    if write is not None:
        write_devices(console, write, picked)


def _look(search: ThisComputer) -> Discovery:
    console = Console(stderr=True)
    columns = (TextColumn("looking for devices"), BarColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("")
        return discover(
            search, lambda name, done, total: progress.update(task, description=name, completed=done, total=total)
        )
