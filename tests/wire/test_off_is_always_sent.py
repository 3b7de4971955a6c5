"""Off arrives whatever the line does: sent blindly, confirmed where it can be, tried again where not."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator

import pytest

pytest.importorskip("termios", reason="emulated instruments need pseudo-terminals")

import serial
from laser_stands import KINDS, TIMEOUT_S, Stand, stand

from drivers.interfaces import DeviceError, DeviceReplyError, DeviceTimeoutError, DriverContext
from drivers.lasers.thorlabs_diode import ThorlabsDiodeLaser, ThorlabsDiodeOptions
from mock_devices.wire.ports import PtyPort
from mock_devices.wire.thorlabs_diode import ThorlabsDiodeInstrument

DARK_WITHIN_S = 0.5
FOREVER = 10**6
ON_SERIAL_LINES = [kind for kind in KINDS if kind != "thorlabs"]


@pytest.fixture(autouse=True)
def short_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.transports.conversation.SHORTEST_QUIET_S", 0.005)


@pytest.fixture(params=KINDS)
def bench(request: pytest.FixtureRequest) -> Iterator[Stand]:
    with stand(request.param) as made:
        yield made


def emitting(bench: Stand) -> None:
    bench.laser.open().emission_on()
    assert bench.head.emitting


def mute(bench: Stand) -> None:
    """The wire from the laser to the computer breaks: commands arrive, answers do not."""
    bench.port.line_faults.plan("silent", times=FOREVER)


def mend(bench: Stand) -> None:
    bench.port.line_faults = type(bench.port.line_faults)()


def read_once(bench: Stand) -> None:
    with pytest.raises(DeviceError):
        _ = bench.laser.power_w


@pytest.mark.parametrize("how", ["emission_off", "close"])
@pytest.mark.parametrize("after_a_reading", [False, True])
def test_off_reaches_a_laser_whose_answers_do_not_arrive(bench: Stand, how: str, after_a_reading: bool) -> None:
    emitting(bench)
    mute(bench)
    if after_a_reading:
        read_once(bench)
    before_s = time.monotonic()
    with pytest.raises((DeviceTimeoutError, DeviceReplyError)):
        getattr(bench.laser, how)()
    assert not bench.head.emitting
    assert bench.head.emission_log[-1][0] - before_s < DARK_WITHIN_S
    mend(bench)


def test_off_now_does_not_wait_for_whoever_waits_for_an_answer(bench: Stand) -> None:
    emitting(bench)
    mute(bench)
    bench.laser._talk.timeout_s = 2.0  # type: ignore[attr-defined]
    waiting = threading.Thread(target=read_once, args=(bench,))
    waiting.start()
    before_s = time.monotonic()
    bench.laser.emission_off_now()
    while bench.head.emitting and time.monotonic() < before_s + 2 * DARK_WITHIN_S:
        time.sleep(0.001)
    assert not bench.head.emitting
    assert bench.head.emission_log[-1][0] - before_s < DARK_WITHIN_S
    bench.laser._talk.timeout_s = 0.05  # type: ignore[attr-defined]
    waiting.join()
    mend(bench)


def test_what_answers_off_is_never_taken_for_something_else(bench: Stand) -> None:
    laser = bench.laser.open()
    laser.power_setpoint_w = 0.02
    for _ in range(3):
        laser.emission_off_now()
        assert laser.power_setpoint_w == pytest.approx(0.02, rel=1e-3)
        assert laser.interlock_closed is True


def test_a_line_that_was_lost_is_opened_once_more_to_switch_off(bench: Stand) -> None:
    emitting(bench)
    bench.port.unplug()
    with pytest.raises(DeviceError):
        _ = bench.laser.power_w
    bench.port.plug()
    bench.laser.emission_off()
    assert not bench.head.emitting
    with pytest.raises(DeviceError, match="open it again"):  # it may have been another one, or switched off meanwhile
        _ = bench.laser.power_w


# --- what another program left on the line ------------------------------------------------------------------------
def leave(bench: Stand, data: bytes) -> None:
    assert isinstance(bench.port, PtyPort)
    with serial.Serial(bench.port.address, 115200, exclusive=True) as line:
        line.write(data)
        line.flush()


def opened_among(bench: Stand, data: bytes) -> None:
    """The laser says who it is in spite of bytes left on its line, and one lost answer later still obeys."""
    leave(bench, data)
    laser = bench.laser.open()
    assert bench.head.emission_log == [], data
    assert laser.identity.serial_number in ("12345", "VAL-70-4711", "15601"), data
    bench.port.line_faults.plan("silent")
    with pytest.raises(DeviceTimeoutError):
        _ = laser.power_setpoint_w
    assert laser.power_setpoint_w >= 0.0
    laser.emission_on()
    laser.close()
    assert not bench.head.emitting


@pytest.mark.parametrize("kind", ON_SERIAL_LINES)
@pytest.mark.parametrize("data", [b"AT", b"\x7e\x00\x78\xf0\x7e", b"gs", b"p 0.0", b"\r", b"laser on", b"@cob1"])
def test_bytes_without_a_line_end_left_by_another_program_change_nothing(kind: str, data: bytes) -> None:
    with stand(kind) as bench:
        opened_among(bench, data)


@pytest.mark.parametrize("kind", ON_SERIAL_LINES)
def test_random_bytes_left_by_another_program_change_nothing(kind: str) -> None:
    draw = random.Random(kind)
    for _ in range(2):
        with stand(kind) as bench:
            opened_among(bench, draw.randbytes(200))


def test_random_bytes_left_on_the_serial_line_of_a_scpi_instrument_change_nothing() -> None:
    draw = random.Random("scpi")
    options = ThorlabsDiodeOptions(timeout_s=TIMEOUT_S, threshold_a=0.05, slope_w_per_a=0.8, temperature_c=25.0)
    for _ in range(2):
        instrument = ThorlabsDiodeInstrument()
        with PtyPort(instrument) as port:
            with serial.Serial(port.address, 115200, exclusive=True) as line:
                line.write(draw.randbytes(200))
                line.flush()
            address = f"ASRL{port.address}::INSTR"
            with ThorlabsDiodeLaser.from_bench(address, options, DriverContext("laser")) as laser:
                assert laser.identity.model == "ITC4001"
                laser.emission_on()
            assert not instrument.electronics.emitting


@pytest.mark.parametrize("kind", ON_SERIAL_LINES)
def test_a_refusal_is_never_taken_for_who_the_laser_is(kind: str) -> None:
    with stand(kind) as bench:
        bench.port.instrument.answer, answer = _refusing(kind), bench.port.instrument.answer  # type: ignore[method-assign]
        with pytest.raises(DeviceError, match=r"refused|did not answer"):
            bench.laser.open()
        bench.port.instrument.answer = answer  # type: ignore[method-assign]
        assert bench.laser.open().is_open


def _refusing(kind: str):  # type: ignore[no-untyped-def]
    said = {
        "cobolt": b"Syntax error: illegal command\r\n",
        "obis": b"ERR-100\r\n",
        "ibeam": b"\r\n%SYS-E-001, unknown command or parameter\r\n[OK]\r\n",
    }
    return lambda command: said[kind] if command.strip() else b""
