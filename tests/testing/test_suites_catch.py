"""The conformance suites find what is wrong with drivers that are wrong on purpose."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from drivers.interfaces import Device, DeviceError, DeviceStatus, DriverContext, DriverOptions, Frame, Samples, Shown
from labcontrol.testing import (
    CameraConformance,
    DetectorConformance,
    DeviceConformance,
    LaserConformance,
    ModulatorConformance,
    simulated_table,
)
from mock_devices.camera import SimulatedCamera
from mock_devices.detector import SimulatedDetector
from mock_devices.laser import SimulatedLaser
from mock_devices.modulators import SimulatedDmd, SimulatedSlm

SUITES: dict[type[Device], type[DeviceConformance]] = {
    SimulatedSlm: ModulatorConformance,
    SimulatedDmd: ModulatorConformance,
    SimulatedCamera: CameraConformance,
    SimulatedLaser: LaserConformance,
    SimulatedDetector: DetectorConformance,
}


class OpensWhenBuilt(SimulatedSlm):
    def __init__(self, context: DriverContext) -> None:
        super().__init__(context)
        self.open()


class ForgetsToOpenAgain(SimulatedLaser):
    def close(self) -> None:
        super().close()
        self._open = lambda: 1 / 0  # type: ignore[method-assign, assignment, return-value]


class HasNoFirmware(SimulatedDetector):
    def _read_identity(self) -> Any:
        return dataclasses.replace(super()._read_identity(), firmware="")


class SaysNothing(SimulatedCamera):
    def _read_status(self) -> DeviceStatus:
        return DeviceStatus(True, "")


class CountsFromZero(SimulatedSlm):
    def _show(self, pattern: Any) -> Shown:
        shown = super()._show(pattern)
        return Shown(shown.id - 1, shown.time_s)


class TakesAnyPattern(SimulatedDmd):
    def _check(self, pattern: Any, shape: Any) -> None:
        pass

    def _show(self, pattern: Any) -> Shown:
        return super()._show(np.zeros(self.shape, dtype=np.uint8))


class PlaysNothing(SimulatedDmd):
    def _play(self, rate_hz: float) -> Shown:
        return Shown(1, self.clock.now_s())


class GivesTheSameFrame(SimulatedCamera):
    def _read(self, timeout_s: float) -> Frame:
        return dataclasses.replace(super()._read(timeout_s), counter=1)


class ClipsTheExposure(SimulatedCamera):
    def _require_within(self, what: str, value: float, limits: tuple[float, float], unit: str) -> None:
        pass

    def _set_exposure(self, seconds: float) -> None:
        low, high = self.exposure_limits_s
        super()._set_exposure(min(max(seconds, low), high))


class KeepsItsFrames(SimulatedCamera):
    def _discard_frames(self) -> int:
        return 1


class IsLitWhenItIsOpened(SimulatedLaser):
    def _open(self) -> None:
        super()._open()
        self._set_emission(True)


class StaysLitWhenItIsClosed(SimulatedLaser):
    def _close(self) -> None:
        pass


class ClipsThePower(SimulatedLaser):
    def _require_within(self, what: str, value: float, limits: tuple[float, float], unit: str) -> None:
        pass

    def _set_power(self, watts: float) -> None:
        super()._set_power(min(max(watts, 0.0), self.power_limits_w[1]))


class MeasuresNothing(SimulatedLaser):
    def _read_power(self) -> float:
        return 0.0


class GivesOneSampleTooFew(SimulatedDetector):
    def _read(self, samples: int, rate_hz: float) -> Samples:
        taken = super()._read(samples, rate_hz)
        return dataclasses.replace(taken, data=taken.data[1:])


class NeedsNoTrigger(SimulatedDetector):
    def _arm(self, samples: int, rate_hz: float) -> None:
        self._armed = samples, rate_hz

    def _fetch(self, timeout_s: float) -> Samples:
        return Samples(np.ones(1), 0.0, 1.0, 1, False)


class DescribesNoOption(SimulatedSlm):
    class Options(DriverOptions):
        speed: float = 1.0


WRONG = {
    OpensWhenBuilt: "test_building_a_driver_opens_nothing",
    ForgetsToOpenAgain: "test_a_closed_device_can_be_opened_again",
    HasNoFirmware: "test_identity_is_complete",
    SaysNothing: "test_status_says_in_one_line_that_all_is_well",
    CountsFromZero: "test_shown_patterns_are_counted_from_one",
    TakesAnyPattern: "test_patterns_of_wrong_shape_type_or_level_are_refused_and_not_counted",
    PlaysNothing: "test_sequences_play_or_are_refused",
    GivesTheSameFrame: "test_frames_are_counted_and_dated_in_order",
    ClipsTheExposure: "test_exposure_and_gain_are_set_or_refused_never_clipped",
    KeepsItsFrames: "test_discarded_frames_are_gone",
    IsLitWhenItIsOpened: "test_emission_is_always_explicit",
    StaysLitWhenItIsClosed: "test_emission_is_off_after_closing",
    ClipsThePower: "test_power_is_set_within_the_limits_or_refused",
    MeasuresNothing: "test_measured_power_follows_emission",
    GivesOneSampleTooFew: "test_samples_come_in_the_number_and_rate_asked_for",
    NeedsNoTrigger: "test_an_armed_detector_waits_for_its_trigger",
    DescribesNoOption: "test_every_option_is_described",
}


@pytest.fixture
def run() -> Iterator[Callable[[type[Device], str], None]]:
    """Runs one test of a driver's suite on it, as pytest would."""
    with simulated_table(rows=6, columns=5) as table:

        def run(driver: type[Device], name: str) -> None:
            suite = next(suite for kind, suite in SUITES.items() if issubclass(driver, kind))
            test = getattr(suite(), name)
            device = driver.from_bench("", driver.Options(), DriverContext("thing", table.clock, table))
            (wanted,) = inspect.signature(test).parameters
            given = {"device": lambda: device, "opened": device.open, "driver": lambda: driver}[wanted]()
            test(given)

        yield run


@pytest.mark.parametrize(("driver", "name"), WRONG.items(), ids=[driver.__name__ for driver in WRONG])
def test_a_wrong_driver_fails_the_test_of_what_it_does_wrong(
    driver: type[Device], name: str, run: Callable[[type[Device], str], None]
) -> None:
    run(driver.__mro__[1], name)
    with pytest.raises((AssertionError, pytest.fail.Exception, DeviceError, ArithmeticError)):
        run(driver, name)
