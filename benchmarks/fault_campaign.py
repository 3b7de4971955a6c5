"""Runs through faults of every device and kind: no wrong number, no hang, a good end, and the laser as it must be.

python benchmarks/fault_campaign.py
python benchmarks/fault_campaign.py --faults 60 --mixed --seed 2
python benchmarks/fault_campaign.py --host     # each run by a host, with a client attached

Every run of a fraction of a second gets several faults of one kind, or of all kinds, at random moments, on the
simulated table with its noise and without. What is on record is then compared with the same masks replayed on a table
without faults: by how much, in units of the noise (without noise: of a tenth of what it usually is).
Light is looked at in the simulated laser itself, at every change of the run's state. Exit code 1 if anything is wrong.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import secrets
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table as Print

import labcontrol.engine.run
from labcontrol.bench import Bench, driver_classes, simulated_bench
from labcontrol.config import BenchConfig, ExperimentConfig
from labcontrol.config.fault_script import DISK
from labcontrol.engine import EpochDone, FaultSeen, Run, RunState, StateChanged
from labcontrol.host import HostClient, hosts
from labcontrol.host.directory import HostPlace, hosts_folder
from labcontrol.host.jobs.run import RunJob
from labcontrol.host.server import Host
from labcontrol.learning import initial_mask
from labcontrol.records import RETRIED, RunReader
from labcontrol.reservoir import Reservoir
from labcontrol.tasks import make_task

SEVERAL = ("several", "of all kinds")
_FAULTS_A_RUN = 9
_PATIENCE_S = 120.0  # the longest of these runs takes a few seconds
_NOISES_ALLOWED = 8.0
_LEAST_NOISE = 0.1  # of the usual noise: without any, refresh of the SLM and moment of a frame are not in step
_SIDE = 4


# --- what is run ------------------------------------------------------------------------------------------------
def kinds() -> list[tuple[str, str]]:
    """Every device and what can go wrong with it."""
    table, _ = driver_classes(bench_config(noise=1.0))["table"]
    return [(device, kind) for device, names in {**table.fault_kinds(), **DISK}.items() for kind in names]


def bench_config(noise: float) -> BenchConfig:
    bench = simulated_bench(_SIDE**2, seed=1)
    assert bench.table is not None
    return bench.model_copy(
        update={"table": bench.table.model_copy(update={"options": bench.table.options | {"noise": noise}})}
    )


def experiment(faults: list[dict[str, Any]], *, many_masks: bool, somebody: bool, seed: int) -> ExperimentConfig:
    """A run of a fraction of a second. many_masks: in each replay. somebody: comes when a person is needed."""
    strategy = {"strategy": "multiplexed-identification", "masks_per_replay": 8} if many_masks else {}
    return ExperimentConfig.model_validate(
        {
            "neurons": _SIDE**2,
            "task": {"steps": 20, "test_steps": 10, "washout": 5},
            "learning": strategy,
            "stop": {"epochs": 40},
            "faults": {"disk_check_s": 0.001} | ({} if somebody else {"give_up_after_s": 0.0}),
            "fault_script": {"seed": seed, "fault": faults},
        }
    )


def some_faults(kind: tuple[str, str], random: np.random.Generator, steps: int) -> list[dict[str, Any]]:
    """Faults at random steps, once or several times in a row, lasting or until a person mends them."""
    faults = []
    for step in random.integers(0, steps, _FAULTS_A_RUN):
        device, name = kind if kind != SEVERAL else kinds()[random.integers(len(kinds()))]
        fault = {"device": device, "kind": name, "at_step": int(step), "times": int(random.choice([1, 2, 5]))}
        seconds = random.choice([0.0, 0.2, 3.0, -1.0])
        faults.append(fault | ({} if seconds < 0 else {"seconds": float(seconds)}))
    return faults


# --- what is looked at ------------------------------------------------------------------------------------------
@dataclass
class Seen:
    """What one run came to. wrong: what must not be, in words. noises: largest deviation on record."""

    kind: tuple[str, str]
    begun: int = 0
    again: int = 0
    pauses: int = 0
    persons: int = 0
    end: str = ""
    noises: float = 0.0
    wrong: list[str] = field(default_factory=list)


class BegunFaults(logging.Handler):
    """Counts the faults that scripts really brought to the table."""

    count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += record.getMessage().startswith("fault script:")


class WatchedBench(Bench):
    """A bench whose simulated laser can be looked at, also when its drivers have let go of it."""

    newest: Any = None

    def __init__(self, config: BenchConfig) -> None:
        super().__init__(config)
        table: Any = self.table
        self.lit_at_end = False
        close = table.close

        def look_and_close() -> None:
            self.lit_at_end = table.laser.emission
            close()

        table.close = look_and_close
        WatchedBench.newest = self


def watch(run: Run, seen: Seen, *, somebody: bool) -> None:
    """Check the light at every change of state, count events, and be the person who mends things."""
    emit = run._emit  # noqa: SLF001 -- in the run's own thread, while the light is as the event says

    def watch(event: Any) -> None:
        emit(event)
        if isinstance(event, FaultSeen):
            seen.again += event.fault.kind == RETRIED
            seen.pauses += event.fault.kind != RETRIED
        elif isinstance(event, StateChanged) and event.status.state is RunState.PAUSED:
            reason, emits = event.status.reason, WatchedBench.newest.table.laser.emission
            by_disk, unsure = "The disk of" in reason, "NOT confirm" in reason
            if emits and not by_disk and not unsure:
                seen.wrong.append(f"light while paused: {reason}")
            if not reason:
                seen.wrong.append("paused without a reason")
            if "waiting for a person" in reason and somebody:
                seen.persons += 1
                run.resume()
        elif isinstance(event, EpochDone) and not event.status.laser_on:
            seen.wrong.append("an epoch in the dark")

    run._emit = watch  # type: ignore[method-assign]  # noqa: SLF001


@contextmanager
def hosted(run: Run) -> Iterator[None]:
    """Have a host in this process begin the run, and attach to it."""
    place = HostPlace(hosts_folder(), secrets.token_hex(6))
    host = Host(place, RunJob(run), ends_when_free=False)
    host.start()
    try:
        with HostClient.connect(next(file for file in hosts() if file.name == place.name), "campaign"):
            yield
    finally:
        host.stop()


def one_run(
    kind: tuple[str, str], config: ExperimentConfig, noise: float, folder: Path, judge: Judge, *, host: bool
) -> Seen:
    seen, begun = Seen(kind), BegunFaults()
    somebody = config.faults.give_up_after_s is None
    player = logging.getLogger("labcontrol.engine.fault_player")
    player.addHandler(begun)
    run = Run(config, bench_config(noise), folder)
    watch(run, seen, somebody=somebody)
    with hosted(run) if host else nullcontext():
        if not host:
            run.start()
        if not run.wait(_PATIENCE_S):
            faulthandler.dump_traceback()
            print(f"{kind}: no end within {_PATIENCE_S:g} s, {run.status}", flush=True)
            os._exit(2)
    player.removeHandler(begun)
    seen.begun, seen.end = begun.count, str(run.status.state)
    seen.wrong += [*ending(run, somebody=somebody)]
    if run.record.exists():
        seen.noises = judge.largest_deviation(run.record, noise)
        if seen.noises > _NOISES_ALLOWED:
            seen.wrong.append(f"a number that is off by {seen.noises:.0f} times the noise")
        run.record.unlink()
    return seen


def ending(run: Run, *, somebody: bool) -> Iterator[str]:
    """What is wrong with the end of a run."""
    status = run.status
    if status.state is not RunState.FINISHED and (somebody or not status.reason):
        yield f"ended as {status.state}: {status.reason or 'no reason'}"
    if status.laser_on:
        yield "the status says that the laser is on"
    if not run.record.exists():
        return
    with RunReader(run.record) as record:
        if WatchedBench.newest.lit_at_end and not any("NOT CONFIRMED OFF" in line.text for line in record.log):
            yield "light at the end, and the record does not say so"
        epochs = len(record.epochs)
        if status.state is RunState.FINISHED and not epochs:
            yield "finished without an epoch"
        if (np.diff(record.epochs.replay) < 0).any() or (np.diff(record.epochs.replay) > 1).any():
            yield "a replay is missing"
        no_room = "The disk of" in status.reason  # not even for the ending: it can be resumed as if killed
        if record.state.name != ("interrupted" if no_room and status.state is RunState.FAILED else str(status.state)):
            yield f"the record says {record.state.name}, the run {status.state}"


class Judge:
    """Replays masks on tables without faults."""

    def __init__(self) -> None:
        self._config = experiment([], many_masks=False, somebody=True, seed=1)
        self._task = make_task(self._config.task, self._config.seed)
        self._benches = {noise: self._prepared(noise) for noise in (0.0, 1.0)}
        self._known: dict[tuple[float, bytes], NDArray[np.float32]] = {}
        start = initial_mask(self._config.learning, self._config.neurons, np.random.default_rng(1))
        usual = self._noise(1.0, start)
        self.noise = {noise: max(self._noise(noise, start), _LEAST_NOISE * usual) for noise in self._benches}

    def _prepared(self, noise: float) -> Reservoir:
        bench, config = Bench(bench_config(noise)).open(), self._config
        reservoir = Reservoir(bench, config.reservoir, _SIDE, np.random.default_rng([config.seed, 1]))
        reservoir.prepare()
        return reservoir

    def _noise(self, noise: float, mask: NDArray[np.bool_]) -> float:
        """Rms difference of two tables, each prepared anew."""
        outputs = [self._replayed(self._prepared(noise), mask[None]) for _ in range(2)]
        outputs += [self._replayed(self._benches[noise], mask[None]) for _ in range(8)]
        return float(np.std(outputs, axis=0).mean() * np.sqrt(2))

    def _replayed(self, reservoir: Reservoir, masks: NDArray[np.bool_]) -> NDArray[np.float32]:
        return reservoir.replay(masks, self._task.training_sequence, len(self._task.washout_input)).outputs

    def outputs(self, masks: NDArray[np.bool_], noise: float) -> NDArray[np.float32]:
        """What masks that share a replay (B, N) should give, (B, T)."""
        key = (noise, np.packbits(masks).tobytes() + bytes([len(masks)]))
        if key not in self._known:
            self._known[key] = self._replayed(self._benches[noise], masks)
        return self._known[key]

    def largest_deviation(self, path: Path, noise: float) -> float:
        """Of all outputs on record from those without a fault, in units of the noise."""
        found = [0.0]
        with RunReader(path) as record:
            if (pilot := record.pilot) is not None:
                found.append(np.abs(pilot.outputs - self.outputs(pilot.masks, noise)).max())
            masks, outputs, replays = record.epochs.masks(), record.epochs.outputs(), record.epochs.replay
            for replay in np.unique(replays):
                rows = replays == replay
                found.append(np.abs(outputs[rows] - self.outputs(masks[rows], noise)).max())
        return float(max(found)) / self.noise[noise]


# --- the campaign -----------------------------------------------------------------------------------------------
def campaign(faults: int, seed: int, folder: Path, *, mixed: bool, host: bool) -> list[Seen]:
    """Runs until so many faults have been brought to tables. mixed: only those with faults of all kinds."""
    labcontrol.engine.run.Bench = WatchedBench  # type: ignore[misc]
    judge, random = Judge(), np.random.default_rng(seed)
    done: list[Seen] = []
    for k in range(10 * faults):
        choice = [SEVERAL] if mixed else [*kinds(), SEVERAL]
        kind, turn = choice[k % len(choice)], k // len(choice)
        many_masks = turn % 2 == 1 or kind[1] == "no_trigger"
        script = some_faults(kind, random, steps=200 if many_masks else 900)
        config = experiment(script, many_masks=many_masks, somebody=turn % 4 != 3, seed=k)
        done.append(one_run(kind, config, float(turn % 3 != 2), folder, judge, host=host))
        if sum(seen.begun for seen in done) >= faults:
            break
    return done


def report(done: list[Seen], console: Console) -> None:
    table = Print("device", "kind", "runs", "faults", "retried", "pauses", "persons", "ended", "largest error")
    for kind in [*kinds(), SEVERAL]:
        rows = [seen for seen in done if seen.kind == kind]
        if not rows:
            continue
        ends = Counter(seen.end for seen in rows)
        counts = [sum(getattr(seen, name) for seen in rows) for name in ("begun", "again", "pauses", "persons")]
        largest = max((seen.noises for seen in rows), default=0.0)
        words = ", ".join(f"{count} {end}" for end, count in ends.most_common())
        table.add_row(*kind, str(len(rows)), *map(str, counts), words, f"{largest:.1f} noise")
    console.print(table)


def main(
    faults: Annotated[int, typer.Option(help="Faults in all.")] = 1000,
    seed: Annotated[int, typer.Option(help="Decides which faults come when.")] = 1,
    mixed: Annotated[bool, typer.Option("--mixed", help="Only runs that have faults of all kinds.")] = False,
    host: Annotated[bool, typer.Option("--host", help="A host has each run, and a client is attached.")] = False,
) -> None:
    """Print what became of the faults of each device and kind, and whether anything went wrong."""
    for name in ("labcontrol.engine.recovery", "labcontrol.engine.run", "labcontrol.bench.bench"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    logging.getLogger("labcontrol.engine.fault_player").setLevel(logging.INFO)
    started_s = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_STATE_HOME"] = folder  # hosts of its own
        done = campaign(faults, seed, Path(folder), mixed=mixed, host=host)
    console = Console(width=140)
    report(done, console)
    wrong = [(seen.kind, words) for seen in done for words in seen.wrong]
    console.print(
        f"{sum(seen.begun for seen in done)} faults in {len(done)} runs, {time.perf_counter() - started_s:.0f} s; "
        f"{len(wrong)} things wrong, largest error {max(seen.noises for seen in done):.1f} times the noise"
    )
    for kind, words in wrong:
        console.print(f"{' '.join(kind)}: {words}")
    if wrong:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
