"""`labcontrol attach`: watch a run that another process has, from its first epoch to its end, and leave at any time."""

from __future__ import annotations

import typer

from labcontrol.cli.hosts import LATEST, HostedRun, hosted_run
from labcontrol.cli.progress import RunProgress
from labcontrol.cli.terminal_run import print_end
from labcontrol.cli.terminal_text import AsJson
from labcontrol.host import HostClient
from labcontrol.host.remote_run import RemoteRun

_POLL_S = 0.1


def attach(
    run: HostedRun = LATEST,
    as_json: AsJson = False,
) -> None:
    """Watch a run as if this terminal had started it: 'labcontrol run --detach', another terminal, or a window.

    What it has measured before comes from its record, the rest live. Ctrl-C leaves, and the run goes on; stop it with
    'labcontrol stop'.
    """
    found = hosted_run(run)
    with HostClient.connect(found.host) as client:
        remote = RemoteRun.attach(client)
        mailbox = remote.subscribe()
        try:
            with RunProgress(remote.experiment.learning) as progress:
                while not remote.wait(_POLL_S):
                    progress.update(mailbox.drain())
                progress.update(mailbox.drain())
        except KeyboardInterrupt:
            typer.echo("The run goes on; 'labcontrol attach' shows it again, 'labcontrol stop' ends it.", err=True)
            raise typer.Exit from None
    if remote.error is not None:
        raise remote.error
    print_end(remote, progress, [], as_json=as_json)
