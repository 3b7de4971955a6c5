"""Processes that write runs and are killed at random moments.

python killed_writers.py FOLDER COUNT SEED     writes FOLDER/0.h5 ... and prints how many epochs each acknowledged
"""

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
from synthetic_run import SyntheticRun, state_after, tell

from labcontrol.records import Epoch, RunHeader, RunWriter

EPOCHS = 400
MOST_AWAITED = 250
LONGEST_DELAY_S = 0.01


def write(path: Path, header: RunHeader, epochs: list[Epoch], acknowledge: int) -> None:
    with RunWriter.create(path, header) as writer:
        for epoch in epochs:
            writer.append(epoch)
            os.write(acknowledge, b".")
            writer.log("info", f"epoch {writer.epochs}")
            if writer.epochs % 10 == 0:
                writer.checkpoint(writer.epochs, state_after(writer.epochs))
        signal.pause()


def killed_writer(path: Path, header: RunHeader, epochs: list[Epoch], awaited: int, delay_s: float) -> int:
    """Start a writer, kill it so long after it acknowledged so many epochs, and return how many it had by then."""
    acknowledged, acknowledge = os.pipe()
    process = os.fork()
    if process == 0:
        try:
            write(path, header, epochs, acknowledge)
        finally:
            os._exit(1)
    os.close(acknowledge)
    seen = 0
    while seen < awaited:
        seen += len(os.read(acknowledged, awaited - seen))
    time.sleep(delay_s)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    with os.fdopen(acknowledged, "rb") as pipe:
        return seen + len(pipe.read())


if __name__ == "__main__":
    folder, count, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    run = SyntheticRun()
    epochs = [epoch for replay in run.replays(EPOCHS) for epoch in replay]
    rng = np.random.default_rng(seed)
    for number in range(count):
        # Every fourth is killed while it begins; how far it comes by then is up to the computer.
        awaited = int(rng.integers(MOST_AWAITED)) if number % 4 else 0
        delay_s = rng.random() * LONGEST_DELAY_S * (1 if awaited else 5)
        tell(str(killed_writer(folder / f"{number}.h5", run.header, epochs, awaited, delay_s)))
