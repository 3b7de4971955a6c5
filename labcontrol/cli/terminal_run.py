"""A run in the terminal: progress while it lasts, figures and result at its end, Ctrl-C to stop it.

The process hosts the run, so that others can attach to it, and goes on when the terminal is gone.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

import typer
from rich.text import Text

from labcontrol.analysis.plots.run_figures import save_run_figure
from labcontrol.analysis.run_models import prediction_json, record_models
from labcontrol.cli.progress import RunProgress
from labcontrol.engine import Mailbox, Run, RunState
from labcontrol.errors import UserError
from labcontrol.host.directory import HostPlace, hosts_folder
from labcontrol.host.jobs.run import RunJob, RunSettings
from labcontrol.host.protocol import UNATTENDED_S, GetStatus
from labcontrol.host.remote_run import RemoteRun
from labcontrol.host.server import Host
from labcontrol.host.start import start_host
from labcontrol.records import reading
from labcontrol.records.json_text import to_json

log = logging.getLogger(__name__)

ARMED = "armed by --arm"
"""Who allowed a real laser to emit, as the record tells it."""
_PATIENCE_S = 3600.0
"""How long a run waits for a person where nobody is at a terminal: what holds a table must not do so for ever."""
_STOPPING = "stopping: this epoch is finished and the result measured; Ctrl-C again ends at once"
_POLL_S = 0.1
_FIRST_ERRORS_S = 1.0


def run_in_terminal(job: RunJob, *, as_json: bool) -> None:
    """Run to its end. Raises what went wrong, and typer.Exit(130) after Ctrl-C."""
    run = job.run
    mailbox = run.subscribe()
    if not sys.stderr.isatty():
        run.wait_for_a_person(_PATIENCE_S)
    with RunProgress(run.experiment.learning) as progress, _hosted(job) as terminal:
        interrupts = _stop_on_interrupt(run)
        said = False
        if run.task.understood:
            terminal.say(progress, f"{run.task.name}: {run.task.understood}")
        import_module("labcontrol.analysis.plots.run_figure")  # Matplotlib, now: at the end somebody would wait for it
        while not run.wait(_POLL_S):
            if interrupts and not said:
                said = True
                terminal.say(progress, _STOPPING)
            terminal.show(progress, mailbox)
        terminal.show(progress, mailbox)
    if run.error is not None:
        raise run.error
    print_end(run, progress, _save_figures(run.record) if run.status.epoch else [], as_json=as_json)
    if run.status.state is RunState.ABORTED or interrupts:
        raise typer.Exit(130)


def _save_figures(record: Path) -> list[Path]:
    paths = [record.with_suffix(suffix) for suffix in (".png", ".svg")]
    with reading(record) as run:
        save_run_figure(run, paths)
    return paths


def run_detached(settings: RunSettings, *, as_json: bool) -> None:
    """Have a process of its own run it, and leave. Raises UserError for what is wrong before it starts."""
    with start_host() as client:
        run = RemoteRun.begin(client, settings)
        deadline_s = time.monotonic() + _FIRST_ERRORS_S
        while time.monotonic() < deadline_s and not run.wait(_POLL_S):
            pass
        if run.error is not None:
            raise run.error
        if as_json:
            typer.echo(json.dumps({"record": str(run.record), "host": client.host.name, "pid": client.host.pid}))
        else:
            typer.echo(run.record)
            typer.echo(f"goes on in process {client.host.pid}; 'labcontrol attach' shows it.", err=True)
        if not run.wait(0) and not client.request(GetStatus()).unattended:
            typer.echo(
                f"Its laser is a real one: it waits in the dark when nobody has attached for {UNATTENDED_S:g} s. "
                "Arm with --unattended to let it run alone.",
                err=True,
            )


def print_end(run: Run | RemoteRun, progress: RunProgress, figures: list[Path], *, as_json: bool) -> None:
    """What a run came to."""
    result: dict[str, Any] = run.result | {
        "state": str(run.status.state),
        "reason": run.status.reason,
        "record": str(run.record),
        "figures": [str(path) for path in figures],
    }
    models = None
    if run.status.epoch:
        with reading(run.record) as record:
            models = record_models(record)
    if as_json:
        typer.echo(to_json(result | {"prediction": None if models is None else prediction_json(models)}))
        return
    train, test = result.get("train"), result.get("test")
    if isinstance(train, dict):
        line = Text.assemble((f"train nmse {train['nmse']:.4g}", "bold"), f", mse {train['mse']:.4g}")
        if isinstance(test, dict):
            line.append_text(Text.assemble("; ", (f"test nmse {test['nmse']:.4g}", "bold"), f", mse {test['mse']:.4g}"))
        progress.say(line + f"  after {result['epochs']} epochs ({result['reason']})")
        last = test if isinstance(test, dict) else train
        if "nmse_without_noise" in last:
            clean = last["nmse_without_noise"]
            progress.say(f"as measured; without the detector's share the last nmse is about {clean:.4g}")
        if models is not None:
            progress.say(models.verdict.text or models.remark)
    for path in [result["record"], *result["figures"]]:
        progress.say(f"saved {path}")


class _Terminal:
    """Where progress is shown, until it is gone; `run` and `host` are told."""

    def __init__(self, run: Run, host: Host | None) -> None:
        self._run, self._host = run, host
        if host is not None:
            host.attended_here = True

    def show(self, progress: RunProgress, mailbox: Mailbox) -> None:
        self._try(lambda: progress.update(mailbox.drain()))

    def say(self, progress: RunProgress, text: str) -> None:
        self._try(lambda: progress.say(text, "yellow"))

    def _try(self, write: Callable[[], None]) -> None:
        try:
            write()
        except (OSError, SystemExit):  # nobody reads what is written there; for that Rich would end the program
            self.lose()

    def lose(self, *_: object) -> None:
        """Write to nowhere from now on; the run goes on."""
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        os.close(nowhere)
        self._run.wait_for_a_person(_PATIENCE_S)
        if self._host is not None:
            self._host.attended_here = False
        log.warning("the terminal is gone; the run goes on")


@contextmanager
def _hosted(job: RunJob) -> Iterator[_Terminal]:
    """Start the run, with a host around it in this very process."""
    host = _host(job)
    terminal = _Terminal(job.run, host)
    hang_up = getattr(signal, "SIGHUP", None)
    if hang_up is not None and signal.getsignal(hang_up) is signal.SIG_DFL:
        signal.signal(hang_up, terminal.lose)
    if host is None:
        job.run.start()
        yield terminal
        return
    host.start()
    try:
        yield terminal
    finally:
        host.stop()


def _host(job: RunJob) -> Host | None:
    """None where nobody could attach to it; a real table is not run like that, for another could be started on it."""
    try:
        place = HostPlace(hosts_folder(), secrets.token_hex(6))
    except UserError as error:
        if job.run.needs_arming:
            raise
        log.warning("nobody can attach to this run: %s", error)
        return None
    return Host(place, job, ends_when_free=False)


def _stop_on_interrupt(run: Run) -> list[int]:
    """Ctrl-C stops the run, a second one aborts it. Returns the list of interrupts so far."""
    interrupts: list[int] = []

    def on_interrupt(number: int, _frame: FrameType | None) -> None:
        interrupts.append(number)
        if len(interrupts) == 1:
            run.stop()
        else:
            run.abort()

    signal.signal(signal.SIGINT, on_interrupt)
    return interrupts
