"""What makes the guardian trip, by injected clocks: silence, sleep, its own delay, a laser that cannot be read."""

from __future__ import annotations

import math
from typing import Any

import pytest

from drivers.interfaces import (
    DeviceDisconnectedError,
    DeviceStatus,
    DeviceTimeoutError,
    DriverContext,
    Identity,
    Laser,
)
from labcontrol.guardian.guard import Guard
from labcontrol.guardian.messages import LONG_SILENCE_S, SILENCE_S, Cause, Limits, Transition
from labcontrol.guardian.sleep_inhibitor import SleepInhibitor


class Lamp(Laser):
    """A laser that does as it is told, unless `broken` says what it raises instead."""

    power_limits_w = (0.0, 0.1)  # type: ignore[assignment]
    warm_up_time_s = 0.0  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__(DriverContext("laser"))
        self.on = False
        self.blind = 0
        self.broken: Exception | None = None
        self.answered_s = -math.inf

    @property
    def last_answer_s(self) -> float:
        return self.answered_s

    @classmethod
    def from_bench(cls, *_: Any) -> Any:
        raise NotImplementedError

    def emission_off_now(self) -> None:
        self.blind += 1
        self.on = False

    def _answer(self, value: Any) -> Any:
        if self.broken is not None:
            raise self.broken
        return value

    def _open(self) -> None: ...

    def _close(self) -> None: ...

    def _read_identity(self) -> Identity:
        return Identity("Lamps", "one", "1", "1")

    def _read_status(self) -> DeviceStatus:
        return DeviceStatus(True, "fine")

    def _get_power_setpoint(self) -> float:
        return 0.02

    def _set_power(self, watts: float) -> None: ...

    def _read_power(self) -> float:
        return float(self._answer(0.02))

    def _read_emission(self) -> bool:
        return bool(self._answer(self.on))

    def _set_emission(self, on: bool) -> None:
        self._answer(None)
        self.on = on

    def _read_interlock_closed(self) -> bool:
        return bool(self._answer(True))

    def _read_faults(self) -> tuple[str, ...]:
        return tuple(self._answer(()))


class Awake(SleepInhibitor):
    held = 0

    def hold(self) -> None:
        self.held += 1

    def release(self) -> None:
        self.held = 0


class Stand:
    """A guard that watches a lamp which is on. The application is heard while `heard` is true."""

    def __init__(self) -> None:
        self.now_s = self.slept_s = 0.0
        self.heard = True
        self.said: list[Transition] = []
        self.lamp, self.awake = Lamp(), Awake()
        self.guard = Guard(
            self.lamp,
            Limits(),
            self.said.append,
            clock=lambda: self.now_s,
            wall=lambda: 1e9 + self.now_s + self.slept_s,
            inhibitor=self.awake,
        )
        for request in ({"do": "open"}, {"do": "arm", "with": ["test"]}, {"do": "set_power", "with": [0.02]}):
            assert "ok" in self.guard.obey(request)
        assert "ok" in self.guard.obey({"do": "emission", "with": [True, ""]})

    def pass_time(self, seconds: float, step_s: float = 0.02, *, works: bool = True) -> None:
        end_s = self.now_s + seconds
        while self.now_s < end_s - 1e-9:
            self.now_s += step_s
            if self.heard:
                self.guard.hear()
            self.guard.watch()
            if works:
                self.guard.attend()

    @property
    def cause(self) -> Cause | None:
        tripped = [each for each in self.said if each.state == "tripped"]
        return Cause(tripped[-1].cause) if tripped else None


@pytest.fixture
def stand() -> Stand:
    made = Stand()
    made.pass_time(5.0)
    assert made.lamp.on
    return made


def test_it_goes_off_and_stays_off_when_the_application_is_silent(stand: Stand) -> None:
    stand.heard = False
    stand.pass_time(SILENCE_S - 0.1)
    assert stand.lamp.on
    stand.pass_time(0.2)
    assert not stand.lamp.on
    assert stand.cause is Cause.SILENCE
    assert not Cause.SILENCE.needs_a_person


def test_a_long_silence_is_known_as_such_before_anything_else_is_obeyed(stand: Stand) -> None:
    stand.heard = False
    stand.pass_time(LONG_SILENCE_S + 0.1)
    stand.heard = True
    stand.pass_time(0.02)
    assert stand.cause is Cause.LONG_SILENCE
    assert Cause.LONG_SILENCE.needs_a_person


def test_it_goes_off_after_the_computer_slept(stand: Stand) -> None:
    stand.slept_s += 5.0
    stand.pass_time(0.02)
    assert not stand.lamp.on
    assert stand.cause is Cause.ASLEEP


def test_a_clock_that_is_set_by_less_than_a_second_changes_nothing(stand: Stand) -> None:
    for step_s in (0.4, -30.0, 0.9):
        stand.slept_s += step_s
        stand.pass_time(0.1)
    assert stand.lamp.on


def test_it_goes_off_after_the_guardian_itself_was_held_up(stand: Stand) -> None:
    stand.pass_time(1.2, step_s=1.2)
    assert not stand.lamp.on
    assert stand.cause is Cause.LATE


def test_a_laser_that_answers_nothing_for_a_second_is_switched_off_blindly(stand: Stand) -> None:
    stand.lamp.broken = DeviceTimeoutError("laser", "did not answer")
    stand.pass_time(1.05)
    assert not stand.lamp.on
    assert stand.lamp.blind
    assert stand.cause is None
    assert stand.said[-1].state == "NOT CONFIRMED OFF"
    before = stand.lamp.blind
    stand.pass_time(2.0, works=False)
    assert stand.lamp.blind >= before + 5, "tried again and again"
    stand.lamp.broken = None
    stand.pass_time(1.0)
    assert stand.cause is Cause.UNREADABLE


def test_a_lost_line_trips_at_the_next_reading(stand: Stand) -> None:
    stand.lamp.broken = DeviceDisconnectedError("laser", "lost its line")
    stand.pass_time(0.3)
    assert stand.said[-1].state == "NOT CONFIRMED OFF"
    stand.lamp.broken = None
    stand.pass_time(0.5)
    assert stand.cause is Cause.UNREADABLE


def test_a_worker_that_waits_for_an_answer_does_not_hold_up_off(stand: Stand) -> None:
    with stand.guard._at_work():
        stand.heard = False
        stand.pass_time(SILENCE_S + 0.1, works=False)
        assert not stand.lamp.on
    assert stand.cause is None  # nobody has confirmed it
    stand.pass_time(0.02)
    assert stand.cause is Cause.SILENCE


def test_off_that_was_asked_for_does_not_wait_for_the_worker(stand: Stand) -> None:
    with stand.guard._at_work():
        stand.guard.off_is_due()
        assert not stand.lamp.on


def test_a_driver_that_keeps_no_time_of_its_answers_may_take_long_to_start(stand: Stand) -> None:
    stand.guard._starting = True
    stand.pass_time(3.0, works=False)
    assert stand.lamp.on
    stand.lamp.answered_s = 0.0  # one that does keep it is held to it
    stand.pass_time(0.1, works=False)
    assert not stand.lamp.on


def test_the_computer_is_kept_awake_while_armed(stand: Stand) -> None:
    assert stand.awake.held
    stand.guard.obey({"do": "disarm", "with": ["enough"]})
    assert not stand.awake.held


def test_a_laser_whose_off_is_not_confirmed_cannot_be_armed(stand: Stand) -> None:
    stand.lamp.broken = DeviceTimeoutError("laser", "did not answer")
    stand.pass_time(1.05)
    assert stand.guard.obey({"do": "arm", "with": ["test"]})["error"]["kind"] == "DeviceFaultError"


@pytest.mark.parametrize("cause", Cause)
def test_every_cause_is_in_the_table_of_the_documentation(cause: Cause) -> None:
    from pathlib import Path

    table = (Path(__file__).parents[2] / "docs" / "faults.md").read_text(encoding="utf-8")
    row = next((line for line in table.splitlines() if line.startswith(f"| {cause} ")), "")
    assert row, f"docs/faults.md has no row for {cause}"
    assert ("a person" in row.split("|")[3]) == cause.needs_a_person
