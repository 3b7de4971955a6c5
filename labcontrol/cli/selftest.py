"""`labcontrol selftest`: can this table learn, and at which operating point?"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from labcontrol.bench import Bench, bench_for
from labcontrol.calibration import calibrated, check_devices
from labcontrol.cli.experiment_options import ARM, BENCH, NEURONS, SEED, experiment_from, setting, stale_allowed
from labcontrol.cli.terminal_run import ARMED
from labcontrol.cli.terminal_text import AsJson
from labcontrol.config import ExperimentConfig
from labcontrol.config.toml_text import commented_toml
from labcontrol.errors import UserError
from labcontrol.host.real_devices import held
from labcontrol.learning import strategy_settings
from labcontrol.records.json_text import to_json
from labcontrol.selftest import Report, Scan, Trial, scan, selftest
from labcontrol.selftest.scan import METHODS
from labcontrol.selftest.selftest import GOOD_CONSISTENCY
from labcontrol.tasks import Task, make_task


def self_test(
    experiment: Path | None = typer.Argument(
        None, help="Experiment file; without one, the default experiment.", show_default=False
    ),
    bench: str | None = BENCH,
    neurons: int | None = NEURONS,
    task: str | None = setting("task.name", "The task it shall learn."),
    seed: int | None = SEED,
    feedback: float | None = setting("reservoir.feedback", "Feedback strength beta, in units of pi."),
    injection: float | None = setting("reservoir.injection", "Input strength gamma, in units of pi."),
    phase_offset: float | None = typer.Option(None, help="Phase offset theta, in units of pi.", show_default="0.44"),
    trials: int = typer.Option(0, "--scan", min=0, help="Also try this many operating points, and recommend the best."),
    method: str = typer.Option("adaptive", help=f"How the scan chooses them: {', '.join(METHODS)}."),
    output: Path | None = typer.Option(None, help="Write the recommended experiment file here.", show_default=False),
    arm: bool = ARM,
    allow_stale: bool = typer.Option(False, "--allow-stale", help="Use expired or stale calibrations."),
    as_json: AsJson = False,
) -> None:
    """Say in a few minutes whether a table can learn: memory, noise, expected error and learning time.

    The responses of the neurons are seen twice under the task and once under random input; a mask is then learned on
    them in software. With --scan other operating points are tried on the table itself, and the best is written as an
    experiment file to run. The laser is off when the command ends.
    """
    config = experiment_from(
        experiment,
        {
            "bench": bench,
            "neurons": neurons,
            "seed": seed,
            "task.name": task,
            "reservoir.feedback": feedback,
            "reservoir.injection": injection,
            "reservoir.phase_offset": phase_offset,
        },
    )
    console = Console(stderr=as_json)
    _refuse_bad_output(output)
    if output is not None and not trials:
        raise UserError("There is nothing to recommend without a scan.", "Add --scan 50.")
    bench_config = bench_for(config)
    bench_config = calibrated(stale_allowed(bench_config) if allow_stale else bench_config)
    work = make_task(config.task, config.seed)
    with held(bench_config), Bench(bench_config) as opened:
        check_devices(opened.config, opened.identities)
        if arm:
            opened.light.arm(ARMED)
        with console.status("self-test") as status:
            report = selftest(opened, config, work, lambda words: status.update(words))
        _print_report(console, config, report)
        exposure_ms = opened.camera.exposure_s * 1e3
        if trials:
            found = _scan(opened, config, work, trials, method)
            _print_scan(console, found)
            _recommend(console, config, found, exposure_ms, output)
    if as_json:
        typer.echo(to_json(_result(report, found if trials else None)))


def _result(report: Report, found: Scan | None) -> dict[str, Any]:
    scanned = None if found is None else {"recommended": found.best.config.model_dump(), "gain": found.gain}
    return {
        "can_learn": report.can_learn,
        "advice": report.advice,
        "figures": report.figures,
        "memory": report.memory,
        "epoch_s": report.epoch_s,
        "learning_s": report.learning_s,
        "scan": scanned,
    }


def _scan(opened: Bench, config: ExperimentConfig, work: Task, trials: int, method: str) -> Scan:
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("operating points", total=trials)
        best = [np.inf]

        def report_trial(trial: Trial, done: int) -> None:
            best[0] = min(best[0], trial.error)
            progress.update(bar, completed=done, description=f"operating points, best nmse {best[0]:.2g}")

        return scan(opened, config.reservoir, config.side, work, config.seed, trials, method, report_trial)


def _print_report(console: Console, config: ExperimentConfig, report: Report) -> None:
    figures, responses = report.figures, report.responses
    table = Table(box=None, show_header=False)
    table.add_column(style="bold")
    table.add_column()
    seen = (
        f"{len(responses.neurons)} of {responses.total} neurons"
        if not responses.is_complete
        else f"all {responses.total} neurons"
    )
    table.add_row("measured", f"{seen}, {responses.states.shape[2]} steps of {escape(config.task.name)}, twice")
    table.add_row("effective dimension", f"{figures.dimension:.1f}; {figures.modes} modes above the noise")
    good = "[green]" if figures.consistency >= GOOD_CONSISTENCY else "[red]"
    table.add_row("consistency", f"{good}{figures.consistency:.4f}[/] (1: two replays agree)")
    half = np.flatnonzero(report.memory < 0.5)
    reach = f", half lost after {half[0]} steps" if len(half) else ""
    table.add_row("linear memory capacity", f"{report.memory.sum():.1f} steps{reach}")
    table.add_row("signal to noise", f"{figures.signal_to_noise:.0f}")
    table.add_row("error", f"starts at {figures.start:.2g}, a learned mask is expected to reach {figures.floor:.2g}")
    table.add_row(
        "learning time",
        f"{figures.epochs} masks of {report.epoch_s:.2f} s: {timedelta(seconds=round(report.learning_s))} on this "
        "bench, one mask a replay",
    )
    console.print(table)
    if report.can_learn:
        console.print("[green]This table can learn.[/]")
    for words in report.advice:
        console.print(f"[yellow]-[/] {escape(words)}", highlight=False, soft_wrap=True)


def _print_scan(console: Console, found: Scan) -> None:
    table = Table("feedback", "injection", "offset", "nmse expected", "consistency", "signal to noise", box=None)
    ranked = sorted(found.trials, key=lambda trial: trial.error)[:5]
    rows = [*ranked, *([found.trials[0]] if found.trials[0] not in ranked else [])]
    for trial in rows:
        c, f = trial.config, trial.figures
        name = " (start)" if trial is found.trials[0] else ""
        table.add_row(
            f"{c.feedback:g}{name}", f"{c.injection:g}", f"{c.phase_offset:g}", f"{trial.error:.4f}",
            f"{f.consistency:.4f}" if f else escape(trial.reason), f"{f.signal_to_noise:.0f}" if f else "",
        )  # fmt: skip
    console.print(table)


def _recommend(
    console: Console, config: ExperimentConfig, found: Scan, exposure_ms: float, output: Path | None
) -> None:
    best = found.best.config
    console.print(
        f"[bold]recommended[/]: feedback {best.feedback:g}, injection {best.injection:g}, phase_offset "
        f"{best.phase_offset:g}, exposure {exposure_ms:.3g} ms; {found.gain:.1f} times lower an error than at the start"
    )
    if output is not None:
        recommended = config.model_copy(update={"reservoir": best})
        try:
            output.write_text(
                commented_toml(recommended, {"learning": strategy_settings(recommended.learning)}), encoding="utf-8"
            )
        except OSError as error:
            raise UserError(f"{output} cannot be written: {error}.") from None
        console.print(f"wrote {output}", markup=False)


def _refuse_bad_output(output: Path | None) -> None:
    """Before minutes of measuring rather than after them."""
    if output is not None and not output.parent.is_dir():
        raise UserError(f"There is no folder {output.parent} to write {output.name} to.")
