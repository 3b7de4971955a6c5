"""Runs killed at random moments, continued, and compared bit for bit with the run that nobody disturbed.

python benchmarks/kill_campaign.py
python benchmarks/kill_campaign.py --kills 5 --neurons 16 --epochs 120
python benchmarks/kill_campaign.py --laser     # an emulated laser on a serial line lights the table; not on Windows
python benchmarks/kill_campaign.py --host      # detached, as by `labcontrol run --detach`: the host is killed

The runs take turns with the learning strategies. Each has a process of its own, which gets SIGKILL (on Windows,
TerminateProcess) at a moment drawn evenly from the time such a run takes. It is then continued by `Run.continued`, and
killed again up to twice.

With --laser the real driver speaks to the emulated laser through the guardian's process; the laser itself notes when it
stopped to emit. On a busy computer the guardian may switch off a run that is late with its heartbeats. What such a
run measured again cannot be the same bit for bit; its record is checked as `labcontrol verify` does.

Exit code 1 if a record differs, or light was still on half a second after a kill.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import psutil
import typer
from rich.console import Console
from rich.table import Table as Print

from labcontrol.bench import simulated_bench
from labcontrol.config import BenchConfig, ExperimentConfig, LaserEntry
from labcontrol.engine import Run
from labcontrol.engine.verify import verify
from labcontrol.host import start_host
from labcontrol.host.jobs.run import RunSettings
from labcontrol.host.remote_run import RemoteRun
from labcontrol.learning import STRATEGIES
from labcontrol.records import RunReader

log = logging.getLogger(__name__)

_COLUMNS = ("mirror", "replay", "mse", "nmse", "accepted", "bench_s")
_TIMEOUT_S = 120.0
_MOST_KILLS = 3
_DARK_WITHIN_S = 0.5
_NOBODY = "the campaign: no laser here is real"


@dataclass(frozen=True)
class Killed:
    """A run that was killed and continued.

    strategy: it learned with. kills: epochs on disk at each kill. dark_s: of kills in the light, how long light stayed
    on. held_up: whether a guardian stopped it meanwhile. difference: empty when there is none.
    """

    strategy: str
    kills: list[int]
    dark_s: list[float]
    held_up: bool
    difference: str


# --- the laser --------------------------------------------------------------------------------------------------
@dataclass
class Lamp:
    """Where light comes from: the simulated table itself, or a laser on an emulated serial line.

    head: the emulated laser's electronics, which note every change of emission. late: times light was on too long.
    """

    address: str = ""
    head: Any = None
    late: list[float] = field(default_factory=list)

    def bench(self, config: ExperimentConfig) -> BenchConfig:
        bench = simulated_bench(config.neurons, config.seed)
        if not self.address:
            return bench
        options = {"command_spacing_s": 0.0, "warm_up_time_s": 0.0, "timeout_s": 0.5}
        laser = LaserEntry(driver="cobolt-06", address=self.address, power_w=0.02, options=options)
        return bench.model_copy(update={"laser": laser})

    def after(self, killed_s: float) -> float | None:
        """How long light stayed on after a kill, waiting as long as it may; None when there was none."""
        if self.head is None:
            return None
        time.sleep(max(0.0, killed_s + _DARK_WITHIN_S - time.monotonic()))
        if self.head.emitting:
            self.late.append(killed_s)
            while self.head.emitting:  # until somebody stops the campaign: this laser is not safe
                time.sleep(0.01)
        last_s = max((moment_s for moment_s, on in self.head.emission_log if not on), default=killed_s)
        return last_s - killed_s if last_s > killed_s else None


@contextmanager
def lamp(*, on_a_line: bool) -> Iterator[Lamp]:
    if not on_a_line:
        yield Lamp()
        return
    from mock_devices.wire.cobolt import CoboltInstrument
    from mock_devices.wire.laser_electronics import LaserElectronics
    from mock_devices.wire.ports import PtyPort

    head = LaserElectronics()
    with PtyPort(CoboltInstrument(head)) as port:
        yield Lamp(port.address, head)


# --- runs -------------------------------------------------------------------------------------------------------
def experiment(strategy: str, neurons: int, epochs: int) -> ExperimentConfig:
    """A run of about a second, small enough to be made often; checkpoints still come several times."""
    return ExperimentConfig.model_validate(
        {
            "neurons": neurons,
            "task": {"steps": 20, "test_steps": 10, "washout": 5},
            "reservoir": {"reference_patterns": 2},
            "learning": {"strategy": strategy, "masks_per_replay": 12},  # many replays also for who asks for many masks
            "stop": {"epochs": epochs},
        }
    )


def begun(config: ExperimentConfig, bench: BenchConfig, folder: Path) -> Run:
    """A run, or its continuation where the folder has a record."""
    record = only_record(folder)
    if record is not None:
        return Run.continued(record, armed_by=_NOBODY)
    return Run(config, bench, folder, armed_by=_NOBODY)


def run_here(config: ExperimentConfig, bench: BenchConfig, folder: Path) -> Path:
    run = begun(config, bench, folder)
    run.execute()
    return run.record


Kill = Callable[[ExperimentConfig, BenchConfig, Path, float], "tuple[float | None, float]"]
"""Starts a run or its continuation and kills it after so many seconds; returns when, None when it was over before, and
how long it lasted."""


def _child(line: Connection, config: ExperimentConfig, bench: BenchConfig, folder: Path) -> None:
    """A run, or its continuation, in a process of its own; says when it begins."""
    run = begun(config, bench, folder)
    line.send("beginning")
    run.execute()


def kill_process(
    config: ExperimentConfig, bench: BenchConfig, folder: Path, delay_s: float
) -> tuple[float | None, float]:
    """A run in a process made for it."""
    methods = multiprocessing.get_all_start_methods()
    context: Any = multiprocessing.get_context(
        "fork" if "fork" in methods else "spawn"
    )  # what is compiled here stays so
    ours, theirs = context.Pipe()
    process = context.Process(target=_child, args=(theirs, config, bench, folder))
    process.start()
    theirs.close()
    if not ours.poll(_TIMEOUT_S):
        process.kill()
        raise TimeoutError("a run did not begin")
    ours.recv()
    began_s = time.monotonic()
    process.join(delay_s)
    lasted_s = time.monotonic() - began_s
    killed_s = _kill(process.pid) if process.is_alive() else None
    process.join()
    return killed_s, lasted_s


def kill_host(config: ExperimentConfig, bench: BenchConfig, folder: Path, delay_s: float) -> tuple[float | None, float]:
    """A run that a detached host has."""
    record = only_record(folder)
    settings = (
        RunSettings(record=str(record), armed_by=_NOBODY, unattended=True)
        if record is not None
        else RunSettings(experiment=config, bench=bench, folder=str(folder), armed_by=_NOBODY, unattended=True)
    )
    with start_host("campaign") as client:
        run = RemoteRun.begin(client, settings)
        began_s = time.monotonic()
        while (left_s := began_s + delay_s - time.monotonic()) > 0 and not run.wait(left_s):
            pass
        lasted_s, in_time = time.monotonic() - began_s, not run.wait(0)
        killed_s = _kill(client.host.pid)
    return killed_s if in_time else None, lasted_s


def _kill(pid: int) -> float:
    """Kill a process; returns when. Waits for its end and its guardian's: the next one needs record and line."""
    process = psutil.Process(pid)
    others = process.children(recursive=True)
    killed_s = time.monotonic()
    process.kill()
    psutil.wait_procs([process, *others], timeout=_TIMEOUT_S)
    return killed_s


def only_record(folder: Path) -> Path | None:
    return next(iter(folder.glob("*.h5")), None)


def difference(found: Path, expected: Path) -> str:
    """In what two records differ; wall times, logs and the history of states do not count."""
    with RunReader(found) as a, RunReader(expected) as b:
        ours, theirs = a.epochs, b.epochs
        if a.state.name != "finished":
            return f"the run is {a.state.name}: {a.state.reason}"
        if len(ours) != len(theirs):
            return f"{len(ours)} epochs instead of {len(theirs)}"
        if held_up(a):
            return ", ".join(finding.text for finding in verify(a))
        if not np.array_equal(ours.packed_masks(), theirs.packed_masks()):
            return "masks"
        if not np.array_equal(ours.outputs(), theirs.outputs()):
            return "outputs"
        for name in _COLUMNS:
            if not np.array_equal(getattr(ours, name), getattr(theirs, name)):
                return name
        if not np.array_equal(a.final_mask, b.final_mask) or not np.array_equal(a.test_output, b.test_output):
            return "the ending"
        return "" if a.result == b.result else "the result"


def held_up(run: RunReader) -> bool:
    """Whether a guardian found the computer too busy to be sure of it."""
    return any(fault.device == "laser" for fault in run.faults)


def campaign(
    kills: int, configs: list[ExperimentConfig], seed: int, folder: Path, lamp: Lamp, kill: Kill
) -> list[Killed]:
    """Kill so many runs at least once each, one of each experiment in turn."""
    undisturbed = [_undisturbed(config, lamp.bench(config), folder / str(k), kill) for k, config in enumerate(configs)]
    random = np.random.default_rng(seed)
    done: list[Killed] = []
    while len(done) < kills:
        turn = len(done) % len(configs)
        config, (expected, duration_s) = configs[turn], undisturbed[turn]
        bench, place = lamp.bench(config), folder / f"{turn}-{len(done)}"
        at: list[int] = []
        dark_s: list[float] = []
        while len(at) < _MOST_KILLS:
            killed_s, _ = kill(config, bench, place, random.uniform(0, duration_s))
            epochs_on_disk, over = look(only_record(place))
            if killed_s is not None and (lit_s := lamp.after(killed_s)) is not None:
                dark_s.append(lit_s)
            if killed_s is None or over:
                break
            at.append(epochs_on_disk)
        record = only_record(place)
        if record is None or not look(record)[1]:
            record = run_here(config, bench, place)
        if at:
            with RunReader(record) as run:
                stopped = held_up(run)
            done.append(Killed(config.learning.strategy, at, dark_s, stopped, difference(record, expected)))
            log.info("run %d: %s", len(done), done[-1])
        else:
            record.unlink()  # it was faster than its killer
    return done


def _undisturbed(config: ExperimentConfig, bench: BenchConfig, folder: Path, kill: Kill) -> tuple[Path, float]:
    """Its record, and how long such a run lasts when nobody kills it."""
    expected = run_here(config, bench, folder / "undisturbed")
    _, lasted_s = kill(config, bench, folder / "timed", _TIMEOUT_S)
    return expected, lasted_s


def look(record: Path | None) -> tuple[int, bool]:
    """Epochs on disk, and whether the run has ended; a run may be killed before it has a record."""
    if record is None:
        return 0, False
    with RunReader(record) as run:
        return len(run.epochs), run.state.name == "finished"


def main(
    kills: Annotated[int, typer.Option(help="Runs to kill.")] = 50,
    neurons: Annotated[int, typer.Option(help="Size of each run.")] = 16,
    epochs: Annotated[int, typer.Option(help="Length of each run.")] = 300,
    seed: Annotated[int, typer.Option(help="Decides the moments, as shares of a run's duration.")] = 1,
    laser: Annotated[
        bool, typer.Option("--laser", help="An emulated laser on a serial line lights the table.")
    ] = False,
    host: Annotated[bool, typer.Option("--host", help="A detached host has each run, and is killed.")] = False,
    strategy: Annotated[list[str] | None, typer.Option(help="Only this; may be given several times.")] = None,
) -> None:
    """Print where runs were killed, whether their records differ from the undisturbed one's, and when it was dark."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    log.setLevel(logging.INFO)
    configs = [experiment(name, neurons, epochs) for name in strategy or STRATEGIES]
    with tempfile.TemporaryDirectory() as folder, lamp(on_a_line=laser) as light:
        os.environ["XDG_STATE_HOME"] = folder  # hosts of its own
        done = campaign(kills, configs, seed, Path(folder), light, kill_host if host else kill_process)
    moments = [epoch for run in done for epoch in run.kills]
    table = Print("runs", "kills", "before the first epoch", "epochs at a kill", "records that differ")
    wrong = Counter(f"{run.strategy}: {run.difference}" for run in done if run.difference)
    table.add_row(
        str(len(done)),
        str(len(moments)),
        str(sum(epoch == 0 for epoch in moments)),
        f"{min(moments)} to {max(moments)}",
        str(sum(wrong.values())),
    )
    console = Console()
    console.print(table)
    for words, count in wrong.items():
        console.print(f"{count} x {words}")
    if laser:
        dark_s = [seconds for run in done for seconds in run.dark_s]
        console.print(
            f"{len(dark_s)} kills in the light: dark after {1e3 * float(np.median(dark_s)):.0f} ms in the median, "
            f"{1e3 * max(dark_s):.0f} ms at most; {len(light.late)} times later than {1e3 * _DARK_WITHIN_S:.0f} ms; "
            f"{sum(run.held_up for run in done)} runs were held up by a busy computer"
        )
    if wrong or light.late:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
