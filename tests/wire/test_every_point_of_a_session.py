"""A line that breaks, or a reply that comes late, at every command of a whole session with every driver on a line.

`LABCONTROL_UNPLUG_STRIDE=1` tries every command, as `benchmarks/unplug_campaign.py --sessions` does; by default every
fourth. Lasers with a broken line are in test_wire_lasers.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import numpy as np
import pytest

pytest.importorskip("termios", reason="emulated instruments need pseudo-terminals")

from laser_stands import KINDS, TIMEOUT_S, stand

from drivers.detectors.oscilloscope import OscilloscopeDetector, OscilloscopeOptions
from drivers.detectors.pm100 import PowerMeter, PowerMeterOptions
from drivers.interfaces import (
    Device,
    DeviceDisconnectedError,
    DeviceError,
    DeviceFaultError,
    DeviceReplyError,
    DeviceTimeoutError,
    DriverContext,
    Laser,
)
from mock_devices.wire.infiniivision import InfiniiVisionInstrument
from mock_devices.wire.line_faults import Kind, LineFaults
from mock_devices.wire.pm100 import Pm100Instrument
from mock_devices.wire.ports import Port, TcpPort
from mock_devices.wire.signals import FunctionSignal

STRIDE = int(os.environ.get("LABCONTROL_UNPLUG_STRIDE", "4"))
LATE_S = 1.4 * TIMEOUT_S
WAITING = 20  # questions that a session may ask less often than another, because it asks until something is done


@dataclass
class Session:
    """A device on a line. use: opens it, asks and tells, looks whether every answer is right, and closes it."""

    device: Device
    port: Port
    use: Callable[[], None]
    is_dark: Callable[[], bool] = lambda: True


@pytest.fixture(autouse=True)
def short_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.transports.conversation.SHORTEST_QUIET_S", 0.005)


def use_laser(laser: Laser) -> None:
    with laser:
        laser.power_setpoint_w = 0.02
        laser.emission_on()
        assert laser.emission
        assert laser.interlock_closed
        assert laser.power_setpoint_w == pytest.approx(0.02, rel=1e-3)
        assert laser.faults == ()
        assert laser.status().values["emission"]
        laser.emission_off()
        assert not laser.emission


@contextmanager
def laser_session(name: str) -> Iterator[Session]:
    with stand(name) as bench:
        yield Session(bench.laser, bench.port, lambda: use_laser(bench.laser), lambda: not bench.head.emitting)


class Daylight:
    def power_w(self) -> float:
        return 1e-3


@contextmanager
def meter_session() -> Iterator[Session]:
    with TcpPort(Pm100Instrument(Daylight())) as port:
        options = PowerMeterOptions(wavelength_nm=661.0, range_w=2e-3, timeout_s=TIMEOUT_S, max_rate_hz=50.0)
        meter = PowerMeter.from_bench(port.visa_address, options, DriverContext("meter"))

        def use() -> None:
            with meter:
                np.testing.assert_allclose(meter.read(2, 10.0).data, 1e-3, rtol=1e-6)
                assert meter.status().values["wavelength_nm"] == 661.0
                assert meter.status().values["power_w"] == pytest.approx(1e-3)

        yield Session(meter, port, use)


@contextmanager
def scope_session() -> Iterator[Session]:
    signal = FunctionSignal(lambda time_s: 0.1 * np.clip(np.floor(time_s * 10_000.0 + 1e-6) + 1.0, 0.0, 20.0))
    with TcpPort(InfiniiVisionInstrument(signal)) as port:
        options = OscilloscopeOptions(range_v=4.0, offset_v=1.0, timeout_s=TIMEOUT_S)
        scope = OscilloscopeDetector.from_bench(port.visa_address, options, DriverContext("scope"))

        def use() -> None:
            with scope:
                np.testing.assert_allclose(scope.read(10, 10_000.0).data, 0.1 * np.arange(1, 11), atol=1e-3)
                assert not scope.status().values["running"]
                scope.arm(20, 10_000.0)
                signal.pulse()
                np.testing.assert_allclose(scope.fetch(1.0).data, 0.1 * np.arange(1, 21), atol=1e-3)

        yield Session(scope, port, use)


def session(name: str) -> AbstractContextManager[Session]:
    return {"meter": meter_session, "scope": scope_session}.get(name, lambda: laser_session(name))()


def commands_of(made: Session) -> int:
    """How many commands one session has, once the device keeps the settings of the first."""
    made.use()
    before = len(made.port.received)
    made.use()
    return len(made.port.received) - before


def happened(made: Session, kind: Kind) -> bool:
    """Whether what was planned for one command has been done; nothing is left to be done."""
    done, made.port.line_faults = made.port.line_faults.done, LineFaults()
    assert [what for what, _ in done] in ([], [kind])
    return bool(done)


@pytest.mark.parametrize("name", [*KINDS, "meter", "scope"])
def test_a_reply_that_comes_late_is_never_taken_for_another(name: str) -> None:
    with session(name) as made:
        commands = commands_of(made)
        for point in range(0, commands, STRIDE):
            made.port.line_faults.plan("late", after=point, seconds=LATE_S)
            try:
                made.use()
            except (DeviceTimeoutError, DeviceReplyError, DeviceFaultError) as error:
                assert error.device == made.device.name  # noqa: PT017
            assert happened(made, "late") or point > commands - WAITING
            made.device.close()
            assert made.is_dark()
            made.use()


@pytest.mark.parametrize("name", ["meter", "scope"])
def test_a_line_that_breaks_at_any_command_is_a_clear_error_and_comes_back(name: str) -> None:
    with session(name) as made:
        commands = commands_of(made)
        for point in range(0, commands, STRIDE):
            made.port.line_faults.plan("dropped", after=point)
            caught: DeviceError | None = None
            try:
                made.use()
            except (DeviceDisconnectedError, DeviceTimeoutError) as error:
                caught = error
            assert happened(made, "dropped") or point > commands - WAITING
            assert caught is None or (caught.device == made.device.name and caught.remedy)
            made.device.close()
            assert not made.device.is_open
            made.use()
