"""An emulated Keysight InfiniiVision oscilloscope. Source: programmer's guides of the InfiniiVision X series."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mock_devices.wire.scpi import DATA_TYPE, ScpiError, ScpiInstrument, number
from mock_devices.wire.signals import Signal, Volts

Words = NDArray[np.uint16]

_RUNNING = 8
_DIVISIONS = 10


class InfiniiVisionInstrument(ScpiInstrument):
    """One channel with something on it; the settings of a run are kept as text, as they were sent.

    memory: points of one record. shortest_s: shortest time between two of them.
    """

    def __init__(
        self, signal: Signal, *, memory: int = 20_000, shortest_s: float = 2e-9, serial_number: str = "MY57230001"
    ) -> None:
        super().__init__(f"KEYSIGHT TECHNOLOGIES,MSO-X 3024T,{serial_number},07.50", no_error='+0,"No error"')
        self.signal = signal
        self.memory = memory
        self.shortest_s = shortest_s
        self.range_v = 40.0
        self.offset_v = 0.0
        self.time_range_s = 1e-3
        self.wanted_points = 1000
        self.high_resolution = False
        self.settings: dict[str, str] = {}
        self.running = False
        self._arm_event = False
        self._words: Words = np.zeros(0, dtype=">u2")
        self.add("STOP", command=lambda _: self._stop())
        self.add("SINGle", command=lambda _: self._single())
        self.add("AER", lambda _: self._take_arm_event())
        self.add("OPERegister:CONDition", lambda _: f"+{_RUNNING if self._still_running() else 0}")
        self.add("TRIGger:FORCe", command=lambda _: self.signal.force())
        self.add("CHANnel#:RANGe", lambda _: f"{self.range_v:+.5E}", self._set_range)
        self.add("CHANnel#:OFFSet", lambda _: f"{self.offset_v:+.5E}", self._set_offset)
        self.add("TIMebase:RANGe", lambda _: f"{self.time_range_s:+.8E}", self._set_time_range)
        self.add("ACQuire:TYPE", lambda _: "HRES" if self.high_resolution else "NORM", self._set_type)
        self.add("ACQuire:SRATe", lambda _: f"{1.0 / self.interval_s:+.6E}")
        for header in (
            "CHANnel#:DISPlay",
            "CHANnel#:COUPling",
            "TIMebase:MODE",
            "TIMebase:REFerence",
            "TIMebase:POSition",
            "TRIGger:MODE",
            "TRIGger:SWEep",
            "TRIGger[:EDGE]:SOURce",
            "TRIGger[:EDGE]:SLOPe",
            "TRIGger[:EDGE]:LEVel",
            "WAVeform:SOURce",
            "WAVeform:FORMat",
            "WAVeform:BYTeorder",
            "WAVeform:UNSigned",
            "WAVeform:POINts:MODE",
        ):
            self._add_setting(header)
        self.add("WAVeform:POINts", lambda _: f"+{self._sent().size}", self._set_points)
        self.add("WAVeform:PREamble", lambda _: self._preamble())
        self.add("WAVeform:DATA", lambda _: self._data())

    @property
    def interval_s(self) -> float:
        return max(self.shortest_s, self.time_range_s / self.memory)

    @property
    def points(self) -> int:
        return min(self.memory, round(self.time_range_s / self.interval_s))

    @property
    def points_before(self) -> int:
        """The time reference stands one division from the left."""
        return self.points // _DIVISIONS

    def _add_setting(self, header: str) -> None:
        def keep(value: str) -> None:
            self.settings[header] = value

        self.add(header, lambda _: self.settings.get(header, ""), keep)

    # --- acquisition --------------------------------------------------------------------------------------------
    def _single(self) -> None:
        self.signal.arm(self.points, self.interval_s, self.points_before)
        self.running = self._arm_event = True

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

    def _digitised(self, volts: Volts) -> Words:
        levels = 65536 if self.high_resolution else 256
        codes = np.round((volts - self.offset_v) / self.range_v * levels) + levels // 2
        return np.asarray(np.clip(codes, 0, levels - 1) * (65536 // levels)).astype(">u2")

    # --- settings and transfer ----------------------------------------------------------------------------------
    def _set_range(self, value: str) -> None:
        self.range_v = number(value, 8e-3, 40.0)

    def _set_offset(self, value: str) -> None:
        self.offset_v = number(value, -20.0, 20.0)

    def _set_time_range(self, value: str) -> None:
        self.time_range_s = number(value, 20e-9, 500.0)

    def _set_type(self, value: str) -> None:
        if value.upper() not in ("NORM", "HRES"):
            raise ScpiError(*DATA_TYPE)
        self.high_resolution = value.upper() == "HRES"

    def _set_points(self, value: str) -> None:
        self.wanted_points = int(number(value, 100, 8_000_000))

    @property
    def _every(self) -> int:
        return max(1, self._words.size // self.wanted_points)

    def _sent(self) -> Words:
        return self._words[:: self._every]

    def _preamble(self) -> str:
        kind = 3 if self.high_resolution else 0
        x_increment_s = self.interval_s * self._every
        x_origin_s = -self.points_before * self.interval_s
        y_increment_v = self.range_v / 65536.0
        return (
            f"+1,+{kind},+{self._sent().size},+1,{x_increment_s:+.8E},{x_origin_s:+.8E},+0,"
            f"{y_increment_v:+.8E},{self.offset_v:+.8E},+32768"
        )

    def _data(self) -> bytes:
        block = self._sent().tobytes()
        return b"#8%08d" % len(block) + block
