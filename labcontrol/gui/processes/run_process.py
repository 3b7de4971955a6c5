"""A run in a process of its own, with the interface of `labcontrol.engine.Run`.

Drawing and running would otherwise take turns on the interpreter lock; and whatever happens to the window, the process
with the devices ends the run in order: when the window's end of the line is gone, it aborts, laser off, record closed.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

from labcontrol.config import BenchConfig, ExperimentConfig
from labcontrol.engine import Event, Finished, Mailbox, Run, RunState, RunStatus, StateChanged
from labcontrol.gui.processes.process_talk import (
    Described,
    LogLine,
    LostProcessError,
    as_error,
    collect_log,
    described,
    end_words,
    log_here,
)

log = logging.getLogger(__name__)

_SEND_INTERVAL_S = 0.04
_LONGEST_SILENCE_S = 0.3
_TELLING_SHARE = 0.005  # of a core: telling takes turns with the run on the interpreter lock
_LISTEN_S = 0.03


class LiveRun(Protocol):
    """What the window needs of a run."""

    experiment: ExperimentConfig
    bench_config: BenchConfig
    result: dict[str, Any]
    error: BaseException | None

    @property
    def status(self) -> RunStatus: ...
    def subscribe(self) -> Mailbox: ...
    def start(self) -> None: ...
    def wait(self, timeout_s: float | None = None) -> bool: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def stop(self) -> None: ...
    def abort(self) -> None: ...
    def note(self, text: str) -> None: ...


class RunFactory(Protocol):
    """Where runs come from. folder: where their records go. Both methods may raise UserError.

    armed_by: on whose word a real laser may emit; empty where nobody said so.
    """

    folder: Path
    armed_by: str

    def new(self, experiment: ExperimentConfig, bench: BenchConfig) -> LiveRun: ...
    def continued(self, record: Path) -> LiveRun: ...


class ProcessRuns:
    """Runs in processes of their own. armed_by: on whose word a real laser may emit; empty where nobody said so."""

    def __init__(self, folder: Path, armed_by: str = "") -> None:
        self.folder = folder
        self.armed_by = armed_by

    def new(self, experiment: ExperimentConfig, bench: BenchConfig) -> LiveRun:
        return RunProcess(partial(Run, experiment, bench, self.folder, armed_by=self.armed_by))

    def continued(self, record: Path) -> LiveRun:
        return RunProcess(partial(Run.continued, record, armed_by=self.armed_by))


@dataclass(frozen=True)
class _Report:
    """What the run's process tells: events since the last report; at the end how it ended."""

    events: list[Event]
    status: RunStatus
    log: list[LogLine]
    over: bool = False
    result: dict[str, Any] | None = None
    error: Described | None = None


class RunProcess:
    """A run elsewhere. make_run: builds it; picklable. Raises what `make_run` raises.

    Messages of the other process are taken in by `Mailbox.drain` of the subscribers and by `wait`, in the caller's
    thread; there is no other thread.
    """

    def __init__(self, make_run: Callable[[], Run]) -> None:
        checked = make_run()
        self.experiment, self.bench_config = checked.experiment, checked.bench_config
        self.result: dict[str, Any] = {}
        self.error: BaseException | None = None
        self._status = RunStatus()
        self._mailboxes: list[_PumpedMailbox] = []
        self._over = False
        context = multiprocessing.get_context("spawn")
        self._line, self._far_end = context.Pipe()
        self._process = context.Process(target=_serve, args=(self._far_end, make_run), name="labcontrol-run")

    @property
    def status(self) -> RunStatus:
        """The newest status that arrived."""
        return self._status

    @property
    def pid(self) -> int | None:
        """Of the run's process, once started."""
        return self._process.pid

    def subscribe(self) -> Mailbox:
        mailbox = _PumpedMailbox(self._take_in)
        self._mailboxes.append(mailbox)
        return mailbox

    def start(self) -> None:
        self._status = replace(self._status, state=RunState.PREPARING, epochs=self.experiment.epochs)
        self._tell(StateChanged(self._status))
        self._process.start()
        self._far_end.close()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for a started run; False when it is not over yet."""
        deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
        while not self._over and self._process.pid is not None:
            left_s = 3600.0 if deadline_s is None else max(0.0, deadline_s - time.monotonic())
            self._take_in(left_s)
            if deadline_s is not None and time.monotonic() >= deadline_s:
                break
        if self._over and timeout_s != 0:
            self._process.join(None if deadline_s is None else max(0.0, deadline_s - time.monotonic()))
        return self._over or self._process.pid is None

    def pause(self) -> None:
        self._ask("pause")

    def resume(self) -> None:
        self._ask("resume")

    def stop(self) -> None:
        self._ask("stop")

    def abort(self) -> None:
        self._ask("abort")

    def note(self, text: str) -> None:
        """Log a line in the run's process."""
        self._ask("note", text)

    # --- the line -----------------------------------------------------------------------------------------------
    def _ask(self, wish: str, *words: str) -> None:
        if self._process.pid is not None and not self._over:
            with contextlib.suppress(OSError):  # it is gone: the next look at the line says so
                self._line.send((wish, *words))

    def _take_in(self, timeout_s: float = 0.0) -> None:
        """What has arrived, as far as it can be taken in soon; waits for the first message.

        A run that tells faster than this process listens must not keep it from everything else.
        """
        if self._over or self._process.pid is None:
            return
        begun_s = None
        try:
            while not self._over and self._line.poll(timeout_s):
                self._accept(self._line.recv())
                timeout_s = 0.0
                begun_s = begun_s or time.monotonic()
                if time.monotonic() - begun_s > _LISTEN_S:
                    break
        except (EOFError, OSError):
            self._process.join()
            self._end_unexpectedly()

    def _accept(self, report: _Report) -> None:
        self._status = report.status
        log_here(report.log)
        for event in report.events:
            self._tell(event)
        if report.over:
            self.result = report.result or {}
            self.error = as_error(report.error) if report.error else None
            self._end()

    def _end_unexpectedly(self) -> None:
        words = f"The process of the run {end_words(self._process.exitcode)}."
        self.error = LostProcessError(
            words,
            "What was measured is in the record; the Runs page and 'labcontrol resume' go on from there.",
        )
        # Nothing is known about the light any more; whatever was told last stays on display.
        self._status = replace(self._status, state=RunState.FAILED, reason=words)
        self._tell(Finished(self._status, {}))
        self._end()

    def _end(self) -> None:
        """The run is over and has let go of the table; its process may still be putting itself away."""
        self._over = True
        self._line.close()

    def _tell(self, event: Event) -> None:
        for mailbox in self._mailboxes:
            mailbox.put(event)


class _PumpedMailbox(Mailbox):
    """A mailbox that looks at the line before it is emptied."""

    def __init__(self, pump: Callable[[], None]) -> None:
        super().__init__()
        self._pump = pump

    def drain(self) -> list[Event]:
        self._pump()
        return super().drain()


# --- in the run's process ---------------------------------------------------------------------------------------
def _serve(line: Connection, make_run: Callable[[], Run]) -> None:
    """Run, report, obey; end the run when nobody listens any more."""
    # Ctrl-C reaches every process of the terminal; the window decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    run = make_run()
    signal.signal(signal.SIGTERM, lambda *_: run.abort())  # the end of the session
    mailbox = run.subscribe()
    log_lines = collect_log()
    run.start()
    pace = _Pace()
    try:
        while not run.wait(0):
            if line.poll(_SEND_INTERVAL_S):
                _obey(run, *line.recv())
            elif not pace.allows():
                continue
            events = mailbox.drain()
            if events or log_lines.waiting:
                line.send(_Report(events, run.status, log_lines.drain()))
        end = _Report(mailbox.drain(), run.status, log_lines.drain(), True, run.result, described(run.error))
        line.send(end)
    except (EOFError, OSError):
        run.abort()
        run.wait()
    finally:
        line.close()


class _Pace:
    """How often the window is told something: often enough to look alive, seldom enough for the run not to feel it."""

    def __init__(self) -> None:
        self._begun_s = self._told_s = time.monotonic()
        self._worked_s = time.thread_time()

    def allows(self) -> bool:
        """Whether it is time, by what this thread has worked so far."""
        now_s = time.monotonic()
        affordable_s = _TELLING_SHARE * (now_s - self._begun_s)
        if time.thread_time() - self._worked_s > affordable_s and now_s - self._told_s < _LONGEST_SILENCE_S:
            return False
        self._told_s = now_s
        return True


def _obey(run: Run, wish: str, *words: str) -> None:
    if wish == "note":
        log.error(*words)
    else:
        getattr(run, wish)()
