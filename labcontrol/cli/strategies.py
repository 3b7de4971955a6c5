"""`labcontrol strategies`: what can stand in `learning.strategy`, and in `learning.options` beside it."""

from __future__ import annotations

import typer
from rich.console import Console
from rich.table import Table

from labcontrol.cli.completion import names
from labcontrol.cli.describe import fields, fields_table
from labcontrol.cli.terminal_text import AsJson
from labcontrol.learning import STRATEGIES, strategy_class
from labcontrol.records.json_text import to_json


def strategies(
    name: str | None = typer.Argument(
        None, help="Show the options of this strategy.", autocompletion=names(STRATEGIES)
    ),
    as_json: AsJson = False,
) -> None:
    """List the learning strategies, or the options of one."""
    console = Console()
    if as_json:
        everything = {each: {"does": does} for each, (_, does) in STRATEGIES.items()}
        typer.echo(to_json(everything if name is None else fields(strategy_class(name).Settings)))
        return
    if name is not None:
        console.print(fields_table(strategy_class(name).Settings, name))
        return
    table = Table("strategy", "what it does", box=None, header_style="bold")
    for known, (_, description) in STRATEGIES.items():
        table.add_row(known, description)
    console.print(table)
