"""Camera drivers through their makers' own packages: Basler's camera emulator, Micro-Manager's demonstration camera."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from drivers.cameras.basler import BaslerCamera, BaslerOptions
from drivers.cameras.frames import checked_frame
from drivers.cameras.micromanager import MicroManagerCamera, MicroManagerOptions
from drivers.interfaces import (
    Camera,
    DeviceDisconnectedError,
    DeviceFaultError,
    DeviceRefusedError,
    DeviceTimeoutError,
    DriverContext,
    Roi,
)

AT_BENCH = DriverContext("camera")


def package(name: str, extra: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # modules made with SWIG warn of their own types
        return pytest.importorskip(name, reason=f'needs {name}: pip install "labcontrol[{extra}]"')


@pytest.fixture
def basler(monkeypatch: pytest.MonkeyPatch) -> Iterator[BaslerCamera]:
    package("pypylon.pylon", "basler")
    monkeypatch.setenv("PYLON_CAMEMU", "1")
    camera = BaslerCamera.from_bench("", BaslerOptions(), AT_BENCH)
    yield camera
    camera.close()


def demo(**options: object) -> MicroManagerCamera:
    package("pymmcore_plus", "micromanager")
    folder = package("mm_test_adapters", "test").device_adapter_path()
    chosen = {"adapter": "DemoCamera", "camera": "DCam", "adapter_folder": folder, **options}
    return MicroManagerCamera.from_bench("", MicroManagerOptions.model_validate(chosen), AT_BENCH)


# --- Basler -------------------------------------------------------------------------------------------------------
def test_basler_frames_are_our_own_images(basler: BaslerCamera, tmp_path: Path) -> None:
    basler._options = BaslerOptions(pixel_format="Mono8")
    basler.open()
    basler.roi = Roi(0, 0, 48, 64)
    image = np.random.default_rng(2).integers(0, 256, (48, 64), dtype=np.uint8)
    for number in range(2):  # the emulator keeps a single file in memory; of several it reads each anew
        Image.fromarray(image).save(tmp_path / f"{number}.bmp")
    with basler._stopped():
        basler._camera.TestImageSelector.SetValue("Off")
        basler._camera.ImageFilename.SetValue(str(tmp_path))
        basler._camera.ImageFileMode.SetValue("On")
    frame = basler.snap()
    np.testing.assert_array_equal(frame.data, image)
    assert frame.saturated_share == pytest.approx(np.mean(image == 255))


def test_basler_frames_belong_to_their_trigger(basler: BaslerCamera) -> None:
    basler.open()
    before_s = basler.clock.now_s()
    frames = [basler.snap() for _ in range(3)]
    assert [frame.counter for frame in frames] == [1, 2, 3]
    assert before_s <= frames[0].time_s < frames[1].time_s < frames[2].time_s


def test_basler_counts_on_when_the_region_changes(basler: BaslerCamera) -> None:
    basler.open()
    counters = []
    for rows in (32, 64, 48):
        basler.roi = Roi(16, 32, rows, 96)
        counters.append(basler.snap().counter)
    assert counters == [1, 2, 3]


def test_basler_frame_that_failed_on_its_way_is_a_fault_and_the_next_is_good(basler: BaslerCamera) -> None:
    basler.open()
    basler.snap()
    basler._camera.ForceFailedBufferCount.SetValue(1)
    basler._camera.ForceFailedBuffer.Execute()
    with pytest.raises(DeviceFaultError, match="frame 2 failed on its way") as caught:
        basler.snap()
    assert caught.value.remedy
    assert basler.snap().counter == 3


def test_basler_frames_that_were_lost_are_noticed(basler: BaslerCamera, monkeypatch: pytest.MonkeyPatch) -> None:
    basler.open()
    basler.snap()
    basler.trigger()
    numbers = basler._numbers
    assert numbers._last is not None
    monkeypatch.setattr(numbers, "_last", numbers._last - 3)  # as if the camera had counted three more
    with pytest.raises(DeviceFaultError, match="lost 3 frames before frame 5"):
        basler.read()
    assert basler.snap().counter == 6


def test_basler_without_a_trigger_times_out(basler: BaslerCamera) -> None:
    basler.open()
    with pytest.raises(DeviceTimeoutError, match="gave no frame"):
        basler.read(timeout_s=0.02)
    assert basler.snap().counter == 1


def on_line(camera: BaslerCamera, line: str = "Line1") -> BaslerCamera:
    camera._options = BaslerOptions(trigger_line=line)
    return camera


def pulse(camera: BaslerCamera) -> None:
    """A pulse on the input; the emulator takes a software trigger for one, whatever its source is."""
    assert camera._camera.WaitForFrameTriggerReady(1000)
    camera._camera.TriggerSoftware.Execute()


def test_basler_on_a_trigger_line_takes_the_frame_of_the_next_pulse(basler: BaslerCamera) -> None:
    on_line(basler).open()
    assert basler._camera.TriggerSource.GetValue() == "Line1"
    assert basler._camera.TriggerActivation.GetValue() == "RisingEdge"
    basler.trigger()
    with pytest.raises(DeviceTimeoutError):  # nothing but a pulse takes a frame
        basler.read(timeout_s=0.05)
    basler.trigger()
    pulse(basler)
    with pytest.raises(DeviceFaultError, match="may be a late one"):
        basler.read()
    for counter in (2, 3):
        before_s = basler.clock.now_s()
        basler.trigger()
        asked_s = basler.clock.now_s()
        pulse(basler)
        frame = basler.read()
        assert frame.counter == counter
        assert before_s <= frame.time_s <= asked_s


def test_basler_on_a_trigger_line_forgets_the_frames_of_earlier_pulses(basler: BaslerCamera) -> None:
    on_line(basler).open()
    pulse(basler)
    assert basler._camera.GetGrabResultWaitObject().Wait(1000)
    basler.trigger()
    pulse(basler)
    assert basler.read().counter == 2
    with pytest.raises(DeviceTimeoutError):
        basler.read(timeout_s=0.02)


def test_basler_on_a_trigger_line_counts_frames_that_failed(basler: BaslerCamera) -> None:
    on_line(basler).open()
    basler._camera.ForceFailedBufferCount.SetValue(1)
    basler._camera.ForceFailedBuffer.Execute()
    basler.trigger()
    pulse(basler)
    with pytest.raises(DeviceFaultError, match="frame 1 failed on its way"):
        basler.read()
    basler.trigger()
    pulse(basler)
    assert basler.read().counter == 2


def test_basler_without_that_line_says_which_it_has(basler: BaslerCamera) -> None:
    with pytest.raises(DeviceRefusedError, match="has no trigger input Line9, only Line1, Line2, Line3"):
        on_line(basler, "Line9").open()
    assert not basler.is_open


def test_basler_that_is_not_there_names_those_that_are(monkeypatch: pytest.MonkeyPatch) -> None:
    package("pypylon.pylon", "basler")
    monkeypatch.setenv("PYLON_CAMEMU", "2")
    with pytest.raises(DeviceDisconnectedError, match=r"found 0 cameras 4711.*Emulation 0815-0000"):
        BaslerCamera.from_bench("4711", BaslerOptions(), AT_BENCH).open()
    with pytest.raises(DeviceDisconnectedError, match="found 2 cameras without an address"):
        BaslerCamera.from_bench("", BaslerOptions(), AT_BENCH).open()


# --- Micro-Manager ------------------------------------------------------------------------------------------------
def test_micro_manager_takes_frames_of_the_depth_set() -> None:
    with demo(properties={"PixelType": "16bit", "BitDepth": 12}) as camera:
        assert camera.bit_depth == 12
        assert camera.sensor_shape == (512, 512)
        camera.exposure_s = 2e-3
        camera.roi = Roi(10, 20, 48, 64)
        frames = [camera.snap() for _ in range(2)]
        assert [frame.counter for frame in frames] == [1, 2]
        assert frames[0].data.shape == (48, 64)
        assert frames[0].data.dtype == np.uint16
        assert frames[0].exposure_s == pytest.approx(2e-3)


def test_micro_manager_gain_is_a_property_with_its_limits() -> None:
    with demo(gain_property="Gain") as camera:
        assert camera.gain_limits_db == (-5.0, 8.0)
        camera.gain_db = 3.0
        assert camera.gain_db == 3.0
        with pytest.raises(DeviceRefusedError):
            camera.gain_db = 9.0


def test_micro_manager_refuses_an_exposure_that_was_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with demo() as camera:
        monkeypatch.setattr(camera._core, "setExposure", lambda _: None)
        with pytest.raises(DeviceRefusedError, match="was told to expose for"):
            camera.exposure_s = 0.5


def test_micro_manager_saturated_pixels_are_counted() -> None:
    with demo(properties={"SaturatePixels": 1, "FractionOfPixelsToDropOrSaturate": 0.05}) as camera:
        camera.exposure_s = 1e-3
        assert 0.0 < camera.snap().saturated_share < 0.2


def test_micro_manager_says_which_adapter_it_cannot_load() -> None:
    with pytest.raises(DeviceDisconnectedError, match="NoSuchCamera") as caught:
        demo(camera="NoSuchCamera").open()
    assert "bench file" in caught.value.remedy
    with pytest.raises(DeviceRefusedError, match="delivers colour"):
        demo(properties={"PixelType": "32bitRGB"}).open()


def test_micro_manager_opens_beside_a_window(qapp: object) -> None:
    with demo() as camera:
        camera.exposure_s = 1e-3
        assert camera.snap().counter == 1


def test_micro_manager_takes_no_address() -> None:
    with pytest.raises(DeviceRefusedError, match="takes no address"):
        MicroManagerCamera.from_bench("COM3", MicroManagerOptions(adapter="a", camera="b"), AT_BENCH)


# --- all ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("module", "extra", "camera"),
    [
        ("pypylon", "basler", BaslerCamera.from_bench("", BaslerOptions(), AT_BENCH)),
        (
            "pymmcore_plus",
            "micromanager",
            MicroManagerCamera.from_bench("", MicroManagerOptions(adapter="a", camera="b"), AT_BENCH),
        ),
    ],
)
def test_a_missing_package_says_what_to_install(
    module: str, extra: str, camera: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(DeviceDisconnectedError, match="needs the package") as caught:
        camera.open()
    assert f'pip install "labcontrol[{extra}]"' in caught.value.remedy
    assert not camera.is_open


def test_pixels_that_cannot_be_of_this_camera_are_a_fault() -> None:
    roi, facts = Roi(0, 0, 2, 3), {"counter": 1, "time_s": 0.0, "exposure_s": 1e-3}
    pixels = np.full((2, 3), 1023, dtype=np.uint16)
    assert checked_frame("camera", pixels, roi, 10, **facts).saturated_share == 1.0  # type: ignore[arg-type]
    with pytest.raises(DeviceFaultError, match="more than 8 bits hold"):
        checked_frame("camera", pixels, roi, 8, **facts)  # type: ignore[arg-type]
    with pytest.raises(DeviceFaultError, match=r"expected \(2, 3\)"):
        checked_frame("camera", pixels.T, roi, 10, **facts)  # type: ignore[arg-type]
