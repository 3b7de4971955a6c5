"""A run in the terminal: progress while it lasts, figures and result at its end, Ctrl-C to stop it."""

from __future__ import annotations

import json
import signal
from types import FrameType

import typer

from labcontrol.analysis.plots.run_figure import save_run_figure
from labcontrol.cli.progress import RunProgress
from labcontrol.engine import Run, RunState

ARMED = "armed by --arm"
"""Who allowed a real laser to emit, as the record tells it."""
_POLL_S = 0.1


def run_in_terminal(run: Run, *, as_json: bool) -> None:
    """Run to its end. Raises what went wrong, and typer.Exit(130) after Ctrl-C."""
    mailbox = run.subscribe()
    with RunProgress(run.experiment.learning) as progress:
        interrupts = _stop_on_interrupt(run, progress)
        run.start()
        while not run.wait(_POLL_S):
            progress.update(mailbox.drain())
        progress.update(mailbox.drain())
    if run.error is not None:
        raise run.error
    figures = save_run_figure(run.record) if run.status.epoch else []
    result = run.result | {
        "state": str(run.status.state),
        "reason": run.status.reason,
        "record": str(run.record),
        "figures": [str(path) for path in figures],
    }
    if as_json:
        typer.echo(json.dumps(result))
    else:
        _print_result(result, progress)
    if run.status.state is RunState.ABORTED or interrupts:
        raise typer.Exit(130)


def _print_result(result: dict[str, object], progress: RunProgress) -> None:
    train, test = result.get("train"), result.get("test")
    if isinstance(train, dict):
        line = f"[bold]train nmse {train['nmse']:.4g}[/], mse {train['mse']:.4g}"
        if isinstance(test, dict):
            line += f"; [bold]test nmse {test['nmse']:.4g}[/], mse {test['mse']:.4g}"
        progress.say(f"{line}  after {result['epochs']} epochs ({result['reason']})")
    for path in [result["record"], *list(result["figures"] or [])]:  # type: ignore[call-overload]
        progress.say(f"saved {path}")


def _stop_on_interrupt(run: Run, progress: RunProgress) -> list[int]:
    """Ctrl-C stops the run, a second one aborts it. Returns the list of interrupts so far."""
    interrupts: list[int] = []

    def on_interrupt(number: int, _frame: FrameType | None) -> None:
        interrupts.append(number)
        if len(interrupts) == 1:
            progress.say(
                "[yellow]stopping: this epoch is finished and the result measured; Ctrl-C again ends at once[/]"
            )
            run.stop()
        else:
            run.abort()

    signal.signal(signal.SIGINT, on_interrupt)
    return interrupts
