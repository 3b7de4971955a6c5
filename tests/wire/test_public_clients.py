"""Other people's programs for the same instruments, on our emulators: judges that were not written from our drivers.

Each does what its own documentation shows. The maker's client for Cobolt (pycobolt) is not on the package index; where
it is installed, it judges too. Licences and versions: docs/decisions/0111.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec

import numpy as np
import pytest

pytest.importorskip("termios", reason="emulated instruments need pseudo-terminals")

import pyvisa

from mock_devices.wire.cobolt import CoboltInstrument
from mock_devices.wire.ibeam import IBeamInstrument
from mock_devices.wire.infiniivision import InfiniiVisionInstrument
from mock_devices.wire.instrument import Instrument
from mock_devices.wire.obis import ObisInstrument
from mock_devices.wire.pm100 import Pm100Instrument
from mock_devices.wire.ports import PtyPort, TcpPort
from mock_devices.wire.signals import FunctionSignal
from mock_devices.wire.thorlabs_diode import ThorlabsDiodeInstrument

pytestmark = pytest.mark.filterwarnings("ignore")  # of other people's programs

MILLIWATT = 1e-3


@contextmanager
def serial_address(instrument: Instrument) -> Iterator[str]:
    with PtyPort(instrument) as port:
        yield port.address


@contextmanager
def visa(instrument: Instrument) -> Iterator[pyvisa.resources.MessageBasedResource]:
    """As these programs open an instrument: a resource with line ends set."""
    with TcpPort(instrument) as port:
        resource = pyvisa.ResourceManager("@py").open_resource(
            port.visa_address, read_termination="\n", write_termination="\n", timeout=3000
        )
        assert isinstance(resource, pyvisa.resources.MessageBasedResource)
        yield resource
        resource.close()


class Daylight:
    def power_w(self) -> float:
        return MILLIWATT


# --- Cobolt -------------------------------------------------------------------------------------------------------
if find_spec("pycobolt"):  # the maker's client is not on the package index

    def test_the_makers_client_drives_a_cobolt() -> None:
        pycobolt = import_module("pycobolt")
        instrument = CoboltInstrument()
        with serial_address(instrument) as address:
            laser = pycobolt.CoboltLaser(port=address)
            assert type(laser).__name__ == "Cobolt06MLD"
            assert laser.serialnumber == "12345"
            assert laser.constant_power(20) == "OK"
            assert laser.get_mode() == "1 - Constant Power"
            assert laser.turn_on() == "OK"
            assert laser.is_on()
            assert laser.get_state() == "2 - Continuous"
            assert laser.get_power() == pytest.approx(20, rel=0.01)
            assert laser.get_power_setpoint() == pytest.approx(20)
            laser.set_current(55)  # its `constant_current` sends amperes to a 06, which expects milliamperes
            laser.constant_current()
            assert laser.get_current() == pytest.approx(55)
            assert laser.get_current_setpoint() == pytest.approx(55)
            laser.modulation_mode(10)
            laser.digital_modulation(1)
            assert laser.get_modulation_state() == ["0", "1"]
            assert instrument.electronics.power_w() == 0.0  # nothing is at the modulation input
            laser.turn_off()
            assert not laser.is_on()
            laser.disconnect()


def test_pylablib_drives_a_cobolt() -> None:
    hubner = pytest.importorskip("pylablib.devices.Hubner")
    instrument = CoboltInstrument(autostart=False)
    with serial_address(instrument) as address, hubner.Cobolt(address) as laser:
        assert laser.get_device_info().model == "0661-06-01-0050-100"
        assert laser.get_max_output_power() == pytest.approx(0.1)
        laser.set_output_power(0.02)
        assert laser.get_output_mode() == "cpower"
        laser.enable(autostart=False)
        assert laser.is_enabled()
        assert laser.get_output_power() == pytest.approx(0.02, rel=0.01)
        assert laser.get_operating_mode() == "continuous"
        assert laser.get_full_status()["interlock"] is True
        laser.enable_digital_modulation()
        assert laser.is_digital_modulation_enabled()
        laser.enable(enabled=False, autostart=False)
        assert not instrument.electronics.emitting


def test_python_microscope_drives_a_cobolt() -> None:
    cobolt = pytest.importorskip("microscope.lights.cobolt")
    instrument = CoboltInstrument()
    with serial_address(instrument) as address:
        laser = cobolt.CoboltLaser(com=address)
        laser.power = 0.5
        laser.enable()
        assert laser.get_is_on()
        assert instrument.electronics.power_w() == pytest.approx(0.05)
        assert laser.power == pytest.approx(0.5)
        laser.disable()
        assert not instrument.electronics.emitting
        laser.shutdown()


# --- OBIS ---------------------------------------------------------------------------------------------------------
def test_python_microscope_drives_an_obis() -> None:
    obis = pytest.importorskip("microscope.lights.obis")
    instrument = ObisInstrument(autostart=False)
    with serial_address(instrument) as address:
        laser = obis.ObisLaser(com=address)
        laser.power = 0.5
        laser.enable()
        assert laser.get_is_on()
        assert instrument.electronics.setpoint_w == pytest.approx(0.5 * instrument.electronics.max_power_w)
        assert instrument.source == "DIGITAL"
        assert laser.get_status()
        laser.disable()
        assert not instrument.electronics.emitting
        laser.shutdown()


# --- iBeam smart --------------------------------------------------------------------------------------------------
def test_pylablib_drives_an_ibeam() -> None:
    toptica = pytest.importorskip("pylablib.devices.Toptica")
    instrument = IBeamInstrument()
    with serial_address(instrument) as address, toptica.TopticaIBeam(address) as laser:
        assert laser.get_device_info().serial.endswith("15601")
        assert laser.get_channels_number() == 2
        assert laser.get_work_hours().power_up == pytest.approx(1203, abs=1)
        assert laser.get_current_limits()
        laser.set_channel_power(2, 0.02)
        laser.enable_channel(2)
        laser.enable()
        assert laser.is_enabled()
        assert laser.get_output_power() == pytest.approx(0.02)
        assert laser.get_drive_current() > 0
        assert laser.get_temperatures().diode == pytest.approx(25)
        laser.enable(False)
        assert not instrument.electronics.emitting


def test_python_microscope_drives_an_ibeam() -> None:
    toptica = pytest.importorskip("microscope.lights.toptica")
    instrument = IBeamInstrument()
    with serial_address(instrument) as address:
        laser = toptica.TopticaiBeam(address)
        laser.power = 0.5
        laser.enable()
        assert laser.get_is_on()
        assert instrument.electronics.power_w() == pytest.approx(0.0625)
        assert laser.power == pytest.approx(0.5)
        laser.disable()
        assert not instrument.electronics.emitting


def test_pymeasure_drives_an_ibeam() -> None:
    toptica = pytest.importorskip("pymeasure.instruments.toptica")
    instrument = IBeamInstrument()
    with serial_address(instrument) as address:
        laser = toptica.IBeamSmart(f"ASRL{address}::INSTR", visa_library="@py")
        assert "iBEAM" in laser.serial
        laser.ch_2.power = 15_000
        laser.enable_continous()
        assert laser.emission
        assert laser.ch_2.enabled
        assert float(laser.power) == pytest.approx(15_000)
        laser.enable_pulsing()
        assert instrument.electronics.power_w() == 0.0  # nothing is at the gate
        laser.shutdown()
        assert not instrument.electronics.emitting


# --- power meter --------------------------------------------------------------------------------------------------
def test_thorlabspm100_reads_a_power_meter() -> None:
    module = pytest.importorskip("ThorlabsPM100")
    instrument = Pm100Instrument(Daylight())
    with visa(instrument) as resource:
        meter = module.ThorlabsPM100(inst=resource)
        assert meter.read == pytest.approx(MILLIWATT)
        meter.sense.correction.wavelength = 661
        assert meter.sense.correction.wavelength == pytest.approx(661)
        assert instrument.wavelength_nm == pytest.approx(661)
        meter.sense.average.count = 3
        assert meter.sense.average.count == 3
        meter.sense.power.dc.range.auto = "ON"
        meter.input.pdiode.filter.lpass.state = 1
        assert meter.input.pdiode.filter.lpass.state == 1
        assert instrument.auto_range
        assert instrument.filter_on
        meter.configure.scalar.power()
        meter.initiate.immediate()
        assert meter.fetch == pytest.approx(MILLIWATT)
        assert instrument.errors == []


def test_pymeasure_reads_a_power_meter() -> None:
    thorlabs = pytest.importorskip("pymeasure.instruments.thorlabs")
    instrument = Pm100Instrument(Daylight())
    with TcpPort(instrument) as port:
        meter = thorlabs.ThorlabsPM100USB(
            port.visa_address, visa_library="@py", read_termination="\n", write_termination="\n"
        )
        meter.wavelength = 661
        assert meter.wavelength == pytest.approx(661)
        assert meter.power == pytest.approx(MILLIWATT)
        meter.adapter.close()


# --- oscilloscope -------------------------------------------------------------------------------------------------
def test_pymeasure_records_a_waveform() -> None:
    keysight = pytest.importorskip("pymeasure.instruments.keysight")
    instrument = InfiniiVisionInstrument(FunctionSignal(lambda time_s: np.where(time_s < 0, 0.0, 1.0)))
    with TcpPort(instrument) as port:
        scope = keysight.KeysightDSOX1102G(
            port.visa_address, visa_library="@py", read_termination="\n", write_termination="\n"
        )
        scope.ch1.setup(
            bwlimit=False, coupling="dc", display=True, invert=False, offset=0.0, probe_attenuation=1, vertical_range=4
        )
        assert scope.ch1.range == pytest.approx(4.0)
        assert scope.ch1.current_configuration["COUP"] == "DC"
        scope.timebase_mode = "main"
        scope.timebase_range = 1e-3
        scope.acquisition_type = "normal"
        scope.waveform_points_mode = "normal"
        scope.waveform_points = 1000
        scope.waveform_source = "channel1"
        scope.digitize("channel1")
        data = np.asarray(scope.waveform_data, dtype=float)
        assert data[0] == pytest.approx(0.0, abs=0.02)
        assert data[-1] == pytest.approx(1.0, abs=0.02)
        assert scope.waveform_preamble["points"] == data.size
        assert instrument.errors == []
        scope.adapter.close()


# --- diode controller: lines from published programs, for which there is no package of their own --------------------
def test_published_command_lines_are_understood_by_the_diode_controller() -> None:
    instrument = ThorlabsDiodeInstrument()
    with visa(instrument) as controller:
        for command in (
            "source:current:level:amplitude 0.065",
            "SOUR2:TEMP 25C",
            "OUTPut2:STATe 1",
            "Source2:TEMPerature:SPOint 24.5",
            "SOURce1:FUNCtion:MODE CURRent",
            "SOUR:AM:STAT 0",
            "OUTP PROT",  # nonsense, so that the error queue is seen to work
            "OUTPut1:STATe 1",
        ):
            controller.write(command)
        assert controller.query("SYSTem:ERRor?").startswith("-224")
        assert controller.query("SYSTem:ERRor?").startswith("+0")
        assert float(controller.query("source:current:level:amplitude?")) == pytest.approx(0.065)
        assert float(controller.query("SENSe2:TEMPerature:DATA?")) == pytest.approx(24.5)
        assert controller.query("OUTP2:STATE?;:OUTP1:STATE?") == "1;1"
        assert controller.query("OUTP:PROT:INTL:TRIP?;KEYL:TRIP?") == "0"  # relative: PROT:INTL:KEYL is nothing
        controller.write("OUTP 0")
        assert controller.query("OUTP?") == "0"
