"""Records of small runs before and after a change of the program, compared bit by bit.

python benchmarks/same_records.py record FOLDER       # with the program as it was, then with the program as it is
python benchmarks/same_records.py compare BEFORE AFTER

The runs cover all strategies, both losses, both readouts, drift, faults and a continued run. Left out of the
comparison is what differs from run to run anyway (wall times, versions, seal), and the journals for people (log,
and the text of faults; that the same faults happened is compared).

Exit code 1 if two records differ; what differs is printed.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from labcontrol.bench import simulated_bench
from labcontrol.config import ExperimentConfig
from labcontrol.engine import EpochDone, Run
from labcontrol.engine.checkpoint import decode
from labcontrol.records.storage import checkpoint_places
from mock_devices.state import from_bytes

_SETTINGS = re.compile(r"config\.|result\.|checkpoint \d+\.table\.options\.")
"""These may be added and moved: they are printed, and differ only where both records have them."""
_RUNNING_TEXT = ("epochs/time", "log", "seal", "metadata", "state")
_DRIFT = {"every_epochs": 20}
_FAULTS = {
    "seed": 2,
    "fault": [
        {"device": "camera", "kind": "drop", "rate": 0.001},
        {"device": "camera", "kind": "stale", "rate": 0.001},
        {"device": "slm", "kind": "skip", "rate": 0.001},
        {"device": "slm", "kind": "timeout", "rate": 0.001},
        {"device": "detector", "kind": "timeout", "times": 4, "rate": 0.0003},
        {"device": "laser", "kind": "disconnect", "at_epoch": 30, "seconds": 2.0},
        {"device": "camera", "kind": "disconnect", "at_epoch": 50, "seconds": 5.0},
        {"device": "disk", "kind": "full", "at_epoch": 60, "times": 2},
    ],
}

RUNS: dict[str, dict[str, Any]] = {
    "greedy-nmse": {"drift": _DRIFT},
    "uniform-mse-re-measured": {"learning": {"selection": "uniform", "acceptance": "re-measured", "loss": "mse"}},
    "noise-aware": {"learning": {"strategy": "noise-aware", "selection": "cyclic"}},
    "speculative-faults": {"learning": {"strategy": "speculative", "loss": "mse"}, "fault_script": _FAULTS},
    "multiplexed-drift": {"learning": {"strategy": "multiplexed-identification"}, "drift": _DRIFT},
    "quadratic": {"learning": {"strategy": "quadratic-identification", "loss": "mse"}, "coherent": True},
    "cma-es": {"learning": {"strategy": "cma-es"}},
    "one-plus-lambda": {"learning": {"strategy": "one-plus-lambda", "loss": "mse"}},
    "spsa": {"learning": {"strategy": "spsa"}},
    "pepg": {"learning": {"strategy": "pepg"}, "drift": _DRIFT},
    "greedy-faults-drift": {"drift": _DRIFT, "fault_script": _FAULTS},
    "continued-faults": {"learning": {"selection": "uniform"}, "fault_script": _FAULTS, "abort_at": 70},
}


def record(folder: Path) -> None:
    """Make all runs, each in a folder of its name."""
    for name, changes in RUNS.items():
        _run(folder / name, **changes)
        print(name, flush=True)


def _run(folder: Path, *, coherent: bool = False, abort_at: int | None = None, **sections: Any) -> None:
    experiment = ExperimentConfig.model_validate(
        {
            "neurons": 36,
            "seed": 3,
            "task": {"steps": 30, "test_steps": 20, "washout": 10},
            "reservoir": {"reference_patterns": 4},
            "stop": {"epochs": 160},
            "faults": {"disk_check_s": 0.01},
        }
        | {
            name: {"masks_per_replay": 24} | values if name == "learning" else values
            for name, values in sections.items()
        }
    )
    bench = simulated_bench(experiment.neurons, experiment.seed)
    assert bench.table is not None
    if coherent:
        table = bench.table.model_copy(update={"options": bench.table.options | {"readout": "coherent"}})
        bench = bench.model_copy(update={"table": table})
    run = Run(experiment, bench, folder)
    mailbox = run.subscribe()
    run.start()
    for event in mailbox:
        if isinstance(event, EpochDone) and abort_at is not None and event.epoch.index + 1 >= abort_at:
            run.abort()
    run.wait()
    if abort_at is not None:
        Run.continued(run.record).execute()
    elif run.error is not None:
        raise run.error


def compare(before: Path, after: Path) -> list[str]:
    """What differs, in plain words."""
    findings = []
    for name in RUNS:
        paths = [next((folder / name).glob("*.h5")) for folder in (before, after)]
        with h5py.File(paths[0]) as a, h5py.File(paths[1]) as b:
            ours, theirs = _contents(a), _contents(b)
        for key in sorted(ours.keys() | theirs.keys()):
            if key not in ours or key not in theirs:
                only = f"{name}: {key} is only in {'the first' if key in ours else 'the second'}"
                if _SETTINGS.match(key):
                    print(only)
                else:
                    findings.append(only)
            elif not _same(ours[key], theirs[key]):
                findings.append(f"{name}: {key} differs")
    return findings


def _contents(file: h5py.File) -> dict[str, Any]:
    """Everything in a record by name, without what differs from run to run."""
    found: dict[str, Any] = {}

    def add(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and name not in _RUNNING_TEXT:
            found.update(_read(name, item))

    file.visititems(add)
    return found | dict(file.attrs)


def _read(name: str, item: h5py.Dataset) -> Iterator[tuple[str, Any]]:
    if name == "config":
        yield from _leaves(name, json.loads(item[()]))
    elif name == "result":
        yield from _leaves(name, json.loads(item[...].tobytes()))
    elif name == "faults":
        lines = [json.loads(line) for line in item[...].tobytes().decode().splitlines()]
        yield name, np.array([(line["epoch"], line["device"]) for line in lines], dtype=np.str_)
    elif name == "checkpoints/bytes":
        for k, start, end in checkpoint_places(item.file, len(item.parent["epochs"])):
            state = decode(item[start:end].tobytes())
            yield from _leaves(f"checkpoint {k}", state | {"table": from_bytes(state["table"])})
    elif name not in ("checkpoints/start", "checkpoints/end"):
        yield name, item[()]


def _leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, child in value.items():
            yield from _leaves(f"{name}.{key}", child)
    else:
        yield name, value


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()
    return type(a) is type(b) and repr(a) == repr(b)


def main(command: str, *folders: str) -> int:
    commands: dict[str, Callable[..., Any]] = {"record": record, "compare": compare}
    findings = commands[command](*map(Path, folders)) or []
    print("\n".join(findings) or "no difference")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
