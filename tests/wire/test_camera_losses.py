"""Triggers that are ignored or doubled, frames that are lost, late or come twice, numbers that say nothing: at random.

No frame is ever dated by another trigger than its own, every trouble costs two faults at most, and frames then come as
fast as before. `LABCONTROL_LOSSES=1000` takes so many frames with every camera and trouble; by default few, and of the
slow fake camera on the network with some troubles only.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from test_wire_cameras import AT_BENCH, demo, package

from drivers.cameras.aravis import AravisCamera, AravisOptions
from drivers.cameras.basler import BaslerCamera, BaslerOptions
from drivers.cameras.introspection import import_aravis
from drivers.cameras.micromanager import MicroManagerCamera
from drivers.interfaces import Camera, DeviceFaultError, DeviceTimeoutError
from labcontrol.testing import gige_camera

AT_LENGTH = "LABCONTROL_LOSSES" in os.environ
FRAMES = int(os.environ.get("LABCONTROL_LOSSES", "12"))
KINDS = ("ignored", "doubled", "lost", "twice", "late", "no number", "wrong number")
PATIENCE_S = 0.25
RATE = 0.15 if AT_LENGTH else 0.3  # of frames with trouble


@dataclass
class Trouble:
    """What goes wrong at random, and what really happened.

    given_s, given_unix_s: when each trigger was given. exposed: the trigger of each frame by the camera's own number.
    """

    kind: str
    settle_s: float
    random: random.Random = field(default_factory=lambda: random.Random(7))
    happened: int = 0
    given_s: list[float] = field(default_factory=list)
    given_unix_s: list[float] = field(default_factory=list)
    exposed: dict[int, int] = field(default_factory=dict)
    taken: int = 0
    held: list[tuple[float, Any]] = field(default_factory=list)
    quiet: bool = False

    def strikes(self, *kinds: str) -> bool:
        struck = not self.quiet and self.kind in kinds and self.random.random() < RATE
        self.happened += struck
        return struck

    def give(self, execute: Callable[[], Any]) -> None:
        """Give a trigger to the camera: once, twice or not at all."""
        self.given_s.append(time.perf_counter())
        self.given_unix_s.append(time.time())
        for _ in range(0 if self.strikes("ignored") else 2 if self.strikes("doubled") else 1):
            self.exposed[self.taken] = len(self.given_s) - 1
            self.taken += 1
            execute()
            time.sleep(self.settle_s if self.kind == "doubled" else 0.0)

    def number(self, own: int) -> int:
        if self.strikes("no number"):
            return self.random.choice((0, 2**64 - 1))
        return self.random.randrange(2**40) if self.strikes("wrong number") else own

    def deliver(self, get: Callable[[float], Any], give_back: Callable[[Any], None], timeout_s: float) -> Any:
        """The next frame that gets through."""
        deadline_s = time.perf_counter() + timeout_s
        while True:
            now_s = time.perf_counter()
            if self.held and self.held[0][0] <= now_s:
                return self.held.pop(0)[1]
            frame = get(max(0.0, deadline_s - now_s))
            if frame is None or not self.strikes("lost", "twice", "late"):
                return frame
            if self.kind == "lost":
                give_back(frame)
            elif self.kind == "twice":
                self.held.append((now_s, frame))
                return frame
            else:
                self.held.append((now_s + self.random.uniform(0.5, 3.0) * PATIENCE_S, frame))


class Proxy:
    """Something with a few of its parts replaced."""

    def __init__(self, of: Any, **parts: Any) -> None:
        self._of = of
        self.__dict__.update(parts)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._of, name)


@contextmanager
def basler(trouble: Trouble) -> Iterator[Camera]:
    package("pypylon.pylon", "basler")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYLON_CAMEMU", "1")
        with BaslerCamera.from_bench("", BaslerOptions(readout_time_s=0.05), AT_BENCH) as camera:
            camera.exposure_s = 1e-3
            inner = camera._camera

            def retrieve(timeout_ms: int, handling: Any) -> Any:
                def get(timeout_s: float) -> Any:
                    result = inner.RetrieveResult(round(1e3 * timeout_s), handling)
                    return None if not result.IsValid() else Proxy(result, Release=lambda: None)

                frame = trouble.deliver(get, lambda _: None, 1e-3 * timeout_ms)
                if frame is None:
                    return Proxy(None, IsValid=lambda: False)
                return Proxy(frame, BlockID=trouble.number(frame.BlockID), true=trouble.exposed[frame.BlockID])

            def execute() -> None:
                assert inner.WaitForFrameTriggerReady(5000, handling_return)  # or it would ignore this one by itself
                inner.TriggerSoftware.Execute()

            handling_return = camera._pylon.TimeoutHandling_Return
            trigger = Proxy(None, Execute=lambda: trouble.give(execute))
            camera._camera = Proxy(inner, RetrieveResult=retrieve, TriggerSoftware=trigger)
            yield camera
            camera._camera = inner


@contextmanager
def aravis(trouble: Trouble) -> Iterator[Camera]:
    try:
        import_aravis()
    except (ImportError, ValueError) as error:
        pytest.skip(f"needs Aravis for this Python: {error}")
    with gige_camera() as fake:
        options = AravisOptions(readout_time_s=0.1)
        with AravisCamera.from_bench(fake.serial_number, options, AT_BENCH) as camera:
            inner, stream = camera._camera, camera._stream

            def pop(timeout_us: int) -> Any:
                def get(timeout_s: float) -> Any:
                    return stream.timeout_pop_buffer(max(1, round(1e6 * timeout_s)))

                frame = trouble.deliver(get, stream.push_buffer, 1e-6 * timeout_us)
                if frame is None:
                    return None
                # On a busy computer the fake camera takes one frame for two triggers: the time of this frame tells.
                taken_unix_s, seen = 1e-9 * frame.get_timestamp(), trouble.number(frame.get_frame_id())
                true = sum(given <= taken_unix_s for given in trouble.given_unix_s) - 1
                return Proxy(frame, get_frame_id=lambda: seen, true=true)

            def push(buffer: Any) -> None:
                if not any(buffer._of is each for _, each in trouble.held):  # it comes once more
                    stream.push_buffer(buffer._of)

            camera._camera = Proxy(inner, software_trigger=lambda: trouble.give(inner.software_trigger))
            camera._stream = Proxy(stream, timeout_pop_buffer=pop, try_pop_buffer=lambda: pop(0), push_buffer=push)
            yield camera
            camera._camera, camera._stream = inner, stream


@contextmanager
def micro_manager(trouble: Trouble) -> Iterator[Camera]:
    with demo() as camera:
        camera.exposure_s = 1e-3
        inner = camera._core

        def snap() -> None:
            inner.snapImage()
            if trouble.strikes("late"):
                time.sleep(trouble.random.uniform(0.5, 3.0) * PATIENCE_S)
            if trouble.strikes("lost"):
                raise RuntimeError("Error in device camera: timed out waiting for image")

        camera._core = Proxy(inner, snapImage=snap)
        yield camera
        camera._core = inner


CAMERAS = {"basler": basler, "aravis": aravis, "micro-manager": micro_manager}


def cases() -> list[tuple[str, str]]:
    kinds = {"basler": KINDS, "aravis": KINDS if AT_LENGTH else ("ignored", "late"), "micro-manager": ("lost", "late")}
    return [(name, kind) for name in CAMERAS for kind in kinds[name]]


@pytest.mark.timeout(60 + 2 * FRAMES)
@pytest.mark.parametrize(("name", "kind"), cases())
def test_no_frame_is_dated_wrongly_whatever_goes_wrong(name: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settle_s = {"basler": 0.04, "aravis": 0.1, "micro-manager": 0.0}[name]
    # A frame that nobody triggered must have come before the next trigger: nothing tells it from that one's.
    trouble = Trouble(kind, settle_s=3 * settle_s if kind == "doubled" else settle_s)
    with CAMERAS[name](trouble) as camera:
        seen: list[int] = []
        if not isinstance(camera, MicroManagerCamera):
            inner = camera._frame  # type: ignore[attr-defined]
            monkeypatch.setattr(camera, "_frame", lambda each: (seen.append(each.true), inner(each))[1])
        trouble.quiet = True
        before_s = median_time_s(camera, trouble)
        trouble.quiet = False
        good = faults = 0
        for _ in range(FRAMES):
            time.sleep(trouble.settle_s)  # as the SLM does
            asked_s = time.perf_counter()
            try:
                frame = camera.snap(PATIENCE_S)
            except (DeviceFaultError, DeviceTimeoutError):
                faults += 1
                continue
            assert frame.time_s >= asked_s
            if seen:
                nearest = min(range(len(trouble.given_s)), key=lambda n: abs(trouble.given_s[n] - frame.time_s))
                assert nearest == seen[-1]
            good += 1
        trouble.quiet = True
        assert trouble.happened
        assert faults <= 2 * trouble.happened + 1 + FRAMES // 20  # now and then the fake camera loses one of its own
        assert good >= FRAMES // 8
        for _ in range(4):
            with_retry(camera)
        assert median_time_s(camera, trouble) < 2 * before_s + 0.02


def with_retry(camera: Camera) -> None:
    try:
        camera.snap(PATIENCE_S)
    except (DeviceFaultError, DeviceTimeoutError):
        time.sleep(PATIENCE_S)


def median_time_s(camera: Camera, trouble: Trouble) -> float:
    times_s = []
    while len(times_s) < 7:
        time.sleep(trouble.settle_s)
        start_s = time.perf_counter()
        try:
            camera.snap(1.0)
        except (DeviceFaultError, DeviceTimeoutError):
            continue
        times_s.append(time.perf_counter() - start_s)
    return sorted(times_s)[3]
