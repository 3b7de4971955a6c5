"""Manual control as a job: devices opened one by one, dark; the light goes off with its client, and at once."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from drivers.interfaces import Roi
from labcontrol.bench import simulated_bench
from labcontrol.bench.test_patterns import PATTERNS, make_pattern
from labcontrol.errors import UserError
from labcontrol.host import HostClient, hosts
from labcontrol.host.directory import HostPlace, hosts_folder
from labcontrol.host.jobs.job import BenchSettings
from labcontrol.host.jobs.manual import (
    CameraFacts,
    Connect,
    DetectorFacts,
    LaserFacts,
    LightOn,
    ManualJob,
    ModulatorFacts,
    TakeTrace,
)
from labcontrol.host.protocol import Begin, SafeOff
from labcontrol.host.server import Host

NEURONS = 16
POWER_W = 0.005


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[ManualJob]:
    bench = ManualJob(simulated_bench(NEURONS, 1), tmp_path / "journal")
    yield bench
    bench.end()


# --- patterns -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", PATTERNS)
@pytest.mark.parametrize(("shape", "bits", "level"), [((30, 48), 8, 200), ((32, 20), 1, 1)])
def test_patterns_fit_their_device(name: str, shape: tuple[int, int], bits: int, level: int) -> None:
    pattern = make_pattern(name, shape, bits, level, 8)
    assert pattern.shape == shape
    assert pattern.dtype == np.uint8
    assert pattern.max() == (2**bits - 1 if name == "gradient" else level)


def test_stripes_have_the_period_they_are_asked_for() -> None:
    stripes = make_pattern("vertical stripes", (4, 24), 8, 255, 6)
    np.testing.assert_array_equal(stripes[0, :12] > 0, [False] * 3 + [True] * 3 + [False] * 3 + [True] * 3)
    np.testing.assert_array_equal(make_pattern("horizontal stripes", (24, 4), 8, 255, 6), stripes.T)


def test_no_turn_of_the_fiducials_looks_like_another() -> None:
    pattern = make_pattern("fiducials", (40, 40), 8, 255, 8)
    turned = [np.rot90(pattern, turns) for turns in (1, 2, 3)]
    assert not any(np.array_equal(image, pattern) for image in turned)


def test_a_gradient_of_mirrors_grows_denser() -> None:
    density = make_pattern("gradient", (64, 64), 1, 1, 8).reshape(64, 4, 16).mean(axis=(0, 2))
    assert list(density) == sorted(density)
    assert density[0] < 0.25 < 0.75 < density[-1]


# --- the bench ------------------------------------------------------------------------------------------------------
def test_every_device_tells_who_it_is_and_what_it_can(bench: ManualJob) -> None:
    kinds = {
        "laser": LaserFacts,
        "slm": ModulatorFacts,
        "dmd": ModulatorFacts,
        "camera": CameraFacts,
        "detector": DetectorFacts,
    }
    for role, kind in kinds.items():
        report = bench.connect(role)
        assert report.identity.vendor == "simulated"
        assert report.status.ok
        assert isinstance(report.facts, kind)


def test_connecting_is_dark_and_light_is_seen_by_camera_and_detector(bench: ManualJob) -> None:
    for role in ("laser", "slm", "dmd", "camera", "detector"):
        bench.connect(role)
    assert not emits(bench)
    dark = bench.frame().data.mean(), bench.trace(64, 1e5).data.mean()
    bench.show("dmd", "blank", 1, 8)
    bench.light_on(POWER_W, bench.darks)
    bench._bench.clock.sleep(60)
    assert bench.frame().data.mean() > 2 * dark[0]
    assert bench.trace(64, 1e5).data.mean() > 100 * dark[1]
    facts = bench.report("laser").facts
    assert isinstance(facts, LaserFacts)
    assert facts.setpoint_w == POWER_W


def test_connecting_the_laser_again_switches_it_off(bench: ManualJob) -> None:
    bench.connect("laser")
    bench.light_on(POWER_W, bench.darks)
    bench.connect("laser")
    assert not emits(bench)


def test_a_region_makes_frames_of_its_size(bench: ManualJob) -> None:
    bench.connect("camera")
    bench.set_camera(1e-3, 3.0, Roi(4, 6, 12, 10))
    frame = bench.frame()
    assert frame.data.shape == (12, 10)
    assert frame.exposure_s == 1e-3


def test_a_light_on_asked_for_before_the_light_off_does_not_come_after_it(bench: ManualJob) -> None:
    bench.connect("laser")
    asked = bench.darks
    bench.light_off()
    with pytest.raises(UserError, match="switched off meanwhile"):
        bench.light_on(POWER_W, asked)
    assert not emits(bench)


# --- through a host -------------------------------------------------------------------------------------------------
@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    host = Host(HostPlace(hosts_folder(), "under-test"), ends_when_free=False)
    host.start()
    yield host
    host.stop()


@pytest.fixture
def client(host: Host, tmp_path: Path) -> Iterator[HostClient]:
    """Has the laser emit."""
    client = HostClient.connect(hosts()[0], "test")
    settings = BenchSettings(bench=simulated_bench(NEURONS, 1), journal=str(tmp_path / "journal"))
    client.request(Begin(job="manual", settings=settings.model_dump(mode="json")))
    client.request(Connect(role="laser"))
    client.request(LightOn(power_w=POWER_W))
    yield client
    client.close()


def job_of(host: Host) -> ManualJob:
    assert isinstance(host._table.job, ManualJob)
    return host._table.job


def test_the_host_says_that_there_is_light_and_of_which_power(client: HostClient) -> None:
    until(lambda: client.poll() or client.status.laser_on)
    assert client.status.power_w == POWER_W
    client.request(SafeOff())
    until(lambda: client.poll() or not client.status.laser_on)


def test_a_client_that_is_gone_leaves_the_light_off(host: Host, client: HostClient) -> None:
    job = job_of(host)
    assert emits(job)
    client.close()
    until(lambda: not emits(job))


def test_a_client_that_hangs_leaves_the_light_off(
    host: Host, client: HostClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labcontrol.host.holder.SILENCE_S", 0.3)
    until(lambda: not emits(job_of(host)))


def test_safe_off_does_not_wait_for_what_was_asked_before(
    host: Host, client: HostClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, answered = threading.Event(), []
    monkeypatch.setattr(job_of(host), "trace", lambda *_: go_on.wait(10))
    client.ask(TakeTrace(samples=1, rate_hz=1.0), answered.append)
    client.request(SafeOff())
    assert not emits(job_of(host))
    assert not answered
    go_on.set()
    until(lambda: client.poll() or bool(answered))


def test_what_a_device_refuses_comes_back_with_its_remedy(client: HostClient) -> None:
    with pytest.raises(UserError, match="detector: is not open") as refused:
        client.request(TakeTrace(samples=10, rate_hz=1e3))
    assert refused.value.remedy


def emits(bench: ManualJob) -> bool:
    return bench._bench.laser.is_open and bool(bench._bench.laser.emission)


def until(condition: Callable[[], bool | None]) -> None:
    waiting = threading.Event()
    for _ in itertools.count():
        if condition():
            return
        waiting.wait(0.01)
