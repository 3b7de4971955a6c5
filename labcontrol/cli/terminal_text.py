"""Consoles, times and states of runs as the terminal shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console

_WIDTH_OF_A_FILE = 400
_STATE_STYLES = {"running": "cyan", "finished": "green", "failed": "red", "unreadable": "red"}

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON, last.")]
"""How every command with a result words it."""


def wide_console() -> Console:
    """A console that breaks no lines when its output goes to a file or another program."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_WIDTH_OF_A_FILE)


def local_time(unix_s: float) -> str:
    """Date and time here, to the second."""
    return f"{datetime.fromtimestamp(unix_s):%Y-%m-%d %H:%M:%S}"


def state_text(state: str) -> str:
    """A state in its colour, as Rich markup."""
    return f"[{_STATE_STYLES.get(state, 'yellow')}]{state}[/]"
