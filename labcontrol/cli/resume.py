"""`labcontrol resume`: go on where an interrupted run was."""

from __future__ import annotations

import typer

from labcontrol.cli.experiment_options import ARM, UNATTENDED
from labcontrol.cli.runs import FOLDER, Folder, RunName
from labcontrol.cli.terminal_run import ARMED, run_detached, run_in_terminal
from labcontrol.cli.terminal_text import AsJson
from labcontrol.host.jobs.run import RunJob, RunSettings
from labcontrol.records.catalogue import find_run


def resume(
    run: RunName = "latest",
    folder: Folder = FOLDER,
    arm: bool = ARM,
    unattended: bool = UNATTENDED,
    detach: bool = typer.Option(
        False, "--detach", help="Run in a process of its own and leave; 'labcontrol attach' shows it."
    ),
    as_json: AsJson = False,
) -> None:
    """Continue a run that was killed, aborted, or failed at its next epoch.

    On a simulated table the finished record equals that of a run that was never interrupted, times excepted.
    """
    settings = RunSettings(
        record=str(find_run(run, folder).absolute()),
        armed_by=ARMED if arm else "",
        unattended=unattended,
        figures=detach,
    )
    if detach:
        run_detached(settings, as_json=as_json)
    else:
        run_in_terminal(RunJob.make(settings), as_json=as_json)
