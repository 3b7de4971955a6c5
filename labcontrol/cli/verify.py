"""`labcontrol verify`: compute a record again from what was measured, and say whether it agrees with itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape

from labcontrol.cli.runs import FOLDER, Folder, RunName
from labcontrol.cli.terminal_text import AsJson, wide_console
from labcontrol.engine.verify import Check, checks
from labcontrol.formatting import count
from labcontrol.records import RunReader, provenance, reading
from labcontrol.records.catalogue import find_run
from labcontrol.records.json_text import to_json


def verify(
    run: RunName = "latest",
    folder: Folder = FOLDER,
    as_json: AsJson = False,
) -> None:
    """Compute errors, decisions, masks and result of a run again from its recorded outputs; no device is touched.

    Says 'identical', or names every dataset that does not follow from the measurements, with the first epoch. Works on
    runs of every kind, also unfinished or running ones. Exit code: 0 identical, 1 not, 2 not readable.
    """
    with reading(find_run(run, folder)) as record:
        made = _shown(record, quiet=as_json)
        findings = [finding for check in made for finding in check.findings]
        if as_json:
            typer.echo(to_json({"record": record.path, "identical": not findings, "checks": made}))
        else:
            _conclude(record, bool(findings))
    if findings:
        raise typer.Exit(1)


def _shown(record: RunReader, *, quiet: bool) -> list[Check]:
    """All checks, each reported as it is done."""
    console = wide_console()
    made = []
    with Console(stderr=True).status("reading") as status:

        def progress(what: str, share: float) -> None:
            status.update(f"comparing {what}" + (f" ({share:.0%})" if share else ""))

        for check in checks(record, progress):
            made.append(check)
            if not quiet:
                console.print(f"{'[red]differs[/]' if check.findings else '[green]agrees [/]'}  {check.what}")
                for finding in check.findings:
                    console.print(f"         [red]•[/] {escape(finding.text)}", soft_wrap=True)
    return made


def _conclude(record: RunReader, differs: bool) -> None:
    console = wide_console()
    epochs, steps = len(record.epochs), record.steps
    measured = f"{count(epochs)} epochs of {count(steps)} steps ({record.state.name})"
    name = escape(Path(record.path).name)
    if not differs:
        console.print(f"[bold green]identical[/]: {name}, {measured}", soft_wrap=True)
        return
    console.print(f"[bold red]not identical[/]: {name}, {measured}", soft_wrap=True)
    then, now = record.metadata.get("provenance", {}), provenance()
    if (then.get("version"), then.get("git")) != (now["version"], now["git"]):
        console.print(
            f"It was recorded by {_program(then)}, and this is {_program(now)}: a change of the program in between can "
            "be the reason, too.",
            soft_wrap=True,
        )


def _program(provenance: dict[str, Any]) -> str:
    git = provenance.get("git") or {}
    return f"version {provenance.get('version', '?')}" + (f" at {git['revision'][:10]}" if git.get("revision") else "")
