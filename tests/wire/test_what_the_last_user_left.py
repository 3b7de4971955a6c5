"""Every setting that a driver relies on, left wrongly one at a time: mended or refused, never silent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

pytest.importorskip("termios", reason="emulated instruments need pseudo-terminals")

from laser_stands import stand

from drivers.detectors.oscilloscope import OscilloscopeDetector, OscilloscopeOptions
from drivers.detectors.pm100 import PowerMeter, PowerMeterOptions
from drivers.interfaces import Device, DeviceRefusedError, DriverContext, Laser
from mock_devices.wire.infiniivision import Channel, InfiniiVisionInstrument
from mock_devices.wire.pm100 import Pm100Instrument
from mock_devices.wire.ports import TcpPort
from mock_devices.wire.signals import FunctionSignal

LEFT: dict[str, dict[str, Any]] = {
    "cobolt": {
        "mode": 2,
        "mode ": 0,
        "digital_modulation": True,
        "analog_modulation": True,
        "on_off_modulation": True,
        "autostart": False,
    },
    "obis": {
        "source": "MIXED",
        "source ": "DIGITAL",
        "autostart": True,
        "temperature_control": False,
        "handshake": False,
        "prompt": True,
    },
    "ibeam": {
        "external": True,
        "fine": True,
        "enabled": {1},
        "enabled ": {1, 2},
        "enabled  ": set(),
        "levels_w": {1: 0.02, 2: 0.05},
        "echo": True,
        "prompt": True,
        "talk": "gabby",
        "talk ": "quiet",
    },
    "thorlabs": {
        "mode": "POW",
        "shape": "PULS",
        "modulated": True,
        "enable_input": "ENAB",
        "temperature_unit": "K",
        "temperature_unit ": "F",
        "setpoint_c": 40.0,
        "temperature_control": False,
    },
    "meter": {
        "unit": "DBM",
        "attenuation_db": 10.0,
        "wavelength_nm": 400.0,
        "reference_on": True,
        "averages": 300,
        "filter_on": True,
        "auto_range": True,
        "range_w": 50e-9,
        "configured": "CURR",
    },
    "scope": {
        "acquire_type": "AVER",
        "acquire_type ": "PEAK",
        "acquire_mode": "SEGM",
        "time_mode": "ROLL",
        "time_reference": "RIGH",
        "time_position_s": 1e-3,
        "trigger_mode": "GLIT",
        "trigger_sweep": "AUTO",
        "trigger_source": "CHAN4",
        "trigger_slope": "NEG",
        "trigger_coupling": "AC",
        "trigger_reject": "HFR",
        "trigger_noise_reject": True,
        "trigger_hf_reject": True,
        "trigger_holdoff_s": 1.0,
        "trigger_level_v": {"EXT": -5.0} | {f"CHAN{n}": 0.0 for n in (1, 2, 3, 4)},
        "waveform_source": "CHAN3",
        "waveform_format": "ASC",
        "waveform_format ": "BYTE",
        "byte_order": "LSBF",
        "unsigned": False,
        "points_mode": "NORM",
    }
    | {
        f"channel {name}": value
        for name, value in {
            "range_v": 0.1,
            "offset_v": 3.0,
            "coupling": "AC",
            "bandwidth_limit": True,
            "inverted": True,
            "probe": 10.0,
            "unit": "AMP",
            "impedance": "FIFT",
            "shown": False,
        }.items()
    },
}
REFUSED = {("thorlabs", "enable_input")}  # an input for safety, which only a person may change


@dataclass
class Bench:
    device: Device
    instrument: Any
    uses: Callable[[], None]  # fails where a number is wrong


def _light(laser: Laser) -> None:
    laser.power_setpoint_w = 0.02
    laser.emission_on()
    assert laser.power_w == pytest.approx(0.02, rel=0.01)
    assert laser.power_setpoint_w == pytest.approx(0.02, rel=0.01)
    laser.emission_off()


@contextmanager
def bench(kind: str) -> Iterator[Bench]:
    if kind == "meter":
        light = type("Light", (), {"power_w": lambda _: 1e-3})()
        instrument: Any = Pm100Instrument(light)
        with TcpPort(instrument) as port:
            options = PowerMeterOptions(wavelength_nm=661.0, range_w=2e-3, max_rate_hz=50.0)
            meter = PowerMeter.from_bench(port.visa_address, options, DriverContext("meter"))
            yield Bench(meter, instrument, lambda: _samples(meter.read(2, 20.0).data, 1e-3))
            meter.close()
    elif kind == "scope":
        instrument = InfiniiVisionInstrument(FunctionSignal(lambda time_s: 0.5 + 0.0 * time_s))
        with TcpPort(instrument) as port:
            scope = OscilloscopeDetector.from_bench(
                port.visa_address, OscilloscopeOptions(range_v=4.0), DriverContext("scope")
            )
            yield Bench(scope, instrument, lambda: _samples(scope.read(5, 10_000.0).data, 0.5))
            scope.close()
    else:
        with stand(kind) as made:
            laser = made.laser
            yield Bench(laser, made.port.instrument, lambda: _light(laser))


def _samples(found: np.ndarray, right: float) -> None:
    np.testing.assert_allclose(found, right, rtol=1e-3)


def leave(instrument: Any, name: str, value: Any) -> None:
    name = name.strip()
    if name.startswith("channel "):
        assert name.removeprefix("channel ") in Channel.__dataclass_fields__
        setattr(instrument.channels[1], name.removeprefix("channel "), value)
        return
    assert hasattr(instrument, name)
    setattr(instrument, name, value)
    for follow in ("_drive", "_set_external"):  # what the setting does to the light
        if hasattr(instrument, follow):
            getattr(instrument, follow)(*([instrument.external] if follow == "_set_external" else []))


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in LEFT.items() for name in names])
def test_what_the_last_user_left_is_mended_or_refused(kind: str, name: str) -> None:
    with bench(kind) as made:
        leave(made.instrument, name, LEFT[kind][name])
        if (kind, name) in REFUSED:
            with pytest.raises(DeviceRefusedError, match="is needed") as caught:
                made.device.open()
            assert caught.value.remedy
            return
        made.device.open()
        made.uses()


@pytest.mark.parametrize("kind", LEFT)
def test_the_condition_is_in_the_status(kind: str) -> None:
    with bench(kind) as made:
        made.device.open()
        assert len(made.device.conditions) >= 4
        assert set(made.device.conditions) <= set(made.device.status().values)


def test_a_model_without_a_setting_does_without() -> None:
    with stand("cobolt") as made:
        made.port.instrument.unknown = ("gdmes?", "games?", "xoom", "rbpt?", "hrs?", "@cobasks?")  # type: ignore[attr-defined]
        laser = made.laser.open()
        assert laser.conditions["digital_modulation"] == "not known to this model"
        status = laser.status()
        assert status.ok
        assert "operating_time_h" not in status.values
        _light(laser)
