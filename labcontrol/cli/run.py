"""`labcontrol run`: the main job."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from labcontrol.bench import bench_for
from labcontrol.cli.completion import names
from labcontrol.cli.experiment_options import (
    ALLOW_STALE,
    ARM,
    BENCH,
    EPOCHS,
    NEURONS,
    OUTPUT,
    SEED,
    STEPS,
    UNATTENDED,
    experiment_from,
    options_from,
    setting,
    stale_allowed,
)
from labcontrol.cli.terminal_run import ARMED, run_detached, run_in_terminal
from labcontrol.config import PRESETS, load_fault_script
from labcontrol.errors import UserError
from labcontrol.gui.availability import has_display, why_not
from labcontrol.host.jobs.run import RunJob, RunSettings

_PRESETS = "; ".join(f"{name}, {preset.help}" for name, preset in PRESETS.items())


def run(
    experiment: Path | None = typer.Argument(
        None,
        help="Experiment file; without one, the default experiment. 'labcontrol init' writes an example.",
        show_default=False,
    ),
    preset: str | None = typer.Option(
        None,
        help=f"Learn as one of: {_PRESETS}.",
        show_default="law",
        autocompletion=names(PRESETS),
    ),
    bench: str | None = BENCH,
    neurons: int | None = NEURONS,
    steps: int | None = STEPS,
    epochs: int | None = EPOCHS,
    seed: int | None = SEED,
    task: str | None = setting("task.name", "mackey-glass, santa-fe, narma-10, or a CSV file."),
    strategy: str | None = setting("learning.strategy", "How masks are chosen; 'labcontrol strategies' lists all."),
    option: list[str] | None = typer.Option(
        None,
        "--option",
        help="A setting of the strategy, as KEY=VALUE; may be given several times.",
        show_default=False,
    ),
    selection: str | None = setting(
        "learning.options.selection", "Which mirror is flipped next: short for --option selection=RULE."
    ),
    acceptance: str | None = setting(
        "learning.options.acceptance", "What a candidate is compared with: short for --option acceptance=WAY."
    ),
    loss: str | None = setting("learning.loss", "The error that decides."),
    replays: int | None = setting("stop.replays", "Passes through the training sequence at most."),
    masks_per_replay: int | None = setting(
        "learning.masks_per_replay", "Masks that share a replay, for strategies that ask for many."
    ),
    target_error: float | None = setting("stop.target_error", "Stop at this error."),
    output: Path = OUTPUT,
    arm: bool = ARM,
    unattended: bool = UNATTENDED,
    faults: Path | None = typer.Option(
        None,
        help="Fault script: what goes wrong with the simulated table, and when; see docs/faults.md.",
        show_default=False,
    ),
    headless: bool = typer.Option(False, "--headless", help="No window, even where there is a display."),
    detach: bool = typer.Option(
        False, "--detach", help="Run in a process of its own and leave; 'labcontrol attach' shows it."
    ),
    window: bool = typer.Option(False, "--window", help="Open the window, or say why it cannot be opened."),
    allow_stale: bool = ALLOW_STALE,
    as_json: bool = typer.Option(
        False, "--json", help="Print the result as one JSON object, last. Implies --headless."
    ),
) -> None:
    """Train the readout on a bench and compare learning with its prediction.

    Without arguments: a simulated optical table learns to predict the Mackey-Glass series, in about a minute. With a
    display a window shows it live; without one the terminal does, and figures are saved beside the record.

    The run outlives its terminal: with --detach from the start, otherwise when the terminal is closed. See
    docs/host.md for attaching to it and steering it.

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
            "stop.replays": replays,
            "learning.strategy": strategy,
            "learning.options": options_from(option),
            "learning.masks_per_replay": masks_per_replay,
            "learning.options.selection": selection,
            "learning.options.acceptance": acceptance,
            "learning.loss": loss,
            "fault_script": load_fault_script(faults).model_dump() if faults is not None else None,
        },
        preset,
    )
    bench_config = bench_for(config)
    if allow_stale:
        bench_config = stale_allowed(bench_config)
    if _wants_window(headless=headless or as_json or detach, window=window):
        from labcontrol.gui import run_window

        armed_by = ARMED if arm else ""
        sys.exit(run_window(config, bench_config, output, armed_by=armed_by, unattended=unattended))
    settings = RunSettings(
        experiment=config,
        bench=bench_config,
        folder=str(output.absolute()),
        armed_by=ARMED if arm else "",
        unattended=unattended,
        figures=detach,
    )
    if detach:
        run_detached(settings, as_json=as_json)
    else:
        run_in_terminal(RunJob.make(settings), as_json=as_json)


def _wants_window(*, headless: bool, window: bool) -> bool:
    if headless and window:
        raise UserError(
            "--window opens a window; --headless, --json and --detach are for runs without one.",
            "Leave out one of both.",
        )
    if headless or not (window or has_display()):
        return False
    obstacle = why_not()
    if obstacle is not None:
        raise UserError(obstacle, "Or add --headless: progress is then shown here and figures are saved.")
    return True
