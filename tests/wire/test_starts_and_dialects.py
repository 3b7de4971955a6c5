"""Lasers as they really start, and dialects that differ from head to head: keys, delays, temperatures, a Remote."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

pytest.importorskip("termios", reason="emulated instruments need pseudo-terminals")

from laser_stands import TIMEOUT_S

from drivers.interfaces import DeviceFaultError, DeviceRefusedError, DriverContext, Laser
from drivers.lasers.cobolt import CoboltLaser, CoboltOptions
from drivers.lasers.ibeam import IBeamLaser, IBeamOptions
from drivers.lasers.obis import ObisLaser
from drivers.lasers.thorlabs_diode import ThorlabsDiodeLaser, ThorlabsDiodeOptions
from drivers.lasers.wired_laser import SerialLaserOptions
from mock_devices.wire.cobolt import CoboltInstrument, NewerCoboltInstrument
from mock_devices.wire.ibeam import IBeamInstrument
from mock_devices.wire.instrument import Instrument
from mock_devices.wire.laser_electronics import LaserElectronics
from mock_devices.wire.obis import ObisInstrument
from mock_devices.wire.ports import PtyPort, TcpPort
from mock_devices.wire.thorlabs_diode import ThorlabsDiodeInstrument

AT_BENCH = DriverContext("laser")
START_S = 0.6


@pytest.fixture(autouse=True)
def short_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.transports.conversation.SHORTEST_QUIET_S", 0.005)


@contextmanager
def cobolt(instrument: Instrument, start_s: float = START_S) -> Iterator[Laser]:
    options = CoboltOptions(timeout_s=TIMEOUT_S, command_spacing_s=0.0, start_time_s=start_s)
    with PtyPort(instrument) as port, CoboltLaser.from_bench(port.address, options, AT_BENCH) as laser:
        yield laser


@contextmanager
def obis(instrument: Instrument, start_s: float = START_S) -> Iterator[Laser]:
    options = SerialLaserOptions(timeout_s=TIMEOUT_S, start_time_s=start_s)
    with PtyPort(instrument) as port, ObisLaser.from_bench(port.address, options, AT_BENCH) as laser:
        yield laser


# --- Cobolt -------------------------------------------------------------------------------------------------------
def test_a_key_switch_is_waited_for_and_the_person_is_told_what_to_do() -> None:
    instrument = CoboltInstrument(key_switch=True)
    head, heard = instrument.electronics, []
    with cobolt(instrument, start_s=10.0) as laser:
        laser.power_setpoint_w = 0.02

        def turn(words: str) -> None:
            heard.append(words)
            head.turn_key(False)
            head.turn_key(True)

        laser.while_starting = turn
        laser.emission_on()
        assert head.emitting
    assert "Turn the key OFF and then ON" in heard[0]
    assert not head.emitting


def test_a_key_that_nobody_turns_ends_the_start_in_the_dark() -> None:
    instrument = CoboltInstrument(key_switch=True)
    with cobolt(instrument) as laser:
        with pytest.raises(DeviceRefusedError, match="waiting for its key"):
            laser.emission_on()
        instrument.electronics.turn_key(False)
        instrument.electronics.turn_key(True)  # too late
        assert instrument.electronics.emission_log == []


@pytest.mark.parametrize("waits", ["key first", "temperature first"])
def test_a_cold_dpl_starts_whichever_way_its_states_are_numbered(waits: str) -> None:
    head = LaserElectronics(start_delay_s=0.2)
    instrument = CoboltInstrument(head, model="0532-06-91-0050-100", key_switch=True, waits=waits)  # type: ignore[arg-type]
    with cobolt(instrument, start_s=10.0) as laser:
        heard: list[str] = []

        def turn(words: str) -> None:
            heard.append(words)
            if len(heard) == 1:
                head.turn_key(False)
                head.turn_key(True)

        laser.while_starting = turn
        laser.emission_on()
        assert "warming up" in heard[-1]
        assert head.emitting
        assert laser.status().values["state"] == "on"


def test_off_ends_a_start_that_waits() -> None:
    instrument = CoboltInstrument(key_switch=True)
    with cobolt(instrument, start_s=30.0) as laser:
        threading.Timer(0.2, laser.emission_off_now).start()
        before_s = time.monotonic()
        with pytest.raises(DeviceRefusedError, match="switched off while it started"):
            laser.emission_on()
        assert time.monotonic() - before_s < 5.0


def test_a_head_of_another_generation_is_told_apart() -> None:
    with pytest.raises(DeviceRefusedError, match="0661-06-01-0050-1100"), cobolt(NewerCoboltInstrument()):
        pass


def test_light_that_a_modulation_input_holds_back_is_no_start() -> None:
    instrument = CoboltInstrument()
    with cobolt(instrument) as laser:
        laser.power_setpoint_w = 0.02
        instrument.electronics.gated = True  # by something that no question shows
        with pytest.raises(DeviceRefusedError, match="0 mW come out of 20 mW"):
            laser.emission_on()
        assert not instrument.electronics.emitting


# --- OBIS ---------------------------------------------------------------------------------------------------------
def test_the_laser_behind_a_remote_is_the_one_that_is_asked() -> None:
    instrument = ObisInstrument(remote=True)
    with obis(instrument) as laser:
        assert laser.identity.model == "OBIS 660nm 100mW C"
        assert laser.identity.serial_number == "VAL-70-4711"
        laser.power_setpoint_w = 0.02
        laser.emission_on()
        assert instrument.electronics.power_w() == pytest.approx(0.02)
        instrument.electronics.trip("temperature")
        assert laser.faults == ("base plate temperature out of range",)
        assert not instrument.autostart
    assert not instrument.electronics.emitting


def test_the_delay_of_its_class_is_waited_for() -> None:
    instrument = ObisInstrument(LaserElectronics(max_power_w=0.11, min_power_w=0.001, start_delay_s=0.3))
    heard: list[str] = []
    with obis(instrument, start_s=10.0) as laser:
        laser.while_starting = heard.append
        laser.power_setpoint_w = 0.02
        laser.emission_on()
        assert instrument.electronics.emitting
        assert laser.power_w == pytest.approx(0.02)
    assert "delay of its class" in heard[0]


def test_an_obis_that_cannot_say_its_interlock_is_opened_and_reports_it_as_a_fault() -> None:
    instrument = ObisInstrument(says_interlock=False)
    with obis(instrument) as laser:
        assert laser.interlock_closed
        instrument.electronics.open_interlock()
        assert laser.faults == ("fault bit 29",)


# --- iBeam and diode controller -----------------------------------------------------------------------------------
def test_a_warning_does_not_end_the_start_of_an_ibeam(caplog: pytest.LogCaptureFixture) -> None:
    instrument = IBeamInstrument()
    instrument.warns = "%SYS-W-045, temperature has not settled"
    options = IBeamOptions(timeout_s=TIMEOUT_S, start_time_s=START_S)
    with PtyPort(instrument) as port, IBeamLaser.from_bench(port.address, options, AT_BENCH) as laser:
        laser.power_setpoint_w = 0.02
        laser.emission_on()
        assert instrument.electronics.power_w() == pytest.approx(0.02)
    assert "temperature has not settled" in caplog.text


@contextmanager
def diode(instrument: ThorlabsDiodeInstrument) -> Iterator[Laser]:
    options = ThorlabsDiodeOptions(
        timeout_s=TIMEOUT_S, start_time_s=START_S, threshold_a=0.05, slope_w_per_a=0.8, temperature_c=25.0
    )
    with TcpPort(instrument) as port, ThorlabsDiodeLaser.from_bench(port.visa_address, options, AT_BENCH) as laser:
        yield laser


def test_a_diode_at_the_wrong_temperature_is_not_started() -> None:
    instrument = ThorlabsDiodeInstrument()
    with diode(instrument) as laser:
        instrument.drifts, instrument.diode_c = True, 40.0
        laser.power_setpoint_w = 0.02
        with pytest.raises(DeviceFaultError, match=r"at 40\.0 °C and is to be at 25\.0 °C"):
            laser.emission_on()
        assert instrument.electronics.emission_log == []
        laser.while_starting = lambda _: setattr(instrument, "drifts", False)
        laser.emission_on()
        assert instrument.electronics.emitting


@pytest.mark.parametrize("model", ["ITC4001", "LDC4005", "CLD1015"])
def test_each_family_of_controllers_is_asked_only_what_it_knows(model: str) -> None:
    instrument = ThorlabsDiodeInstrument(model=model)
    with diode(instrument) as laser:
        laser.power_setpoint_w = 0.02
        laser.emission_on()
        assert laser.status().ok
        assert instrument.errors == []
