"""Two commands on one record at the same time, at random offsets: what comes of the record.

    python benchmarks/record_races.py                  # 200 pairs: a quarter of an hour
    python benchmarks/record_races.py --pairs 8 --seed 2

Pairs: resume and resume, resume and report, resume and monitor, run and tidy. Afterwards the record must be finished
and sealed, agree with all of its checksums, and hold the very epochs that the same run has when nobody disturbs it; the
command that came second must say in one message what it found. Exit code 1 when one did not. POSIX only.
"""

from __future__ import annotations

import argparse
import collections
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from record_flips import learned

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "engine"))
from small_runs import at_epoch, experiment, small_run

from labcontrol.records import RunReader

EPOCHS = 400
PAIRS = ("resume and resume", "resume and report", "resume and monitor", "run and tidy")
LATEST_S = 4.0  # of the second command after the first; a command takes about three seconds
LONGEST_S = 120


def killed_and_whole(folder: Path) -> tuple[Path, str]:
    """A record as a kill leaves it, and a hash of what was learned when nobody disturbed it."""
    run = small_run(folder, experiment(stop={"epochs": EPOCHS}))
    killed = folder / "killed.h5"
    at_epoch(run, EPOCHS // 4, lambda: shutil.copy(run.record, killed))
    run.execute()
    return killed, learned(run.record)


def commands(pair: str, record: Path) -> tuple[list[str], list[str]]:
    """Of a pair, each without the name of the program."""
    folder = str(record.parent)
    run = ["run", "--headless", "--neurons", "16", "--steps", "20", "--epochs", "200", "--output", folder]
    first, second = pair.split(" and ")
    known = {
        "resume": ["resume", str(record)],
        "report": ["report", str(record), "--output", str(record.with_suffix(".html"))],
        "monitor": ["monitor", str(record), "--terminal"],
        "run": run,
        "tidy": ["runs", "tidy", "--folder", folder, "--yes"],
    }
    return known[first], known[second]


def race(pair: str, record: Path, offset_s: float) -> list[str]:
    """Run both; what they said where their exit code is not 0. offset_s: negative where the second comes first."""
    both = list(commands(pair, record))
    if offset_s < 0:
        both.reverse()
    begun = []
    for number, arguments in enumerate(both):
        if number:
            time.sleep(abs(offset_s))
        command = [sys.executable, "-m", "labcontrol", *arguments]
        begun.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True))
    said = []
    for process in begun:
        try:
            _, errors = process.communicate(timeout=LONGEST_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            said.append("HANGS")
            continue
        if "Traceback" in errors or "does not expect" in errors:
            said.append(f"CRASH {errors.strip().splitlines()[-1]}")
        elif process.returncode == 2:
            said.append(errors.strip().splitlines()[-1])
        elif process.returncode:
            said.append(f"CODE {process.returncode} {errors.strip().splitlines()[-1:]}")
    return said


def wrong_with(record: Path, right: str | None) -> str:
    """What is wrong with a record now; empty when nothing is. right: of `learned`, where it is known."""
    with RunReader(record) as run:
        if run.state.name != "finished" or run.seal is None:
            return f"NOT FINISHED: {run.state.name}"
        if changes := [change.text for change in run.changes()]:
            return f"CHANGED: {changes[0]}"
    return "" if right in (None, learned(record)) else "OTHER EPOCHS"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    found: collections.Counter[tuple[str, str]] = collections.Counter()
    bad = 0
    with tempfile.TemporaryDirectory() as name:
        killed, right = killed_and_whole(Path(name))
        for number in range(arguments.pairs):
            pair, offset_s = PAIRS[number % len(PAIRS)], float(rng.uniform(-LATEST_S, LATEST_S))
            folder = Path(name) / f"pair {number}"
            folder.mkdir()
            record = folder / "killed.h5"
            if not pair.startswith("run"):
                shutil.copy(killed, record)
            said = race(pair, record, offset_s)
            records = list(folder.glob("*.h5"))
            words = [wrong_with(path, None if pair.startswith("run") else right) for path in records]
            failures = [*filter(None, words), *(one for one in said if one[:4].isupper())]
            failures += [] if len(records) == 1 else [f"RECORDS {len(records)}"]
            bad += bool(failures)
            outcome = "; ".join(failures) or ("one was refused" if said else "both went through")
            found[pair, outcome] += 1
            if failures:
                print(f"{pair}, {offset_s:+.2f} s: {outcome}; {said}", file=sys.stderr)
            if sys.stderr.isatty():
                print(f"\r{number + 1} of {arguments.pairs}, {bad} wrong", end="", file=sys.stderr)
            shutil.rmtree(folder)
    for (pair, outcome), times in sorted(found.items()):
        print(f"{times:5d}  {pair}: {outcome}")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
