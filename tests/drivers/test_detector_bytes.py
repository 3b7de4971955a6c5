"""Every command of the power meter and the oscilloscope, byte for byte, and what their numbers mean."""

from __future__ import annotations

import math
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.detectors.oscilloscope import (
    OscilloscopeDetector,
    OscilloscopeOptions,
    Preamble,
    average_in_steps,
    parse_preamble,
)
from drivers.detectors.pacing import take_paced
from drivers.detectors.pm100 import PowerMeter, PowerMeterOptions
from drivers.interfaces import (
    DeviceError,
    DeviceFaultError,
    DeviceRefusedError,
    DeviceReplyError,
    DeviceTimeoutError,
    DriverContext,
    Identity,
)
from drivers.transports import Reply
from labcontrol.testing import ScriptedLine

EXAMPLES = int(os.environ.get("LABCONTROL_FUZZ", "100"))
FAST = 1e-3
NO_ERROR = (b"SYST:ERR?", b'+0,"No error"')
Script = list[tuple[bytes, bytes]]


class Ticking:
    """A clock that goes on by itself a little with every look at it."""

    def __init__(self, tick_s: float = 1e-4) -> None:
        self.time_s = 0.0
        self.tick_s = tick_s

    def now_s(self) -> float:
        self.time_s += self.tick_s
        return self.time_s

    def sleep(self, seconds: float) -> None:
        self.time_s += max(0.0, seconds)


def scpi(script: Script) -> Script:
    return [(said + b"\n", heard + b"\n" if heard else b"") for said, heard in script]


def told(*commands: bytes) -> Script:
    return [exchange for command in commands for exchange in ((command, b""), NO_ERROR)]


IN_STEP: Script = [
    (b"", b""),
    (b"*ESE 100", b""),
    (b"*ESE?", b"100"),
    (b"*ESE 101", b""),
    (b"*ESE?", b"101"),
    (b"*ESE 0", b""),
    (b"*CLS", b""),
]
SENSOR = b'"S130C","1234567","08-Aug-2016",1,18,289'


def mended(header: bytes, wrong: bytes, right: bytes, said: bytes | None = None) -> Script:
    """A setting that the last user left wrongly: read, set, read again. said: the value in the command."""
    command = b"%s %s" % (header, said or right)
    return [(header + b"?", wrong), *told(command), (header + b"?", right)]


METER_OPENING: Script = [
    *IN_STEP,
    (b"SYST:SENS:IDN?", SENSOR),
    (b"SENS:CORR:WAV? MIN", b"4.0E+02"),
    (b"SENS:CORR:WAV? MAX", b"1.1E+03"),
    *mended(b"SENS:CORR:WAV", b"1.064E+03", b"6.61E+02", b"661"),
    *mended(b"SENS:CORR:LOSS:INP:MAGN", b"1.0E+01", b"0.0E+00", b"0"),
    *mended(b"SENS:POW:UNIT", b"DBM", b"W"),
    *mended(b"SENS:POW:REF:STAT", b"1", b"0"),
    *mended(b"INP:PDI:FILT:LPAS:STAT", b"1", b"0"),
    *mended(b"SENS:AVER:COUN", b"100", b"3"),
    *mended(b"SENS:POW:RANG:AUTO", b"0", b"1"),
    (b"SENS:CORR:COLL:ZERO:MAGN?", b"2.0E-09"),
    *told(b"CONF:POW"),
    *[(b"READ?", b"1.0E-03")] * 5,
    (b"*IDN?", b"Thorlabs,PM100D,P0012345,2.6.0"),
]
SETTLING: Script = [(b"SENS:POW:RANG?", b"5E-3"), (b"READ?", b"1.0E-03"), (b"SENS:POW:RANG?", b"5E-3")]


def meter(script: Script, **options: float) -> tuple[PowerMeter, ScriptedLine]:
    line = ScriptedLine(scpi(script), device="meter")
    chosen = PowerMeterOptions.model_validate({"wavelength_nm": 661, "averages": 3, "timeout_s": FAST, **options})
    return PowerMeter(DriverContext("meter", Ticking()), line, chosen), line


def test_meter_opens_with_sensor_wavelength_and_range() -> None:
    device, line = meter(METER_OPENING)
    with device:
        assert line.all_said()
        assert device.identity == Identity("Thorlabs", "PM100D with S130C 1234567", "P0012345", "2.6.0")
        assert 100.0 < device.max_rate_hz < 1e5
        assert not device.has_trigger


def test_meter_with_a_fixed_range_checks_that_it_was_taken() -> None:
    at = METER_OPENING.index((b"SENS:POW:RANG:AUTO?", b"0"))
    before, after = METER_OPENING[:at], METER_OPENING[at + 4 :]
    fixed = [
        *mended(b"SENS:POW:RANG:AUTO", b"1", b"0"),
        after[0],
        (b"SENS:POW:RANG? MAX", b"5E-2"),
        *told(b"SENS:POW:RANG 0.002"),
        (b"SENS:POW:RANG?", b"5E-3"),
    ]
    device, line = meter([*before, *fixed, *after[1:]], range_w=2e-3)
    with device:
        assert line.all_said()


@pytest.mark.parametrize(
    ("sensor", "error", "words"),
    [
        (b'"no sensor","","",0,0,0', DeviceFaultError, "has no sensor"),
        (b"ES111C,1,x,3,1,0", DeviceRefusedError, "measures energy"),
        (b"S130C", DeviceReplyError, "name, serial number"),
    ],
)
def test_meter_without_a_power_sensor_is_refused(sensor: bytes, error: type[DeviceError], words: str) -> None:
    device, _ = meter([*IN_STEP, (b"SYST:SENS:IDN?", sensor)])
    with pytest.raises(error, match=words):
        device.open()
    assert not device.is_open


def test_meter_refuses_a_wavelength_its_sensor_does_not_know() -> None:
    device, _ = meter(METER_OPENING[: len(IN_STEP) + 3], wavelength_nm=1550)
    with pytest.raises(DeviceRefusedError, match="wavelength of this sensor must be from 400 to 1100 nm"):
        device.open()


def test_meter_reads_one_question_a_sample_and_marks_over_range() -> None:
    values = [b"1.0E-03", b"1.1E-03", b"9.9E+37", b"-1.0E-09"]
    device, line = meter([*METER_OPENING, *SETTLING, *[(b"READ?", value) for value in values]])
    with device:
        samples = device.read(4, 500.0)
        assert line.all_said()
    np.testing.assert_allclose(samples.data[[0, 1, 3]], [1e-3, 1.1e-3, -1e-9])
    assert math.isinf(samples.data[2])
    assert samples.overload
    assert (samples.counter, samples.rate_hz) == (1, 500.0)


def test_meter_status() -> None:
    status: Script = [(b"READ?", b"1E-3"), (b"SENS:POW:RANG?", b"5E-3")]
    device, line = meter([*METER_OPENING, *status])
    with device:
        values = device.status().values
        assert line.all_said()
    assert (values["power_w"], values["wavelength_nm"], values["range_w"]) == (1e-3, 661.0, 5e-3)
    assert (values["unit"], values["zero_correction_w"]) == ("W", 2e-9)


def test_samples_are_paced_evenly_and_a_late_one_is_an_error() -> None:
    clock = Ticking(0.0)
    start_s, times = take_paced("meter", clock, 5, 100.0, clock.now_s)
    np.testing.assert_allclose(np.array(times) - start_s, np.arange(5) / 100.0, atol=1e-12)
    with pytest.raises(DeviceTimeoutError, match=r"sample 1 was 0\.01 s late"):
        take_paced("meter", clock, 5, 100.0, lambda: clock.sleep(0.02))


# --- oscilloscope -------------------------------------------------------------------------------------------------
SCOPE_OPENING: Script = [
    *IN_STEP,
    *told(b":STOP"),
    *mended(b":CHAN2:DISP", b"0", b"1"),
    *mended(b":CHAN2:COUP", b"AC", b"DC"),
    *mended(b":CHAN2:IMP", b"FIFT", b"ONEM"),
    *mended(b":CHAN2:INV", b"1", b"0"),
    *mended(b":CHAN2:BWL", b"1", b"0"),
    *mended(b":CHAN2:UNIT", b"AMP", b"VOLT"),
    *mended(b":CHAN2:PROB", b"+1.0E+01", b"+1.0E+00", b"1"),
    *mended(b":CHAN2:RANG", b"+4.00E+01", b"+4.00E+00", b"4"),
    *mended(b":CHAN2:OFFS", b"+0.0E+00", b"+1.0E+00", b"1"),
    *mended(b":ACQ:MODE", b"SEGM", b"RTIM"),
    *mended(b":ACQ:TYPE", b"AVER", b"HRES"),
    *mended(b":TIM:MODE", b"ROLL", b"MAIN"),
    *mended(b":TIM:REF", b"CENT", b"LEFT"),
    *mended(b":TIM:POS", b"+1.0E-03", b"+0.0E+00", b"0"),
    *mended(b":TRIG:MODE", b"GLIT", b"EDGE"),
    *mended(b":TRIG:SWE", b"AUTO", b"NORM"),
    *mended(b":TRIG:EDGE:SOUR", b"CHAN1", b"EXT"),
    *mended(b":TRIG:EDGE:SLOP", b"NEG", b"POS"),
    *mended(b":TRIG:EDGE:COUP", b"AC", b"DC"),
    *mended(b":TRIG:EDGE:REJ", b"HFR", b"OFF"),
    *mended(b":TRIG:NREJ", b"1", b"0"),
    *mended(b":TRIG:HFR", b"1", b"0"),
    *mended(b":TRIG:HOLD", b"+1.0E-03", b"+6.0E-08", b"6e-08"),
    (b":TRIG:LEV? EXT", b"+0.0E+00"),
    *told(b":TRIG:LEV 1,EXT"),
    (b":TRIG:LEV? EXT", b"+1.0E+00"),
    *mended(b":WAV:SOUR", b"CHAN1", b"CHAN2"),
    *mended(b":WAV:FORM", b"BYTE", b"WORD"),
    *mended(b":WAV:BYT", b"LSBF", b"MSBF"),
    *mended(b":WAV:UNS", b"0", b"1"),
    *mended(b":WAV:POIN:MODE", b"NORM", b"RAW"),
    (b"*IDN?", b"KEYSIGHT TECHNOLOGIES,MSO-X 3024T,MY57230001,07.50"),
]
ARMING: Script = [
    *told(b":TIM:RANG 4.545455E-03"),
    (b":TIM:RANG?", b"+5.0E-03"),
    *told(b":WAV:POIN 100"),
    (b":AER?;:SING;:AER?", b"+1;+0"),
    (b":AER?", b"+1"),
]
# 20 points 0.5 ms apart, two of them before the trigger; word 32768 is 1 V, 16384 words are 1 V
VOLTS = np.array([0.0, 0.0, *np.repeat([0.25, 0.5, 0.75, 1.0], 2), *[2.9] * 10])
WORDS = np.round((VOLTS - 1.0) * 16384 + 32768).astype(">u2").tobytes()
PREAMBLE = b"+1,+3,+20,+1,+5.0E-04,-1.0E-03,+0,+6.103515625E-05,+1.0E+00,+32768"


def waveform(preamble: bytes, words: bytes) -> tuple[bytes, bytes]:
    return b":WAV:PRE?;:WAV:DATA?", preamble + b";#8%08d" % len(words) + words


FORCING: Script = [(b":TRIG:FORC;:SYST:ERR?;:OPER:COND?", b'+0,"No error";+8')]
FETCHING: Script = [(b":OPER:COND?", b"+8"), (b":OPER:COND?", b"+0"), waveform(PREAMBLE, WORDS)]


def scope(script: Script, **options: float) -> tuple[OscilloscopeDetector, ScriptedLine]:
    line = ScriptedLine(scpi(script), device="scope")
    chosen = OscilloscopeOptions.model_validate(
        {"channel": 2, "range_v": 4.0, "offset_v": 1.0, "timeout_s": 0.05, **options}
    )
    return OscilloscopeDetector(DriverContext("scope", Ticking()), line, chosen), line


def test_scope_opens_with_channel_trigger_and_format() -> None:
    device, line = scope(SCOPE_OPENING)
    with device:
        assert line.all_said()
        assert device.identity.model == "MSO-X 3024T"
        assert device.has_trigger


@pytest.mark.parametrize(("condition", "summary"), [(b"+8", "waiting for a trigger"), (b"+0", "ready")])
def test_scope_status(condition: bytes, summary: str) -> None:
    device, line = scope([*SCOPE_OPENING, (b":OPER:COND?", condition), (b":ACQ:SRAT?", b"+2.0E+05")])
    with device:
        status = device.status()
        assert line.all_said()
    assert status.ok
    assert (status.summary, status.values["sampling_rate_hz"]) == (summary, 2e5)


def test_scope_samples_after_the_trigger_pulse() -> None:
    device, line = scope([*SCOPE_OPENING, *ARMING, *FETCHING, *ARMING[-2:], *FETCHING], watts_per_volt=2e-3)
    with device:
        device.arm(4, 1000.0)
        samples = device.fetch(1.0)
        np.testing.assert_allclose(samples.data, 2e-3 * np.array([0.25, 0.5, 0.75, 1.0]), atol=1e-7)
        assert (samples.counter, samples.rate_hz, samples.overload) == (1, 1000.0, False)
        device.arm(4, 1000.0)  # the same settings are not sent again
        assert device.fetch(1.0).counter == 2
        assert line.all_said()


def test_scope_reads_at_once_by_forcing_the_trigger() -> None:
    device, line = scope([*SCOPE_OPENING, *ARMING, *FORCING, *FETCHING])
    with device:
        np.testing.assert_allclose(device.read(4, 1000.0).data, [0.25, 0.5, 0.75, 1.0], atol=1e-4)
        assert line.all_said()


def test_scope_that_is_ready_and_done_at_once_is_asked_three_times() -> None:
    arming, forcing = [*ARMING[:-2], (ARMING[-2][0], b"+0;+1")], [(FORCING[0][0], b'+0,"No error";+0')]
    device, line = scope([*SCOPE_OPENING, *arming, *forcing, *FETCHING[2:]])
    with device:
        np.testing.assert_allclose(device.read(4, 1000.0).data, [0.25, 0.5, 0.75, 1.0], atol=1e-4)
        assert line.all_said()


def test_scope_that_refuses_to_trigger_says_why() -> None:
    forcing = [(FORCING[0][0], b'-221,"Settings conflict; stopped";+0')]
    device, line = scope([*SCOPE_OPENING, *ARMING, *forcing])
    with device:
        with pytest.raises(DeviceRefusedError, match="Settings conflict; stopped"):
            device.read(4, 1000.0)
        assert line.all_said()


def test_scope_without_trigger_pulse_times_out_and_stops() -> None:
    waiting = [(b":OPER:COND?", b"+8")] * 12  # one a millisecond
    device, line = scope([*SCOPE_OPENING, *ARMING, *waiting, *told(b":STOP")])
    with device:
        device.arm(4, 1000.0)
        with pytest.raises(DeviceTimeoutError, match="saw no trigger pulse") as caught:
            device.fetch(0.012)
        assert "trigger cable" in caught.value.remedy
        assert line.all_said()
        with pytest.raises(DeviceRefusedError, match="is not armed"):
            device.fetch(0.01)


def test_scope_marks_values_at_the_end_of_its_range() -> None:
    clipped = np.full(20, 65535, dtype=">u2").tobytes()
    device, _ = scope([*SCOPE_OPENING, *ARMING, *FETCHING[:-1], waveform(PREAMBLE, clipped)])
    with device:
        device.arm(4, 1000.0)
        assert device.fetch(1.0).overload


def test_scope_with_too_few_points_is_refused() -> None:
    two_points = waveform(b"+1,+3,+2,+1,+5.0E-03,-1.0E-03,+0,+6.1E-05,+1.0E+00,+32768", WORDS[:4])
    device, _ = scope([*SCOPE_OPENING, *ARMING, *FETCHING[1:2], two_points])
    with device:
        device.arm(4, 1000.0)
        with pytest.raises(DeviceRefusedError, match="too few for 4 samples"):
            device.fetch(1.0)


def test_scope_that_takes_another_range_is_refused() -> None:
    upto = SCOPE_OPENING.index((b":CHAN2:RANG?", b"+4.00E+00"))
    device, _ = scope([*SCOPE_OPENING[:upto], (b":CHAN2:RANG?", b"+8.0E+00")])
    with pytest.raises(DeviceRefusedError, match=r"its range v is 8\.0, 4\.0 is needed"):
        device.open()


def test_points_are_averaged_within_their_step() -> None:
    preamble = Preamble(12, 0.25, -0.5, 0.0, 1.0, 0.0, 0.0)
    volts = np.arange(12.0)  # at -0.5, -0.25, 0, 0.25, ...
    averaged = average_in_steps(volts, preamble, 0.0, 1.0, 2)
    assert averaged is not None
    np.testing.assert_allclose(averaged, [np.mean([2, 3, 4, 5]), np.mean([6, 7, 8, 9])])
    assert average_in_steps(volts, preamble, 0.0, 1.0, 3) is not None
    assert average_in_steps(volts, preamble, 0.0, 1.0, 4) is None


# --- fuzzing ------------------------------------------------------------------------------------------------------
FIELDS = st.floats().map(str) | st.integers(-(10**12), 10**12).map(str) | st.text("+-0123456789.eE", max_size=6)
PREAMBLES = st.lists(FIELDS, min_size=9, max_size=11).map(lambda fields: ",".join(fields).encode())


@given(st.binary(max_size=60) | PREAMBLES)
@settings(max_examples=EXAMPLES, deadline=None)
def test_whatever_comes_as_preamble_is_a_waveform_or_our_error(received: bytes) -> None:
    try:
        preamble = parse_preamble(Reply("scope", b":WAV:PRE?;:WAV:DATA?\n", received))
    except DeviceReplyError:
        return
    assert preamble.points >= 1
    assert preamble.x_increment_s > 0.0


@pytest.mark.parametrize("use", ["read", "status"])
@given(junk=st.lists(st.binary(max_size=24) | st.sampled_from([b"1\n", b"9.9E37\n", b"#15\n"]), min_size=1, max_size=3))
@settings(max_examples=EXAMPLES // 4, deadline=None)
def test_whatever_a_meter_answers_only_our_errors_come_out(use: str, junk: list[bytes]) -> None:
    device, line = meter(METER_OPENING)
    device.open()
    line.answer_everything(junk)
    try:
        device.read(2, 100.0) if use == "read" else device.status()
    except DeviceError as error:
        assert error.device == "meter"  # noqa: PT017
