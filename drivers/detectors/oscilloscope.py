"""A channel of a Keysight InfiniiVision oscilloscope (2000, 3000, 4000, 6000 X series) as sampled detector.

Source: Keysight InfiniiVision X-Series programmer's guides: :SINGle with :AER? and :OPERegister:CONDition?,
:WAVeform:PREamble?, :WAVeform:DATA? in 16-bit words, several questions in one message.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from drivers.interfaces import (
    Detector,
    DeviceRefusedError,
    DeviceStatus,
    DeviceTimeoutError,
    DriverContext,
    DriverOptions,
    Found,
    Identity,
    Samples,
    Search,
)
from drivers.transports import Condition, Line, Reply, ScpiConversation, VisaLine, establish
from drivers.transports.scpi import scpi_error

_MODEL = re.compile(r"(agilent|keysight)[^,]*,\s*(DSO|MSO)-?X", re.IGNORECASE)
_RUNNING = 1 << 3  # bit of the operation status condition register
_WORD = 1
_NORMAL, _HIGH_RESOLUTION = 0, 3
_POLL_S = 1e-3
_HOLDOFF_S = 6e-8  # as short as every series allows
# The trigger stands one of ten divisions from the left; the rest of the screen is to hold the samples, and a bit more.
_SHARE_AFTER_TRIGGER = 0.88
_POINTS = (100, 250, 500, *(step * 10**decade for decade in range(3, 7) for step in (1, 2, 5)))


class OscilloscopeOptions(DriverOptions):
    """Settings of one oscilloscope channel with a photodiode."""

    channel: int = Field(1, ge=1, le=4, description="input channel")
    range_v: float = Field(gt=0, le=100, description="full vertical range, in V")
    probe: float = Field(
        1.0, ge=0.001, le=10_000, description="attenuation of the probe; range and voltages count at its tip"
    )
    impedance: Literal["ONEM", "FIFT"] = Field("ONEM", description="input impedance: ONEM for 1 MOhm, FIFT for 50 Ohm")
    offset_v: float = Field(0.0, description="voltage in the middle of the range, in V")
    trigger: Literal["EXT", "CHAN1", "CHAN2", "CHAN3", "CHAN4"] = Field("EXT", description="input of the trigger pulse")
    trigger_level_v: float = Field(1.0, description="level of the rising edge that triggers, in V")
    delay_s: float = Field(0.0, ge=0, le=1, description="from the trigger to the first sample, in s")
    high_resolution: bool = Field(True, description="whether the oscilloscope averages within its own sampling steps")
    points_per_sample: int = Field(
        8,
        ge=2,
        le=1000,
        description="points of the waveform that are transferred and averaged for one sample, at least",
    )
    watts_per_volt: float | None = Field(
        None, gt=0, description="calibration of the photodiode, in W/V; without it samples are in V"
    )
    max_rate_hz: float = Field(1e6, gt=0, le=1e9, description="fastest sampling rate to be asked for, in Hz")
    max_samples: int = Field(100_000, ge=1, le=10_000_000, description="most samples in one acquisition")
    timeout_s: float = Field(5.0, gt=0, le=120, description="longest time for one answer, in s")
    visa_backend: str = Field("@py", description="VISA library: @py for pyvisa-py, empty for the system's own")


@dataclass(frozen=True)
class Preamble:
    """What the numbers of a waveform mean: volts = (word - y_reference) y_increment + y_origin, likewise in x."""

    points: int
    x_increment_s: float
    x_origin_s: float
    x_reference: float
    y_increment_v: float
    y_origin_v: float
    y_reference: float


@lru_cache(maxsize=4)  # it rarely differs from the one before
def parse_preamble(reply: Reply) -> Preamble:
    """The ten fields of ``:WAVeform:PREamble?``: format, type, points, count, then x and y scaling."""
    fields = reply.text().split(",")
    if len(fields) != 10:
        raise reply.unexpected("ten numbers separated by commas")
    kind, acquisition, points, _, *scaling = [
        Reply(reply.device, reply.command, field.encode()).number() for field in fields
    ]
    preamble = Preamble(int(points), *scaling)
    if kind != _WORD or acquisition not in (_NORMAL, _HIGH_RESOLUTION):
        raise reply.unexpected("a waveform of 16-bit words, neither averaged nor peak-detected")
    if not (points >= 1 and preamble.x_increment_s > 0.0 and preamble.y_increment_v > 0.0):
        raise reply.unexpected("at least one point and positive increments")
    return preamble


def running_unless_refused(reply: Reply) -> bool:
    """The operation status after ``:TRIGger:FORCe`` and a look into the error queue."""
    entry, condition = reply.parts(2)
    number, text = scpi_error(entry)
    if number != 0:
        raise reply.refusal(text)
    return bool(condition.whole() & _RUNNING)


def average_in_steps(
    volts: NDArray[np.float64], preamble: Preamble, start_s: float, rate_hz: float, samples: int
) -> NDArray[np.float64] | None:
    """Average the points of a waveform within each sampling step; None when a step holds no point.

    start_s: beginning of the first step, counted from the trigger.
    """
    times_s = preamble.x_origin_s + (np.arange(volts.size) - preamble.x_reference) * preamble.x_increment_s
    # A point on the border of two steps belongs to the later one, also after rounding.
    steps = np.floor((times_s - start_s) * rate_hz + 1e-6).astype(np.int64)
    inside = (steps >= 0) & (steps < samples)
    counts = np.bincount(steps[inside], minlength=samples)
    if counts.min() == 0:
        return None
    return np.asarray(np.bincount(steps[inside], weights=volts[inside], minlength=samples) / counts, dtype=np.float64)


def _word(name: str, header: str, wanted: str, *, optional: bool = False) -> Condition:
    return Condition(name, f"{header}?", (wanted,), f"{header} {wanted}", optional=optional)


def _number(name: str, header: str, wanted: float, *, remedy: str = Condition.remedy) -> Condition:
    return Condition(name, f"{header}?", wanted, f"{header} {wanted:.6g}", remedy=remedy)


class OscilloscopeDetector(Detector):
    """One channel, sampled after a trigger pulse, or at once. address: VISA resource name."""

    Options = OscilloscopeOptions

    def __init__(self, context: DriverContext, line: Line, options: OscilloscopeOptions) -> None:
        super().__init__(context)
        self._talk = ScpiConversation(line, timeout_s=options.timeout_s)
        self._options = options
        self._armed: tuple[int, float] | None = None
        self._set_up: tuple[float, int] | None = None
        self._counter = 0

    @classmethod
    def from_bench(cls, address: str, options: OscilloscopeOptions, context: DriverContext) -> Self:
        return cls(context, VisaLine(context.device, address, options.visa_backend), options)

    @classmethod
    def discover(cls, search: Search) -> Iterable[Found]:
        """By what it says it is; a USB number belongs to a single model."""
        return search.on_visa(usb={(0x0957, None), (0x2A8D, None)}, identity=_MODEL)

    @property
    def max_rate_hz(self) -> float:
        return self._options.max_rate_hz

    @property
    def max_samples(self) -> int:
        return self._options.max_samples

    @property
    def has_trigger(self) -> bool:
        return True

    # --- device -------------------------------------------------------------------------------------------------
    def _open(self) -> None:
        self._counter, self._armed, self._set_up = 0, None, None
        self._talk.open()
        self._talk.write(":STOP")
        self._conditions = establish(self._talk, self._needed())

    def _needed(self) -> Iterable[Condition]:
        options = self._options
        channel = f":CHAN{options.channel}"
        kind = "HRES" if options.high_resolution else "NORM"
        level = f":TRIG:LEV {options.trigger_level_v:.6g},{options.trigger}"
        range_remedy = "Set another range: this one is none of the oscilloscope's, or too small for its probe."
        return (
            _word("display", f"{channel}:DISP", "1"),
            _word("coupling", f"{channel}:COUP", "DC"),
            _word("impedance", f"{channel}:IMP", options.impedance, optional=True),
            _word("inverted", f"{channel}:INV", "0"),
            _word("bandwidth_limit", f"{channel}:BWL", "0"),
            _word("unit", f"{channel}:UNIT", "VOLT"),
            _number("probe", f"{channel}:PROB", options.probe),  # before the range, which changes with it
            _number("range_v", f"{channel}:RANG", options.range_v, remedy=range_remedy),
            _number("offset_v", f"{channel}:OFFS", options.offset_v),
            _word("acquisition_mode", ":ACQ:MODE", "RTIM", optional=True),
            _word("acquisition_type", ":ACQ:TYPE", kind),
            _word("time_mode", ":TIM:MODE", "MAIN"),
            _word("time_reference", ":TIM:REF", "LEFT"),
            _number("time_position_s", ":TIM:POS", 0.0),
            _word("trigger_mode", ":TRIG:MODE", "EDGE"),
            _word("trigger_sweep", ":TRIG:SWE", "NORM"),
            _word("trigger_source", ":TRIG:EDGE:SOUR", options.trigger),
            _word("trigger_slope", ":TRIG:EDGE:SLOP", "POS"),
            _word("trigger_coupling", ":TRIG:EDGE:COUP", "DC"),
            _word("trigger_reject", ":TRIG:EDGE:REJ", "OFF"),
            _word("trigger_noise_reject", ":TRIG:NREJ", "0"),
            _word("trigger_hf_reject", ":TRIG:HFR", "0"),
            _number("trigger_holdoff_s", ":TRIG:HOLD", _HOLDOFF_S),
            Condition("trigger_level_v", f":TRIG:LEV? {options.trigger}", options.trigger_level_v, level),
            _word("waveform_source", ":WAV:SOUR", f"CHAN{options.channel}"),
            _word("waveform_format", ":WAV:FORM", "WORD"),
            _word("byte_order", ":WAV:BYT", "MSBF"),
            _word("unsigned", ":WAV:UNS", "1"),
            _word("points_mode", ":WAV:POIN:MODE", "RAW"),
        )

    def _close(self) -> None:
        self._talk.close()

    def _read_identity(self) -> Identity:
        return self._talk.identity()

    def _read_status(self) -> DeviceStatus:
        running = self._running()
        return DeviceStatus(
            ok=True,
            summary="waiting for a trigger" if running else "ready",
            values={
                "running": running,
                **self._conditions,
                "sampling_rate_hz": self._talk.ask(":ACQ:SRAT?", Reply.number),
                "round_trip_s": self._talk.round_trip_s,
            },
        )

    # --- detector -----------------------------------------------------------------------------------------------
    def _read(self, samples: int, rate_hz: float) -> Samples:
        self._arm(samples, rate_hz)
        running = self._talk.ask(":TRIG:FORC;:SYST:ERR?;:OPER:COND?", running_unless_refused)
        return self._collect(samples / rate_hz + self._options.timeout_s, running=running)

    def _arm(self, samples: int, rate_hz: float) -> None:
        self._prepare(self._options.delay_s + samples / rate_hz, 1.0 / rate_hz)
        give_up_s = self.clock.now_s() + self._options.timeout_s
        # The first question clears the arm event, the second one is whether it has come again.
        ready = self._talk.ask(":AER?;:SING;:AER?", lambda reply: reply.parts(2)[1].whole())
        while not ready:
            self.clock.sleep(_POLL_S)
            ready = self._talk.ask(":AER?", Reply.whole)
            if not ready and self.clock.now_s() > give_up_s:
                raise DeviceTimeoutError(self.name, "did not get ready for a trigger.", "Look at its display.")
        self._armed = (samples, rate_hz)

    def _fetch(self, timeout_s: float) -> Samples:
        if self._armed is None:
            raise DeviceRefusedError(self.name, "is not armed.", "Arm it before the trigger pulse.")
        return self._collect(timeout_s, running=self._running())

    def _running(self) -> bool:
        return bool(self._talk.ask(":OPER:COND?", Reply.whole) & _RUNNING)

    def _collect(self, timeout_s: float, *, running: bool) -> Samples:
        """Wait until the armed acquisition has ended, and transfer it."""
        assert self._armed is not None
        samples, rate_hz = self._armed
        give_up_s = self.clock.now_s() + timeout_s
        while running:
            if self.clock.now_s() > give_up_s:
                self._armed = None
                self._talk.write(":STOP")
                raise DeviceTimeoutError(
                    self.name, f"saw no trigger pulse within {timeout_s:g} s.", "Check the trigger cable and its level."
                )
            self.clock.sleep(_POLL_S)
            running = self._running()
        self._armed = None
        end_s = self.clock.now_s()
        volts, preamble = self._read_waveform()
        return self._samples(volts, preamble, samples, rate_hz, end_s - samples / rate_hz)

    def _read_waveform(self) -> tuple[NDArray[np.float64], Preamble]:
        preamble, block = self._talk.ask_with_block(":WAV:PRE?;:WAV:DATA?", parse_preamble, lambda p: 2 * p.points)
        words = np.frombuffer(block, dtype=">u2").astype(np.float64)
        return (words - preamble.y_reference) * preamble.y_increment_v + preamble.y_origin_v, preamble

    def _samples(
        self, volts: NDArray[np.float64], preamble: Preamble, samples: int, rate_hz: float, time_s: float
    ) -> Samples:
        averaged = average_in_steps(volts, preamble, self._options.delay_s, rate_hz, samples)
        if averaged is None:
            raise DeviceRefusedError(
                self.name,
                f"holds {preamble.points} points {preamble.x_increment_s:g} s apart, too few for {samples} samples at "
                f"{rate_hz:g} Hz.",
                "Ask for fewer samples or a lower rate.",
            )
        # One part in 200 of the range from its end, an 8-bit converter cannot tell a value from a clipped one.
        reach_v = 0.495 * self._options.range_v
        overload = bool((np.abs(volts - self._options.offset_v) > reach_v).any())
        self._counter += 1
        data = averaged * (self._options.watts_per_volt or 1.0)
        return Samples(data, time_s, rate_hz, self._counter, overload)

    def _prepare(self, duration_s: float, step_s: float) -> None:
        """Set time range and number of points for samples ``step_s`` apart, where they differ from the last ones."""
        range_s = duration_s / _SHARE_AFTER_TRIGGER
        least = range_s / step_s * self._options.points_per_sample
        points = next((points for points in _POINTS if points >= least), _POINTS[-1])
        if self._set_up == (range_s, points):
            return
        self._set_up = None
        self._talk.write(f":TIM:RANG {range_s:.6E}")
        taken_s = self._talk.ask(":TIM:RANG?", Reply.number)
        if taken_s < 0.999 * range_s:
            raise DeviceRefusedError(
                self.name,
                f"was told to record {range_s:g} s and took {taken_s:g} s.",
                "Ask for fewer samples or a higher rate.",
            )
        self._talk.write(f":WAV:POIN {points}")
        self._set_up = (range_s, points)
