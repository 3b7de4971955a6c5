"""Display drivers on a desktop without monitors: what is really on the screens."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

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
from drivers.modulators.screen_events import refusal_of
from drivers.modulators.screen_link import list_screens
from drivers.modulators.window import find
from drivers.modulators.x_painter import XPainter
from drivers.modulators.x_screen import XScreenWatch
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
        with covered(desktop):
            assert not desktop.see(SLM)[50:250, 60:260].any()
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
        "heading": "Gray;Value\n" + "\n".join(f"{level};{grey}" for level, grey in enumerate(levels)),
        "decimals": "\n".join(f"{grey + 0.3:.3f}" for grey in levels),
        "16 bits": "\n".join(f"{level} {257 * int(grey)}" for level, grey in enumerate(levels)),
    }[form]
    path.write_text(text)
    return path


LEVELS = (np.arange(256) * 200 // 255).astype(np.uint8)


@pytest.mark.parametrize("form", ["one column", "two columns", "csv", "heading", "decimals", "16 bits"])
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
        ("300\n" * 256, "neither from 0 to 255 nor of 16 bits"),
        ("70000\n" * 256, "neither from 0 to 255 nor of 16 bits"),
        ("300\n", "one level 300"),
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


def test_the_level_of_a_whole_wave_is_a_table(tmp_path: Path) -> None:
    (tmp_path / "level.txt").write_text("210\n")
    table = slm()._load_table(tmp_path / "level.txt")
    assert (table[0], table[128], table[255]) == (0, 105, 209)


def test_correction_images_of_the_active_part_or_in_colour_are_taken(tmp_path: Path) -> None:
    part = noise((600, 795))
    Image.fromarray(np.stack([part] * 3, axis=-1)).save(tmp_path / "flat.bmp")
    for options, columns in (({}, slice(0, 795)), ({"correction_offset_px": (0, 5)}, slice(5, 800))):
        whole = slm(**options)._load_image(tmp_path / "flat.bmp", (600, 800))
        np.testing.assert_array_equal(whole[:, columns], part)
        assert whole.sum() == part.sum()
    with pytest.raises(DeviceRefusedError, match="does not lie on a screen"):
        slm(correction_offset_px=(0, 6))._load_image(tmp_path / "flat.bmp", (600, 800))
    colours = np.stack([part, part, part + 1], axis=-1)
    Image.fromarray(colours).save(tmp_path / "colour.png")
    with pytest.raises(DeviceRefusedError, match="not uint8 of shape"):
        slm()._load_image(tmp_path / "colour.png", (600, 800))


TOLD_TO_QT = {
    "QT_SCREEN_SCALE_FACTORS": "DUMMY0=1;DUMMY1=1.5;DUMMY2=1",
    "QT_SCALE_FACTOR": "2",
    "QT_FONT_DPI": "192",
    "QT_AUTO_SCREEN_SCALE_FACTOR": "1",
    "QT_ENABLE_HIGHDPI_SCALING": "1",
    "QT_DEVICE_PIXEL_RATIO": "2",
    "QT_SCALE_FACTOR_ROUNDING_POLICY": "PassThrough",
    "QT_USE_PHYSICAL_DPI": "1",
    "QT_QPA_PLATFORM": "offscreen",
    "QT_QPA_PLATFORM_PLUGIN_PATH": "/nowhere/cv2/qt/plugins",
    "QT_PLUGIN_PATH": "/nowhere",
    "QT_QPA_PLATFORMTHEME": "gtk3",
    "QT_STYLE_OVERRIDE": "kvantum",
    "QT_XCB_GL_INTEGRATION": "none",
    "QT_IM_MODULE": "ibus",
    "QT_LOGGING_RULES": "*=true",
    "QT_DEBUG_PLUGINS": "1",
}


@pytest.mark.parametrize("name", TOLD_TO_QT)
def test_nothing_that_a_desktop_tells_qt_reaches_the_glass(
    name: str, desktop: VirtualDesktop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, TOLD_TO_QT[name])
    with slm() as device:
        assert device.shape == (600, 800)
        device.show(noise((600, 800)))
        np.testing.assert_array_equal(desktop.see(SLM), noise((600, 800)))


@pytest.mark.parametrize("place", [("--same-as", "DUMMY0"), ("--pos", "320x0")])
def test_a_screen_that_shows_a_part_of_another_is_refused(desktop: VirtualDesktop, place: tuple[str, str]) -> None:
    desktop._xrandr("--output", SLM, *place)
    try:
        with pytest.raises(DeviceRefusedError, match=rf"{SLM} shows a part of the desktop that DUMMY0 .* shows, too"):
            slm().open()
    finally:
        desktop.plug_in(SLM)


def test_a_screen_that_is_mirrored_while_it_shows_is_a_fault(desktop: VirtualDesktop) -> None:
    with slm() as device:
        device.show(noise((600, 800)))
        desktop._xrandr("--output", DMD, "--same-as", SLM)
        try:
            assert "shows what is on DUMMY2" in show_until_it_fails(device).message
        finally:
            desktop.plug_in(DMD)


def xset(desktop: VirtualDesktop, *arguments: str) -> None:
    subprocess.run(["xset", "-display", desktop.display, *arguments], check=True, capture_output=True)


def saver_timeout_s(desktop: VirtualDesktop) -> int:
    shown = subprocess.run(
        ["xset", "-display", desktop.display, "q"], check=True, capture_output=True, text=True
    ).stdout
    found = re.search(r"timeout: +(\d+)", shown)
    assert found is not None
    return int(found[1])


@contextmanager
def covered(desktop: VirtualDesktop) -> Iterator[None]:
    """A window of somebody else over a part of the pattern."""
    connection = xcffib.connect(display=desktop.display)
    root = connection.get_setup().roots[0]
    cover, place = connection.generate_id(), (700, 50, 200, 200)  # columns 60 to 260 of the screen beside
    override = (xproto.CW.BackPixel | xproto.CW.OverrideRedirect, [0, 1])
    connection.core.CreateWindow(root.root_depth, cover, root.root, *place, 0, 1, root.root_visual, *override)
    connection.core.MapWindowChecked(cover).check()
    yield
    connection.core.DestroyWindowChecked(cover).check()
    connection.disconnect()


def bend(desktop: VirtualDesktop, gamma: str) -> None:
    desktop._xrandr("--output", SLM, "--gamma", gamma)


def test_a_window_over_the_pattern_is_a_fault_as_long_as_it_is_there(desktop: VirtualDesktop) -> None:
    with slm() as device:
        device.show(noise((600, 800)))
        with covered(desktop):
            assert "another window covers it" in show_until_it_fails(device).message
            assert not device.status().ok
        wait_until(lambda: device.status().ok)
        device.show(noise((600, 800)))
        np.testing.assert_array_equal(desktop.see(SLM), noise((600, 800)))


def test_a_bent_gamma_ramp_is_refused_and_a_fault_when_it_comes_later(desktop: VirtualDesktop) -> None:
    bend(desktop, "1:0.8:0.6")
    try:
        with pytest.raises(DeviceRefusedError, match="gamma ramp is not straight"):
            slm().open()
        bend(desktop, "1:1:1")
        with slm() as device:
            device.show(noise((600, 800)))
            bend(desktop, "1:0.8:0.6")
            assert "gamma ramp" in device.status().summary
            bend(desktop, "1:1:1")
            assert device.status().ok
    finally:
        bend(desktop, "1:1:1")


def test_the_screen_saver_waits_while_a_modulator_is_open(desktop: VirtualDesktop) -> None:
    xset(desktop, "s", "1", "1")
    try:
        with slm() as device:
            device.show(noise((600, 800)))
            time.sleep(2.5)
            np.testing.assert_array_equal(desktop.see(SLM), noise((600, 800)))
            assert device.status().ok
            xset(desktop, "s", "noblank")
            xset(desktop, "s", "activate")
            assert "screen saver was on, and is off again" in device.status().summary
            wait_until(lambda: device.status().ok)
            device.show(noise((600, 800)))
            wait_until(lambda: np.array_equal(desktop.see(SLM), noise((600, 800))))
        assert saver_timeout_s(desktop) == 1
    finally:
        xset(desktop, "s", "600", "600")
        xset(desktop, "s", "reset")


@pytest.mark.parametrize(
    ("matrix", "mode", "words"),
    [
        ((65536, 65536), (800, 600), ""),
        ((65536, 65536), (600, 800), ""),  # turned
        ((32768, 32768), (800, 600), "the desktop scales it by 0.5 x 0.5"),
        ((65536, 65536), (1024, 768), "its mode has 1024 x 768 pixels, the window 800 x 600"),
    ],
)
def test_a_screen_whose_pixels_are_not_those_of_its_mode_is_named(
    matrix: tuple[int, int], mode: tuple[int, int], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dummy driver cannot scale: the answers of a server that can."""
    watch = XScreenWatch.__new__(XScreenWatch)
    watch._shape = (600, 800)
    transform = SimpleNamespace(current_transform=SimpleNamespace(matrix11=matrix[0], matrix22=matrix[1]))
    watch._randr = SimpleNamespace(
        GetCrtcInfo=lambda *_: SimpleNamespace(mode=7), GetCrtcTransform=lambda *_: transform
    )
    monkeypatch.setattr(watch, "_answer", lambda asked: asked)
    modes = [SimpleNamespace(id=7, width=mode[0], height=mode[1])]
    assert watch._scaled(1, SimpleNamespace(config_timestamp=0, modes=modes)) == words


def test_two_screens_with_one_serial_number_are_told_apart_by_name() -> None:
    class Screen:
        def __init__(self, name: str, number: str) -> None:
            self.name, self.serialNumber = lambda: name, lambda: number

    screens = [Screen("HDMI-1", "4711"), Screen("DP-2", "4711"), Screen("4711", "")]
    assert find("HDMI-1", screens) == screens[:1]
    assert find("4711", screens[:2]) == screens[:2]
    assert find("4711", screens) == screens[2:]
    event = {"reason": "several screens", "screens": ["HDMI-1 (800 x 600)", "DP-2 (800 x 600)"]}
    refusal = refusal_of(event, "slm", "4711")
    assert "several screens have the serial number 4711: HDMI-1 (800 x 600), DP-2" in str(refusal)


def test_macro_pixels_are_squares_of_screen_pixels(desktop: VirtualDesktop) -> None:
    with slm(macro_pixel=7) as device:
        assert device.shape == (85, 114)
        pattern = noise((85, 114))
        device.show(pattern)
        seen = desktop.see(SLM)
        np.testing.assert_array_equal(seen[: 85 * 7, : 114 * 7], np.kron(pattern, np.ones((7, 7), dtype=np.uint8)))
        assert not seen[85 * 7 :].any()
