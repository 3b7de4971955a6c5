"""What every detector promises, with a trigger input or without."""

from __future__ import annotations

import math

import numpy as np
import pytest

from drivers.interfaces import Detector, DeviceNotOpenError, DeviceRefusedError, DeviceTimeoutError
from labcontrol.testing.conformance.device import DeviceConformance


class DetectorConformance(DeviceConformance):
    """What every detector promises. A subclass overrides `device`."""

    Role = Detector

    def test_samples_come_in_the_number_and_rate_asked_for(self, opened: Detector) -> None:
        rate_hz = min(1000.0, opened.max_rate_hz)
        start_s = opened.clock.now_s()
        taken = [opened.read(samples, rate_hz) for samples in (1, 5)]
        assert [samples.data.shape for samples in taken] == [(1,), (5,)]
        assert [samples.counter for samples in taken] == [1, 2]
        assert all(samples.rate_hz == pytest.approx(rate_hz) for samples in taken)
        assert all(samples.data.dtype == np.float64 and np.isfinite(samples.data).all() for samples in taken)
        assert start_s <= taken[0].time_s < taken[1].time_s <= opened.clock.now_s()

    def test_impossible_acquisitions_are_refused(self, opened: Detector) -> None:
        fastest = opened.max_rate_hz
        for samples, rate_hz in (
            (0, fastest),
            (opened.max_samples + 1, fastest),
            (1, 0.0),
            (1, 1.01 * fastest),
            (1, math.nan),
        ):
            with pytest.raises(DeviceRefusedError):
                opened.read(samples, rate_hz)
            with pytest.raises(DeviceRefusedError):
                opened.arm(samples, rate_hz)

    def test_an_armed_detector_waits_for_its_trigger(self, opened: Detector) -> None:
        if not opened.has_trigger:
            with pytest.raises(DeviceRefusedError):
                opened.arm(1, opened.max_rate_hz)
            return
        opened.arm(1, opened.max_rate_hz)
        with pytest.raises(DeviceTimeoutError):
            opened.fetch(timeout_s=0.05)

    def test_a_closed_detector_gives_nothing(self, device: Detector) -> None:
        for use in (lambda: device.read(1, 1.0), lambda: device.arm(1, 1.0), device.fetch):
            with pytest.raises(DeviceNotOpenError):
                use()
