"""The Aravis driver on a GigE Vision camera of the loopback network: Aravis' own fake camera, a process of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.cameras import introspection
from drivers.cameras.aravis import AravisCamera, AravisOptions
from drivers.cameras.introspection import import_aravis
from drivers.interfaces import (
    DeviceDisconnectedError,
    DeviceError,
    DeviceFaultError,
    DeviceRefusedError,
    DeviceTimeoutError,
    DriverContext,
    Frame,
    Roi,
)
from mock_devices.wire.gige import GigECamera
from mock_devices.wire.gige import why_not as no_fake


def why_not() -> str:
    try:
        import_aravis()
    except (ImportError, ValueError) as error:
        return f"needs Aravis for this Python (apt-get install gir1.2-aravis-0.8 python3-gi): {error}"
    return no_fake()


needs_aravis = pytest.mark.skipif(bool(why_not()), reason=why_not())


@pytest.fixture
def fake() -> Iterator[GigECamera]:
    with GigECamera() as made:
        yield made


@pytest.fixture
def camera(fake: GigECamera) -> Iterator[AravisCamera]:
    made = AravisCamera.from_bench(fake.serial_number, AravisOptions(), DriverContext("camera"))
    with made:
        yield made


def snapped(camera: AravisCamera) -> Frame:
    """A frame; acquired again after a fault, and in the end from a camera opened anew, as a run does.

    Now and then the fake camera's stream gives nothing at all.
    """
    for attempt in range(6):
        try:
            return camera.snap()
        except (DeviceFaultError, DeviceTimeoutError):
            camera.discard_frames()
            if attempt % 2:
                counted = camera._numbers.counter
                camera.close()
                camera.open()
                camera._numbers.counter = counted
    return camera.snap()


@needs_aravis
def test_frames_are_triggered_counted_and_of_the_region(camera: AravisCamera) -> None:
    assert camera.identity.vendor == "Aravis"
    camera.roi = Roi(16, 32, 64, 96)
    frames = [snapped(camera) for _ in range(3)]
    assert [frame.counter for frame in frames] == [1, 2, 3]
    assert frames[0].data.shape == (64, 96)
    assert frames[0].time_s < frames[1].time_s < frames[2].time_s
    with pytest.raises(DeviceTimeoutError):
        camera.read(timeout_s=0.02)


@needs_aravis
def test_a_stream_without_frames_is_begun_anew_and_the_count_goes_on(camera: AravisCamera) -> None:
    assert snapped(camera).counter == 1
    streams = []

    class Empty:
        """A stream that hands out a buffer that was never written into."""

        def timeout_pop_buffer(self, timeout_us: int) -> object:
            streams.append(timeout_us)
            return camera._aravis.Buffer.new_allocate(16)

        def try_pop_buffer(self) -> None:
            return None

    camera._stream = Empty()
    with pytest.raises(DeviceFaultError, match="without a frame") as caught:
        camera.snap()
    assert streams
    assert "again" in caught.value.remedy
    assert snapped(camera).counter == 2


@needs_aravis
def test_exposure_changes_the_picture_within_the_cameras_limits(camera: AravisCamera) -> None:
    camera.exposure_s = 1e-3
    dim = snapped(camera).data.mean()
    camera.exposure_s = 2e-2
    assert snapped(camera).data.mean() > 1.2 * dim
    low, high = camera.exposure_limits_s
    for seconds in (0.5 * low, 1.1 * high):
        with pytest.raises(DeviceRefusedError):
            camera.exposure_s = seconds


@needs_aravis
def test_on_a_trigger_line_nothing_but_a_pulse_takes_a_frame(camera: AravisCamera) -> None:
    """The fake camera has the input, and nobody can give it a pulse."""
    camera.close()
    camera._options = AravisOptions(trigger_line="Line0")
    camera.open()
    assert camera._camera.get_trigger_source() == "Line0"
    camera.trigger()
    with pytest.raises((DeviceTimeoutError, DeviceFaultError)):
        camera.read(timeout_s=0.1)


@needs_aravis
def test_without_that_trigger_line_the_error_names_those_there_are(camera: AravisCamera) -> None:
    camera.close()
    camera._options = AravisOptions(trigger_line="Line9")
    with pytest.raises(DeviceRefusedError, match=r"has no trigger input Line9, only .*Line0"):
        camera.open()


@needs_aravis
def test_a_camera_that_disappears_is_an_error_and_can_be_closed(camera: AravisCamera, fake: GigECamera) -> None:
    snapped(camera)
    fake.stop()
    with pytest.raises(DeviceError) as caught:
        camera.snap(timeout_s=0.2)
    assert caught.value.remedy
    camera.close()
    with pytest.raises(DeviceDisconnectedError, match="connecting"):
        camera.open()


def test_without_the_bindings_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "gi", None)
    monkeypatch.setattr(introspection, "_OF_DEBIAN", tmp_path)
    with pytest.raises(DeviceDisconnectedError, match="needs Aravis") as caught:
        AravisCamera.from_bench("", AravisOptions(), DriverContext("camera")).open()
    assert "apt install" in caught.value.remedy
