"""A new job is one module and one entry: here it is written, entered and used, and nothing else is touched."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from host_helpers import until

from labcontrol.bench import simulated_bench
from labcontrol.host import HostClient, HostState
from labcontrol.host.jobs import JOBS
from labcontrol.host.protocol import Begin, End
from labcontrol.host.server import Host

MODULE = '''
"""Takes one dark frame after the other."""

from dataclasses import dataclass

from drivers.interfaces import Frame
from labcontrol.bench import Bench
from labcontrol.config import BenchConfig
from labcontrol.host.jobs.job import Job
from labcontrol.host.protocol import HostState, Message, Request


class Settings(Message):
    bench: BenchConfig


class TakeDarkFrame(Request):
    name = "take-dark-frame"


@dataclass(frozen=True)
class Level:
    counts: float


class DarkFrames(Job):
    state = HostState.CALIBRATION
    leased = True
    settings = Settings
    carries = (Frame, Level)

    def __init__(self, bench):
        self.bench, self._bench, self._levels, self._over = bench, Bench(bench), [], False

    @classmethod
    def make(cls, settings):
        return cls(settings.bench)

    @property
    def requests(self):
        return {TakeDarkFrame: lambda _: self._take()}

    @property
    def is_over(self):
        return self._over

    def begin(self):
        self._bench.open()

    def light_off(self, reason):
        self._bench.light_off(reason)

    def end(self):
        self._over = True
        self._bench.close()

    def drain(self):
        levels, self._levels = self._levels, []
        return levels

    def _take(self):
        frame = self._bench.camera.snap()
        self._levels.append(Level(float(frame.data.mean())))
        return frame
'''


def test_a_job_is_a_module_and_an_entry(
    tmp_path: Path, serve: Callable[..., Host], attach: Callable[..., HostClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dark_frames.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(JOBS, "dark-frames", "dark_frames:DarkFrames")

    client = attach(serve())
    heard: list[Any] = []
    client.hear(heard.append)
    bench = simulated_bench(16, 1).model_dump(mode="json")
    client.request(Begin(job="dark-frames", settings={"bench": bench}))
    dark_frames = sys.modules["dark_frames"]
    frame = client.request(dark_frames.TakeDarkFrame())
    level = until(lambda: [event for event in heard if isinstance(event, dark_frames.Level)], client)[0]
    assert level.counts == frame.data.mean()
    until(lambda: client.status.state is HostState.CALIBRATION, client)
    client.request(End())
    until(lambda: client.status.state is HostState.FREE, client)
    del sys.modules["dark_frames"]
