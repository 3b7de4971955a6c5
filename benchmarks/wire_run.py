"""The whole experiment over wires, beside the same experiment on the same table in process.

    python benchmarks/wire_run.py                        # 64 neurons, 256 epochs of 200 steps: half an hour
    python benchmarks/wire_run.py --steps 80 --washout 15 --pilot 16 --noise 0      # ten minutes
    python benchmarks/wire_run.py --steps 40 --epochs 30 --pilot 8 --washout 10

Serial laser, two display modulators, pypylon camera and VISA detector against the emulated instruments of
`mock_devices.wire`, in a process of their own. Same table, same seeds, same size of noise; the noise itself differs,
because the instruments are asked at other times, and single runs end where chance led them: once two runs have taken
different decisions, their last errors differ by far more than the noise. With --noise 0 nothing but the wires is
between the two. The table's time is virtual in both: how long drivers wait for light to settle is not tested here.

Exit code 1 when the error over wires is more than --tolerance above the other; without noise, also when it is below.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from labcontrol.config import PRESETS, BenchConfig, ExperimentConfig
from labcontrol.engine import Run
from labcontrol.records import reading
from mock_devices.wire.wire_bench import in_process_bench, table_options

START_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Outcome:
    """Errors of the final mask, the curve of incumbent errors, and seconds of wall time a step."""

    train: float
    test: float
    curve: list[float]
    step_s: float


@contextmanager
def wired_table(neurons: int, seed: int, *options: str) -> Iterator[BenchConfig]:
    """The bench of a table in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bench.toml"
        command = [sys.executable, "-m", "mock_devices.wire", "--neurons", str(neurons), "--seed", str(seed)]
        with subprocess.Popen([*command, "--bench", str(file), *options], stderr=subprocess.DEVNULL) as process:
            try:
                yield BenchConfig.model_validate(tomllib.loads(_text_of(file, process)))
            finally:
                process.terminate()


def _text_of(file: Path, process: subprocess.Popen[bytes]) -> str:
    give_up_s = time.monotonic() + START_TIMEOUT_S
    while not (file.exists() and (text := file.read_text()).endswith("\n")):
        if process.poll() is not None or time.monotonic() > give_up_s:
            raise RuntimeError("the emulated instruments did not start")
        time.sleep(0.05)
    return text


def learn(experiment: ExperimentConfig, bench: BenchConfig, folder: Path) -> Outcome:
    """One run; the record stays in the folder."""
    run = Run(experiment, bench, folder, armed_by="the benchmark: no laser here is real")
    started = time.perf_counter()
    run.execute()
    wall_s = time.perf_counter() - started
    with reading(run.record) as record:
        curve = [float(error) for error in record.incumbent_errors()]
    steps = experiment.prediction.pilot_masks + len(curve) + 2
    steps *= experiment.task.steps + experiment.task.washout
    return Outcome(run.result["train"]["nmse"], run.result["test"]["nmse"], curve, wall_s / steps)


def compare(experiment: ExperimentConfig, noise: float) -> tuple[Outcome, Outcome]:
    """The outcome over wires and in process."""
    with tempfile.TemporaryDirectory() as folder:
        text = in_process_bench(table_options(experiment.neurons, experiment.seed, noise=noise))
        in_process = learn(experiment, BenchConfig.model_validate(tomllib.loads(text)), Path(folder))
        with wired_table(experiment.neurons, experiment.seed, "--noise", str(noise)) as bench:
            return learn(experiment, bench, Path(folder)), in_process


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--neurons", type=int, default=64)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--washout", type=int, default=30)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--pilot", type=int, default=64)
    parser.add_argument("--noise", type=float, default=1.0, help="factor on all noise of both tables")
    parser.add_argument("--tolerance", type=float, default=0.2, help="largest relative difference of training errors")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    experiment = ExperimentConfig.model_validate(
        {
            "neurons": arguments.neurons,
            "seed": arguments.seed,
            "task": {"steps": arguments.steps, "test_steps": arguments.steps, "washout": arguments.washout},
            "prediction": {"pilot_masks": arguments.pilot},
            "learning": PRESETS["experiments"].learning,
            "stop": {"epochs": arguments.epochs},
            "faults": {"give_up_after_s": 30.0},  # nobody is there to mend anything
        }
    )
    wired, in_process = compare(experiment, arguments.noise)
    difference = wired.train / in_process.train - 1
    if arguments.json:
        print(json.dumps({"wired": vars(wired), "in_process": vars(in_process), "difference": difference}))
    else:
        sizes = f"{experiment.neurons} neurons, {experiment.epochs} epochs of {arguments.steps} steps"
        print(f"{sizes}, seed {arguments.seed}")
        for name, outcome in (("over wires", wired), ("in process", in_process)):
            print(
                f"{name}: nmse {outcome.curve[0]:.4f} at the start, {outcome.train:.5f} at the end, "
                f"test {outcome.test:.5f}; {1e3 * outcome.step_s:.2f} ms a step"
            )
        print(f"training error over wires {difference:+.1%} beside in process")
    beyond = abs(difference) if arguments.noise == 0 else difference
    return int(beyond > arguments.tolerance)


if __name__ == "__main__":
    sys.exit(main())
