"""Display drivers on a desktop without monitors: what is really on the screens."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

if sys.platform == "win32":
    pytest.skip("needs an X server", allow_module_level=True)

import xcffib
from xcffib import xproto

from drivers.interfaces import (
    DeviceDisconnectedError,
    DeviceError,
    DeviceFaultError,
    DeviceRefusedError,
    DeviceTimeoutError,
    DriverContext,
    Pattern,
)
from drivers.modulators.display import DisplayDmd, DisplayOptions, DisplaySlm, DisplaySlmOptions
from drivers.modulators.screen_link import list_screens
from drivers.modulators.x_painter import XPainter
from mock_devices.wire.desktop import VirtualDesktop, why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())

SLM, DMD = "DUMMY1", "DUMMY2"
QUICK = {"refresh_hz": 1000.0, "response_time_s": 0.0}


@pytest.fixture(scope="module")
def desktop() -> Iterator[VirtualDesktop]:
    with VirtualDesktop((640, 480), (800, 600), (640, 480)) as made:
        yield made


@pytest.fixture(autouse=True)
def at_this_desktop(desktop: VirtualDesktop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", desktop.display)


@pytest.fixture(params=["server", "server, from a copy", "window"])
def painter(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Who turns grey levels into the pixels of a screen."""
    if request.param == "server, from a copy":
        monkeypatch.setattr(XPainter, "_server_draws_from_shared_memory", lambda _: False)
    elif request.param == "window":
        monkeypatch.setitem(sys.modules, "xcffib", None)  # as where it is not installed
    return str(request.param)


def slm(screen: str = SLM, **options: object) -> DisplaySlm:
    return DisplaySlm(DriverContext("slm"), screen, DisplaySlmOptions.model_validate({**QUICK, **options}))


def noise(shape: tuple[int, int], top: int = 256) -> Pattern:
    return np.random.default_rng(3).integers(0, top, shape, dtype=np.uint8)


def test_patterns_are_on_the_named_screen_pixel_by_pixel(desktop: VirtualDesktop, painter: str) -> None:
    with slm() as device:
        assert (device._link._painter is None) == (painter == "window")
        assert device.shape == (600, 800)
        assert device.identity.serial_number == SLM
        for number in (1, 2):
            pattern = np.roll(noise((600, 800)), number)
            assert device.show(pattern).id == number
            np.testing.assert_array_equal(desktop.see(SLM), pattern)
    assert not desktop.see(SLM).any()


def test_a_pattern_is_there_again_after_something_covered_it(desktop: VirtualDesktop, painter: str) -> None:
    with slm() as device:
        device.show(noise((600, 800)))
        connection = xcffib.connect(display=desktop.display)
        root = connection.get_setup().roots[0]
        cover, place = connection.generate_id(), (700, 50, 200, 200)  # columns 60 to 260 of the screen beside
        override = (xproto.CW.BackPixel | xproto.CW.OverrideRedirect, [0, 1])
        connection.core.CreateWindow(root.root_depth, cover, root.root, *place, 0, 1, root.root_visual, *override)
        connection.core.MapWindowChecked(cover).check()
        assert not desktop.see(SLM)[50:250, 60:260].any()
        connection.core.DestroyWindowChecked(cover).check()
        connection.disconnect()
        wait_until(lambda: np.array_equal(desktop.see(SLM), noise((600, 800))))


def wait_until(condition: Callable[[], bool]) -> None:
    give_up_s = time.monotonic() + 10.0
    while not condition():
        assert time.monotonic() < give_up_s, "it did not happen"
        time.sleep(0.01)


def test_a_screen_belongs_to_one_program_at_a_time(desktop: VirtualDesktop) -> None:
    with slm() as device:
        device.show(noise((600, 800)))
        assert [bool(screen.in_use) for screen in list_screens()] == [False, True, False]
        with pytest.raises(DeviceRefusedError, match=rf"another program shows patterns on {SLM}: process \d+"):
            slm().open()
        np.testing.assert_array_equal(desktop.see(SLM), noise((600, 800)))
    assert not any(screen.in_use for screen in list_screens())


def test_a_screen_is_free_after_its_program_was_killed() -> None:
    device = slm().open()
    assert device._link._process is not None
    device._link._process.kill()
    device._link._process.wait()
    with slm() as again:
        again.show(noise((600, 800)))
    device.close()


@pytest.mark.parametrize("macro_pixel", [1, 5])
def test_patterns_that_change_in_part_are_on_the_screen_as_a_whole(
    desktop: VirtualDesktop, painter: str, tmp_path: Path, macro_pixel: int
) -> None:
    correction = np.random.default_rng(4).integers(0, 256, (600, 800), dtype=np.uint8)
    Image.fromarray(correction).save(tmp_path / "flat.png")
    table = write_table(tmp_path / "table.txt", LEVELS, "csv")
    options = {"response_table": table, "correction_image": tmp_path / "flat.png", "macro_pixel": macro_pixel}
    with slm(**options) as device:
        pattern = noise(device.shape)
        for step in range(6):
            pattern[10 * step : 17 * step, 9 * step : 13 * step] += 1  # nothing at all at the first
            device.show(pattern)
            whole = np.kron(pattern, np.ones((macro_pixel, macro_pixel), dtype=np.uint8))
            np.testing.assert_array_equal(desktop.see(SLM), LEVELS[(whole.astype(int) + correction) % 256])


def test_two_modulators_show_side_by_side(desktop: VirtualDesktop) -> None:
    dmd = DisplayDmd(DriverContext("dmd"), DMD, DisplayOptions(refresh_hz=1000.0))
    with slm() as phase, dmd:
        mask = noise(dmd.shape, 2)
        phase.show(noise(phase.shape))
        dmd.show(mask)
        np.testing.assert_array_equal(desktop.see(DMD), 255 * mask)
        np.testing.assert_array_equal(desktop.see(SLM), noise(phase.shape))
        with pytest.raises(DeviceRefusedError, match="levels go from 0 to 1"):
            dmd.show(2 * mask)


def test_the_screen_of_the_people_is_not_covered_by_accident(desktop: VirtualDesktop) -> None:
    with pytest.raises(DeviceRefusedError, match="primary screen") as caught:
        slm("DUMMY0").open()
    assert "allow_primary" in caught.value.remedy
    with slm("DUMMY0", allow_primary=True) as device:
        device.show(noise((480, 640)))
        np.testing.assert_array_equal(desktop.see("DUMMY0"), noise((480, 640)))


def test_an_unknown_screen_is_refused_with_the_ones_there_are() -> None:
    with pytest.raises(DeviceRefusedError, match=r"no screen 'HDMI-7'. Screens here: DUMMY0 .*primary.*DUMMY2"):
        slm("HDMI-7").open()


def test_without_a_desktop_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":4711")
    with pytest.raises(DeviceDisconnectedError, match=r"could not connect to display") as caught:
        slm().open()
    assert "DISPLAY" in caught.value.remedy


def show_until_it_fails(device: DisplaySlm) -> DeviceError:
    for _ in range(200):  # the window system tells in its own time
        try:
            device.show(noise(device.shape))
        except DeviceError as error:
            return error
    raise AssertionError("the screen is gone and patterns are still shown")


def test_a_removed_screen_is_a_fault_until_it_is_opened_again(desktop: VirtualDesktop) -> None:
    device = slm().open()
    try:
        device.show(noise((600, 800)))
        desktop.unplug(SLM)
        error = show_until_it_fails(device)
        assert isinstance(error, DeviceFaultError)
        assert SLM in str(error)
        assert not device.status().ok
        with pytest.raises(DeviceFaultError):
            device.show(noise((600, 800)))
    finally:
        device.close()
        desktop.plug_in(SLM)
    with device:
        device.show(noise((600, 800)))
        np.testing.assert_array_equal(desktop.see(SLM), noise((600, 800)))


def test_a_window_that_dies_is_a_lost_device_and_comes_back(desktop: VirtualDesktop, painter: str) -> None:
    device = slm().open()
    assert device._link._process is not None
    os.kill(device._link._process.pid, signal.SIGKILL)
    error = show_until_it_fails(device)
    device.close()
    assert isinstance(error, DeviceDisconnectedError)
    assert "is gone" in error.message
    with device:
        device.show(noise((600, 800)))
        np.testing.assert_array_equal(desktop.see(SLM), noise((600, 800)))


def test_a_window_system_that_hangs_hangs_no_run(
    desktop: VirtualDesktop, painter: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    del painter
    monkeypatch.setattr("drivers.modulators.screen_link.SHOW_TIMEOUT_S", 0.2)
    assert desktop._server is not None
    with slm() as device:
        device.show(noise((600, 800)))
        os.kill(desktop._server.pid, signal.SIGSTOP)
        try:
            with pytest.raises(DeviceTimeoutError, match="got no answer from its window"):
                device.show(noise((600, 800)) + 1)
        finally:
            os.kill(desktop._server.pid, signal.SIGCONT)
        device.close()
        device.open()
        device.show(noise((600, 800)))
        np.testing.assert_array_equal(desktop.see(SLM), noise((600, 800)))


def test_patterns_stay_for_a_refresh_at_least() -> None:
    with slm(refresh_hz=20.0) as device:
        times_s = [device.show(noise((600, 800))).time_s for _ in range(4)]
        assert np.diff(times_s).min() >= 1 / 20.0
        assert device.settle_time_s == pytest.approx(2 / 20.0)


def write_table(path: Path, levels: NDArray[np.uint8], form: str) -> Path:
    text = {
        "one column": "\n".join(map(str, levels)),
        "two columns": "\n".join(f"{level}\t{grey}" for level, grey in enumerate(levels)),
        "csv": "\n".join(f"{level},{grey}" for level, grey in enumerate(levels)),
    }[form]
    path.write_text(text)
    return path


LEVELS = (np.arange(256) * 200 // 255).astype(np.uint8)


@pytest.mark.parametrize("form", ["one column", "two columns", "csv"])
def test_response_tables_are_read_as_makers_write_them(tmp_path: Path, form: str) -> None:
    path = write_table(tmp_path / "table.txt", LEVELS, form)
    np.testing.assert_array_equal(slm()._load_table(path), LEVELS)


def test_correction_and_response_come_before_the_screen(desktop: VirtualDesktop, tmp_path: Path) -> None:
    correction = np.random.default_rng(4).integers(0, 256, (600, 800), dtype=np.uint8)
    Image.fromarray(correction).save(tmp_path / "flat.bmp")
    table = write_table(tmp_path / "table.txt", LEVELS, "csv")
    with slm(response_table=table, correction_image=tmp_path / "flat.bmp") as device:
        pattern = noise((600, 800))
        device.show(pattern)
        np.testing.assert_array_equal(desktop.see(SLM), LEVELS[(pattern.astype(int) + correction) % 256])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("1\n2\n", "holds 2 lines"),
        ("x\n" * 256, "cannot be read"),
        ("300\n" * 256, "whole numbers from 0 to 255"),
        ("\n".join(f"{n + 1} {n}" for n in range(256)), "first column"),
    ],
)
def test_a_wrong_response_table_is_refused(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "table.txt").write_text(content)
    with pytest.raises(DeviceRefusedError, match=words):
        slm()._load_table(tmp_path / "table.txt")


def test_a_correction_image_of_another_size_is_refused(tmp_path: Path) -> None:
    Image.fromarray(noise((10, 10))).save(tmp_path / "small.png")
    with pytest.raises(DeviceRefusedError, match=r"shape \(10, 10\), not uint8 of shape \(600, 800\)"):
        slm(correction_image=tmp_path / "small.png").open()
    with pytest.raises(DeviceRefusedError, match="cannot be read"):
        slm()._load_image(tmp_path / "missing.png", (600, 800))


def test_macro_pixels_are_squares_of_screen_pixels(desktop: VirtualDesktop) -> None:
    with slm(macro_pixel=7) as device:
        assert device.shape == (85, 114)
        pattern = noise((85, 114))
        device.show(pattern)
        seen = desktop.see(SLM)
        np.testing.assert_array_equal(seen[: 85 * 7, : 114 * 7], np.kron(pattern, np.ones((7, 7), dtype=np.uint8)))
        assert not seen[85 * 7 :].any()
