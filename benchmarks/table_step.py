"""Cost of one step of the simulated table in virtual time, by device call.

python benchmarks/table_step.py
python benchmarks/table_step.py --neurons 1000000 --lean
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table as Print

from drivers.interfaces import Device, DriverContext
from mock_devices.camera import SimulatedCamera
from mock_devices.detector import SimulatedDetector
from mock_devices.laser import SimulatedLaser
from mock_devices.modulators import SimulatedDmd, SimulatedSlm
from mock_devices.table import SimulatedTable

CALLS = ("slm.show", "camera.trigger", "camera.read", "detector.read", "step", "sequence")
# One pixel for one cell everywhere: the same physics with the least to compute.
LEAN = {"slm": {"pixels_per_cell": 1}, "dmd": {"mirrors_per_cell": 1}, "camera": {"pitch_px": 1.0, "blur_px": 0.0}}


def measure(side: int, masks: int, seconds: float, lean: bool) -> dict[str, float]:
    """Milliseconds of each call, for a table of side x side cells.

    The step is the sum of the first four calls, as the closed loop makes them. A sequence is arm, play and fetch of
    `masks` masks, one sample each. Each figure is the fastest quarter's mean: what the code costs on a free machine.
    """
    table = SimulatedTable.from_bench(SimulatedTable.Options(rows=side, columns=side, **(LEAN if lean else {})))

    def stand(driver: type[Device]) -> Any:
        return driver.from_bench("", driver.Options(), DriverContext(driver.role, table.clock, table)).open()

    laser, slm, camera = stand(SimulatedLaser), stand(SimulatedSlm), stand(SimulatedCamera)
    dmd, detector = stand(SimulatedDmd), stand(SimulatedDetector)
    laser.emission_on()
    random = np.random.default_rng(1)
    edge = slm.shape[0] // side
    levels = random.integers(0, 256, (4, side, side), dtype=np.uint8)
    patterns = levels.repeat(edge, axis=1).repeat(edge, axis=2)
    dmd.show_settled(random.integers(0, 2, dmd.shape, dtype=np.uint8))
    dmd.load_sequence(random.integers(0, 2, (masks, *dmd.shape), dtype=np.uint8))

    def sequence() -> None:
        detector.arm(masks, dmd.max_pattern_rate_hz)
        dmd.play(dmd.max_pattern_rate_hz)
        detector.fetch()

    taken: dict[str, list[float]] = {call: [] for call in CALLS}

    def timed(call: str, action: Callable[[], object]) -> None:
        start_s = time.perf_counter()
        action()
        taken[call].append(1e3 * (time.perf_counter() - start_s))

    def step(k: int) -> None:
        timed("slm.show", lambda: slm.show(patterns[k % 4]))
        table.clock.sleep(slm.settle_time_s)
        timed("camera.trigger", camera.trigger)
        timed("camera.read", camera.read)
        timed("detector.read", lambda: detector.read(1, 1e4))
        taken["step"].append(sum(taken[call][-1] for call in CALLS[:4]))
        timed("sequence", sequence)
        dmd.show(random.integers(0, 2, dmd.shape, dtype=np.uint8))

    for k in range(3):  # compilation
        step(k)
    for values in taken.values():
        values.clear()
    end_s = time.perf_counter() + seconds
    k = 0
    while k < 8 or time.perf_counter() < end_s:
        step(k)
        k += 1
    return {call: float(np.mean(sorted(values)[: max(1, len(values) // 4)])) for call, values in taken.items()}


def main(
    neurons: Annotated[str, typer.Option(help="Numbers of cells, separated by commas; rounded to squares.")] = (
        "144,900,10000,100000"
    ),
    masks: Annotated[int, typer.Option(help="Masks of a sequence.")] = 64,
    seconds: Annotated[float, typer.Option(help="Time to measure each size for.")] = 2.0,
    lean: Annotated[bool, typer.Option(help="One pixel for one cell on SLM, DMD and camera.")] = False,
) -> None:
    """Print milliseconds per call for some sizes of the table."""
    names = ("show", "trigger", "frame", "sample", "step", f"{masks} masks")
    print_out = Print("cells", *names, title="ms per call, virtual time")
    for text in neurons.split(","):
        side = round(float(text) ** 0.5)
        costs = measure(side, masks, seconds, lean)
        print_out.add_row(str(side * side), *(f"{costs[call]:.3f}" for call in CALLS))
    Console().print(print_out)


if __name__ == "__main__":
    typer.run(main)
