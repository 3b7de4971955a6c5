"""`labcontrol drivers`: what can stand in a bench file."""

from __future__ import annotations

from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from drivers.registry import UnknownDriverError, driver_names, load_driver
from labcontrol.cli.completion import names
from labcontrol.cli.describe import fields, options_table
from labcontrol.cli.terminal_text import AsJson
from labcontrol.errors import UserError
from labcontrol.records.json_text import to_json


def drivers(
    name: str | None = typer.Argument(
        None, help="Show the options of this driver.", autocompletion=names(driver_names())
    ),
    as_json: AsJson = False,
) -> None:
    """List the installed drivers, or the options of one."""
    console = Console()
    if name is not None:
        driver = _driver(name)
        if as_json:
            typer.echo(to_json(fields(driver.Options)))
        else:
            console.print(options_table(driver))
        return
    known = {name: _about(name) for name in driver_names()}
    if as_json:
        typer.echo(to_json(known))
        return
    table = Table("driver", "role", "what it is", box=None, header_style="bold")
    for name, about in known.items():
        table.add_row(name, about["role"] or "?", escape(about["problem"] or about["is"]))
    console.print(table)


def _driver(name: str) -> type[Any]:
    try:
        return load_driver(name)
    except UnknownDriverError as error:
        raise UserError(str(error)) from None
    except (ImportError, TypeError) as error:
        raise UserError(f"The driver {name!r} cannot be used: {error}.", "Mend or remove its package.") from error


def _about(name: str) -> dict[str, str]:
    try:
        driver = load_driver(name)
    except (ImportError, TypeError) as error:
        return {"role": "", "is": "", "problem": f"cannot be used: {error}"}
    summary = next(iter((driver.__doc__ or "").strip().splitlines()), "")
    return {"role": getattr(driver, "role", "table"), "is": summary, "problem": ""}
