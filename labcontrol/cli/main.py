"""All commands, and the one place where errors become messages and exit codes.

Exit codes: 0 done; 1 a device or the program failed during a run, or a verified record differs; 2 something the user
can put right before a run; 130 ended by Ctrl-C.
"""

from __future__ import annotations

import logging
import sys

import typer
from rich.console import Console

from drivers.interfaces import DeviceError
from labcontrol import __version__
from labcontrol.cli.commands import Commands
from labcontrol.errors import UserError

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
    errors = Console(stderr=True)
    try:
        app(prog_name="labcontrol")  # also as "python -m labcontrol": what a shell completes is found by it
    except (UserError, DeviceError) as error:
        errors.print(f"[bold red]Error:[/] {_escaped(str(error))}", highlight=False, soft_wrap=True)
        sys.exit(2 if isinstance(error, UserError) else 1)
    except KeyboardInterrupt:
        sys.exit(130)


def _escaped(text: str) -> str:
    return text.replace("[", r"\[")
