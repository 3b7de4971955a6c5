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
LONGEST_LIFE_S = 0.2


def write(path: Path, header: RunHeader, epochs: list[Epoch], acknowledge: int) -> None:
    with RunWriter.create(path, header) as writer:
        for epoch in epochs:
            writer.append(epoch)
            os.write(acknowledge, b".")
            writer.log("info", f"epoch {writer.epochs}")
            if writer.epochs % 10 == 0:
                writer.checkpoint(writer.epochs, state_after(writer.epochs))
        signal.pause()


def killed_writer(path: Path, header: RunHeader, epochs: list[Epoch], life_s: float) -> int:
    """Start a writer, kill it after so long a life, and return how many epochs it had acknowledged."""
    acknowledged, acknowledge = os.pipe()
    process = os.fork()
    if process == 0:
        try:
            write(path, header, epochs, acknowledge)
        finally:
            os._exit(1)
    os.close(acknowledge)
    time.sleep(life_s)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    with os.fdopen(acknowledged, "rb") as pipe:
        return len(pipe.read())


if __name__ == "__main__":
    folder, count, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    run = SyntheticRun()
    epochs = [epoch for replay in run.replays(EPOCHS) for epoch in replay]
    for number, share in enumerate(np.random.default_rng(seed).random(count)):
        path = folder / f"{number}.h5"
        tell(str(killed_writer(path, run.header, epochs, share * LONGEST_LIFE_S)))
