"""What every driver promises, checked on each registered driver that can be opened without hardware.

`OPENERS` says how to open a driver here. Every driver of this repository has an entry; one that somebody has installed
beside it is skipped where it has none. Modules named in LABCONTROL_OPENERS add theirs (docs/add-a-driver.md).
"""

from __future__ import annotations

import importlib
import math
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import numpy as np
import pytest
from pydantic import ValidationError
from wire_openers import STANDING, WIRE_OPENERS

from drivers.interfaces import (
    Camera,
    Detector,
    Device,
    DeviceError,
    DeviceNotOpenError,
    DeviceRefusedError,
    DeviceTimeoutError,
    DriverContext,
    DriverOptions,
    Found,
    Laser,
    Modulator,
    Roi,
    Search,
    Table,
)
from drivers.registry import driver_names, load_driver

BASES: dict[str, type[Device]] = {"modulator": Modulator, "camera": Camera, "laser": Laser, "detector": Detector}
Opener = Callable[[str], AbstractContextManager[Device]]


@contextmanager
def on_a_simulated_table(name: str) -> Iterator[Device]:
    kind = load_driver("simulated-table")
    assert issubclass(kind, Table)
    table = kind.from_bench(kind.Options.model_validate({"rows": 6, "columns": 5}))
    driver = load_driver(name)
    assert issubclass(driver, Device)
    yield driver.from_bench("", driver.Options(), DriverContext(device="thing", clock=table.clock, table=table))
    table.close()


OPENERS: dict[str, Opener] = {
    f"simulated-{part}": on_a_simulated_table for part in ("slm", "dmd", "camera", "laser", "detector")
} | WIRE_OPENERS
for module in os.environ.get("LABCONTROL_OPENERS", "").split():
    OPENERS |= importlib.import_module(module).OPENERS


@pytest.fixture(scope="module", autouse=True)
def _nothing_left_standing() -> Iterator[None]:
    yield
    STANDING.close()


def drivers(kind: type[Device | Table]) -> list[str]:
    return [name for name in driver_names() if issubclass(load_driver(name), kind)]


def each(kind: type[Device]) -> list[object]:
    """One parameter for each driver of a kind, skipped where it cannot be opened here."""
    needs_hardware = pytest.mark.skip(reason="needs hardware: no opener")
    return [name if name in OPENERS else pytest.param(name, marks=needs_hardware) for name in drivers(kind)]


@pytest.fixture
def closed(request: pytest.FixtureRequest) -> Iterator[Device]:
    """The driver named by the parameter, not opened yet."""
    with OPENERS[request.param](request.param) as device:
        yield device
        device.close()


@pytest.fixture
def opened(closed: Device) -> Device:
    return closed.open()


on_every_device = pytest.mark.parametrize("closed", each(Device), indirect=True)
on_every_modulator = pytest.mark.parametrize("closed", each(Modulator), indirect=True)
on_every_camera = pytest.mark.parametrize("closed", each(Camera), indirect=True)
on_every_laser = pytest.mark.parametrize("closed", each(Laser), indirect=True)
on_every_detector = pytest.mark.parametrize("closed", each(Detector), indirect=True)


# --- the registry --------------------------------------------------------------------------------------------------
@pytest.mark.skipif(sys.platform == "win32", reason="instruments are emulated on other systems")
def test_every_driver_of_this_repository_is_covered() -> None:
    ours = {
        name for name in drivers(Device) if load_driver(name).__module__.split(".")[0] in ("drivers", "mock_devices")
    }
    assert not ours - set(OPENERS), f"add an opener for {', '.join(sorted(ours - set(OPENERS)))}"
    assert not set(OPENERS) - set(driver_names())


@pytest.mark.parametrize("name", driver_names())
def test_the_class_states_its_role_and_its_options(name: str) -> None:
    driver = load_driver(name)
    assert driver.__doc__
    assert issubclass(driver.Options, DriverOptions)
    if issubclass(driver, Device):
        assert issubclass(driver, BASES[driver.role])
    with pytest.raises(ValidationError):
        driver.Options.model_validate({"no_such_setting_anywhere": 1})


@pytest.mark.parametrize("name", driver_names())
def test_every_option_is_described(name: str) -> None:
    for option, field in load_driver(name).Options.model_fields.items():
        group = isinstance(field.annotation, type) and issubclass(field.annotation, DriverOptions)
        assert field.description or group, f"{name}: {option}"


class OneOfEach(Search):
    """A computer with one port, one instrument and one screen, none of which may be asked."""

    def __init__(self) -> None:
        self.identify, self.display, self.notes = False, None, []

    def on_serial_ports(self, **_: object) -> Iterator[Found]:
        yield Found("COM3", "converter", sure=False)

    def on_visa(self, **_: object) -> Iterator[Found]:
        yield Found("GPIB0::3::INSTR", "instrument", sure=False)

    def on_screens(self) -> Iterator[Found]:
        yield Found("HDMI-1", "screen", sure=False)


@pytest.mark.parametrize("name", drivers(Device))
def test_a_driver_says_where_its_devices_are_in_words_of_a_bench_file(name: str) -> None:
    driver = load_driver(name)
    assert issubclass(driver, Device)
    found, missing = [], None
    try:
        found = list(driver.discover(OneOfEach()))
    except DeviceError as error:
        missing = error
    assert missing is None or missing.remedy, "what is missing, and how to get it"
    for each in found:
        assert each.what
        assert set(each.options) <= set(driver.Options.model_fields)
        assert each.role in ("", "slm", "dmd")
        assert not each.role or issubclass(driver, Modulator)


# --- every device --------------------------------------------------------------------------------------------------
@on_every_device
def test_building_a_driver_opens_nothing(closed: Device) -> None:
    assert not closed.is_open


@on_every_device
def test_opening_twice_is_opening_once(closed: Device) -> None:
    assert closed.open() is closed
    identity = closed.identity
    closed.open()
    assert closed.identity is identity


@on_every_device
def test_closing_is_repeatable_and_safe_before_opening(closed: Device) -> None:
    closed.close()
    closed.open()
    closed.close()
    closed.close()
    assert not closed.is_open


@on_every_device
def test_a_closed_device_can_be_opened_again(closed: Device) -> None:
    first = closed.open().identity
    closed.close()
    assert closed.open().identity == first


@on_every_device
def test_identity_is_complete(opened: Device) -> None:
    identity = opened.identity
    assert all((identity.vendor, identity.model, identity.serial_number, identity.firmware))


@on_every_device
def test_status_says_in_one_line_that_all_is_well(opened: Device) -> None:
    status = opened.status()
    assert status.ok
    assert status.summary
    assert "\n" not in status.summary


@on_every_device
def test_a_closed_device_refuses_to_be_used_and_says_which_it_is(closed: Device) -> None:
    with pytest.raises(DeviceNotOpenError) as caught:
        _ = closed.identity
    assert caught.value.device == closed.name
    with pytest.raises(DeviceNotOpenError):
        closed.status()


@on_every_device
def test_the_context_closes_after_an_error(closed: Device) -> None:
    def fail_inside() -> None:
        with closed:
            assert closed.is_open
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_inside()
    assert not closed.is_open


# --- modulators ----------------------------------------------------------------------------------------------------
def blank(modulator: Modulator) -> np.ndarray:
    return np.zeros(modulator.shape, dtype=np.uint8)


@on_every_modulator
def test_modulator_describes_itself(opened: Modulator) -> None:
    assert min(opened.shape) >= 1
    assert 1 <= opened.bit_depth <= 8
    assert 0 < opened.settle_time_s < 10
    assert opened.max_pattern_rate_hz > 0
    assert opened.max_sequence_length >= 1


@on_every_modulator
def test_shown_patterns_are_counted_from_one(closed: Modulator) -> None:
    for _ in range(2):
        with closed:
            before_s = closed.clock.now_s()
            shown = [closed.show(blank(closed)) for _ in range(3)]
            assert [s.id for s in shown] == [1, 2, 3]
            times_s = [before_s, *(s.time_s for s in shown), closed.clock.now_s()]
            assert times_s == sorted(times_s)


@on_every_modulator
def test_show_settled_waits_for_the_light(opened: Modulator) -> None:
    shown = opened.show_settled(blank(opened))
    assert opened.clock.now_s() - shown.time_s >= opened.settle_time_s * (1 - 1e-9)


@on_every_modulator
def test_patterns_of_wrong_shape_type_or_level_are_refused_and_not_counted(opened: Modulator) -> None:
    rows, columns = opened.shape
    wrong = [
        np.zeros((rows + 1, columns), dtype=np.uint8),
        np.zeros((1, rows, columns), dtype=np.uint8),
        np.zeros((rows, columns), dtype=np.float64),
        np.zeros((rows, columns), dtype=bool),
    ]
    if opened.bit_depth < 8:
        wrong.append(np.full((rows, columns), 2**opened.bit_depth, dtype=np.uint8))
    for pattern in wrong:
        with pytest.raises(DeviceRefusedError):
            opened.show(pattern)
    assert opened.show(blank(opened)).id == 1


@on_every_modulator
def test_a_closed_modulator_shows_nothing(closed: Modulator) -> None:
    with closed:
        pattern = blank(closed)
    for use in (
        lambda: closed.show(pattern),
        lambda: closed.load_sequence(pattern[None]),
        lambda: closed.play(1.0),
    ):
        with pytest.raises(DeviceNotOpenError):
            use()


@on_every_modulator
def test_sequences_play_or_are_refused(opened: Modulator) -> None:
    if opened.max_sequence_length == 1:
        with pytest.raises(DeviceRefusedError):
            opened.load_sequence(blank(opened)[None])
        return
    with pytest.raises(DeviceRefusedError):
        opened.play(opened.max_pattern_rate_hz)
    opened.load_sequence(np.stack([blank(opened)] * 3))
    assert [opened.play(opened.max_pattern_rate_hz).id for _ in range(2)] == [1, 2]
    for rate_hz in (0.0, -1.0, 1.01 * opened.max_pattern_rate_hz, math.nan, math.inf):
        with pytest.raises(DeviceRefusedError):
            opened.play(rate_hz)
    for patterns in (blank(opened), blank(opened)[None][:0], blank(opened)[None, :, :-1]):
        with pytest.raises(DeviceRefusedError):
            opened.load_sequence(patterns)
    longest = opened.max_sequence_length
    with pytest.raises(DeviceRefusedError):
        opened.load_sequence(np.broadcast_to(blank(opened), (longest + 1, *opened.shape)))


# --- cameras -------------------------------------------------------------------------------------------------------
@on_every_camera
def test_frames_have_the_shape_type_and_range_the_camera_states(opened: Camera) -> None:
    frame = opened.snap()
    assert frame.data.shape == (opened.roi.rows, opened.roi.columns)
    assert frame.data.dtype == (np.uint8 if opened.bit_depth <= 8 else np.uint16)
    assert frame.data.max() < 2**opened.bit_depth
    assert frame.exposure_s == opened.exposure_s
    assert 0 <= frame.saturated_share <= 1


@on_every_camera
def test_frames_are_counted_and_dated_in_order(opened: Camera) -> None:
    frames = [opened.snap() for _ in range(3)]
    assert np.all(np.diff([frame.counter for frame in frames]) == 1)
    assert np.all(np.diff([frame.time_s for frame in frames]) > 0)
    assert frames[-1].time_s + frames[-1].exposure_s <= opened.clock.now_s() * (1 + 1e-9)


@on_every_camera
def test_a_frame_stays_what_it_was(opened: Camera) -> None:
    frame = opened.snap()
    copy = frame.data.copy()
    opened.snap()
    np.testing.assert_array_equal(frame.data, copy)


@on_every_camera
def test_reading_an_untriggered_camera_times_out(opened: Camera) -> None:
    start_s = opened.clock.now_s()
    with pytest.raises(DeviceTimeoutError):
        opened.read(timeout_s=0.05)
    assert opened.clock.now_s() - start_s >= 0.05 * (1 - 1e-9)


@on_every_camera
def test_exposure_and_gain_are_set_or_refused_never_clipped(opened: Camera) -> None:
    for name, (low, high) in (("exposure_s", opened.exposure_limits_s), ("gain_db", opened.gain_limits_db)):
        assert low <= high
        for value in (low, high):
            setattr(opened, name, value)
            assert getattr(opened, name) == pytest.approx(value)
        for value in (low - 0.1 * (high - low) - 1, high * 1.1 + 1, math.nan):
            with pytest.raises(DeviceRefusedError):
                setattr(opened, name, value)
            assert getattr(opened, name) == pytest.approx(high)


@on_every_camera
def test_regions_are_set_or_refused(opened: Camera) -> None:
    rows, columns = opened.sensor_shape
    part = Roi(rows // 4, columns // 4, rows // 2, columns // 2)
    opened.roi = part
    assert opened.roi == part
    assert opened.snap().data.shape == (part.rows, part.columns)
    for roi in (Roi(-1, 0, 2, 2), Roi(0, 0, 0, 2), Roi(0, 0, rows + 1, 2), Roi(1, 1, 2, columns)):
        with pytest.raises(DeviceRefusedError):
            opened.roi = roi
        assert opened.roi == part


@on_every_camera
def test_discarded_frames_are_gone(opened: Camera) -> None:
    opened.trigger()
    opened.clock.sleep(opened.exposure_s + opened.readout_time_s + 0.1)
    assert opened.discard_frames() == 1
    with pytest.raises(DeviceTimeoutError):
        opened.read(timeout_s=0.05)


@on_every_camera
def test_a_closed_camera_gives_nothing(closed: Camera) -> None:
    for use in (
        closed.trigger,
        closed.read,
        closed.snap,
        closed.discard_frames,
        lambda: closed.exposure_s,
        lambda: closed.gain_db,
        lambda: closed.roi,
        lambda: setattr(closed, "exposure_s", 1e-3),
        lambda: setattr(closed, "gain_db", 0.0),
        lambda: setattr(closed, "roi", Roi(0, 0, 1, 1)),
    ):
        with pytest.raises(DeviceNotOpenError):
            use()


# --- lasers --------------------------------------------------------------------------------------------------------
@on_every_laser
def test_emission_is_always_explicit(opened: Laser) -> None:
    assert not opened.emission
    opened.power_setpoint_w = opened.power_limits_w[1] / 2
    assert not opened.emission
    opened.emission_on()
    assert opened.emission
    opened.emission_off()
    opened.emission_off()
    assert not opened.emission


@on_every_laser
def test_emission_is_off_after_closing(opened: Laser) -> None:
    opened.emission_on()
    opened.close()
    assert not opened.open().emission


@on_every_laser
def test_power_is_set_within_the_limits_or_refused(opened: Laser) -> None:
    low, high = opened.power_limits_w
    assert 0 <= low < high
    opened.power_setpoint_w = high / 2
    for watts in (-0.001, 1.01 * high, math.nan, math.inf):
        with pytest.raises(DeviceRefusedError):
            opened.power_setpoint_w = watts
        assert opened.power_setpoint_w == pytest.approx(high / 2)


@on_every_laser
def test_measured_power_follows_emission(opened: Laser) -> None:
    high = opened.power_limits_w[1]
    opened.power_setpoint_w = high / 2
    assert opened.power_w == pytest.approx(0, abs=0.01 * high)
    opened.emission_on()
    opened.clock.sleep(min(opened.warm_up_time_s, 5.0))
    assert opened.power_w == pytest.approx(high / 2, rel=0.1)
    assert opened.interlock_closed
    assert opened.faults == ()


@on_every_laser
def test_a_closed_laser_refuses_everything(closed: Laser) -> None:
    for use in (
        closed.emission_on,
        closed.emission_off,
        lambda: closed.emission,
        lambda: closed.power_w,
        lambda: closed.power_setpoint_w,
        lambda: closed.interlock_closed,
        lambda: closed.faults,
        lambda: setattr(closed, "power_setpoint_w", 0.001),
    ):
        with pytest.raises(DeviceNotOpenError):
            use()


# --- detectors -----------------------------------------------------------------------------------------------------
@on_every_detector
def test_samples_come_in_the_number_and_rate_asked_for(opened: Detector) -> None:
    rate_hz = min(1000.0, opened.max_rate_hz)
    start_s = opened.clock.now_s()
    taken = [opened.read(samples, rate_hz) for samples in (1, 5)]
    assert [samples.data.shape for samples in taken] == [(1,), (5,)]
    assert [samples.counter for samples in taken] == [1, 2]
    assert all(samples.rate_hz == pytest.approx(rate_hz) for samples in taken)
    assert all(samples.data.dtype == np.float64 and np.isfinite(samples.data).all() for samples in taken)
    assert start_s <= taken[0].time_s < taken[1].time_s <= opened.clock.now_s()


@on_every_detector
def test_impossible_acquisitions_are_refused(opened: Detector) -> None:
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


@on_every_detector
def test_an_armed_detector_waits_for_its_trigger(opened: Detector) -> None:
    if not opened.has_trigger:
        with pytest.raises(DeviceRefusedError):
            opened.arm(1, opened.max_rate_hz)
        return
    opened.arm(1, opened.max_rate_hz)
    with pytest.raises(DeviceTimeoutError):
        opened.fetch(timeout_s=0.05)


@on_every_detector
def test_a_closed_detector_gives_nothing(closed: Detector) -> None:
    for use in (lambda: closed.read(1, 1.0), lambda: closed.arm(1, 1.0), closed.fetch):
        with pytest.raises(DeviceNotOpenError):
            use()


# --- tables --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", drivers(Table))
def test_a_table_goes_on_from_its_snapshot_and_closes_twice(name: str) -> None:
    kind = load_driver(name)
    assert issubclass(kind, Table)
    first, second = kind.from_bench(kind.Options()), kind.from_bench(kind.Options())
    first.clock.sleep(2.5)
    state = first.snapshot()
    assert isinstance(state, bytes)
    second.restore(state)
    assert second.clock.now_s() == first.clock.now_s()
    assert second.snapshot() == state
    for table in (first, second, first):
        table.close()
