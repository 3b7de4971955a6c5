"""Flip bits and blocks of records, killed and finished, and see what each command makes of them.

python benchmarks/record_flips.py [FLIPS] [SEED]     FLIPS in all, over strategies and states of the record

Each command runs in a process of its own. What may happen: it notices (code 1 or 2, one message), or the flip changed
nothing that is read. What must not: a traceback or crash report, more than a minute, or changed data that are taken for
right. POSIX only.
"""

from __future__ import annotations

import collections
import contextlib
import hashlib
import io
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from forked_cli import call

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "engine"))
from small_runs import at_epoch, experiment, small_run

from labcontrol.records import RunReader

STRATEGIES = ("coordinate-descent", "speculative", "multiplexed-identification", "physics-informed-identification")
COMMANDS = ("verify", "resume", "report", "export", "runs")


def records(folder: Path, strategy: str) -> dict[str, Path]:
    """A finished record, and the same as a kill would have left it."""
    run = small_run(folder, experiment(learning={"strategy": strategy}, stop={"epochs": 80}))
    killed = folder / "killed.h5"
    at_epoch(run, 40, lambda: shutil.copy(run.record, killed))
    run.execute()
    return {"finished": run.record, "killed": killed} if killed.exists() else {"finished": run.record}


def learned(path: Path) -> str:
    """A hash of what was measured and decided."""
    with RunReader(path) as run:
        table = run.epochs
        columns = table.outputs(), table.packed_masks(), table.accepted, table.mse, table.nmse, table.mirror
        return hashlib.sha256(b"".join(np.ascontiguousarray(column).tobytes() for column in columns)).hexdigest()


def arguments(command: str, path: Path) -> list[str]:
    return {
        "verify": ["verify", str(path)],
        "resume": ["resume", str(path)],
        "report": ["report", str(path), "--output", str(path.with_suffix(".html"))],
        "export": ["runs", "export", str(path)],
        "runs": ["runs", "list", "--folder", str(path.parent)],
    }[command]


def outcome(command: str, path: Path, right: str) -> str:
    """What a command did, in a word or two."""
    called = call(arguments(command, path), path.parent)
    if called.failure:
        return called.failure
    if called.code:
        return "noticed"
    if command in ("verify", "resume", "export", "report"):
        try:
            same = learned(path) == right
        except Exception as error:
            return f"ACCEPTED {type(error).__name__}"
        return "unchanged" if same else "warned" if "damaged" in called.said else "ACCEPTED"
    return "listed"


def flip(content: bytearray, rng: np.random.Generator) -> None:
    used = np.flatnonzero(np.frombuffer(content, np.uint8))  # most of a small file is room for more rows
    at = int(rng.choice(used)) if rng.random() < 0.8 else int(rng.integers(len(content)))
    if rng.random() < 0.7:
        content[at] ^= 1 << int(rng.integers(8))
    else:
        length = int(2 ** rng.integers(3, 13))
        block = rng.bytes(length) if rng.random() < 0.5 else bytes(length)
        content[at : at + length] = block[: len(content) - at]


def run_campaign(flips: int, seed: int) -> collections.Counter[tuple[str, str, str]]:
    rng = np.random.default_rng(seed)
    table: collections.Counter[tuple[str, str, str]] = collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        kinds: list[tuple[str, Path, str, str]] = []
        for strategy in STRATEGIES:
            home = Path(folder) / strategy
            home.mkdir()
            for state, path in records(home, strategy).items():
                whole = Path(shutil.copy(path, home / "whole.h5"))
                with contextlib.redirect_stderr(io.StringIO()):
                    continued = learned(whole) if state == "finished" else _continued(whole)
                kinds.append((state, path, learned(path), continued))
        for number in range(flips):
            state, path, right, continued = kinds[number % len(kinds)]
            content = bytearray(path.read_bytes())
            flip(content, rng)
            for command in COMMANDS:
                home = Path(folder) / f"flip{number}-{command}"
                home.mkdir()
                changed = home / "run.h5"
                changed.write_bytes(content)
                found = outcome(command, changed, continued if command == "resume" else right)
                table[state, command, found] += 1
                if found[:3].isupper():
                    sys.stdout.write(f"flip {number} ({state}, {path.parent.name}), {command}: {found}\n")
                shutil.rmtree(home)
    return table


def _continued(path: Path) -> str:
    assert outcome("resume", path, "") != "noticed"
    return learned(path)


def print_table(table: collections.Counter[tuple[str, str, str]]) -> None:
    for (state, command, found), count in sorted(table.items()):
        sys.stdout.write(f"{state:10} {command:8} {found:30} {count}\n")


if __name__ == "__main__":
    numbers: list[Any] = list(map(int, sys.argv[1:]))
    print_table(run_campaign(*(numbers + [100, 1][len(numbers) :])))
