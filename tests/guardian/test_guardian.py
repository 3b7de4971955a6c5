"""The guardian process in front of an emulated laser, whose own clock says when the light went off."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("emulated serial lines need POSIX", allow_module_level=True)

import serial

from drivers.interfaces import (
    DeviceDisconnectedError,
    DeviceError,
    DeviceFaultError,
    DeviceRefusedError,
    DriverContext,
)
from drivers.lasers.cobolt import CoboltLaser, CoboltOptions
from labcontrol.guardian import GuardedLaser, Limits
from labcontrol.guardian.messages import GUARDIAN_SILENCE_S, SILENCE_S, UNREAD_S, Cause
from mock_devices.wire.cobolt import CoboltInstrument
from mock_devices.wire.laser_electronics import Lamp, LaserElectronics
from mock_devices.wire.line_faults import LineFaults
from mock_devices.wire.ports import PtyPort

IN_TIME_S = 0.5
PATIENCE_S = 20.0


class WildLamp(Lamp):
    """A lamp that can be made to give more than it was told to."""

    factor = 1.0

    def power_w(self) -> float:
        return self.factor * super().power_w()


@dataclass
class Stand:
    laser: GuardedLaser
    head: LaserElectronics
    port: PtyPort

    def off_within(self, since_s: float) -> float:
        """Time from a moment until the emulated laser itself was dark."""
        wait_for(lambda: not self.head.emitting)
        return self.head.emission_log[-1][0] - since_s


def wait_for(condition: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s, "it did not happen"
        time.sleep(0.002)


def is_free(port: PtyPort) -> bool:
    """Whether the guardian has let go of the line, which it does last of all."""
    try:
        serial.Serial(port.address, exclusive=True).close()
    except serial.SerialException:
        return False
    return True


def guarded(address: str, limits: Limits | None = None, spacing_s: float = 0.0) -> GuardedLaser:
    options = CoboltOptions(command_spacing_s=spacing_s, warm_up_time_s=0.0)
    return GuardedLaser(DriverContext("laser"), "cobolt-06", CoboltLaser, address, options, limits or Limits())


@pytest.fixture
def stand() -> Iterator[Stand]:
    head = LaserElectronics(WildLamp())
    with PtyPort(CoboltInstrument(head)) as port:
        laser = guarded(port.address)
        try:
            yield Stand(laser.open(), head, port)
        finally:
            laser.close()


def light_on(stand: Stand) -> None:
    stand.laser.arm("test")
    stand.laser.power_setpoint_w = 0.02
    stand.laser.emission_on()
    assert stand.head.emitting


def states(stand: Stand) -> list[tuple[str, str]]:
    return [(transition.state, transition.reason) for transition in stand.laser.transitions()]


def test_a_laser_that_nobody_armed_stays_dark(stand: Stand) -> None:
    with pytest.raises(DeviceRefusedError, match="not armed"):
        stand.laser.emission_on()
    assert stand.head.emission_log == []


def test_a_guarded_laser_is_a_laser_and_every_change_is_told(stand: Stand) -> None:
    assert stand.laser.identity.vendor == "Cobolt"
    assert stand.laser.power_limits_w == (0.0, pytest.approx(0.1))
    light_on(stand)
    assert stand.laser.emission
    assert stand.laser.power_w == pytest.approx(0.02)
    assert stand.laser.interlock_closed
    assert stand.laser.faults == ()
    assert stand.laser.status().ok
    stand.laser.because("done")
    stand.laser.emission_off()
    assert not stand.head.emitting
    stand.laser.close()
    assert states(stand) == [
        ("dark", "opened"),
        ("armed", "test"),
        ("emission", "20 mW set"),
        ("armed", "done"),
        ("dark", "closed"),
    ]


def test_light_stays_on_while_the_application_is_there(stand: Stand) -> None:
    light_on(stand)
    until_s = time.monotonic() + 1.0
    wait_for(lambda: time.monotonic() > until_s)
    assert len(stand.head.emission_log) == 1


def test_disarming_is_dark_and_final_until_armed_again(stand: Stand) -> None:
    light_on(stand)
    stand.laser.disarm("enough")
    assert not stand.head.emitting
    with pytest.raises(DeviceRefusedError, match="not armed"):
        stand.laser.emission_on()


def test_an_open_interlock_takes_the_permission_away(stand: Stand) -> None:
    light_on(stand)
    stand.head.open_interlock()
    wait_for(lambda: bool(stand.laser.tripped))
    stand.head.close_interlock()
    stand.head.clear_faults()
    with pytest.raises(DeviceRefusedError, match="took the permission away"):
        stand.laser.emission_on()
    assert not stand.head.emitting


def test_more_power_than_allowed_is_switched_off(stand: Stand) -> None:
    light_on(stand)
    WildLamp.factor, before_s = 1.5, time.monotonic()
    try:
        assert stand.off_within(before_s) < 2.0  # one of four readings every quarter of a second
    finally:
        WildLamp.factor = 1.0
    wait_for(lambda: stand.laser.tripped)
    assert "30 mW come out, 24 mW are allowed" in states(stand)[-1][1]


def test_power_above_the_ceiling_is_refused(stand: Stand) -> None:
    with guarded_anew(stand, Limits(ceiling_w=0.03)) as laser, pytest.raises(DeviceRefusedError, match="30 mW at most"):
        laser.power_setpoint_w = 0.031


def guarded_anew(stand: Stand, limits: Limits) -> GuardedLaser:
    stand.laser.close()
    return guarded(stand.port.address, limits)


def test_light_goes_off_when_the_run_shows_no_heartbeat(stand: Stand) -> None:
    light_on(stand)
    stand.laser.expect_heartbeats(0.2)
    assert stand.off_within(time.monotonic() + 0.2 + SILENCE_S) < IN_TIME_S
    wait_for(lambda: bool(stand.laser.tripped))
    assert stand.laser.tripped.startswith("no sign of the application")


def test_a_report_of_too_much_light_switches_off(stand: Stand) -> None:
    light_on(stand)
    stand.laser.trip("the camera is saturated")
    assert not stand.head.emitting
    assert states(stand)[-1] == ("tripped", "the camera is saturated")


def test_a_lost_line_is_found_and_nothing_is_said_to_be_off_that_may_not_be(stand: Stand) -> None:
    light_on(stand)
    stand.port.unplug()
    with pytest.raises(DeviceDisconnectedError):
        stand.laser.emission_off()
    assert stand.head.emitting
    wait_for(lambda: any(state == "NOT CONFIRMED OFF" for state, _ in states(stand)))
    stand.port.plug()
    stand.laser.close()
    stand.laser.open()
    assert not stand.head.emitting


def test_a_killed_guardian_is_replaced_by_the_application_itself(stand: Stand) -> None:
    light_on(stand)
    assert stand.laser._process is not None
    before_s = time.monotonic()
    stand.laser._process.kill()
    assert stand.off_within(before_s) < 2 * IN_TIME_S
    with pytest.raises(DeviceDisconnectedError, match="guardian"):
        stand.laser.emission_on()
    stand.laser.emission_off()  # nothing is left to do, and nothing is in doubt
    stand.laser.close()
    stand.laser.open()
    light_on(stand)


def test_a_guardian_that_is_held_up_is_ended_and_replaced(stand: Stand) -> None:
    light_on(stand)
    assert stand.laser._process is not None
    before_s = time.monotonic()
    os.kill(stand.laser._process.pid, signal.SIGSTOP)
    assert stand.off_within(before_s) < GUARDIAN_SILENCE_S + IN_TIME_S
    wait_for(lambda: stand.laser.trip_cause)
    assert stand.laser.trip_cause is Cause.GUARDIAN_ENDED
    with pytest.raises(DeviceDisconnectedError, match="guardian"):
        stand.laser.emission_on()
    stand.laser.close()
    stand.laser.open()
    with pytest.raises(DeviceFaultError, match="has ended"):
        stand.laser.arm("what was said before", by_a_person=False)
    light_on(stand)


def test_the_stand_in_for_a_guardian_tries_again_until_the_laser_confirms(stand: Stand) -> None:
    light_on(stand)
    assert stand.laser._process is not None
    stand.port.unplug()
    stand.laser._process.kill()
    wait_for(lambda: any(state == "NOT CONFIRMED OFF" for state, _ in states(stand)))
    assert stand.head.emitting
    stand.port.plug()
    wait_for(lambda: not stand.head.emitting)
    wait_for(lambda: any(state == "tripped" for state, _ in states(stand)))


def test_a_laser_whose_answers_do_not_arrive_is_dark_within_its_second(stand: Stand) -> None:
    light_on(stand)
    before_s = time.monotonic()
    stand.port.line_faults.plan("silent", times=10**6)
    assert stand.off_within(before_s) < UNREAD_S + IN_TIME_S
    wait_for(lambda: any(state == "NOT CONFIRMED OFF" for state, _ in states(stand)))
    stand.port.line_faults = LineFaults()
    wait_for(lambda: stand.laser.trip_cause)
    assert stand.laser.trip_cause is Cause.UNREADABLE


def test_off_does_not_wait_for_a_reading_that_hangs(stand: Stand) -> None:
    light_on(stand)
    stand.port.line_faults.plan("deaf", "pa\\?", times=100)
    threading.Thread(target=read_power, args=(stand,)).start()
    wait_for(lambda: b"pa?" in stand.port.received)
    before_s = time.monotonic()
    with contextlib.suppress(DeviceError):
        stand.laser.emission_off()
    assert stand.off_within(before_s) < IN_TIME_S
    stand.port.line_faults = LineFaults()


def read_power(stand: Stand) -> None:
    with contextlib.suppress(DeviceError):
        _ = stand.laser.power_w


def test_a_guardian_killed_while_it_is_let_go_leaves_no_light_on(stand: Stand) -> None:
    light_on(stand)
    assert stand.laser._process is not None
    stand.laser._leaving.set()  # the listener has not yet seen the death when the laser is closed
    stand.laser._process.kill()
    stand.laser.close()
    assert not stand.head.emitting
    assert states(stand)[-1][0] == "tripped"


# --- the application dies ---------------------------------------------------------------------------------------
APPLICATION = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    sys.path.insert(0, {folder!r})
    from test_guardian import guarded

    laser = guarded({address!r}, spacing_s={spacing_s}).open()
    laser.keep_journal({journal!r})
    laser.close()
    laser.open()  # as when it is connected again after a fault: another guardian
    laser.arm("test")
    laser.power_setpoint_w = 0.02
    laser.emission_on()
    print("light", flush=True)
    time.sleep(60)
    """
)


@pytest.mark.parametrize("spacing_s", [0.0, 0.1])
@pytest.mark.parametrize(
    ("how", "why"),
    [
        (signal.SIGKILL, "the application has ended without switching off"),
        (signal.SIGTERM, "the application has ended without switching off"),
        (signal.SIGSTOP, "no sign of the application"),
    ],
)
def test_light_goes_off_in_time_whatever_happens_to_the_application(
    tmp_path: Path, how: signal.Signals, why: str, spacing_s: float
) -> None:
    head = LaserElectronics()
    journal = tmp_path / "journal"
    with PtyPort(CoboltInstrument(head)) as port:
        text = APPLICATION.format(
            folder=str(Path(__file__).parent), address=port.address, journal=str(journal), spacing_s=spacing_s
        )
        process = subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE)
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"light\n"
            assert head.emitting
            before_s = time.monotonic()
            os.kill(process.pid, how)
            wait_for(lambda: not head.emitting)
            due_s = before_s + (SILENCE_S if how is signal.SIGSTOP else 0.0)
            assert head.emission_log[-1][0] - due_s < IN_TIME_S
            if how is signal.SIGKILL:
                wait_for(journal.exists)
                wait_for(lambda: why in journal.read_text())
        finally:
            process.kill()
            process.communicate()
            wait_for(lambda: is_free(port))
