"""The part of `labcontrol check` that opens devices: what is found of them, as a table."""

from __future__ import annotations

from contextlib import suppress

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from labcontrol.bench import Bench
from labcontrol.bench.examine import Examination, Finding, Latency, examine
from labcontrol.calibration import calibrated, check_devices
from labcontrol.config import BenchConfig
from labcontrol.errors import UserError
from labcontrol.formatting import counted, duration
from labcontrol.host.real_devices import held


def connect_and_report(console: Console, config: BenchConfig, steps: int | None) -> Examination:
    """Open every device of the bench, dark, and report. Returns what was found.

    steps: of one replay of the experiment, where there is one.
    """
    with suppress(UserError):  # where it is not calibrated yet, the file is what there is
        config = calibrated(config)
    with held(config), Console(stderr=True).status("connecting") as status:
        bench = Bench(config)
        examination = examine(bench, lambda doing: status.update(escape(doing)))
    examination.together += _others_than_calibrated(config, examination)
    console.print(_table(examination.findings))
    if config.table is not None:
        console.print("[dim]times are those of the simulated table's own clock[/]")
    for problem in examination.together:
        console.print(f"[red]✗[/] {escape(problem)}", highlight=False)
    if examination.step_s is not None:
        console.print(_pace(examination, steps), highlight=False)
    bad = sum(bool(finding.problems) for finding in examination.findings)
    if bad:
        console.print(
            f"[red]{bad} of {len(examination.findings)} devices not ready.[/] 'labcontrol devices' shows what is "
            "connected here.",
            highlight=False,
        )
    return examination


def _others_than_calibrated(config: BenchConfig, examination: Examination) -> list[str]:
    """Devices that took another one's place since the bench was calibrated; looked at where all have answered."""
    identities = {found.role: found.identity for found in examination.findings if found.identity is not None}
    if len(identities) == len(examination.findings):
        try:
            check_devices(config, identities)
        except UserError as error:
            return [str(error)]
    return []


def _table(findings: list[Finding]) -> Table:
    table = Table("role", Column("device", overflow="fold"), "latency", box=None, header_style="bold", pad_edge=False)
    for finding in findings:
        mark = "[red]✗[/]" if finding.problems else "[green]✓[/]"
        lines = []
        if finding.identity is not None:
            identity = finding.identity
            who = f"{identity.vendor} {identity.model}, serial {identity.serial_number}, firmware {identity.firmware}"
            lines.append(escape(who))
        if finding.state and not finding.problems:
            lines.append(f"[green]ready[/]: {escape(finding.state)}")
        lines += [f"[red]{escape(problem)}[/]" for problem in finding.problems]
        lines += [f"[dim]{escape(fact)}[/]" for fact in finding.facts]
        table.add_row(f"{mark} [bold]{finding.role}[/]", "\n".join(lines), _latency(finding.latency))
    return table


def _latency(latency: Latency | None) -> str:
    if latency is None:
        return ""
    return (
        f"{1e3 * latency.median_s:.3g} ms a {latency.what}\n"
        f"[dim]median of {len(latency.times_s)},\nslowest {1e3 * max(latency.times_s):.3g} ms[/]"
    )


def _pace(examination: Examination, steps: int | None) -> str:
    step_s = examination.step_s
    assert step_s is not None
    text = f"a step takes about {1e3 * step_s:.1f} ms on these devices"
    return f"{text}, a replay of {counted(steps, 'step')} {duration(steps * step_s)}" if steps else text
