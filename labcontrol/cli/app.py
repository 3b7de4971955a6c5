"""All commands, and the one place where errors become messages and exit codes.

Exit codes: 0 done; 1 a device or the program failed, or a verified record differs; 2 something the user can put right;
130 ended by Ctrl-C.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
from typing import TextIO

import typer
from rich.console import Console
from rich.text import Text

from drivers.interfaces import DeviceError
from labcontrol import __version__
from labcontrol.cli.commands import Commands
from labcontrol.errors import UserError, is_of_the_system

app = typer.Typer(
    name="labcontrol",
    cls=Commands,
    help="Train the Boolean readout of a photonic reservoir in place, and watch learning follow its prediction.\n\n"
    "Start with 'labcontrol run': a simulated optical table learns to predict a chaotic series in about a minute.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"labcontrol {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    verbose: bool = typer.Option(
        False, "--verbose", "-v", help="Log what the program does to standard error; may stand anywhere."
    ),
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version and exit."
    ),
) -> None:
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING, format="%(levelname)s %(name)s: %(message)s"
    )


def main() -> None:
    """Run the command line and leave with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without a letter is no reason to fail
    try:
        try:
            _require_text(sys.argv)
            app(prog_name="labcontrol")  # also as "python -m labcontrol": what a shell completes is found by it
        finally:
            sys.stdout.flush()
    except Exception as error:
        with contextlib.suppress(OSError, SystemExit):  # nobody reads it
            Console(stderr=True).print(
                Text.assemble(("Error:", "bold red"), " ", _said(error)), highlight=False, soft_wrap=True
            )
        _silence(sys.stdout)
        sys.exit(2 if isinstance(error, UserError) or is_of_the_system(error) else 1)


def _require_text(words: list[str]) -> None:
    """Names of files may hold bytes that are no text; neither a record nor a message could hold them."""
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError:
            raise UserError(f"The argument {word!r} is no text in UTF-8.", "Rename the file.") from None


def _said(error: Exception) -> str:
    """An error in plain words; of one that nobody expected, where its report is."""
    if isinstance(error, UserError | DeviceError):
        return str(error)
    if is_of_the_system(error):
        what = error.filename or "The output"
        return (
            f"{what} cannot be read or written: {error.strerror}. Check the path, the disk, or what reads the output."
        )
    from labcontrol.cli.crash_report import write_crash_report

    report = write_crash_report(error)
    where = f"A report is in {report}; 'labcontrol bug-report' packs it." if report else "No report could be written."
    return f"The program met something it does not expect ({type(error).__name__}: {error}). {where}"


def _silence(stream: TextIO) -> None:
    """What could not be written is not tried again when Python ends."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
