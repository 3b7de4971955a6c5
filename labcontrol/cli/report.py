"""`labcontrol report`: one page about a run."""

from __future__ import annotations

import sys
import webbrowser
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from labcontrol.cli.runs import FOLDER, Folder, RunName
from labcontrol.records.catalogue import find_run


def report(
    run: RunName = "latest",
    folder: Folder = FOLDER,
    output: Annotated[
        Path | None,
        typer.Option(
            help="File to write: .html, or .pdf where Chrome, Chromium or Edge is installed to print it.",
            show_default="RUN.html beside the record",
        ),
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Open the report when it is written.")] = False,
) -> None:
    """Write a page about a run: set-up, learning against its prediction, fits, masks, devices, faults, log.

    The page is one file that holds its figures and loads nothing from elsewhere; it can be read in light and dark and
    printed. It is made from the record alone, of runs of every kind, also failed, interrupted or running ones.

    Example: labcontrol report latest --output report.pdf
    """
    from labcontrol.analysis.report import write_report  # Matplotlib takes long to import

    with Console(stderr=True).status("reading") as status:
        path = write_report(find_run(run, folder), output, status.update)
    typer.echo(path)
    if show and not webbrowser.open(path.absolute().as_uri()):
        Console(file=sys.stderr).print("There is no browser to open it with.", style="yellow")
