"""Every command of every laser driver, byte for byte."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from laser_cases import CASES, FAST, LASER, Case, Script

from drivers.interfaces import (
    DeviceDisconnectedError,
    DeviceError,
    DeviceFaultError,
    DeviceNotOpenError,
    DeviceRefusedError,
    DeviceReplyError,
    DeviceStatus,
    Laser,
)
from drivers.lasers.cobolt import CoboltLaser, CoboltOptions
from drivers.lasers.thorlabs_diode import ThorlabsDiodeLaser, ThorlabsDiodeOptions
from labcontrol.testing import ScriptedLine

EXAMPLES = int(os.environ.get("LABCONTROL_FUZZ", "12"))
READINGS = [(name, number) for name, case in CASES.items() for number in range(len(case.reads))]


@pytest.fixture(autouse=True)
def short_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.transports.conversation.SHORTEST_QUIET_S", 1e-3)
    monkeypatch.setattr("drivers.lasers.wired_laser.START_POLL_S", 0.0)
    monkeypatch.setattr("drivers.lasers.thorlabs_diode.START_POLL_S", 0.0)


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def opened(case: Case, *then: Script) -> tuple[Laser, ScriptedLine]:
    line = ScriptedLine(case.wire([exchange for script in (case.opening, *then) for exchange in script]))
    return case.build(line).open(), line


def test_opening_switches_off_then_reads_identity_and_limits(case: Case) -> None:
    laser, line = opened(case)
    assert line.all_said()
    assert laser.identity == case.identity
    assert laser.power_limits_w == pytest.approx(case.limits_w)


def test_closing_switches_off(case: Case) -> None:
    laser, line = opened(case, case.off, case.closing_extra)
    laser.close()
    assert not line.script
    laser.close()
    with pytest.raises(DeviceNotOpenError):
        laser.emission_on()


def test_setting_the_power_is_checked_by_reading_it_back(case: Case) -> None:
    laser, line = opened(case, case.set_power)
    laser.power_setpoint_w = 0.03
    assert line.all_said()


def test_a_laser_that_takes_another_power_than_told_is_not_believed(case: Case) -> None:
    laser, line = opened(case, case.set_power_reply_low)
    with pytest.raises(DeviceRefusedError, match=r"was told to emit 0\.03 W and set itself to 0\.02 W"):
        laser.power_setpoint_w = 0.03
    assert line.all_said()


def test_out_of_range_is_refused_before_anything_is_sent(case: Case) -> None:
    laser, line = opened(case)
    low, high = laser.power_limits_w
    for watts in (low - 1e-6, high * 1.001, float("nan"), float("inf")):
        with pytest.raises(DeviceRefusedError, match="the power must be from"):
            laser.power_setpoint_w = watts
    assert line.all_said()


def test_emission_on_checks_interlock_and_faults_and_sees_it_start(case: Case) -> None:
    laser, line = opened(case, case.on)
    laser.emission_on()
    assert line.all_said()


def test_emission_off_sees_it_stop(case: Case) -> None:
    laser, line = opened(case, case.off)
    laser.emission_off()
    assert line.all_said()


def next_numbers(in_step: Script) -> Script:
    """Getting in step once more: numbers used once are used once."""
    new = {b"*ESE 100": (b"*ESE 102", b""), b"*ESE 101": (b"*ESE 103", b"")}
    return [new.get(said, (said, {b"100": b"102", b"101": b"103"}.get(heard or b"", heard))) for said, heard in in_step]


def test_a_laser_that_does_not_stop_is_a_fault_with_a_remedy(case: Case) -> None:
    still_on = [
        *case.off[:-1],
        (case.off[-1][0], case.reads[0][1] and next(r[1][0][1] for r in case.reads if r[0] == "emission")),
    ]
    blind, in_step = case.opening[:1], case.opening[1 : case.opening.index(case.off[0])]
    in_step = [exchange for exchange in in_step if exchange[0] != b"SYST1:INF:MOD?"]  # only asked while it is opened
    laser, line = opened(case, still_on, blind, next_numbers(in_step), still_on, blind)
    with pytest.raises(DeviceFaultError, match="still emits") as caught:
        laser.emission_off()
    assert "key" in caught.value.remedy
    assert line.all_said()


@pytest.mark.parametrize("case", [name for name, case in CASES.items() if case.interlock_open], indirect=True)
def test_an_open_interlock_keeps_it_dark(case: Case) -> None:
    laser, line = opened(case, case.interlock_open)
    with pytest.raises(DeviceRefusedError, match="interlock is open"):
        laser.emission_on()
    assert line.all_said()


def test_a_fault_keeps_it_dark(case: Case) -> None:
    laser, line = opened(case, case.faulty)
    with pytest.raises(DeviceFaultError, match=case.fault_words):
        laser.emission_on()
    assert line.all_said()


@pytest.mark.parametrize(
    ("name", "number"), [(name, n) for name, case in CASES.items() for n in range(len(case.reads))]
)
def test_readings(name: str, number: int) -> None:
    case = CASES[name]
    attribute, script, meaning = case.reads[number]
    laser, line = opened(case, script)
    value = getattr(laser, attribute)
    assert value == (pytest.approx(meaning) if isinstance(meaning, float) else meaning)
    assert line.all_said()


def test_status_says_what_the_laser_says(case: Case) -> None:
    laser, line = opened(case, case.status)
    status = laser.status()
    assert isinstance(status, DeviceStatus)
    assert status.ok
    assert line.all_said()
    for name, value in case.status_values.items():
        assert status.values[name] == value


def test_a_refused_power_is_passed_on_in_the_lasers_own_words(case: Case) -> None:
    if case.refusal:
        script = [(case.power_command, case.refusal)]
    else:
        script = [(case.power_command, b""), (b"SYST:ERR?", b'-222,"Data out of range"'), (b"*CLS", b"")]
    laser, line = opened(case, script)
    with pytest.raises(DeviceRefusedError) as caught:
        laser.power_setpoint_w = 0.03
    assert (case.refusal.decode() or "-222, Data out of range") in str(caught.value)
    assert case.power_command.decode() in str(caught.value)
    assert line.all_said()


# --- one of a kind ------------------------------------------------------------------------------------------------
def replaced(case: Case, **replies: bytes) -> Script:
    return [(said, replies.get(said.decode().strip("?@"), heard)) for said, heard in case.opening]


def test_cobolt_without_autostart_starts_by_l1() -> None:
    case = CASES["cobolt"]
    on = [(b"l1" if said == b"@cob1" else said, heard) for said, heard in case.on]
    line = ScriptedLine(case.wire([*replaced(case, cobas=b"0"), *on]))
    case.build(line).open().emission_on()
    assert line.all_said()


def test_cobolt_that_waits_for_its_key_says_so_and_is_switched_off_when_nobody_turns_it() -> None:
    case = CASES["cobolt"]
    options = CoboltOptions(timeout_s=FAST, command_spacing_s=0.0, start_time_s=1e-9)
    script = [*case.opening, *case.on[:3], (b"gom?", b"1"), (b"@cobasks?", b"1"), *case.off]
    line = ScriptedLine(case.wire(script))
    laser = CoboltLaser(LASER, line, options).open()
    with pytest.raises(DeviceRefusedError, match="waiting for its key") as caught:
        laser.emission_on()
    assert "Turn the key OFF and then ON" in caught.value.remedy
    assert line.all_said()


def test_cobolt_fault_at_start_is_switched_off_again() -> None:
    case = CASES["cobolt"]
    laser, line = opened(case, [*case.on[:3], (b"gom?", b"5"), (b"f?", b"4"), *case.off])
    with pytest.raises(DeviceFaultError, match="constant power cannot be reached"):
        laser.emission_on()
    assert line.all_said()


@pytest.mark.parametrize("numbers", [b"134", b"2134", b"4"])
def test_a_cold_cobolt_dpl_is_waited_for_whatever_its_numbers_mean(numbers: bytes) -> None:
    case = CASES["cobolt"]
    waits: Script = []
    for number in numbers[:-1]:
        waits += [(b"gom?", b"%c" % number), (b"@cobasks?", b"1")]
    script = [*replaced(case, glm=b"0532-06-91-0050-100"), *case.on[:3], *waits, (b"gom?", b"4"), *case.on[-3:]]
    line = ScriptedLine(case.wire(script))
    laser = case.build(line).open()
    heard: list[str] = []
    laser.while_starting = heard.append
    laser.emission_on()
    assert line.all_said()
    assert len(heard) == len(numbers) - 1


@pytest.mark.parametrize("model", [b"0661-06-01-0050-1100", b"0785-08-01-0500-300", b"0532-04-01-0050-500"])
def test_cobolts_that_speak_other_commands_are_refused_by_their_number(model: bytes) -> None:
    case = CASES["cobolt"]
    upto = case.opening.index((b"glm?", b"0661-06-01-0050-100"))
    line = ScriptedLine(case.wire([*case.opening[:upto], (b"glm?", model), *case.off]))
    with pytest.raises(DeviceRefusedError, match="not a 06-01 of the generation"):
        case.build(line).open()


def test_cobolt_clears_a_fault_on_request() -> None:
    laser, line = opened(CASES["cobolt"], [(b"cf", b"OK")])
    assert isinstance(laser, CoboltLaser)
    laser.clear_fault()
    assert line.all_said()


def test_ibeam_that_stopped_by_itself_is_taken_for_an_open_interlock() -> None:
    case = CASES["ibeam"]
    stopped = [(b"status laser", b"OFF")]
    laser, line = opened(case, case.on, stopped, stopped, case.off, case.on)
    laser.emission_on()
    assert not laser.interlock_closed
    laser.emission_on()  # acknowledges by switching off, then starts again
    assert line.all_said()


def test_ibeam_without_the_channel_of_the_bench_file_says_which_it_has() -> None:
    laser, _ = opened(CASES["ibeam"], [(b"show level power", b"CH1, PWR: 1 mW\r\nCH3, PWR: 1 mW")])
    with pytest.raises(DeviceRefusedError, match="has no channel 2, only 1, 3"):
        _ = laser.power_setpoint_w


def test_thorlabs_without_photodiode_computes_the_power_from_the_current() -> None:
    case = CASES["thorlabs"]
    opening = [(b"MEAS:CURR?", b"0.0") if said == b"MEAS:POW2?" else (said, heard) for said, heard in case.opening]
    line = ScriptedLine(case.wire([*opening, (b"MEAS:CURR?", b"1.0E-01")]))
    options = ThorlabsDiodeOptions(timeout_s=FAST, threshold_a=0.05, slope_w_per_a=0.8, temperature_c=25.0)
    assert ThorlabsDiodeLaser(LASER, line, options).open().power_w == pytest.approx(0.04)


def test_thorlabs_with_a_limit_below_threshold_is_refused() -> None:
    case = CASES["thorlabs"]
    upto = len(case.opening) - case.opening[::-1].index((b"SOUR:CURR:LIM?", b"1.7500000E-01"))
    script = [(said, b"4E-2" if said == b"SOUR:CURR:LIM?" else heard) for said, heard in case.opening[:upto]]
    with pytest.raises(DeviceRefusedError, match="not above the threshold"):
        case.build(ScriptedLine(case.wire(script + case.off))).open()


def test_a_limit_of_the_bench_lowers_the_lasers_own() -> None:
    case = CASES["cobolt"]
    options = CoboltOptions(timeout_s=FAST, command_spacing_s=0.0, max_power_w=0.02)
    laser = CoboltLaser(LASER, ScriptedLine(case.wire(case.opening)), options).open()
    assert laser.power_limits_w == (0.0, 0.02)


# --- fuzzing ------------------------------------------------------------------------------------------------------
WORDS = [b"OK", b"1", b"-1", b"nan", b"ERR-100", b"[OK]", b"%SYS-E-1", b"Syntax error"]
JUNK = st.lists(st.binary(max_size=24) | st.sampled_from(WORDS), min_size=1, max_size=4)
READS = ["power_w", "power_setpoint_w", "emission", "interlock_closed", "faults"]
USES = [*READS, "status", "emission_on", "emission_off"]


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("name", CASES)
def test_whatever_a_laser_answers_only_our_errors_come_out(name: str, use: str) -> None:
    case = CASES[name]
    laser, line = opened(case)

    @given(junk=JUNK, framed=st.booleans())
    @settings(max_examples=EXAMPLES, deadline=None, database=None)
    def try_it(junk: list[bytes], framed: bool) -> None:
        line.answer_everything([case.reply(each) if framed else each for each in junk])
        laser._talk._in_step = True  # type: ignore[attr-defined]
        try:
            value: Any = getattr(laser, use)
            value = value() if callable(value) else value
        except DeviceError as error:
            if isinstance(error, DeviceDisconnectedError):
                raise
            return
        assert value is None or isinstance(value, float | bool | tuple | DeviceStatus)

    try_it()


def test_a_garbled_reply_is_shown_in_the_error(case: Case) -> None:
    laser, _ = opened(case, [(case.reads[0][1][0][0], b"g@rbage")])
    with pytest.raises(DeviceReplyError) as caught:
        _ = laser.power_w
    assert "g@rbage" in str(caught.value)
    assert case.reads[0][1][0][0].decode() in str(caught.value)
    assert caught.value.remedy
