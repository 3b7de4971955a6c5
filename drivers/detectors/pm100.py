"""Thorlabs power meters PM100D, PM100A, PM100USB, PM101, PM400, PM16: SCPI over USB or LAN, through VISA.

Source: SCPI command reference in the PM100x operation manuals.
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Iterable
from typing import Self

import numpy as np
from pydantic import Field

from drivers.detectors.pacing import take_paced
from drivers.interfaces import (
    Detector,
    DeviceFaultError,
    DeviceRefusedError,
    DeviceStatus,
    DriverContext,
    DriverOptions,
    Found,
    Identity,
    Samples,
    Search,
)
from drivers.transports import Condition, Line, Reply, ScpiConversation, VisaLine, establish
from drivers.transports.scpi import INFINITY

_USB = {(0x1313, product) for product in (0x8072, 0x8075, 0x8076, 0x8078, 0x8079, 0x807B, None)}
_MODEL = re.compile(r"thorlabs,\s*PM\d", re.IGNORECASE)
_ENERGY_SENSOR = "3"  # photodiode 1, thermopile 2, pyroelectric 3
_MOST_SAMPLES = 100_000
_TRIALS = 5
_SETTLE_S = 5.0  # for a meter that changes its range by itself


class PowerMeterOptions(DriverOptions):
    """Settings of a Thorlabs power meter."""

    wavelength_nm: float = Field(gt=0, description="wavelength of the light, in nm, for the sensor's calibration")
    range_w: float | None = Field(
        None,
        gt=0,
        description="largest power to be measured, in W; by default the meter changes ranges by itself, which "
        "interrupts samples where the light changes much: better fix it",
    )
    attenuation_db: float = Field(
        0.0, ge=-60, le=60, description="attenuation in front of the sensor that the meter takes into account, in dB"
    )
    averages: int = Field(
        1, ge=1, le=10_000, description="readings of about 0.3 ms averaged by the meter for one sample"
    )
    max_rate_hz: float | None = Field(
        None, gt=0, description="fastest rate to be asked for, in Hz; by default measured when the meter is opened"
    )
    timeout_s: float = Field(2.0, gt=0, le=60, description="longest time for one answer, in s")
    visa_backend: str = Field("@py", description="VISA library: @py for pyvisa-py, empty for the system's own")


class PowerMeter(Detector):
    """A Thorlabs power meter with a power sensor. address: VISA resource name.

    Samples are taken one by one, each with one question, so that rates of some hundred hertz are reached; the rate
    is measured when the meter is opened. A sample over range is infinite, and marked as overload.
    """

    Options = PowerMeterOptions

    def __init__(self, context: DriverContext, line: Line, options: PowerMeterOptions) -> None:
        super().__init__(context)
        self._talk = ScpiConversation(line, timeout_s=options.timeout_s)
        self._options = options
        self._sensor = ""
        self._max_rate_hz = 0.0
        self._counter = 0

    @classmethod
    def from_bench(cls, address: str, options: PowerMeterOptions, context: DriverContext) -> Self:
        return cls(context, VisaLine(context.device, address, options.visa_backend), options)

    @classmethod
    def discover(cls, search: Search) -> Iterable[Found]:
        """By the USB numbers of the PM series, or by what it says it is."""
        return search.on_visa(usb=_USB, identity=_MODEL)

    @property
    def max_rate_hz(self) -> float:
        self._require_open()
        return self._max_rate_hz

    @property
    def max_samples(self) -> int:
        return _MOST_SAMPLES

    # --- device -------------------------------------------------------------------------------------------------
    def _open(self) -> None:
        self._counter = 0
        self._talk.open()
        self._sensor = self._read_sensor()
        self._require_wavelength(self._options.wavelength_nm)
        self._conditions = establish(self._talk, self._needed())
        if self._options.range_w is not None:
            self._set_range(self._options.range_w)
        self._talk.write("CONF:POW")
        self._max_rate_hz = self._options.max_rate_hz or 1.0 / self._time_of_one_sample()

    def _needed(self) -> Iterable[Condition]:
        options = self._options
        automatic = f"{options.range_w is None:d}"
        loss = f"SENS:CORR:LOSS:INP:MAGN {options.attenuation_db:g}"
        return (
            Condition(
                "wavelength_nm", "SENS:CORR:WAV?", options.wavelength_nm, f"SENS:CORR:WAV {options.wavelength_nm:g}"
            ),
            Condition("attenuation_db", "SENS:CORR:LOSS:INP:MAGN?", options.attenuation_db, loss),
            Condition("unit", "SENS:POW:UNIT?", ("W",), "SENS:POW:UNIT W"),
            Condition("relative_to_reference", "SENS:POW:REF:STAT?", ("0",), "SENS:POW:REF:STAT 0", optional=True),
            Condition("low_pass_filter", "INP:PDI:FILT:LPAS:STAT?", ("0",), "INP:PDI:FILT:LPAS:STAT 0", optional=True),
            Condition("averages", "SENS:AVER:COUN?", float(options.averages), f"SENS:AVER:COUN {options.averages}"),
            Condition("automatic_range", "SENS:POW:RANG:AUTO?", (automatic,), f"SENS:POW:RANG:AUTO {automatic}"),
            Condition("zero_correction_w", "SENS:CORR:COLL:ZERO:MAGN?", optional=True),
        )

    def _close(self) -> None:
        self._talk.close()

    def _read_identity(self) -> Identity:
        meter = self._talk.identity()
        return Identity(meter.vendor, f"{meter.model} with {self._sensor}", meter.serial_number, meter.firmware)

    def _read_status(self) -> DeviceStatus:
        power_w = self._sample()
        overload = math.isinf(power_w)
        return DeviceStatus(
            ok=not overload,
            summary="over range" if overload else "ready",
            values={
                "power_w": power_w,
                **self._conditions,
                "range_w": self._read_range(),
                "round_trip_s": self._talk.round_trip_s,
            },
        )

    # --- detector -----------------------------------------------------------------------------------------------
    def _read(self, samples: int, rate_hz: float) -> Samples:
        self._talk.get_in_step()  # would take longer than one sample may
        if self._options.range_w is None:
            self._settle_range()
        start_s, taken = take_paced(self.name, self.clock, samples, rate_hz, self._sample)
        data = np.array(taken)
        self._counter += 1
        return Samples(data, start_s, rate_hz, self._counter, overload=bool(np.isinf(data).any()))

    def _settle_range(self) -> None:
        """Let the meter find its range before samples are paced: a change of range takes longer than a sample may."""
        give_up_s, before_w = self.clock.now_s() + _SETTLE_S, -1.0
        while (range_w := self._read_range()) != before_w and self.clock.now_s() < give_up_s:
            before_w = range_w
            self._sample()

    def _read_range(self) -> float:
        return self._talk.ask("SENS:POW:RANG?", Reply.number)

    def _sample(self) -> float:
        power_w = self._talk.ask("READ?", Reply.number)
        return math.copysign(math.inf, power_w) if abs(power_w) >= INFINITY else power_w

    # --- set-up -------------------------------------------------------------------------------------------------
    def _read_sensor(self) -> str:
        name, serial_number, *rest = self._talk.ask("SYST:SENS:IDN?", _sensor_fields)
        if name.lower() in ("no sensor", "none", ""):
            raise DeviceFaultError(self.name, "has no sensor.", "Plug in a power sensor and open the meter again.")
        if rest[1] == _ENERGY_SENSOR:
            raise DeviceRefusedError(
                self.name, f"its sensor {name} measures energy of pulses, not power.", "Plug in a power sensor."
            )
        return f"{name} {serial_number}"

    def _require_wavelength(self, nanometres: float) -> None:
        low = self._talk.ask("SENS:CORR:WAV? MIN", Reply.number)
        high = self._talk.ask("SENS:CORR:WAV? MAX", Reply.number)
        self._require_within("the wavelength of this sensor", nanometres, (low, high), "nm")

    def _set_range(self, watts: float) -> None:
        high = self._talk.ask("SENS:POW:RANG? MAX", Reply.number)
        self._require_within("the range of this sensor", watts, (0.0, high), "W")
        self._talk.write(f"SENS:POW:RANG {watts:.6g}")
        taken = self._read_range()
        if taken < watts:
            raise DeviceRefusedError(
                self.name, f"was told a range of {watts:g} W and took {taken:g} W.", "Set another."
            )

    def _time_of_one_sample(self) -> float:
        durations = []
        for _ in range(_TRIALS):
            start_s = self.clock.now_s()
            self._sample()
            durations.append(self.clock.now_s() - start_s)
        return 1.5 * statistics.median(durations) + 1e-5  # half as long again, for the samples that take longer


def _sensor_fields(reply: Reply) -> list[str]:
    fields = [field.strip().strip('"') for field in reply.text().split(",")]
    if len(fields) != 6:
        raise reply.unexpected("name, serial number, calibration, type, subtype and flags of the sensor")
    return fields
