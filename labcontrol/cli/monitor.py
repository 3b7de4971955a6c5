"""`labcontrol monitor`: watch a run of another process."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from labcontrol.analysis.plots.curves import PredictionCurves
from labcontrol.analysis.report.follow import Follower, Snapshot, stands_still
from labcontrol.cli.runs import FOLDER, AsJson, Folder
from labcontrol.cli.terminal_curve import Line, curve_text
from labcontrol.cli.words import local_time, state_text
from labcontrol.formatting import counted, duration, rounded
from labcontrol.gui.availability import has_display, why_not
from labcontrol.records.catalogue import find_run
from labcontrol.records.json_text import to_json

_PLAIN_INTERVAL_S = 5.0
_CURVE_HEIGHT = 22
_LAST_LINES = 3


def monitor(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="A path, the name of a run or a part of it, or 'latest'.")
    ] = "latest",
    folder: Folder = FOLDER,
    interval: Annotated[float, typer.Option(min=0.05, help="Seconds between two looks at the record.")] = 0.5,
    once: Annotated[bool, typer.Option("--once", help="Look once and leave.")] = False,
    as_json: AsJson = False,
    terminal: Annotated[
        bool, typer.Option("--terminal", help="In the terminal, even where there is a display.")
    ] = False,
) -> None:
    """Watch a run that another process makes: curve, prediction and fit, pace and time left, faults.

    In a window where there is a display, which stays beyond the end of the run and follows its continuation; otherwise,
    or with --terminal, --once or --json, here, until the run ends. The run does not notice; Ctrl-C ends only the
    watching. With --json one line of JSON is printed at each look.
    """
    path = find_run(run, folder)
    if not (terminal or once or as_json) and has_display() and _in_window(path, interval):
        return
    with Follower(path) as follower:
        last = _watch(follower, interval, once=once, as_json=as_json)
    if not as_json and last.state.name == "interrupted":
        Console(stderr=True).print(f"'labcontrol resume {escape(str(path))}' goes on from there.", highlight=False)


def _in_window(path: Path, interval_s: float) -> bool:
    """Watch in a window until it is closed; False, and why in a line, where none can be opened."""
    obstacle = why_not()
    if obstacle is not None:
        Console(stderr=True).print(f"[yellow]No window:[/] {escape(obstacle)}", highlight=False, soft_wrap=True)
        return False
    from labcontrol.gui.monitor.window import open_monitor

    open_monitor(path, interval_s)
    return True


def _watch(follower: Follower, interval_s: float, *, once: bool, as_json: bool) -> Snapshot:
    """Look again and again until the run is over."""
    console = Console(highlight=False)
    live = Live(console=console, auto_refresh=False) if console.is_terminal and not as_json else None
    told_s = 0.0
    if live is not None:
        live.start()
    try:
        while True:
            now = follower.look(time.time())
            over = once or now.state.name != "running"
            if as_json:
                typer.echo(to_json(_facts(follower.path, now)))
            elif live is not None:
                live.update(picture(follower.path, now, console.width, console.height), refresh=True)
            elif over or time.monotonic() - told_s >= _PLAIN_INTERVAL_S:
                told_s = time.monotonic()
                console.print(_plain(now), soft_wrap=True)
            if over:
                return now
            time.sleep(interval_s)
    except KeyboardInterrupt:
        raise typer.Exit from None  # the run goes on, whoever watches
    finally:
        if live is not None:
            live.stop()


def picture(path: Path, now: Snapshot, width: int, height: int) -> RenderableType:
    """A run as it is now, to fill a terminal of this size."""
    reason = f": {escape(now.state.reason)}" if now.state.reason else ""
    parts: list[RenderableType] = [
        Text.from_markup(f"[bold]{escape(path.stem)}[/]  {state_text(now.state.name)}{reason}")
    ]
    parts.append(_progress(now))
    messages = _messages(now)
    room = height - 6 - len(messages)
    if now.epochs and room >= 6:
        parts += [_curve(now, width - 1, min(room, _CURVE_HEIGHT)), _legend(now.curves)]
    return Group(*parts, *messages)


def _progress(now: Snapshot) -> RenderableType:
    if not now.epochs:
        return Text("measuring the table and the pilot ..." if now.state.name == "running" else "no epoch was measured")
    line = Table.grid(padding=(0, 1))
    bar = ProgressBar(total=max(1, now.planned, now.epochs), completed=now.epochs, width=24)
    line.add_row(bar, Text(_line(now)))
    return line


def _line(now: Snapshot) -> str:
    left = f", {duration(now.seconds_left)} left" if now.state.name == "running" and now.epoch_s else ""
    pace = f", {rounded(now.epoch_s * 1e3)} ms an epoch" if now.epoch_s else ""
    return f"epoch {now.epochs}/{now.planned or '?'}  error {rounded(now.error)}  accepted {now.accepted}{pace}{left}"


def _curve(now: Snapshot, width: int, height: int) -> Text:
    curves = now.curves
    lines = []
    if curves.law2 is not None:
        lines.append(Line(curves.epochs, curves.law2, "yellow"))
    if curves.fit is not None:
        lines.append(Line(curves.epochs, curves.fit.curve(curves.epochs), "green"))
    lines.append(Line(curves.epochs, curves.measured, "bold blue"))
    return curve_text(lines, max(now.epochs - 1, 1), width, height)


def _legend(curves: PredictionCurves) -> Text:
    legend = Text(no_wrap=True, overflow="ellipsis").append("━ incumbent", "bold blue")
    if curves.law2 is not None and curves.predicted_tau is not None:
        legend.append(f"   ━ Law 2, τ = {rounded(curves.predicted_tau[0])}", "yellow")
    if curves.fit is not None:
        tau, low, high = map(rounded, curves.fit.tau)
        legend.append(f"   ━ exponential, τ = {tau} ({low} to {high}), R² = {curves.fit.r_squared:.3f}", "green")
    return legend


def _messages(now: Snapshot) -> list[Text]:
    """What wants attention: a run that stands still, faults, the last lines of the log."""
    lines = []
    if now.state.name == "running" and stands_still(now.idle_s, now.epoch_s):
        lines.append(Text(f"no epoch for {duration(now.idle_s)}", "yellow"))
    if now.faults:
        last = now.faults[-1]
        what = f"{last.device} {last.kind}, {last.text} ({last.action})"
        lines.append(Text(f"{counted(len(now.faults), 'fault')}, the last at {local_time(last.unix_s)}: {what}", "red"))
    return lines + [Text(f"{local_time(line.unix_s)} {line.text}", "dim") for line in now.log[-_LAST_LINES:]]


def _plain(now: Snapshot) -> str:
    reason = f" ({escape(now.state.reason)})" if now.state.reason else ""
    return f"{now.state.name}{reason}: {escape(_line(now)) if now.epochs else 'no epoch yet'}"


def _facts(path: Path, now: Snapshot) -> dict[str, object]:
    return {
        "record": path,
        "state": now.state.name,
        "reason": now.state.reason,
        "epoch": now.epochs,
        "epochs": now.planned,
        "error": now.error,
        "accepted": now.accepted,
        "epoch_s": now.epoch_s,
        "seconds_left": now.seconds_left,
        "faults": len(now.faults),
    }
