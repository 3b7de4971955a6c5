"""The hosts of this user, as the command line names them, and `labcontrol ps`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from labcontrol.cli.terminal_text import AsJson, local_time, state_text, wide_console
from labcontrol.errors import UserError
from labcontrol.host import HostClient, HostFile, HostState, HostStatus, hosts
from labcontrol.records.json_text import to_json

LATEST = "latest"
HostedRun = Annotated[
    str,
    typer.Argument(
        metavar="[RUN]", help="Part of the name of its record, the process, or 'latest'; see 'labcontrol ps'."
    ),
]

_NOT_ANSWERING = "not answering"
_ANSWER_S = 3.0


@dataclass(frozen=True)
class Found:
    """A host, and what it does; None where it does not answer, or is of another version."""

    host: HostFile
    status: HostStatus | None


def found_hosts() -> list[Found]:
    """Every host of this user, newest first."""
    return [Found(host, _status(host)) for host in hosts()]


def hosted_run(name: str) -> Found:
    """The host whose run a person means. Raises UserError when there is none, or more than one."""
    return _chosen(name, [found for found in found_hosts() if _may_hold(found, HostState.RUN)])


def holding_hosts(name: str | None) -> list[Found]:
    """The host that a person means, whatever it holds the table for; all of them without a name. Raises UserError."""
    holding = [found for found in found_hosts() if _may_hold(found)]
    if name is None and holding:
        return holding
    return [_chosen(name or LATEST, holding)]


def short_name(found: Found) -> str:
    """How a person calls what a host holds."""
    if found.status is not None and found.status.record:
        return Path(found.status.record).stem
    return f"process {found.host.pid}"


def ps(as_json: AsJson = False) -> None:
    """List who holds which table: runs, calibrations, manual control, with state, epoch and process.

    Only of this user, and on this computer. 'labcontrol attach' shows a run; pause, continue, stop, abort and safe-off
    steer it.
    """
    found = found_hosts()
    if as_json:
        typer.echo(to_json([_facts(one) for one in found]))
    elif not found:
        typer.echo("Nobody holds a table.")
    else:
        wide_console().print(_table(found))


def _status(host: HostFile) -> HostStatus | None:
    try:
        with HostClient.connect(host, events=False, attends=False, timeout_s=_ANSWER_S) as client:
            return client.status
    except UserError:
        return None


def _may_hold(found: Found, *states: HostState) -> bool:
    """Whether it holds a table, as far as it says; one that says nothing may."""
    if found.status is None:
        return True
    return found.status.state in states if states else found.status.state is not HostState.FREE


def _chosen(name: str, among: list[Found]) -> Found:
    if not among:
        raise UserError(
            "No run is going on.", "'labcontrol run --detach' starts one; 'labcontrol ps' lists what is held."
        )
    if name == LATEST:
        return max(among, key=lambda found: found.status.since_unix_s if found.status else found.host.started_unix_s)
    matching = [found for found in among if _is_meant(name, found)]
    if len(matching) == 1:
        return matching[0]
    names = ", ".join(short_name(found) for found in matching or among)
    raise UserError(
        f"{name!r} is part of the names of {len(matching)} runs." if matching else f"No run {name!r} is going on.",
        f"{'Give more of the name' if matching else 'There are'}: {names}.",
    )


def _is_meant(name: str, found: Found) -> bool:
    if name in (str(found.host.pid), found.host.name):
        return True
    record = found.status.record if found.status is not None else None
    return record is not None and (name in Path(record).name or Path(name).absolute() == Path(record).absolute())


def _facts(found: Found) -> dict[str, object]:
    host, status = found.host, found.status
    if status is None:
        return {"host": host.name, "pid": host.pid, "version": host.version, "state": _NOT_ANSWERING}
    facts = status.model_dump(mode="json")
    return {
        "bench": status.bench,
        "holds": str(status.state),
        "state": status.run_state or str(status.state),
        **{key: facts[key] for key in ("reason", "record", "epoch", "epochs", "error", "laser_on", "unattended")},
        **{key: facts[key] for key in ("clients", "host", "pid", "version", "since_unix_s")},
    }


def _table(found: list[Found]) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 1))
    for heading in ("bench", "state", "run", "epoch", "since", "process", "clients"):
        table.add_column(
            heading, no_wrap=heading == "run", justify="right" if heading in ("epoch", "clients") else "left"
        )
    for one in found:
        status = one.status
        if status is None:
            table.add_row("?", _NOT_ANSWERING, "", "", local_time(one.host.started_unix_s), str(one.host.pid), "")
            continue
        state = state_text(status.run_state or str(status.state))
        table.add_row(
            escape(status.bench),
            f"{state}: {escape(status.reason)}" if status.reason else state,
            escape(Path(status.record).stem) if status.record else "",
            f"{status.epoch}/{status.epochs}" if status.record else "",
            local_time(status.since_unix_s),
            str(status.pid),
            str(status.clients),
        )
    return table
