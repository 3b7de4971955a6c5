"""Devices by hand: opened one by one, dark, and the light never outlives the window."""

from __future__ import annotations

import itertools
import multiprocessing
import threading
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest
from gui_helpers import NEURONS, MakeWindow, ScriptedRun, ScriptedRuns
from pytestqt.qtbot import QtBot

from drivers.interfaces import Roi
from labcontrol.bench import simulated_bench
from labcontrol.bench.test_patterns import PATTERNS, make_pattern
from labcontrol.config import BenchConfig
from labcontrol.engine import RunState, RunStatus
from labcontrol.errors import UserError
from labcontrol.gui.processes.bench_process import _Post, _Request, _Server
from labcontrol.gui.processes.process_talk import LogLines
from labcontrol.gui.window.main_window import MainWindow
from labcontrol.host.jobs.manual import (
    CameraFacts,
    DetectorFacts,
    LaserFacts,
    ManualJob,
    ModulatorFacts,
)

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


# --- the line to the window -----------------------------------------------------------------------------------------
@pytest.fixture
def served(bench: ManualJob) -> Iterator[Callable[[float], Connection]]:
    """Serves the bench in threads; gives the window's end of the line."""
    threads: list[threading.Thread] = []
    near, far = multiprocessing.Pipe()

    def start(silence_s: float) -> Connection:
        server = _Server(far, _Post(far, LogLines()), bench, silence_s)
        threads.extend(threading.Thread(target=act) for act in (server.listen, server.work))
        for thread in threads:
            thread.start()
        return near

    yield start
    near.close()
    for thread in threads:
        thread.join(10)
    far.close()


def ask(line: Connection, number: int, command: str, *arguments: object) -> None:
    line.send(_Request(number, command, arguments))
    reply = line.recv()
    assert (reply.number, reply.error) == (number, None)


def test_a_window_that_is_gone_leaves_the_light_off(served: Callable[[float], Connection], bench: ManualJob) -> None:
    line = served(60.0)
    ask(line, 1, "connect", "laser")
    ask(line, 2, "light_on", POWER_W)
    assert emits(bench)
    line.close()
    until(lambda: not emits(bench))


def test_a_window_that_hangs_leaves_the_light_off(served: Callable[[float], Connection], bench: ManualJob) -> None:
    line = served(0.3)
    ask(line, 1, "connect", "laser")
    ask(line, 2, "light_on", POWER_W)
    until(lambda: not emits(bench))


def test_light_off_does_not_wait_for_what_was_asked_before(
    served: Callable[[float], Connection], bench: ManualJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = served(60.0)
    ask(line, 1, "connect", "laser")
    ask(line, 2, "light_on", POWER_W)
    go_on = threading.Event()
    monkeypatch.setattr(bench, "trace", lambda *_: go_on.wait(10))
    line.send(_Request(3, "trace", (1, 1.0)))
    line.send(_Request(4, "light_off"))
    assert line.recv().number == 4
    assert not emits(bench)
    go_on.set()
    assert line.recv().number == 3


def test_what_a_device_refuses_comes_back_with_its_remedy(served: Callable[[float], Connection]) -> None:
    line = served(60.0)
    line.send(_Request(1, "trace", (10, 1e3)))
    kind, message, remedy = line.recv().error
    assert kind == "user"
    assert "detector: is not open" in message
    assert remedy


# --- in the window --------------------------------------------------------------------------------------------------
@pytest.fixture
def window(make_window: MakeWindow, scripted_run: ScriptedRun) -> Iterator[MainWindow]:
    window = make_window(ScriptedRuns(scripted_run, Path("runs")))
    window.show_page(window.devices)
    yield window
    window.devices.close_bench()


def test_the_laser_by_hand(window: MainWindow, scripted_run: ScriptedRun, qtbot: QtBot) -> None:
    devices, laser = window.devices, window.devices.laser
    devices.connect_all()
    qtbot.waitUntil(lambda: all(card.is_connected for card in devices.cards.values()), timeout=60_000)
    assert "laser diode" in laser.identity.text()
    assert laser.interlock.text() == "interlock closed"

    # emission needs arming, and arming is used up by it
    assert not laser.on_button.isEnabled()
    laser.arm_button.click()
    assert laser.on_button.isEnabled()
    laser.on_button.click()
    assert not laser.is_armed
    qtbot.waitUntil(lambda: devices.light_is_on, timeout=10_000)
    assert window.header.laser.text() == "☀  Laser ON · 20 mW"
    assert window.header.state.text() == "Manual"
    assert not laser.arm_button.isEnabled()

    # while it emits, the power follows
    laser.power.setValue(12.0)
    qtbot.waitUntil(lambda: window.header.laser.text() == "☀  Laser ON · 12 mW", timeout=10_000)

    # camera and detector see it
    devices.dmd.send_button.click()
    devices.camera.live_button.click()
    devices.detector.live_button.click()
    qtbot.waitUntil(lambda: devices.camera.view._frame is not None, timeout=10_000)
    qtbot.waitUntil(lambda: "W" in devices.detector.reading.text(), timeout=10_000)

    # the safe-off button works here too
    window.header.safe_button.click()
    qtbot.waitUntil(lambda: not devices.light_is_on, timeout=10_000)
    assert window.header.laser.text() == "○  Laser off"

    # a run gets the table only after it was let go, and then hands are off
    window.starter.start_form()
    assert scripted_run.status.state is RunState.IDLE
    qtbot.waitUntil(lambda: scripted_run.status.state is RunState.PREPARING, timeout=30_000)
    assert not devices.is_in_use
    assert not laser.isEnabled()
    assert "A run owns the table" in devices.words.text()
    scripted_run.status = RunStatus(RunState.FINISHED)
    window.controller.tick()
    assert laser.isEnabled()


def test_a_device_that_is_missing_says_so_and_the_others_work(
    make_window: MakeWindow, scripted_run: ScriptedRun, qtbot: QtBot, tmp_path: Path
) -> None:
    window = make_window(ScriptedRuns(scripted_run, tmp_path))
    bench = window.experiment.chosen()[1].model_dump()
    bench["camera"] |= {"exposure_s": 90.0}  # longer than this camera can
    window.devices._bench = lambda: BenchConfig.model_validate(bench)
    cards = window.devices.cards
    window.show_page(window.devices)
    window.devices.connect_all()
    qtbot.waitUntil(lambda: cards["detector"].is_connected and cards["camera"].problem.isVisible(), timeout=60_000)
    assert "exposure" in cards["camera"].problem.text()
    assert cards["camera"].connect_button.isEnabled()
    assert cards["laser"].is_connected
    window.devices.close_bench()


def emits(bench: ManualJob) -> bool:
    return bool(bench._bench.laser.emission)


def until(condition: Callable[[], bool]) -> None:
    waiting = threading.Event()
    for _ in itertools.count():
        if condition():
            return
        waiting.wait(0.01)
