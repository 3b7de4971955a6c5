"""Cameras as they are found: what other programs have left, features that a model lacks, settings in steps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from test_wire_cameras import AT_BENCH, demo, package

from drivers.cameras.aravis import AravisCamera, AravisOptions
from drivers.cameras.basler import BaslerCamera, BaslerFeatures, BaslerOptions
from drivers.cameras.features import NEUTRAL, Features, same, text_of
from drivers.cameras.frames import checked_frame
from drivers.cameras.introspection import import_aravis
from drivers.interfaces import Camera, DeviceFaultError, DeviceRefusedError, DeviceTimeoutError, Roi
from labcontrol.testing import gige_camera


@pytest.fixture(params=["basler", "aravis"])
def build(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Builds drivers of one camera with options."""
    if request.param == "basler":
        package("pypylon.pylon", "basler")
        monkeypatch.setenv("PYLON_CAMEMU", "1")
        yield lambda **options: BaslerCamera.from_bench("", BaslerOptions.model_validate(options), AT_BENCH)
        return
    try:
        import_aravis()
    except (ImportError, ValueError) as error:
        pytest.skip(f"needs Aravis for this Python: {error}")
    with gige_camera() as fake:
        yield lambda **options: AravisCamera.from_bench(
            fake.serial_number, AravisOptions.model_validate({"readout_time_s": 0.1} | options), AT_BENCH
        )


def feature_of(camera: Camera, name: str) -> str:
    if isinstance(camera, BaslerCamera):
        return str(getattr(camera._camera, name).ToString())
    assert isinstance(camera, AravisCamera)
    return str(camera._camera.get_device().get_feature(name).get_value_as_string())


# --- what others have left -----------------------------------------------------------------------------------------
LEFT = {
    "basler": {"Gamma": 2.0, "ExposureAuto": "Continuous", "DigitalShift": 1, "TriggerDelay": 100.0},
    "aravis": {"GainAuto": "Continuous", "BinningHorizontal": 2, "BinningVertical": 2},
}


def test_what_another_program_left_is_neutral_after_opening(build: Any, request: pytest.FixtureRequest) -> None:
    left: dict[str, Any] = LEFT[request.node.callspec.params["build"]]
    with build(features=left) as camera:
        assert all(same(feature_of(camera, name), value) for name, value in left.items())
        if isinstance(camera, BaslerCamera):  # its emulator forgets everything when it is closed
            BaslerFeatures("camera", camera._genicam, camera._camera.GetNodeMap()).set_neutral(but=())
            assert all(same(feature_of(camera, name), NEUTRAL[name]) for name in left)
    with build() as camera:
        assert all(same(feature_of(camera, name), NEUTRAL[name]) for name in left)


def test_what_cannot_be_set_neutral_is_in_the_status(build: Any) -> None:
    with build() as camera:
        camera._stuck = {"Gamma": "2.0"}
        status = camera.status()
    assert status.summary.endswith(", left as found: Gamma = 2.0")
    assert status.values["left_as_found"] == "Gamma = 2.0"


def test_what_was_left_is_set_neutral_or_told_but_for_what_the_bench_file_sets() -> None:
    found = {"Gamma": "2.0", "ReverseX": "1", "GainAuto": "Continuous", "BinningHorizontal": "2"}
    features = Kept(found, fixed=("Gamma",))
    assert features.set_neutral(but=("BinningHorizontal",)) == {"Gamma": "2.0"}
    assert features.values == {"Gamma": "2.0", "ReverseX": "false", "GainAuto": "Off", "BinningHorizontal": "2"}


class Kept(Features):
    """Features in memory."""

    def __init__(self, values: dict[str, str], fixed: tuple[str, ...] = ()) -> None:
        super().__init__("camera")
        self.values, self._fixed, self.errors = values, fixed, (KeyError,)

    def read(self, name: str) -> str | None:
        return self.values.get(name)

    def _write(self, name: str, text: str) -> None:
        if name in self._fixed:
            raise KeyError(name)
        self.values[name] = text

    def _takes(self, name: str) -> str:
        return "nothing"


@pytest.mark.parametrize(
    ("found", "value", "equal"),
    [
        ("0", False, True),
        ("true", True, True),
        ("1.0000", 1.0, True),
        ("Off", "Off", True),
        ("2", 1, False),
        ("?", 1, False),
    ],
)
def test_values_are_compared_however_they_are_written(found: str, value: Any, equal: bool) -> None:
    assert same(found, value) == equal
    assert same(text_of(value), value)


# --- features ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("value", ["high", 1e9, True])
def test_a_feature_that_does_not_take_its_value_is_named_with_what_it_takes(build: Any, value: Any) -> None:
    name = "DigitalShift" if isinstance(build(), BaslerCamera) else "GainAuto"
    camera = build(features={name: value})
    with pytest.raises(DeviceRefusedError, match=rf"did not take .* as {name}, which takes \w+") as caught:
        camera.open()
    assert "bench file" in caught.value.remedy
    assert not camera.is_open


def test_a_feature_that_a_camera_lacks_is_named(build: Any) -> None:
    with pytest.raises(DeviceRefusedError, match="has no feature NoSuchThing"):
        build(features={"NoSuchThing": 1}).open()


def test_a_pixel_format_that_a_camera_lacks_is_named_with_those_it_has(build: Any) -> None:
    camera = build()
    camera._options = camera._options.model_copy(update={"pixel_format": "Mono14"})
    with pytest.raises(DeviceRefusedError, match=r"Mono14.*Mono8, .*Mono16"):
        camera.open()


def test_basler_that_cannot_be_waited_for_is_triggered_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    package("pypylon.pylon", "basler")
    monkeypatch.setenv("PYLON_CAMEMU", "1")
    with BaslerCamera.from_bench("", BaslerOptions(), AT_BENCH) as camera:
        camera._camera = CannotWait(camera._camera)
        for counter in (1, 2, 3):
            camera.clock.sleep(0.1)  # a trigger that comes too early would be ignored
            assert camera.snap().counter == counter


def test_basler_of_an_older_model_knows_features_by_other_names(monkeypatch: pytest.MonkeyPatch) -> None:
    package("pypylon.pylon", "basler")
    monkeypatch.setenv("PYLON_CAMEMU", "1")
    with BaslerCamera.from_bench("", BaslerOptions(), AT_BENCH) as camera:
        shape, found = camera.sensor_shape, camera._feature
        newer = ("SensorHeight", "SensorWidth", "ExposureTime")
        monkeypatch.setattr(camera, "_feature", lambda name: None if name in newer else found(name))
        assert camera.sensor_shape == shape
        camera.exposure_s = 3e-3
        assert camera.exposure_s == pytest.approx(3e-3)
        monkeypatch.setattr(camera, "_feature", lambda _: None)
        with pytest.raises(DeviceRefusedError, match="none of the features ExposureTime, ExposureTimeAbs"):
            camera.exposure_s = 2e-3


class CannotWait:
    """A camera whose model has no wait for the trigger, as older ones."""

    def __init__(self, camera: Any) -> None:
        self._camera = camera

    def CanWaitForFrameTriggerReady(self) -> bool:  # noqa: N802
        return False

    def WaitForFrameTriggerReady(self, *_: object) -> bool:  # noqa: N802
        raise RuntimeError("Cannot wait for trigger ready")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._camera, name)


def test_the_state_says_how_fast_frames_can_come(build: Any) -> None:
    with build() as camera:
        assert float(camera.status().values["frame_rate_hz"]) > 0


# --- exposure ------------------------------------------------------------------------------------------------------
ROW_S = 9.74436e-6


def test_micro_manager_takes_exposures_on_a_grid_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    with demo() as camera:
        core, taken = camera._core, {"ms": 10.0}
        monkeypatch.setattr(core, "setExposure", lambda ms: taken.update(ms=1e3 * ROW_S * round(1e-3 * ms / ROW_S)))
        monkeypatch.setattr(core, "getExposure", lambda: taken["ms"])
        for seconds in np.random.default_rng(3).uniform(2e-4, 0.2, 200).tolist():
            camera.exposure_s = seconds
            assert camera.exposure_s == 1e-3 * taken["ms"]
            assert camera.exposure_s == pytest.approx(seconds, rel=0.05)
        with pytest.raises(DeviceRefusedError, match="more than 5% off"):
            camera.exposure_s = 1.4 * ROW_S


def test_micro_manager_camera_that_reports_a_wrong_exposure_can_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for reports in (True, False):
        with demo(reports_exposure=reports) as camera:
            monkeypatch.setattr(camera._core, "getExposure", lambda: 1000.0)
            if reports:
                with pytest.raises(DeviceRefusedError, match="took 1 s"):
                    camera.exposure_s = 2e-3
            else:
                camera.exposure_s = 2e-3
                assert camera.snap().exposure_s == camera.exposure_s == 2e-3


def test_a_long_exposure_is_waited_for(build: Any) -> None:
    with build() as camera:
        camera.exposure_s = min(2.0, camera.exposure_limits_s[1])
        assert camera.patience_s >= 2 * camera.exposure_s
        waited = []
        camera._read = lambda timeout_s: waited.append(timeout_s)
        camera.snap()
        assert waited == [camera.patience_s]


# --- saturation ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("counts", "bits", "level", "share"),
    [
        ([4095, 4095], 12, None, 1.0),
        ([4095, 4094], 12, None, 0.5),
        ([65520, 65520], 16, None, 1.0),  # 12 bits, left-justified
        ([65520, 16], 16, None, 0.5),
        ([65520, 65519], 16, None, 0.0),  # 16 bits, none of which is unused
        ([65472, 64], 16, None, 0.5),  # 10 bits, left-justified
        ([32768, 32768], 16, None, 0.0),
        ([4080, 16], 12, None, 0.5),  # 8 bits in 12
        ([254, 254], 8, None, 0.0),
        ([3900, 3899], 12, 3900, 0.5),  # as stated
        ([0, 0], 12, None, 0.0),
    ],
)
def test_pixels_at_the_top_of_what_the_data_can_hold_are_saturated(
    counts: list[int], bits: int, level: int | None, share: float
) -> None:
    pixels = np.array([counts], dtype=np.uint8 if bits == 8 else np.uint16)
    frame = checked_frame(
        "camera", pixels, Roi(0, 0, 1, 2), bits, counter=1, time_s=0.0, exposure_s=1e-3, saturation=level
    )
    assert frame.saturated_share == share


def test_a_stated_saturation_counts(build: Any) -> None:
    with build(pixel_format="Mono8", saturation_counts=1) as camera:
        try:
            frame = camera.snap()
        except (DeviceFaultError, DeviceTimeoutError):  # now and then the fake camera gives nothing at first
            frame = camera.snap()
        assert frame.saturated_share == pytest.approx(float(np.mean(frame.data >= 1)))
