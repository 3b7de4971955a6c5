"""`labcontrol resume`: go on where an interrupted run was."""

from __future__ import annotations

from pathlib import Path

import typer

from labcontrol.cli.terminal_run import ARMED, run_in_terminal
from labcontrol.engine import Run


def resume(
    record: Path = typer.Argument(help="Record (.h5) of a run that was killed, aborted, or failed."),
    arm: bool = typer.Option(
        False, "--arm", help="Allow a real laser to emit; you have made sure that the table is safe."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print the result as one JSON object, last."),
) -> None:
    """Continue an interrupted run at its next epoch.

    On a simulated table the finished record equals that of a run that was never interrupted, times excepted.
    """
    run_in_terminal(Run.continued(record, armed_by=ARMED if arm else ""), as_json=as_json)
