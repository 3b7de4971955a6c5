"""What clients cost a run: none, ten attached, one that is stopped by a signal, in turns within one run.

python benchmarks/host_clients.py
python benchmarks/host_clients.py --clock real --rounds 2 --seconds 10 --stopped 60

A detached process has the run, as `labcontrol run --detach` starts it. Ten clients, each a process of its own, attach
and leave together; then one attaches and gets SIGSTOP. Between any two of these nobody is attached, which is what each
is compared with. Told are epochs a second by the record's own times, processor time of the host's process for an epoch,
and the memory that it holds. In virtual time the simulated table computes as fast as it can, and clients also take the
run's core from it where there are too few; in real time devices take as long as real ones, as on a bench.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import psutil
import typer
from rich.console import Console

from labcontrol.bench import simulated_bench
from labcontrol.config import BenchConfig, ExperimentConfig
from labcontrol.host import hosts, start_host
from labcontrol.host.client import abort
from labcontrol.host.jobs.run import RunSettings
from labcontrol.host.remote_run import RemoteRun
from labcontrol.records import RunReader

BAR = 0.02
CLIENTS = 10

# Attaches when told so, leaves when told so; polls as a window does.
_CLIENT = """
import sys, threading
from labcontrol.host import HostClient, hosts
from labcontrol.host.remote_run import RemoteRun
told = threading.Event()
for line in sys.stdin:
    client = HostClient.connect(hosts()[0], "benchmark")
    run = RemoteRun.attach(client)
    mailbox = run.subscribe()
    print(len(mailbox.drain()), flush=True)
    told.clear()
    threading.Thread(target=lambda: (sys.stdin.readline(), told.set()), daemon=True).start()
    while not told.wait(0.02):
        mailbox.drain()
    client.close()
    print("left", flush=True)
"""


@dataclass(frozen=True)
class Window:
    """A stretch of the run: epochs a second, processor time of the host for an epoch, memory at its end."""

    rate_hz: float
    processor_s: float
    memory_mb: float


class Watchers:
    """Processes that attach and leave together."""

    def __init__(self, number: int) -> None:
        command = [sys.executable, "-c", _CLIENT]
        self.all = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(number)
        ]

    def tell(self, number: int) -> None:
        """Have so many of them attach, or leave, and wait until they have."""
        for process in self.all[:number]:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        for process in self.all[:number]:
            assert process.stdout is not None
            process.stdout.readline()

    def close(self) -> None:
        for process in self.all:
            process.kill()
            process.communicate()


def setting(neurons: int, steps: int, clock: str) -> tuple[ExperimentConfig, BenchConfig]:
    """A run that does not end by itself."""
    experiment = ExperimentConfig.model_validate(
        {"neurons": neurons, "task": {"steps": steps}, "stop": {"epochs": 10_000_000}}
    )
    bench = simulated_bench(neurons, 1)
    assert bench.table is not None
    table = bench.table.model_copy(update={"options": bench.table.options | {"clock": clock}})
    return experiment, bench.model_copy(update={"table": table})


def watch(record: Path, host: psutil.Process, seconds: float) -> Window:
    """One stretch of so many seconds."""
    began_s, before = time.time(), sum(host.cpu_times()[:2])
    time.sleep(seconds)
    ended_s, after = time.time(), sum(host.cpu_times()[:2])
    with RunReader(record) as run:
        times = run.epochs.unix_s
    inside = times[(times >= began_s) & (times <= ended_s)]
    rate_hz = (len(inside) - 1) / (inside[-1] - inside[0])
    return Window(rate_hz, (after - before) / len(inside), host.memory_info().rss / 2**20)


def compared(alone: list[Window], with_clients: list[Window], value: Callable[[Window], float]) -> str:
    """Median change of a stretch against the mean of the two beside it, with the lowest and highest.

    alone: those without clients, one before and one after each of the others.
    """
    changes = [
        100 * (value(one) / np.mean([value(before), value(after)]) - 1)
        for one, before, after in zip(with_clients, alone[::2], alone[1::2], strict=True)
    ]
    return f"{np.median(changes):+.1f} % ({min(changes):+.1f} to {max(changes):+.1f} %)"


def main(
    neurons: Annotated[int, typer.Option(help="Neurons of the run.")] = 256,
    steps: Annotated[int, typer.Option(help="Steps of its training part.")] = 50,
    clock: Annotated[str, typer.Option(help="virtual or real.")] = "virtual",
    rounds: Annotated[int, typer.Option(help="How often clients attach and leave.")] = 5,
    seconds: Annotated[float, typer.Option(help="Length of each stretch.")] = 10.0,
    stopped: Annotated[float, typer.Option(help="How long a client is stopped in each round.")] = 60.0,
) -> None:
    """Print what clients cost."""
    out = Console(soft_wrap=True)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_STATE_HOME"] = folder
        experiment, bench = setting(neurons, steps, clock)
        with start_host(attends=False) as client:
            run = RemoteRun.begin(client, RunSettings(experiment=experiment, bench=bench, folder=folder))
            mailbox = run.subscribe()
            while run.status.epoch < 10:
                run.wait(0.5)
            mailbox.drain()
        host = psutil.Process(hosts()[0].pid)
        watchers = Watchers(CLIENTS)
        watchers.tell(CLIENTS)  # imports are over
        watchers.tell(CLIENTS)
        alone, attached, stalled = [watch(run.record, host, seconds)], [], []
        try:
            for number in range(rounds):
                watchers.tell(CLIENTS)
                attached.append(watch(run.record, host, seconds))
                watchers.tell(CLIENTS)
                alone.append(watch(run.record, host, seconds))
                watchers.tell(1)
                watchers.all[0].send_signal(signal.SIGSTOP)
                stalled.append(watch(run.record, host, stopped))
                watchers.all[0].send_signal(signal.SIGCONT)
                watchers.tell(1)
                alone.append(watch(run.record, host, seconds))
                out.print(f"round {number + 1}: alone {alone[-1]}, ten {attached[-1]}, stopped {stalled[-1]}")
        finally:
            abort(hosts()[0])
            watchers.close()
    beside_attached = alone[:-1]
    beside_stalled = alone[1:]
    out.print(f"ten attached: epochs a second {compared(beside_attached, attached, lambda one: one.rate_hz)}")
    out.print(
        f"ten attached: host's time for an epoch {compared(beside_attached, attached, lambda one: one.processor_s)}"
    )
    out.print(
        f"one stopped for {stopped:g} s: epochs a second {compared(beside_stalled, stalled, lambda one: one.rate_hz)}"
    )
    memory = [one.memory_mb for one in [*alone, *attached, *stalled]]
    out.print(
        f"memory of the host: {alone[0].memory_mb:.0f} MB after the first stretch, {alone[-1].memory_mb:.0f} MB after "
        f"the last, {max(memory):.0f} MB at most"
    )
    slower = 1 - np.median([one.rate_hz for one in [*attached, *stalled]]) / np.median([one.rate_hz for one in alone])
    out.print(f"at most {BAR:.0%} slower is {'met' if slower <= BAR else 'missed'}")


if __name__ == "__main__":
    typer.run(main)
