"""A laser that a person operates, and a shutter in front of one: what the program can switch, and what it cannot."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

pytest.importorskip("termios", reason="emulated instruments need pseudo-terminals")

from drivers.interfaces import DeviceError, DeviceFaultError, DeviceRefusedError, DriverContext
from drivers.lasers.hand_operated import HandOperatedLaser, HandOperatedOptions
from drivers.lasers.shuttered import ShutteredLaser, ShutterOptions
from labcontrol.guardian import GuardedLaser, Limits
from mock_devices.wire.cobolt import CoboltInstrument
from mock_devices.wire.line_faults import LineFaults
from mock_devices.wire.ports import PtyPort
from mock_devices.wire.relay import RelayInstrument

AT_BENCH = DriverContext("laser")
BY_HAND = {"max_power_w": 0.05, "time_to_act_s": 0.0, "behind_a_shutter": True}


@dataclass
class Table:
    """A shutter, and whether light comes out of it: the laser behind it stays on."""

    relay: RelayInstrument
    port: PtyPort
    moves: list[tuple[float, bool]]

    def options(self, **changes: Any) -> ShutterOptions:
        return ShutterOptions(laser="hand-operated", laser_options=BY_HAND | changes, settle_s=0.0, timeout_s=0.2)


@pytest.fixture
def table() -> Iterator[Table]:
    moves: list[tuple[float, bool]] = []
    relay = RelayInstrument(lambda is_open: moves.append((time.monotonic(), is_open)))
    relay.is_open = True  # as the last user left it
    with PtyPort(relay) as port:
        yield Table(relay, port, moves)


def test_a_shutter_is_the_switch_of_a_laser_that_cannot_be_switched(table: Table) -> None:
    with ShutteredLaser.from_bench(table.port.address, table.options(), AT_BENCH) as laser:
        assert not table.relay.is_open
        laser.power_setpoint_w = 0.02
        laser.emission_on()
        assert table.relay.is_open
        assert laser.power_w == pytest.approx(0.02)
        laser.emission_off()
        assert not table.relay.is_open
        laser.emission_on()
    assert not table.relay.is_open


def test_a_shutter_that_does_not_close_is_a_fault(table: Table) -> None:
    with ShutteredLaser.from_bench(table.port.address, table.options(), AT_BENCH) as laser:
        laser.emission_on()
        table.relay.stuck = True
        with pytest.raises(DeviceFaultError, match="did not close"):
            laser.emission_off()
        table.relay.stuck = False


def test_a_shutter_whose_answers_do_not_arrive_is_closed_all_the_same(table: Table) -> None:
    laser = ShutteredLaser.from_bench(table.port.address, table.options(), AT_BENCH).open()
    laser.emission_on()
    table.port.line_faults.plan("silent", times=10**6)
    with pytest.raises(DeviceError):
        laser.emission_off()
    assert not table.relay.is_open
    table.port.line_faults = LineFaults()
    laser.close()


def test_the_guardian_closes_the_shutter(table: Table) -> None:
    laser = GuardedLaser(
        AT_BENCH, "shuttered-laser", ShutteredLaser, table.port.address, table.options(), Limits()
    ).open()
    try:
        laser.arm("test")
        laser.power_setpoint_w = 0.02
        laser.emission_on()
        assert table.relay.is_open
        before_s = time.monotonic()
        laser.trip("the camera is full of light")
        assert not table.relay.is_open
        assert table.moves[-1][0] - before_s < 0.5
    finally:
        laser.close()


def test_a_laser_with_a_line_of_its_own_is_switched_as_well(table: Table) -> None:
    instrument = CoboltInstrument()
    with PtyPort(instrument) as port:
        options = ShutterOptions(
            laser="cobolt-06",
            laser_address=port.address,
            laser_options={"command_spacing_s": 0.0, "warm_up_time_s": 0.0},
            settle_s=0.0,
        )
        with ShutteredLaser.from_bench(table.port.address, options, AT_BENCH) as laser:
            assert laser.identity.model == "0661-06-01-0050-100 behind a shutter"
            assert laser.conditions["operating_mode"] == "1"
            laser.power_setpoint_w = 0.02
            laser.emission_on()
            assert instrument.electronics.emitting
            laser.emission_off()
            assert not instrument.electronics.emitting
            assert not table.relay.is_open


# --- without a shutter --------------------------------------------------------------------------------------------
def test_a_person_is_asked_to_switch_on_and_off_is_never_called_confirmed() -> None:
    options = HandOperatedOptions(max_power_w=0.05, time_to_act_s=0.0)
    heard: list[str] = []
    with HandOperatedLaser.from_bench("", options, AT_BENCH) as laser:
        laser.while_starting = heard.append
        laser.emission_off()  # nothing was switched on
        laser.power_setpoint_w = 0.02
        laser.emission_on()
        assert "Set the laser to 20 mW and switch it on by hand" in heard[0]
        assert "the program cannot" in str(laser.status().values["switched_off"])
        with pytest.raises(DeviceFaultError, match="cannot switch it off"):
            laser.emission_off()


def test_a_start_by_hand_can_be_called_off() -> None:
    options = HandOperatedOptions(max_power_w=0.05, time_to_act_s=30.0)
    with HandOperatedLaser.from_bench("", options, AT_BENCH) as laser:
        laser.while_starting = lambda _: laser.emission_off_now()
        with pytest.raises(DeviceRefusedError, match="not to be switched on any more"):
            laser.emission_on()
        assert not laser.emission
