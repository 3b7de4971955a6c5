"""Laser drivers against emulated lasers: what really happens to the light, not what the driver thinks."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

pytest.importorskip("termios", reason="emulated instruments need pseudo-terminals")

from laser_stands import KINDS, TIMEOUT_S, Stand, stand

from drivers.interfaces import (
    DeviceDisconnectedError,
    DeviceError,
    DeviceFaultError,
    DeviceRefusedError,
    DeviceReplyError,
    DeviceTimeoutError,
    Laser,
)
from mock_devices.wire.line_faults import Kind, LineFaults

STRIDE = int(os.environ.get("LABCONTROL_UNPLUG_STRIDE", "4"))


@pytest.fixture(autouse=True)
def short_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.transports.conversation.SHORTEST_QUIET_S", 0.003)


@pytest.fixture(params=KINDS)
def bench(request: pytest.FixtureRequest) -> Iterator[Stand]:
    with stand(request.param) as made:
        yield made


def switched_on(head_log: list[tuple[float, bool]]) -> int:
    return sum(on for _, on in head_log)


def test_emission_only_ever_starts_when_told(bench: Stand) -> None:
    laser = bench.laser.open()
    laser.power_setpoint_w = 0.03
    assert not laser.emission
    assert bench.head.emission_log == []
    laser.emission_on()
    assert laser.emission
    assert bench.head.emitting
    assert laser.power_w == pytest.approx(0.03, rel=1e-3)
    assert bench.head.setpoint_w == pytest.approx(0.03, rel=1e-3)


def test_closing_stops_emission(bench: Stand) -> None:
    with bench.laser as laser:
        laser.emission_on()
    assert not bench.head.emitting


def test_opening_stops_emission_left_on_by_a_program_that_died(bench: Stand) -> None:
    laser = bench.laser.open()
    laser.emission_on()
    laser.emission_off()  # brings the controller into a state in which it can be switched on from outside
    bench.head.switch_on()
    laser._talk.close()  # type: ignore[attr-defined]
    laser._identity = None
    assert bench.head.emitting
    with bench.laser:
        assert not bench.head.emitting


def test_limits_are_the_lasers_and_nothing_beyond_is_sent(bench: Stand) -> None:
    laser = bench.laser.open()
    low, high = laser.power_limits_w
    assert (low, high) == pytest.approx((bench.head.min_power_w, bench.head.max_power_w))
    laser.power_setpoint_w = 0.9 * high
    sent = len(bench.port.received)
    with pytest.raises(DeviceRefusedError):
        laser.power_setpoint_w = 1.01 * high
    assert len(bench.port.received) == sent
    assert bench.head.setpoint_w == pytest.approx(0.9 * high)


def test_a_setting_the_laser_ignores_is_noticed(bench: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    laser = bench.laser.open()
    laser.power_setpoint_w = 0.01
    bench.port.line_faults.plan("event", event=lambda: monkeypatch.setattr(bench.head, "max_power_w", 0.05))
    with pytest.raises(DeviceRefusedError):
        laser.power_setpoint_w = 0.09
    assert bench.head.setpoint_w == pytest.approx(0.01)


def test_an_open_interlock_stops_emission_and_keeps_it_off(bench: Stand) -> None:
    laser = bench.laser.open()
    laser.emission_on()
    bench.head.open_interlock()
    assert not laser.emission
    assert not laser.interlock_closed
    assert not laser.status().ok
    with pytest.raises(DeviceRefusedError):
        laser.emission_on()
    assert switched_on(bench.head.emission_log) == 1
    bench.head.close_interlock()
    bench.head.clear_faults()
    laser.emission_on()
    assert bench.head.emitting


def test_a_key_turned_off_keeps_it_dark(bench: Stand) -> None:
    laser = bench.laser.open()
    bench.head.turn_key(False)
    with pytest.raises((DeviceRefusedError, DeviceFaultError)):
        laser.emission_on()
    bench.head.turn_key(True)
    assert not bench.head.emitting
    assert bench.head.emission_log == []


def test_a_fault_stops_emission_and_is_named(bench: Stand) -> None:
    laser = bench.laser.open()
    laser.emission_on()
    bench.head.trip("temperature")
    assert not laser.emission
    with pytest.raises((DeviceFaultError, DeviceRefusedError)):
        laser.emission_on()
    assert not bench.head.emitting


@pytest.mark.parametrize("kind", ["late", "garbled", "silent", "doubled"])
def test_off_is_reached_through_any_single_line_fault(bench: Stand, kind: Kind) -> None:
    laser = bench.laser.open()
    laser.emission_on()
    bench.port.line_faults.plan(kind, seconds=1.6 * TIMEOUT_S)
    laser.emission_off()
    assert not bench.head.emitting


def test_a_laser_that_falls_silent_while_emitting_cannot_be_closed_unnoticed(bench: Stand) -> None:
    laser = bench.laser.open()
    laser.emission_on()
    bench.port.line_faults.plan("deaf", times=100)
    with pytest.raises(DeviceTimeoutError):
        laser.close()
    assert not laser.is_open
    laser.close()


def use(laser: Laser) -> None:
    """One whole session."""
    with laser:
        laser.power_setpoint_w = 0.02
        laser.emission_on()
        _ = laser.power_w
        laser.status()
        laser.emission_off()


@pytest.mark.parametrize("kind", KINDS)
def test_unplugged_at_any_point_it_is_a_clear_error_and_comes_back(kind: str) -> None:
    with stand(kind) as bench:
        use(bench.laser)
        before = len(bench.port.received)
        use(bench.laser)  # the first session also sent settings that the laser has kept since
        commands = len(bench.port.received) - before
        for point in range(0, commands - 1, STRIDE):
            bench.port.line_faults.plan("dropped", after=point)
            try:
                use(bench.laser)
            except (DeviceDisconnectedError, DeviceTimeoutError) as error:
                assert error.remedy  # noqa: PT017
            bench.laser.close()
            assert not bench.laser.is_open
            bench.port.unplug()
            bench.port.plug()
            with bench.laser as laser:
                assert not laser.emission
                assert not bench.head.emitting
            assert bench.port.line_faults.done[-1][0] == "dropped"


@pytest.mark.parametrize("kind", KINDS)
def test_under_random_line_faults_no_wrong_value_is_ever_read(kind: str) -> None:
    with stand(kind) as bench:
        laser = bench.laser.open()
        laser.power_setpoint_w = 0.03
        bench.port.line_faults = LineFaults(
            7, {"late": 0.03, "cut": 0.03, "silent": 0.03, "deaf": 0.03, "doubled": 0.05}, 1.4 * TIMEOUT_S
        )
        right = 0
        for _ in range(8):
            try:
                assert laser.power_setpoint_w == pytest.approx(0.03, rel=1e-3)
                assert laser.interlock_closed is True
                assert laser.emission is False
            except (DeviceTimeoutError, DeviceReplyError):
                continue
            right += 1
        assert right >= 3
        assert bench.port.line_faults.done
        bench.port.line_faults = LineFaults()


def test_an_error_while_opening_leaves_the_port_free(bench: Stand) -> None:
    bench.port.line_faults.plan("dropped", after=2)
    with pytest.raises(DeviceError):
        bench.laser.open()
    assert not bench.laser.is_open
    bench.port.unplug()
    bench.port.plug()
    assert bench.laser.open().is_open
