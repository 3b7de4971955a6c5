"""`labcontrol run`: the main job."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from types import FrameType

import typer

from labcontrol.cli.experiment_options import bench_for, experiment_from
from labcontrol.cli.progress import RunProgress
from labcontrol.engine import Run, RunState
from labcontrol.errors import UserError
from labcontrol.gui.availability import has_display, why_not
from labcontrol.plots import save_run_figure

_POLL_S = 0.1


def run(
    experiment: Path | None = typer.Argument(
        None,
        help="Experiment file; without one, the default experiment. 'labcontrol init' writes an example.",
        show_default=False,
    ),
    bench: str | None = typer.Option(None, help="'simulated', or a bench file.", show_default="simulated"),
    neurons: int | None = typer.Option(None, help="Number of neurons, a square number.", show_default="144"),
    steps: int | None = typer.Option(None, help="Steps of the training part.", show_default="200"),
    epochs: int | None = typer.Option(
        None, help="Masks measured at most, the initial one included.", show_default="7 x neurons"
    ),
    seed: int | None = typer.Option(None, help="Decides every random choice.", show_default="1"),
    task: str | None = typer.Option(
        None, help="mackey-glass, santa-fe, narma-10, or a CSV file.", show_default="mackey-glass"
    ),
    selection: str | None = typer.Option(
        None, help="Which mirror is flipped next: greedy, uniform, cyclic, ...", show_default="greedy"
    ),
    acceptance: str | None = typer.Option(
        None, help="stored or re-measured: what a candidate is compared with.", show_default="stored"
    ),
    loss: str | None = typer.Option(None, help="The error that decides: mse or nmse.", show_default="nmse"),
    target_error: float | None = typer.Option(None, help="Stop at this error.", show_default=False),
    output: Path = typer.Option(Path("runs"), help="Folder for record and figures."),
    headless: bool = typer.Option(False, "--headless", help="No window, even where there is a display."),
    window: bool = typer.Option(False, "--window", help="Insist on the window."),
    as_json: bool = typer.Option(
        False, "--json", help="Print the result as one JSON object, last. Implies --headless."
    ),
) -> None:
    """Train the readout on a bench and compare learning with its prediction.

    Without arguments: a simulated optical table learns to predict the Mackey-Glass series, in about a minute. With a
    display a window shows it live; without one the terminal does, and figures are saved beside the record.

    Ctrl-C ends the run cleanly: the epoch is finished, the result measured, the laser off, the record closed. A second
    Ctrl-C ends it at once, still with the laser off and the record closed.
    """
    config = experiment_from(
        experiment,
        {
            "bench": bench,
            "neurons": neurons,
            "seed": seed,
            "task.name": task,
            "task.steps": steps,
            "stop.epochs": epochs,
            "stop.target_error": target_error,
            "learning.selection": selection,
            "learning.acceptance": acceptance,
            "learning.loss": loss,
        },
    )
    bench_config = bench_for(config)
    if _wants_window(headless=headless or as_json, window=window):
        from labcontrol.gui import run_window

        sys.exit(run_window(config, bench_config, output))
    _run_in_terminal(Run(config, bench_config, output), as_json=as_json)


def _wants_window(*, headless: bool, window: bool) -> bool:
    if headless or not (window or has_display()):
        return False
    obstacle = why_not()
    if obstacle is not None:
        raise UserError(obstacle, "Or add --headless: progress is then shown here and figures are saved.")
    return True


def _run_in_terminal(run: Run, *, as_json: bool) -> None:
    mailbox = run.subscribe()
    with RunProgress(run.experiment.learning.loss) as progress:
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
