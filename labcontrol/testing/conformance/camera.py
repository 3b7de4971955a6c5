"""What every camera promises."""

from __future__ import annotations

import contextlib
import math

import numpy as np
import pytest

from drivers.interfaces import Camera, DeviceFaultError, DeviceNotOpenError, DeviceRefusedError, DeviceTimeoutError, Roi
from labcontrol.testing.conformance.device import DeviceConformance


class CameraConformance(DeviceConformance):
    """What every camera promises. A subclass overrides `device`."""

    Role = Camera

    def test_frames_have_the_shape_type_and_range_the_camera_states(self, opened: Camera) -> None:
        frame = opened.snap()
        assert frame.data.shape == (opened.roi.rows, opened.roi.columns)
        assert frame.data.dtype == (np.uint8 if opened.bit_depth <= 8 else np.uint16)
        assert frame.data.max() < 2**opened.bit_depth
        assert frame.exposure_s == opened.exposure_s
        assert 0 <= frame.saturated_share <= 1

    def test_frames_are_counted_and_dated_in_order(self, opened: Camera) -> None:
        frames = [opened.snap() for _ in range(3)]
        assert np.all(np.diff([frame.counter for frame in frames]) == 1)
        assert np.all(np.diff([frame.time_s for frame in frames]) > 0)
        assert frames[-1].time_s + frames[-1].exposure_s <= opened.clock.now_s() * (1 + 1e-9)

    def test_a_frame_stays_what_it_was(self, opened: Camera) -> None:
        frame = opened.snap()
        copy = frame.data.copy()
        opened.snap()
        np.testing.assert_array_equal(frame.data, copy)

    def test_reading_an_untriggered_camera_times_out(self, opened: Camera) -> None:
        start_s = opened.clock.now_s()
        with pytest.raises(DeviceTimeoutError):
            opened.read(timeout_s=0.05)
        assert opened.clock.now_s() - start_s >= 0.05 * (1 - 1e-9)

    def test_a_frame_that_waits_is_not_the_one_that_is_asked_for(self, opened: Camera) -> None:
        opened.trigger()
        opened.clock.sleep(opened.exposure_s + opened.readout_time_s)
        asked_s = opened.clock.now_s()
        assert opened.snap().time_s >= asked_s

    def test_after_a_time_out_a_frame_is_of_its_own_trigger(self, opened: Camera) -> None:
        opened.trigger()
        with pytest.raises(DeviceTimeoutError):
            opened.read(timeout_s=1e-5)
        opened.clock.sleep(opened.exposure_s)
        for _ in range(2):
            asked_s = opened.clock.now_s()
            with contextlib.suppress(DeviceFaultError):  # the first may be of either trigger, and is refused then
                assert opened.snap().time_s >= asked_s

    def test_exposures_on_a_grid_are_taken_and_reported(self, opened: Camera) -> None:
        low, high = opened.exposure_limits_s
        for seconds in np.geomspace(max(low, 1e-3), min(high, 0.3), 40).tolist():
            opened.exposure_s = seconds
            assert opened.exposure_s == pytest.approx(seconds, rel=0.05)

    def test_patience_grows_with_the_exposure(self, opened: Camera) -> None:
        assert opened.patience_s >= 1.0
        opened.exposure_s = opened.exposure_limits_s[1]
        assert opened.patience_s > opened.exposure_limits_s[1] + opened.readout_time_s

    def test_exposure_and_gain_are_set_or_refused_never_clipped(self, opened: Camera) -> None:
        for name, (low, high) in (("exposure_s", opened.exposure_limits_s), ("gain_db", opened.gain_limits_db)):
            assert low <= high
            for value in (low, high):
                setattr(opened, name, value)
                assert getattr(opened, name) == pytest.approx(value)
            for value in (low - 0.1 * (high - low) - 1, high * 1.1 + 1, math.nan):
                with pytest.raises(DeviceRefusedError):
                    setattr(opened, name, value)
                assert getattr(opened, name) == pytest.approx(high)

    def test_regions_are_set_or_refused(self, opened: Camera) -> None:
        rows, columns = opened.sensor_shape
        part = Roi(rows // 4, columns // 4, rows // 2, columns // 2)
        opened.roi = part
        assert opened.roi == part
        assert opened.snap().data.shape == (part.rows, part.columns)
        for roi in (Roi(-1, 0, 2, 2), Roi(0, 0, 0, 2), Roi(0, 0, rows + 1, 2), Roi(1, 1, 2, columns)):
            with pytest.raises(DeviceRefusedError):
                opened.roi = roi
            assert opened.roi == part

    def test_discarded_frames_are_gone(self, opened: Camera) -> None:
        opened.trigger()
        opened.clock.sleep(opened.exposure_s + opened.readout_time_s + 0.1)
        assert opened.discard_frames() == 1
        with pytest.raises(DeviceTimeoutError):
            opened.read(timeout_s=0.05)

    def test_a_closed_camera_gives_nothing(self, device: Camera) -> None:
        for use in (
            device.trigger,
            device.read,
            device.snap,
            device.discard_frames,
            lambda: device.exposure_s,
            lambda: device.gain_db,
            lambda: device.roi,
            lambda: setattr(device, "exposure_s", 1e-3),
            lambda: setattr(device, "gain_db", 0.0),
            lambda: setattr(device, "roi", Roi(0, 0, 1, 1)),
        ):
            with pytest.raises(DeviceNotOpenError):
                use()
