"""`labcontrol drivers`: what can stand in a bench file."""

from __future__ import annotations

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from drivers.registry import UnknownDriverError, driver_names, load_driver
from labcontrol.cli.completion import names
from labcontrol.cli.describe import options_table
from labcontrol.errors import UserError


def drivers(
    name: str | None = typer.Argument(
        None, help="Show the options of this driver.", autocompletion=names(driver_names())
    ),
) -> None:
    """List the installed drivers, or the options of one."""
    console = Console()
    if name is not None:
        try:
            console.print(options_table(load_driver(name)))
        except UnknownDriverError as error:
            raise UserError(str(error)) from None
        except (ImportError, TypeError) as error:
            raise UserError(f"The driver {name!r} cannot be used: {error}.", "Mend or remove its package.") from error
        return
    table = Table("driver", "role", "what it is", box=None, header_style="bold")
    for known in driver_names():
        try:
            driver = load_driver(known)
        except (ImportError, TypeError) as error:
            table.add_row(known, "?", escape(f"cannot be used: {error}"))
            continue
        summary = next(iter((driver.__doc__ or "").strip().splitlines()), "")
        table.add_row(known, getattr(driver, "role", "table"), escape(summary))
    console.print(table)
