"""`labcontrol calibrate`: measure the table, step by step."""

from __future__ import annotations

from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from drivers.interfaces import DeviceError
from labcontrol.bench import Bench
from labcontrol.calibration import (
    DEFAULT_STORE,
    PROCEDURES,
    Calibration,
    Session,
    Store,
    store_of,
    with_needs,
    with_store,
)
from labcontrol.calibration.plot import save_calibration_figure
from labcontrol.cli.experiment_options import ARM
from labcontrol.cli.terminal_run import ARMED
from labcontrol.config import BenchConfig, load_bench
from labcontrol.errors import UserError
from labcontrol.host.real_devices import held

_STEPS = "; ".join(f"{kind}: {procedure.title}" for kind, procedure in PROCEDURES.items())


def calibrate(
    steps: list[str] | None = typer.Argument(
        None, help=f"What to calibrate, with all it builds on; by default everything. {_STEPS}.", show_default=False
    ),
    bench: Path = typer.Option(help="Bench file. Its geometry and response are where calibration starts from."),
    again: bool = typer.Option(False, "--again", help="Measure the steps named (or all) again although they hold."),
    arm: bool = ARM,
    figures: bool = typer.Option(True, help="Save a figure beside each calibration."),
) -> None:
    """Calibrate and align a table: camera, exposure, SLM response, geometry, timing, detector.

    Each step is saved as soon as it is done, and steps that still hold are not measured again: after Ctrl-C or a
    failure the same command goes on where it was. The laser is off when the command ends, however it ends.
    """
    console = Console(stderr=True)
    config = bench_to_calibrate(bench, console)
    store = store_of(config)
    wanted = with_needs(steps or PROCEDURES)
    repeat = set(steps or wanted) if again else set()
    done: dict[str, str] = {}
    try:
        with held(config), Bench(config) as opened:
            if arm:
                opened.light.arm(ARMED)
            _calibrate(console, Session(opened, config, store, watch=None), wanted, repeat, store, done, figures)
    except KeyboardInterrupt:
        console.print(
            f"[yellow]stopped, the laser is off; {len(done)} of {len(wanted)} steps are done and kept. "
            "The same command goes on from there.[/]"
        )
        raise
    failed = [kind for kind, state in done.items() if state == "failed"]
    skipped = [kind for kind in wanted if kind not in done]
    if failed or skipped:
        left = f"; not tried: {', '.join(skipped)}" if skipped else ""
        raise UserError(
            f"Not calibrated: {', '.join(failed)} failed{left}.", "Put right what is said above and run this again."
        )
    console.print(f"[green]calibrated[/]: {len(wanted)} steps hold, in {escape(str(store.folder))}")


def bench_to_calibrate(path: Path, console: Console | None = None) -> BenchConfig:
    """The bench file; one that names no store gets a folder beside it."""
    config = load_bench(path)
    if config.calibration is None and console is not None:
        console.print(
            f"[yellow]{escape(str(path))} names no calibrations, so no run uses them. Add to it:[/]\n"
            f'\\[calibration]\nstore = "{DEFAULT_STORE}"'
        )
    return with_store(config, path)


def _calibrate(
    console: Console,
    session: Session,
    wanted: list[str],
    repeat: set[str],
    store: Store,
    done: dict[str, str],
    figures: bool,
) -> None:
    for kind in wanted:
        procedure = PROCEDURES[kind]
        if any(done.get(need) != "held" for need in procedure.needs):
            continue
        if kind not in repeat and session.take_over(kind):
            console.print(f"[dim]{kind}: {escape(store.status(kind, session.file).reason)}, still holds[/]")
            done[kind] = "held"
            continue
        try:
            calibration = _with_progress(console, session, kind)
        except (UserError, DeviceError) as error:
            console.print(f"[red]✗ {kind}[/]: {escape(str(error))}", highlight=False, soft_wrap=True)
            done[kind] = "failed"
            continue
        _report(console, calibration)
        if figures:
            save_calibration_figure(calibration, store.files(kind)[-1].with_suffix(".png"))
        done[kind] = "held" if calibration.passed else "failed"


def _with_progress(console: Console, session: Session, kind: str) -> Calibration:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(PROCEDURES[kind].title, total=None)
        session.on_progress(lambda done, total: progress.update(task, completed=done, total=total))
        return session.run(kind)


def _report(console: Console, calibration: Calibration) -> None:
    mark = "[green]✓[/]" if calibration.passed else "[red]✗[/]"
    outcome = calibration.outcome
    console.print(f"{mark} [bold]{calibration.kind}[/]")
    for quantity in outcome.quantities.values():
        console.print(f"    {quantity.meaning}: {quantity}", highlight=False, soft_wrap=True, markup=False)
    for failure in outcome.failures:
        console.print(f"    [red]failed:[/] {escape(failure)}", highlight=False, soft_wrap=True)
    for notice in outcome.notices:
        console.print(f"    [yellow]note:[/] {escape(notice)}", highlight=False, soft_wrap=True)
