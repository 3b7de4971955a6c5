"""The software's own cost of one step of the whole experiment over wires: everything but the time of the devices.

    python benchmarks/wire_step.py                           # SLM and DMD of 1920 x 1080, 900 neurons
    python benchmarks/wire_step.py --corrected               # the SLM with response table and correction image

A run like any other, with its record, its guardian and a listener, against the emulated instruments of
`mock_devices.wire` in a process of their own. The SLM's pattern changes in a square of 1050 x 1050 pixels.

What is counted: for patterns, SLM, signals, checks, learning and record all time that passes, the window system's
included; where the program waits for camera and detector, the processor time of its own thread (vendor's library
included). The rest is the device's: `--device-time` shows it, but of emulated instruments it says nothing. Work that is
done once for a mask, not at every step, is spread over the steps of the sequence. The stopwatch that measures all this
is measured as well, in a loop of its own, and taken off.

The detector is read while the camera exposes. What the program does then, as long as the exposure lasts, makes no step
longer; the last line is without it.

Both the median and the mean of the fastest quarter are given: on a computer that does other things as well, the
latter is nearer to what a free one would do. The emulated optics of a million pixels empty the caches between the
steps, which real ones do not. Exit code 1 when the median of what is added to a step is above --target.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from wire_run import wired_table

from drivers.interfaces import Camera, Detector, Modulator, RealClock
from labcontrol.bench import Bench, NeuronMap
from labcontrol.config import BenchConfig, ExperimentConfig
from labcontrol.engine import Run
from labcontrol.engine.session import Session
from labcontrol.records import RunWriter
from labcontrol.reservoir import Reservoir, reservoir
from labcontrol.reservoir.mask_readout import MaskReadout
from labcontrol.reservoir.pattern_check import PatternCheck
from labcontrol.reservoir.reference_replay import ReferenceReplay
from mock_devices.wire.wire_bench import EXPOSURE_S, SLM_MARGIN_PX

# Where the time goes: what is called, under which name it is counted, and whether it waits for a device.
PARTS: tuple[tuple[Any, str, str, bool], ...] = (
    (reservoir, "update_phases", "phases", False),
    (NeuronMap, "slm_pattern", "pattern", False),
    (Modulator, "show", "show", False),
    (RealClock, "sleep", "wait", True),
    (Camera, "trigger", "grab", True),
    (Camera, "read", "grab", True),
    (NeuronMap, "signals", "signals", False),
    (Detector, "read", "readout", True),
    (PatternCheck, "is_suspect", "checks", False),
    (PatternCheck, "remember", "checks", False),
    (ReferenceReplay, "is_suspect", "checks", False),
    (ReferenceReplay, "learn", "checks", False),
    (Run, "_on_step", "events", False),
    (MaskReadout, "show_verified", "mask", True),
    (Bench, "check_light", "guardian", False),
    (RunWriter, "append_many", "record", False),
    (RunWriter, "checkpoint", "record", False),
    (Session, "_judge", "learning", False),
)
IN_EXPOSURE = "readout"
Call = Callable[..., Any]
ONCE_A_MASK = ("mask", "guardian", "record", "learning", "between masks")


class Stopwatch:
    """Time by part, of one thread; a part within a part counts for itself only.

    own_s, device_s: by step, one dictionary of seconds each. masks_s: by mask.
    """

    def __init__(self) -> None:
        self.own_s: list[dict[str, float]] = []
        self.device_s: list[dict[str, float]] = []
        self.masks_s: list[dict[str, float]] = []
        self._thread = threading.get_ident()
        self._open: list[tuple[str, bool]] = [("between masks", False)]
        self._own: dict[str, float] = defaultdict(float)
        self._device: dict[str, float] = defaultdict(float)
        self._last = (time.perf_counter(), time.thread_time())
        self._calls = 0
        self._call_s = self._cost_of_a_call()

    def _cost_of_a_call(self) -> float:
        """What it takes to time something that takes no time."""
        self.begin("nothing")
        timed = self.around(lambda: None, partial(self.begin, "nothing"), self.end)
        costs = []
        for _ in range(500):
            start = time.perf_counter()
            timed()
            costs.append(time.perf_counter() - start)
        self.end()
        self._own.clear()
        self._device.clear()
        self._calls = 0
        return statistics.median(costs)

    def around(
        self, call: Callable[..., Any], begin: Callable[[], None], end: Callable[[], None]
    ) -> Callable[..., Any]:
        """The call, timed where it is made in this thread."""

        def timed(*arguments: Any, **named: Any) -> Any:
            if threading.get_ident() != self._thread:
                return call(*arguments, **named)
            begin()
            try:
                return call(*arguments, **named)
            finally:
                end()

        return timed

    def begin(self, name: str, waits: bool = False) -> None:
        self._calls += 1
        self._charge()
        self._open.append(("mask" if any(outer == "mask" for outer, _ in self._open) else name, waits))

    def end(self) -> None:
        self._charge()
        self._open.pop()

    def _charge(self) -> None:
        name, waits = self._open[-1]
        now = (time.perf_counter(), time.thread_time())
        passed, busy = (after - before for after, before in zip(now, self._last, strict=True))
        self._last = now
        self._own[name] += busy if waits else passed
        self._device[name] += passed - busy if waits else 0.0

    def end_step(self) -> None:
        self.end()
        calls, self._calls = self._calls, 0
        if not self.masks_s:  # a reference replay, without readout
            self._own.clear()
            self._device.clear()
            return
        self._own["loop"] -= calls * self._call_s
        once = {name: self._own.pop(name, 0.0) for name in ONCE_A_MASK}
        self.masks_s[-1] = {name: self.masks_s[-1][name] + once[name] for name in ONCE_A_MASK}
        self.own_s.append(dict(self._own))
        self.device_s.append(dict(self._device))
        self._own.clear()
        self._device.clear()

    def begin_replay(self) -> None:
        self.masks_s.append(dict.fromkeys(ONCE_A_MASK, 0.0))
        self.begin("loop")


@contextmanager
def watched(watch: Stopwatch) -> Iterator[None]:
    """Every call to one of the parts is timed."""
    with ExitStack() as stack:

        def put(owner: Any, attribute: str, begin: Callable[[], None], end: Callable[[], None]) -> None:
            timed = watch.around(getattr(owner, attribute), begin, end)
            stack.enter_context(mock.patch.object(owner, attribute, timed))

        for owner, attribute, name, waits in PARTS:
            put(owner, attribute, partial(watch.begin, name, waits), watch.end)
        put(Reservoir, "_step", partial(watch.begin, "loop"), watch.end_step)
        put(Reservoir, "replay", watch.begin_replay, watch.end)
        yield


def with_response_table(bench: BenchConfig, folder: Path, screen: tuple[int, int]) -> BenchConfig:
    """The bench with a response table and a correction image, which leave levels as they are."""
    from PIL import Image

    table, image = folder / "table.txt", folder / "flat.png"
    table.write_text("\n".join(map(str, range(256))))
    Image.fromarray(np.zeros(screen[::-1], dtype=np.uint8)).save(image)
    options = bench.slm.options | {"response_table": str(table), "correction_image": str(image)}
    return bench.model_copy(update={"slm": bench.slm.model_copy(update={"options": options})})


def measure(arguments: argparse.Namespace) -> Stopwatch:
    """One run; the steps of its first masks, in which everything is compiled and loaded, are not counted."""
    side = round(arguments.neurons**0.5)
    pixels = min(64, (1080 - 2 * SLM_MARGIN_PX) // side)
    experiment = ExperimentConfig.model_validate(
        {
            "neurons": side * side,
            "task": {"steps": arguments.steps, "test_steps": arguments.steps, "washout": 5},
            "stop": {"epochs": arguments.epochs},
        }
    )
    options = ("--screen", "1920x1080", "--slm-pixels", str(pixels))
    with tempfile.TemporaryDirectory() as folder, wired_table(side * side, 1, *options) as bench:
        if arguments.corrected:
            bench = with_response_table(bench, Path(folder), (1920, 1080))
        run = Run(experiment, bench, Path(folder), armed_by="the benchmark: no laser here is real")
        mailbox = run.subscribe()
        watch = Stopwatch()
        with watched(watch):
            run.execute()
        mailbox.drain()
    skipped = 2 * (arguments.steps + 5)
    watch.own_s, watch.device_s, watch.masks_s = watch.own_s[skipped:], watch.device_s[skipped:], watch.masks_s[2:]
    return watch


def fastest_quarter(values: list[float]) -> float:
    return statistics.fmean(sorted(values)[: max(1, len(values) // 4)])


def summary(watch: Stopwatch, steps_of_a_mask: int) -> dict[str, dict[str, float]]:
    """Milliseconds a step by part, and of the whole: median, and mean of the fastest quarter."""
    names = [*dict.fromkeys(name for step in watch.own_s for name in step)]
    columns: dict[str, list[float]] = {name: [step.get(name, 0.0) for step in watch.own_s] for name in names}
    columns |= {name: [mask[name] / steps_of_a_mask for mask in watch.masks_s] for name in ONCE_A_MASK}
    hidden = [min(step.get(IN_EXPOSURE, 0.0), EXPOSURE_S) for step in watch.own_s]
    steps = [sum(step.values()) for step in watch.own_s]
    once = [sum(mask.values()) / steps_of_a_mask for mask in watch.masks_s]
    found = {}
    for kind, of in (("median", statistics.median), ("fastest quarter", fastest_quarter)):
        found[kind] = {name: 1e3 * of(values) for name, values in columns.items()}
        found[kind]["whole"] = 1e3 * (of(steps) + of(once))
        added = [whole - part for whole, part in zip(steps, hidden, strict=True)]
        found[kind]["added to a step"] = 1e3 * (of(added) + of(once))
    found["devices"] = {name: 1e3 * statistics.median(s.get(name, 0.0) for s in watch.device_s) for name in names}
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--neurons", type=int, default=900)
    parser.add_argument("--steps", type=int, default=60, help="of the sequence, after a washout of 5")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--corrected", action="store_true", help="with response table and correction image")
    parser.add_argument("--device-time", action="store_true")
    parser.add_argument("--target", type=float, default=2.0, help="ms a step")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = summary(measure(arguments), arguments.steps + 5)
    if arguments.json:
        print(json.dumps(found))
    else:
        print(f"{'ms a step':16s}{'median':>10s}{'fastest quarter':>18s}")
        for name, median in found["median"].items():
            once = " (once a mask)" if name in ONCE_A_MASK else ""
            device = found["devices"].get(name, 0.0)
            waits = f"  and {device:.3f} of the device" if arguments.device_time and device > 0 else ""
            print(f"{name:16s}{median:10.3f}{found['fastest quarter'][name]:18.3f}{once}{waits}")
    return int(found["median"]["added to a step"] > arguments.target)


if __name__ == "__main__":
    sys.exit(main())
