"""`labcontrol strategies`: what can stand in `learning.strategy`, and in `learning.options` beside it."""

from __future__ import annotations

import typer
from rich.console import Console
from rich.table import Table

from labcontrol.cli.completion import names
from labcontrol.cli.describe import fields_table
from labcontrol.learning import STRATEGIES, strategy_class


def strategies(
    name: str | None = typer.Argument(
        None, help="Show the options of this strategy.", autocompletion=names(STRATEGIES)
    ),
) -> None:
    """List the learning strategies, or the options of one."""
    console = Console()
    if name is not None:
        console.print(fields_table(strategy_class(name).Settings, name))
        return
    table = Table("strategy", "what it does", box=None, header_style="bold")
    for known, (_, description) in STRATEGIES.items():
        table.add_row(known, description)
    console.print(table)
