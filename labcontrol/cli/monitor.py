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

from labcontrol.analysis.curve_facts import MEASURED, MODELS, CurveFacts
from labcontrol.analysis.record_follower import RecordFollower, RecordUpdate
from labcontrol.analysis.run_models import RunModels
from labcontrol.cli.runs import FOLDER, Folder, RunName
from labcontrol.cli.terminal_curve import Line, curve_text
from labcontrol.cli.terminal_text import AsJson, local_time, state_text
from labcontrol.formatting import counted, duration, rounded
from labcontrol.gui.availability import has_display, why_not
from labcontrol.records.catalogue import find_run
from labcontrol.records.json_text import to_json

_PLAIN_INTERVAL_S = 5.0
_CURVE_HEIGHT = 22
_LAST_LINES = 3


def monitor(
    run: RunName = "latest",
    folder: Folder = FOLDER,
    interval: Annotated[float, typer.Option(min=0.05, help="Seconds between two polls of the record.")] = 0.5,
    once: Annotated[bool, typer.Option("--once", help="Poll once and leave.")] = False,
    as_json: AsJson = False,
    terminal: Annotated[
        bool, typer.Option("--terminal", help="In the terminal, even where there is a display.")
    ] = False,
) -> None:
    """Watch a run that another process makes: curve, prediction and fit, pace and time left, faults.

    In a window where there is a display, which stays beyond the end of the run and follows its continuation; otherwise,
    or with --terminal, --once or --json, here, until the run ends. The run does not notice; Ctrl-C ends only the
    watching. With --json one line of JSON is printed at each poll.
    """
    path = find_run(run, folder)
    if not (terminal or once or as_json) and has_display() and _in_window(path, interval):
        return
    with RecordFollower(path) as follower:
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


def _watch(follower: RecordFollower, interval_s: float, *, once: bool, as_json: bool) -> RecordUpdate:
    """Poll again and again until the run is over."""
    console = Console(highlight=False)
    live = Live(console=console, auto_refresh=False) if console.is_terminal and not as_json else None
    shown_s = 0.0
    if live is not None:
        live.start()
    try:
        while True:
            now = follower.poll()
            over = once or now.is_over
            if as_json:
                typer.echo(to_json(_facts(follower, now)))
            elif live is not None:
                live.update(picture(follower, now, console.width, console.height), refresh=True)
            elif over or time.monotonic() - shown_s >= _PLAIN_INTERVAL_S:
                shown_s = time.monotonic()
                console.print(_plain(now), soft_wrap=True)
            if over:
                return now
            time.sleep(interval_s)
    except KeyboardInterrupt:
        raise typer.Exit from None  # the run goes on, whoever watches
    finally:
        if live is not None:
            live.stop()


def picture(follower: RecordFollower, now: RecordUpdate, width: int, height: int) -> RenderableType:
    """A run as it is now, to fill a terminal of this size."""
    reason = f": {escape(now.state.reason)}" if now.state.reason else ""
    parts: list[RenderableType] = [
        Text.from_markup(f"[bold]{escape(follower.path.stem)}[/]  {state_text(now.state.name)}{reason}")
    ]
    parts.append(_progress(now))
    messages = _messages(now)
    models = follower.models() if now.status.epoch else None
    legend = [] if models is None else _legend(models)
    room = height - 4 - len(messages) - len(legend)
    if models is not None and room >= 6:
        parts += [_curve(models, width - 1, min(room, _CURVE_HEIGHT)), *legend]
    return Group(*parts, *messages)


def _progress(now: RecordUpdate) -> RenderableType:
    status = now.status
    if not status.epoch:
        return Text("no epoch was measured" if now.is_over else "measuring the table and the pilot ...")
    line = Table.grid(padding=(0, 1))
    bar = ProgressBar(total=max(1, status.epochs, status.epoch), completed=status.epoch, width=24)
    line.add_row(bar, Text(_line(now)))
    return line


def _line(now: RecordUpdate) -> str:
    status = now.status
    left = f", {duration(status.seconds_left)} left" if not now.is_over and status.epoch_s else ""
    pace = f", {rounded(status.epoch_s * 1e3)} ms an epoch" if status.epoch_s else ""
    facts = f"error {rounded(status.error)}  accepted {status.accepted}{pace}{left}"
    return f"epoch {status.epoch}/{status.epochs or '?'}  {facts}"


def _curve(models: RunModels, width: int, height: int) -> Text:
    epochs = models.epochs
    lines = []
    for key, model in models.shown.items():
        spoken = epochs[epochs <= model.until]
        lines.append(Line(spoken, model.values(spoken), _style(MODELS[key])))
    lines.append(Line(epochs, models.incumbent, _style(MEASURED["incumbent"])))
    return curve_text(lines, max(len(epochs) - 1, 1), width, height)


def _legend(models: RunModels) -> list[Text]:
    """A line a curve, and the verdict."""
    best = MEASURED["incumbent"]
    judged = models.verdict.text or models.remark
    lines = [Text(f"━ {best.name}", _style(best)).append(f"   {judged}" if judged else "", "default")]
    lines += [Text(f"━ {model.label}", _style(MODELS[key])) for key, model in models.shown.items()]
    for line in lines:
        line.no_wrap, line.overflow = True, "ellipsis"
    return lines


def _style(facts: CurveFacts) -> str:
    return facts.dark  # terminals are dark more often than not, and these colours stand on white as well


def _messages(now: RecordUpdate) -> list[Text]:
    """What wants attention: a run that stands still, faults, the last lines of the log."""
    lines = []
    if now.stands_still:
        lines.append(Text(f"no epoch for {duration(now.idle_s)}", "yellow"))
    if now.faults:
        last = now.faults[-1]
        what = f"{last.device} {last.kind}, {last.text} ({last.action})"
        lines.append(Text(f"{counted(len(now.faults), 'fault')}, the last at {local_time(last.unix_s)}: {what}", "red"))
    return lines + [Text(f"{local_time(line.unix_s)} {line.text}", "dim") for line in now.log[-_LAST_LINES:]]


def _plain(now: RecordUpdate) -> str:
    reason = f" ({escape(now.state.reason)})" if now.state.reason else ""
    return f"{now.state.name}{reason}: {escape(_line(now)) if now.status.epoch else 'no epoch yet'}"


def _facts(follower: RecordFollower, now: RecordUpdate) -> dict[str, object]:
    status, models = now.status, follower.models()
    return {
        "record": follower.path,
        "state": now.state.name,
        "reason": now.state.reason,
        "epoch": status.epoch,
        "epochs": status.epochs,
        "error": status.error,
        "accepted": status.accepted,
        "epoch_s": status.epoch_s,
        "seconds_left": status.seconds_left,
        "faults": len(now.faults),
        "verdict": models.verdict.text,
        "models": {
            key: {"name": model.name, "tau": model.tau, "r_squared": model.r_squared}
            for key, model in models.curves.items()
        },
    }
