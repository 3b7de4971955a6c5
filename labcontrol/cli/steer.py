"""`labcontrol pause`, `continue`, `stop`, `abort`, `safe-off`: a run of another process, steered from any terminal."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated

import typer

from labcontrol.cli.hosts import LATEST, Found, HostedRun, holding_hosts, hosted_run, short_name
from labcontrol.errors import UserError
from labcontrol.host import HostClient, HostState, HostStatus
from labcontrol.host.client import abort as abort_host
from labcontrol.host.client import safe_off as safe_off_host
from labcontrol.host.protocol import Abort, Continue, GetStatus, Pause, Stop

_ANSWER_S = 10.0
_STEP_S = 60.0  # a step, however slow, and the wait for a device in it
_END_S = 600.0  # an epoch, and the measurement of the result
_POLL_S = 0.2


def pause(
    run: HostedRun = LATEST,
    dark: Annotated[
        bool, typer.Option("--dark", help="Laser off; what is under way is measured again afterwards.")
    ] = False,
) -> None:
    """Pause a run before its next step. The table stays as it is, also the light."""
    found = hosted_run(run)
    with _client(found) as client:
        if not client.request(Pause(dark=dark)):
            _say(found, f"is {client.request(GetStatus()).run_state} already.")
            return
        _say(found, _reached(client, lambda status: status.paused and not (dark and status.laser_on)))


def continue_(run: HostedRun = LATEST) -> None:
    """Continue a paused run: also one that waits in the dark for a person. ('resume' is for runs that have ended.)"""
    found = hosted_run(run)
    with _client(found) as client:
        if not client.request(Continue()):
            _say(found, f"is {client.request(GetStatus()).run_state} already.")
            return
        _say(found, _reached(client, lambda status: not status.paused))


def stop(run: HostedRun = LATEST) -> None:
    """Stop a run: its epoch is finished, the result measured, the laser off, the record closed."""
    found = hosted_run(run)
    with _client(found) as client:
        client.request(Stop())
        _say(found, _ended(client, _END_S))


def abort(run: HostedRun = LATEST) -> None:
    """Abort a run before its next step: the laser goes off, the record is closed, what was measured is kept."""
    _abort(hosted_run(run))


def safe_off(
    run: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="As in 'labcontrol ps'; without one, every table.")
    ] = None,
) -> None:
    """Switch the laser off now, whatever the table is held for; a run is aborted.

    Without a RUN, every table that this user holds goes dark.
    """
    failed = False
    for found in holding_hosts(run):
        try:
            if found.status is not None and found.status.state is HostState.RUN:
                _abort(found)
            else:
                safe_off_host(found.host, _ANSWER_S)
                _say(found, "is dark.")
        except UserError as error:
            failed = True
            typer.echo(f"{short_name(found)}: {error} Look at the laser: check that it is off.", err=True)
    if failed:
        raise typer.Exit(1)


def _abort(found: Found) -> None:
    if found.status is None:  # of another version, or it is stopped: this much it understands if anything
        abort_host(found.host, _ANSWER_S)
        _say(found, "was told to abort.")
        return
    with _client(found) as client:
        client.request(Abort())
        _say(found, _ended(client, _STEP_S))


def _client(found: Found) -> HostClient:
    return HostClient.connect(found.host, events=False, attends=False)


def _reached(client: HostClient, there: Callable[[HostStatus], bool]) -> str:
    """How the run is, as soon as it is there: requests take effect between two steps."""
    if not _awaited(client, there, _STEP_S):
        return f"is {client.status.run_state} still; it will follow after this step."
    status = client.request(GetStatus())
    return f"is {status.run_state or 'over'}, epoch {status.epoch} of {status.epochs}."


def _ended(client: HostClient, patience_s: float) -> str:
    if not _awaited(client, lambda _: False, patience_s):
        return f"is {client.status.run_state} still; 'labcontrol attach' shows its end."
    return f"is {client.status.last or 'over'}."


def _awaited(client: HostClient, there: Callable[[HostStatus], bool], patience_s: float) -> bool:
    """Whether it came there, or its run ended, in time."""
    deadline_s = time.monotonic() + patience_s
    while client.status.state is HostState.RUN and client.lost is None and not there(client.status):
        if time.monotonic() > deadline_s:
            return False
        client.wait(_POLL_S)
    return True


def _say(found: Found, what: str) -> None:
    typer.echo(f"{short_name(found)} {what}")
