"""Detector drivers against emulated instruments, and a camera region on the simulated table."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("termios", reason="emulated instruments need pseudo-terminals")

from drivers.detectors.camera_region import CameraRegionDetector, CameraRegionOptions
from drivers.detectors.oscilloscope import OscilloscopeDetector, OscilloscopeOptions
from drivers.detectors.pm100 import PowerMeter, PowerMeterOptions
from drivers.interfaces import (
    DeviceDisconnectedError,
    DeviceFaultError,
    DeviceRefusedError,
    DeviceReplyError,
    DeviceTimeoutError,
    DriverContext,
)
from mock_devices.laser import SimulatedLaser
from mock_devices.options import TableOptions
from mock_devices.table import SimulatedTable
from mock_devices.wire.infiniivision import InfiniiVisionInstrument
from mock_devices.wire.line_faults import Kind, LineFaults
from mock_devices.wire.pm100 import Pm100Instrument
from mock_devices.wire.ports import TcpPort
from mock_devices.wire.signals import FunctionSignal


class Sunshine:
    def __init__(self) -> None:
        self.watts = 1e-3

    def power_w(self) -> float:
        return self.watts


Meter = tuple[PowerMeter, Pm100Instrument, TcpPort, Sunshine]
Scope = tuple[OscilloscopeDetector, FunctionSignal, TcpPort]


@pytest.fixture
def meter() -> Iterator[Meter]:
    light = Sunshine()
    instrument = Pm100Instrument(light)
    with TcpPort(instrument) as port:
        options = PowerMeterOptions(wavelength_nm=661.0, range_w=2e-3, timeout_s=0.05)
        device = PowerMeter.from_bench(port.visa_address, options, DriverContext("meter"))
        yield device, instrument, port, light
        device.close()


@pytest.fixture
def scope() -> Iterator[Scope]:
    def staircase(time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        return 0.1 * np.clip(np.floor(time_s * 10_000.0 + 1e-6) + 1.0, 0.0, 20.0)

    signal = FunctionSignal(staircase)
    with TcpPort(InfiniiVisionInstrument(signal)) as port:
        options = OscilloscopeOptions(range_v=4.0, offset_v=1.0, timeout_s=0.2)
        device = OscilloscopeDetector.from_bench(port.visa_address, options, DriverContext("scope"))
        yield device, signal, port
        device.close()


def test_meter_measures_the_light(meter: Meter) -> None:
    device, instrument, _, light = meter
    device.open()
    assert instrument.wavelength_nm == 661.0
    assert not instrument.auto_range
    light.watts = 1.234e-3
    samples = device.read(3, 20.0)
    np.testing.assert_allclose(samples.data, 1.234e-3, rtol=1e-7)
    light.watts = 8e-3
    assert device.read(2, 20.0).overload
    assert not device.status().ok


def test_a_meter_that_changes_its_range_by_itself_has_found_it_before_samples_are_paced(meter: Meter) -> None:
    _, instrument, port, light = meter
    options = PowerMeterOptions(wavelength_nm=661.0, timeout_s=2.0, max_rate_hz=50.0)
    device = PowerMeter.from_bench(port.visa_address, options, DriverContext("meter"))
    light.watts = 1e-8
    with device:
        instrument.range_change_s = 0.05
        light.watts = 1e-3
        samples = device.read(5, 20.0)
        np.testing.assert_allclose(samples.data, 1e-3, rtol=1e-6)
        assert not samples.overload


def test_meter_without_sensor_says_so(meter: Meter) -> None:
    device, instrument, _, _ = meter
    instrument.sensor = "no sensor,,,0,0,0"
    with pytest.raises(DeviceFaultError, match="Plug in a power sensor"):
        device.open()


@pytest.mark.parametrize("kind", ["late", "garbled", "cut", "silent", "doubled"])
def test_no_wrong_power_is_read_after_a_line_fault(meter: Meter, kind: Kind) -> None:
    device, _, port, _ = meter
    device.open()
    port.line_faults.plan(kind, matching="WAV", seconds=0.08)
    try:
        device.status()
    except (DeviceTimeoutError, DeviceReplyError):
        assert kind != "doubled"
    np.testing.assert_allclose(device.read(3, 50.0).data, 1e-3)


def test_scope_takes_one_sample_a_step_after_the_pulse(scope: Scope) -> None:
    device, signal, _ = scope
    device.open()
    for counter in (1, 2):
        device.arm(20, 10_000.0)
        signal.pulse()
        samples = device.fetch(1.0)
        np.testing.assert_allclose(samples.data, 0.1 * np.arange(1, 21), atol=1e-4)
        assert (samples.counter, samples.overload) == (counter, False)


def test_scope_without_pulse_times_out_and_works_again(scope: Scope) -> None:
    device, signal, _ = scope
    device.open()
    device.arm(20, 10_000.0)
    with pytest.raises(DeviceTimeoutError):
        device.fetch(0.02)
    signal.pulse()  # too late: nobody is waiting for it any more
    device.arm(20, 10_000.0)
    signal.pulse()
    assert device.fetch(1.0).data.size == 20


def test_scope_reads_at_once(scope: Scope) -> None:
    device, _, _ = scope
    device.open()
    assert device.read(10, 10_000.0).data[3] == pytest.approx(0.4, abs=1e-4)


@pytest.mark.parametrize("kind", ["cut", "garbled", "silent", "late"])
def test_no_wrong_waveform_is_read_after_a_line_fault(scope: Scope, kind: Kind) -> None:
    device, signal, port = scope
    device.open()
    port.line_faults.plan(kind, matching="PRE|DATA", seconds=0.3)
    device.arm(20, 10_000.0)
    signal.pulse()
    try:
        device.fetch(1.0)
    except (DeviceTimeoutError, DeviceReplyError, DeviceRefusedError):
        pass
    else:
        assert kind == "garbled"
    port.line_faults = LineFaults()
    device.arm(20, 10_000.0)
    signal.pulse()
    np.testing.assert_allclose(device.fetch(1.0).data, 0.1 * np.arange(1, 21), atol=1e-4)


def test_unplugged_detectors_say_so_and_come_back(meter: Meter) -> None:
    device, _, port, _ = meter
    device.open()
    port.unplug()
    with pytest.raises((DeviceDisconnectedError, DeviceTimeoutError)):
        device.read(1, 10.0)
    device.close()
    with pytest.raises(DeviceDisconnectedError, match="refused"):
        device.open()
    port.plug()
    with device:
        assert device.read(1, 10.0).data[0] == pytest.approx(1e-3)


# --- a camera region ----------------------------------------------------------------------------------------------
def region(**options: float) -> tuple[CameraRegionDetector, SimulatedTable]:
    table = SimulatedTable(TableOptions(rows=4, columns=4))
    rows, columns = table.ground_truth.sensor_shape
    chosen = CameraRegionOptions.model_validate(
        {
            "camera": "simulated-camera",
            "exposure_s": 1e-3,
            "row": 0,
            "column": 0,
            "rows": rows,
            "columns": columns,
            **options,
        }
    )
    return CameraRegionDetector.from_bench("", chosen, DriverContext("detector", table=table)), table


def test_a_camera_region_sees_more_light_when_there_is_more() -> None:
    device, table = region(dark_counts=16.0)
    with device, SimulatedLaser(DriverContext("laser", table=table)) as laser:
        dark = device.read(3, 20.0)
        laser.emission_on()
        bright = device.read(3, 20.0)
    assert abs(dark.data.mean()) < 0.01 * bright.data.mean()
    assert bright.counter == 2
    assert bright.time_s > dark.time_s


def test_a_camera_region_marks_saturation_and_keeps_its_pace() -> None:
    device, table = region(exposure_s=1.0, watts_per_count=1e-9)
    with device, SimulatedLaser(DriverContext("laser", table=table)) as laser:
        laser.emission_on()
        assert device.read(1, 0.5).overload
        with pytest.raises(DeviceRefusedError, match="sampling rate"):
            device.read(2, 5.0)


def test_a_camera_region_needs_a_camera() -> None:
    with pytest.raises(DeviceRefusedError, match="is not a camera"):
        CameraRegionDetector.from_bench(
            "",
            CameraRegionOptions(camera="simulated-laser", exposure_s=1e-3, row=0, column=0, rows=1, columns=1),
            DriverContext("detector"),
        )
