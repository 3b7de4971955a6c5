"""An emulated Keysight InfiniiVision oscilloscope with four channels. Source: programmer's guides of the X series.

It keeps whatever the last user set, for each channel and for the acquisition, and every setting has its effect.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mock_devices.wire.scpi import ILLEGAL_PARAMETER, ScpiError, ScpiInstrument, choice, number, switch
from mock_devices.wire.signals import Signal, Volts

Words = NDArray[np.uint16]

_RUNNING = 8
_DIVISIONS = 10
_CHANNELS = 4
_TYPES = {"NORM": 0, "PEAK": 1, "AVER": 2, "HRES": 3}
_FORMATS = {"BYTE": 0, "WORD": 1, "ASC": 4}


@dataclass
class Channel:
    """Settings of one input, as after ``*RST``. range_v and offset_v count at the tip of the probe."""

    range_v: float = 40.0
    offset_v: float = 0.0
    coupling: str = "DC"
    bandwidth_limit: bool = False
    inverted: bool = False
    probe: float = 1.0
    unit: str = "VOLT"
    impedance: str = "ONEM"
    shown: bool = False
    label: str = "1"


class InfiniiVisionInstrument(ScpiInstrument):
    """An oscilloscope with the same signal on every channel.

    memory: points of one record. shortest_s: shortest time between two of them.
    channels: settings by number, from 1.
    """

    def __init__(
        self, signal: Signal, *, memory: int = 20_000, shortest_s: float = 2e-9, serial_number: str = "MY57230001"
    ) -> None:
        super().__init__(f"KEYSIGHT TECHNOLOGIES,MSO-X 3024T,{serial_number},07.50", no_error='+0,"No error"')
        self.signal = signal
        self.memory = memory
        self.shortest_s = shortest_s
        self.running = False
        self._arm_event = False
        self._levels = 256
        self._words: Words = np.zeros(0, dtype=np.uint16)
        self.reset()
        self.add("*RST", command=lambda _: self.reset())
        self.add("AUToscale", command=lambda _: None)
        self.add("RUN", command=lambda _: self._single())
        self.add("STOP", command=lambda _: self._stop())
        self.add("SINGle", command=lambda _: self._single())
        self.add("DIGitize", command=lambda _: self._digitize())
        self.add("AER", lambda _: self._take_arm_event())
        self.add("OPERegister:CONDition", lambda _: f"+{_RUNNING if self._still_running() else 0}")
        self.add("TRIGger:FORCe", command=lambda _: self.signal.force())
        self._add_channels()
        self._add_time_and_trigger()
        self.add("ACQuire:SRATe", lambda _: f"{1.0 / self.interval_s:+.6E}")
        self.add("WAVeform:POINts", lambda _: f"+{self._sent().size}", self._set_points)
        self.add("WAVeform:PREamble", lambda _: self._preamble())
        self.add("WAVeform:DATA", lambda _: self._data())

    def reset(self) -> None:
        """The state after ``*RST``."""
        self.channels = {number: Channel(label=str(number)) for number in range(1, _CHANNELS + 1)}
        self.channels[1].shown = True
        self.time_range_s = 1e-3
        self.time_mode = "MAIN"
        self.time_reference = "CENT"
        self.time_position_s = 0.0
        self.acquire_type = "NORM"
        self.acquire_mode = "RTIM"
        self.acquire_count = 8.0
        self.trigger_mode = "EDGE"
        self.trigger_sweep = "AUTO"
        self.trigger_source = "CHAN1"
        self.trigger_slope = "POS"
        self.trigger_coupling = "DC"
        self.trigger_reject = "OFF"
        self.trigger_noise_reject = False
        self.trigger_hf_reject = False
        self.trigger_holdoff_s = 40e-9
        self.trigger_level_v = {f"CHAN{number}": 0.0 for number in self.channels} | {"EXT": 0.0}
        self.waveform_source = "CHAN1"
        self.waveform_format = "BYTE"
        self.byte_order = "MSBF"
        self.unsigned = True
        self.points_mode = "NORM"
        self.wanted_points = 1000

    @property
    def interval_s(self) -> float:
        return max(self.shortest_s, self.time_range_s / self.memory)

    @property
    def points(self) -> int:
        return min(self.memory, round(self.time_range_s / self.interval_s))

    @property
    def points_before(self) -> int:
        """The time reference stands one division from the left, in the middle, or one from the right."""
        return {"LEFT": 1, "CENT": 5, "RIGH": 9}[self.time_reference] * self.points // _DIVISIONS

    # --- settings -----------------------------------------------------------------------------------------------
    def _add_channels(self) -> None:
        def channel(digits: str) -> Channel:
            if int(digits) not in self.channels:
                raise ScpiError(*ILLEGAL_PARAMETER)
            return self.channels[int(digits)]

        def limits(n: str) -> tuple[float, float]:
            return 8e-3 * channel(n).probe, 40.0 * channel(n).probe

        def words(name: str, header: str, *allowed: str) -> None:
            self.add(
                f"CHANnel#:{header}",
                lambda _, n: str(getattr(channel(n), name)),
                lambda text, n: setattr(channel(n), name, choice(text, *allowed)),
            )

        def flag(name: str, header: str) -> None:
            self.add(
                f"CHANnel#:{header}",
                lambda _, n: f"{getattr(channel(n), name):d}",
                lambda text, n: setattr(channel(n), name, switch(text)),
            )

        self.add(
            "CHANnel#:RANGe",
            lambda _, n: f"{channel(n).range_v:+.5E}",
            lambda text, n: setattr(channel(n), "range_v", number(text, *limits(n), "V")),
        )
        self.add(
            "CHANnel#:SCALe",
            lambda _, n: f"{channel(n).range_v / 8:+.5E}",
            lambda text, n: setattr(channel(n), "range_v", 8 * number(text, limits(n)[0] / 8, limits(n)[1] / 8, "V")),
        )
        self.add(
            "CHANnel#:OFFSet",
            lambda _, n: f"{channel(n).offset_v:+.5E}",
            lambda text, n: setattr(
                channel(n), "offset_v", number(text, -20.0 * channel(n).probe, 20.0 * channel(n).probe, "V")
            ),
        )
        self.add("CHANnel#:PROBe", lambda _, n: f"{channel(n).probe:+.5E}", self._set_probe)
        self.add(
            "CHANnel#:LABel",
            lambda _, n: f'"{channel(n).label}"',
            lambda text, n: setattr(channel(n), "label", text.strip('"').upper()[:10]),
        )
        self.add("CHANnel#", lambda _, n: self._channel_setup(n, channel(n)))
        words("coupling", "COUPling", "AC", "DC")
        words("unit", "UNITs", "VOLT", "AMPere")
        words("impedance", "IMPedance", "ONEMeg", "FIFTy")
        flag("bandwidth_limit", "BWLimit")
        flag("inverted", "INVert")
        flag("shown", "DISPlay")

    def _set_probe(self, text: str, digits: str) -> None:
        """A range and an offset keep their place on the screen, and so change with the probe."""
        if int(digits) not in self.channels:
            raise ScpiError(*ILLEGAL_PARAMETER)
        channel = self.channels[int(digits)]
        probe = number(text, 0.001, 10_000.0)
        channel.range_v *= probe / channel.probe
        channel.offset_v *= probe / channel.probe
        channel.probe = probe

    def _channel_setup(self, digits: str, channel: Channel) -> str:
        return (
            f":CHAN{digits}:RANG {channel.range_v:+.5E};OFFS {channel.offset_v:+.5E};COUP {channel.coupling};"
            f"IMP {channel.impedance};DISP {channel.shown:d};BWL {channel.bandwidth_limit:d};INV {channel.inverted:d};"
            f'LAB "{channel.label}";UNIT {channel.unit};PROB {channel.probe:+.5E};PROB:SKEW +0.00E+00;STYP SING'
        )

    def _add_time_and_trigger(self) -> None:
        sources = ("EXTernal", *(f"CHANnel{number}" for number in self.channels))
        self.add_number(self, "time_range_s", "TIMebase:RANGe", 20e-9, 500.0, "S")
        self.add(
            "TIMebase:SCALe",
            lambda _: f"{self.time_range_s / _DIVISIONS:+.7E}",
            lambda text: setattr(self, "time_range_s", _DIVISIONS * number(text, 2e-9, 50.0, "S")),
        )
        self.add_choice(self, "time_mode", "TIMebase:MODE", "MAIN", "WINDow", "XY", "ROLL")
        self.add_choice(self, "time_reference", "TIMebase:REFerence", "LEFT", "CENTer", "RIGHt")
        self.add_number(self, "time_position_s", "TIMebase:POSition", -500.0, 500.0, "S")
        self.add_choice(self, "acquire_type", "ACQuire:TYPE", "NORMal", "AVERage", "HRESolution", "PEAK")
        self.add_choice(self, "acquire_mode", "ACQuire:MODE", "RTIMe", "SEGMented")
        self.add_number(self, "acquire_count", "ACQuire:COUNt", 2, 65536)
        self.add_choice(self, "trigger_mode", "TRIGger:MODE", "EDGE", "GLITch", "PATTern", "TV")
        self.add_choice(self, "trigger_sweep", "TRIGger:SWEep", "AUTO", "NORMal")
        self.add_choice(self, "trigger_source", "TRIGger[:EDGE]:SOURce", *sources, "LINE", "WGEN")
        self.add_choice(self, "trigger_slope", "TRIGger[:EDGE]:SLOPe", "POSitive", "NEGative", "EITHer", "ALTernate")
        self.add_choice(self, "trigger_coupling", "TRIGger[:EDGE]:COUPling", "AC", "DC", "LFReject")
        self.add_choice(self, "trigger_reject", "TRIGger[:EDGE]:REJect", "OFF", "LFReject", "HFReject")
        self.add_switch(self, "trigger_noise_reject", "TRIGger:NREJect")
        self.add_switch(self, "trigger_hf_reject", "TRIGger:HFReject")
        self.add_number(self, "trigger_holdoff_s", "TRIGger:HOLDoff", 40e-9, 10.0, "S")
        self.add("TRIGger[:EDGE]:LEVel", self._get_level, self._set_level)
        self.add_choice(self, "waveform_source", "WAVeform:SOURce", *sources)
        self.add_choice(self, "waveform_format", "WAVeform:FORMat", "WORD", "BYTE", "ASCii")
        self.add_choice(self, "byte_order", "WAVeform:BYTeorder", "LSBFirst", "MSBFirst")
        self.add_switch(self, "unsigned", "WAVeform:UNSigned")
        self.add_choice(self, "points_mode", "WAVeform:POINts:MODE", "NORMal", "MAXimum", "RAW")

    def _get_level(self, source: str) -> str:
        return f"{self.trigger_level_v[choice(source, *self._levels_of) if source else self.trigger_source]:+.5E}"

    def _set_level(self, text: str) -> None:
        value, _, source = text.partition(",")
        of = choice(source, *self._levels_of) if source else self.trigger_source
        self.trigger_level_v[of] = number(value, -40.0, 40.0, "V")

    @property
    def _levels_of(self) -> tuple[str, ...]:
        return ("EXTernal", *(f"CHANnel{number}" for number in self.channels))

    # --- acquisition --------------------------------------------------------------------------------------------
    def _single(self) -> None:
        self.signal.arm(self.points, self.interval_s, self.points_before)
        self.running = self._arm_event = True

    def _digitize(self) -> None:
        """Acquire at once; nothing else is carried out until it is done."""
        self._single()
        self.signal.force()
        while self._still_running():
            time.sleep(1e-3)

    def _stop(self) -> None:
        self.running = False
        self.signal.disarm()

    def _take_arm_event(self) -> str:
        happened, self._arm_event = self._arm_event, False
        return f"+{happened:d}"

    def _still_running(self) -> bool:
        if self.running and (record := self.signal.recorded()) is not None:
            self._words = self._digitised(record)
            self.running = False
        return self.running

    @property
    def _channel(self) -> Channel:
        return (
            self.channels[int(self.waveform_source.removeprefix("CHAN"))]
            if self.waveform_source != "EXT"
            else Channel()
        )

    def _digitised(self, volts: Volts) -> Words:
        channel = self._channel
        seen = volts * channel.probe
        if channel.coupling == "AC" and seen.size:
            seen = seen - seen.mean()
        if channel.inverted:
            seen = -seen
        self._levels = levels = 65536 if self.acquire_type == "HRES" else 256
        codes = np.round((seen - channel.offset_v) / channel.range_v * levels) + levels // 2
        return np.asarray(np.clip(codes, 0, levels - 1) * (65536 // levels)).astype(np.uint16)

    # --- transfer -----------------------------------------------------------------------------------------------
    def _set_points(self, value: str) -> None:
        self.wanted_points = int(number(value, 100, 8_000_000))

    @property
    def _every(self) -> int:
        return max(1, self._words.size // self.wanted_points)

    def _sent(self) -> Words:
        return self._words[:: self._every]

    def _preamble(self) -> str:
        channel = self._channel
        x_increment_s = self.interval_s * self._every
        x_origin_s = self.time_position_s - self.points_before * self.interval_s
        steps = 256.0 if self.waveform_format == "BYTE" else 65536.0
        middle = (steps // 2) if self.unsigned else 0
        kind, acquired = _FORMATS[self.waveform_format], _TYPES[self.acquire_type]
        scaling = f"{channel.range_v / steps:+.8E},{channel.offset_v:+.8E},+{middle:.0f}"
        return f"+{kind},+{acquired},+{self._sent().size},+1,{x_increment_s:+.8E},{x_origin_s:+.8E},+0,{scaling}"

    def _data(self) -> bytes:
        words, channel = self._sent(), self._channel
        if self.waveform_format == "ASC":
            volts = (words.astype(np.float64) - 32768) * channel.range_v / 65536.0 + channel.offset_v
            block = ",".join(f" {value:.5E}" for value in volts).encode()
        elif self.waveform_format == "BYTE":
            codes = (words >> 8).astype(np.uint8)
            block = (codes if self.unsigned else (codes - 128).astype(np.int8)).tobytes()
        else:
            order = ">" if self.byte_order == "MSBF" else "<"
            signed = words if self.unsigned else (words - 32768).astype(np.int16)
            block = signed.astype(f"{order}u2" if self.unsigned else f"{order}i2").tobytes()
        return b"#8%08d" % len(block) + block
