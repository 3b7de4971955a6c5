"""Pulls the plug of every device of a table over wires in the middle of a run, again and again.

    python benchmarks/unplug_campaign.py                       # each device three times, at moments that a seed draws
    python benchmarks/unplug_campaign.py --devices laser,slm --times 1
    python benchmarks/unplug_campaign.py --host                # a detached host has the run
    python benchmarks/unplug_campaign.py --sessions            # at every command of a session, every driver on a line

The laser's serial line, the detector's network line, the screens of SLM and DMD, and the camera's images. After each
plug that is pulled: the run must pause and name the device; the light of the table must be off (of a laser that cannot
be reached, the run must say so); and with the plug in again it must go on. In the end the run must have finished, with
every epoch on record. Exit code 1 when one of these was missed.

Sessions (tests/wire, with a stride of one command): open, set, ask, switch on and off, close, for every laser, power
meter and oscilloscope; the line breaks, or a reply comes late, at each command in turn.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from labcontrol.config import BenchConfig, ExperimentConfig
from labcontrol.engine import Run, RunState
from labcontrol.host import start_host
from labcontrol.host.jobs.run import RunSettings
from labcontrol.host.remote_run import RemoteRun
from labcontrol.records import reading
from mock_devices.wire.wired_table import WiredTable

PATIENCE_S = 60.0
LOOK_S = 0.01
EPOCHS_BETWEEN = 2
NOBODY = "the campaign: no laser here is real"
SESSIONS = ("tests/wire/test_every_point_of_a_session.py", "tests/wire/test_wire_lasers.py")


@dataclass(frozen=True)
class Pulled:
    """What came of one plug that was pulled. Empty `missed` means that all was as it must be.

    paused_s: until the run had paused. dark_s: until the table was dark. back_s: from plugged in until it went on.
    """

    device: str
    epoch: int
    said: str
    paused_s: float
    dark_s: float
    back_s: float
    missed: str


Plug = tuple[Callable[[], None], Callable[[], None]]


def plugs(table: WiredTable) -> dict[str, Plug]:
    """How to pull the plug of each device, and to put it in again."""
    _, slm, dmd = table.desktop.names
    images, away = table.images.folder, table.images.folder.with_name(table.images.folder.name + "-away")
    return {
        "laser": (table.laser_port.unplug, table.laser_port.plug),
        "detector": (table.detector_port.unplug, table.detector_port.plug),
        "slm": (lambda: table.desktop.unplug(slm), lambda: table.desktop.plug_in(slm)),
        "dmd": (lambda: table.desktop.unplug(dmd), lambda: table.desktop.plug_in(dmd)),
        "camera": (lambda: _move(images, away), lambda: _move(away, images)),
    }


def _move(source: Path, destination: Path) -> None:
    source.rename(destination)


def until(run: Run | RemoteRun, met: Callable[[], bool]) -> float:
    """Seconds until something is the case; infinite when it never was."""
    started_s = time.monotonic()
    while not met():
        if time.monotonic() - started_s > PATIENCE_S:
            return float("inf")
        run.wait(LOOK_S)  # of a run elsewhere, this also takes in what it says
        time.sleep(LOOK_S)
    return time.monotonic() - started_s


def pull(run: Run | RemoteRun, table: WiredTable, device: str, plug: Plug) -> Pulled:
    """Pull one plug of a running run, look what happens, and put it in again."""
    out, back = plug
    epoch = run.status.epoch
    out()
    paused_s = until(run, lambda: run.status.state is RunState.PAUSED or run.status.state.is_final)
    said = run.status.reason
    reached = device != "laser"
    dark_s = until(run, lambda: not table.laser_head.emitting) if reached else 0.0
    back()

    def goes_on() -> bool:
        if run.status.state is RunState.PAUSED and "waiting for a person" in run.status.reason:
            run.resume()
        return run.status.state is not RunState.PAUSED

    back_s = until(run, goes_on)
    missed = [
        *(["did not pause"] * (paused_s == float("inf"))),
        *(["another device was named"] * (not said.startswith(f"The {device}"))),
        *(["the light stayed on"] * (dark_s == float("inf"))),
        *(["did not say that the laser may be on"] * (not reached and "did NOT confirm" not in said)),
        *(["did not go on"] * (back_s == float("inf") or run.status.state.is_final)),
    ]
    return Pulled(device, epoch, said, paused_s, dark_s, back_s, "; ".join(missed))


def started(experiment: ExperimentConfig, bench: BenchConfig, folder: str, *, host: bool) -> Run | RemoteRun:
    """A run, here or by a detached host."""
    if not host:
        run = Run(experiment, bench, Path(folder), armed_by=NOBODY)
        run.start()
        return run
    return RemoteRun.begin(
        start_host("campaign"),
        RunSettings(experiment=experiment, bench=bench, folder=folder, armed_by=NOBODY, unattended=True),
    )


def campaign(devices: list[str], times: int, seed: int, *, host: bool) -> tuple[list[Pulled], str]:
    """All plugs pulled in one run, and what was wrong with the run itself."""
    draw = random.Random(seed)
    order = devices * times
    draw.shuffle(order)
    epochs = EPOCHS_BETWEEN * (len(order) + 1)
    experiment = ExperimentConfig.model_validate(
        {
            "neurons": 16,
            "task": {"steps": 10, "test_steps": 10, "washout": 4},
            "stop": {"epochs": epochs},
            "faults": {"first_wait_s": 0.1, "longest_wait_s": 1.0, "reconnects": 3},
        }
    )
    pulled = []
    with tempfile.TemporaryDirectory() as folder, WiredTable(neurons=16, seed=seed) as table:
        bench = BenchConfig.model_validate(tomllib.loads(table.bench))
        run = started(experiment, bench, folder, host=host)
        try:
            for number, device in enumerate(order):
                due = EPOCHS_BETWEEN * number + 1
                if until(run, lambda due=due: run.status.epoch >= due or run.status.state.is_final) == float("inf"):
                    break
                time.sleep(draw.uniform(0.0, 0.3))  # anywhere within an epoch
                pulled.append(pull(run, table, device, plugs(table)[device]))
            run.wait(PATIENCE_S)
        finally:
            run.abort()
            run.wait(PATIENCE_S)
        wrong = (
            "" if run.status.state is RunState.FINISHED else f"the run ended {run.status.state}: {run.status.reason}"
        )
        with suppress(OSError), reading(run.record) as record:
            if (kept := len(record.incumbent_errors())) != epochs:
                wrong += f" {kept} of {epochs} epochs are on record"
        if table.laser_head.emitting:
            wrong += " the laser is on after the run"
    return pulled, wrong.strip()


def sessions() -> int:
    every_command = {"LABCONTROL_UNPLUG_STRIDE": "1", "LABCONTROL_WIRE_TIMEOUT_S": "0.2"}
    environment = os.environ | every_command | {"QT_QPA_PLATFORM": "offscreen"}
    points = "unplugged_at_any or breaks_at_any or comes_late"
    command = [sys.executable, "-m", "pytest", "-v", "--timeout", "3600", "-k", points, *SESSIONS]
    return subprocess.run(command, cwd=Path(__file__).resolve().parents[1], env=environment, check=False).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", default="laser,detector,slm,dmd,camera")
    parser.add_argument("--times", type=int, default=3, help="for each device")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--host", action="store_true")
    parser.add_argument("--sessions", action="store_true")
    arguments = parser.parse_args()
    if arguments.sessions:
        return sessions()
    pulled, wrong = campaign(arguments.devices.split(","), arguments.times, arguments.seed, host=arguments.host)
    if arguments.json:
        print(json.dumps({"pulled": [asdict(one) for one in pulled], "wrong": wrong}))
    else:
        for one in pulled:
            light = f"dark after {one.dark_s:.2f} s" if one.device != "laser" else "the laser out of reach"
            print(
                f"{one.device} in epoch {one.epoch}: paused after {one.paused_s:.2f} s, {light}, "
                f"went on {one.back_s:.2f} s after it was back. {one.missed or 'all well'}"
            )
            print(f"    {one.said}")
        print(wrong or "the run has finished, with every epoch on record")
    return int(bool(wrong) or any(one.missed for one in pulled))


if __name__ == "__main__":
    sys.exit(main())
