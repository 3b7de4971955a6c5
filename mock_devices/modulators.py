"""The SLM and the DMD of the simulated table."""

from __future__ import annotations

from drivers.interfaces import DeviceRefusedError, DeviceStatus, Modulator, Pattern, Shown
from mock_devices.on_table import OnTable


class SimulatedSlm(OnTable, Modulator):
    """The liquid-crystal phase modulator, seen from the computer. After `close` its last pattern stays."""

    model = "liquid-crystal modulator"
    part = "slm"

    @property
    def shape(self) -> tuple[int, int]:
        return self._table.ground_truth.slm_shape

    @property
    def bit_depth(self) -> int:
        return 8

    @property
    def settle_time_s(self) -> float:
        return self._table.slm.settle_time_s

    def _show(self, pattern: Pattern) -> Shown:
        with self._command as now_s:
            return Shown(self._table.slm.send(pattern, now_s), now_s)

    def _open(self) -> None:
        with self._command:
            self._table.slm.shown = 0

    def _close(self) -> None:
        pass

    def _read_status(self) -> DeviceStatus:
        with self._command:
            shown = self._table.slm.shown
        return DeviceStatus(
            True, f"{shown} patterns shown", {"patterns": shown, "refresh_hz": self._table.options.slm.refresh_hz}
        )


class SimulatedDmd(OnTable, Modulator):
    """The micromirror array. After a sequence, and after `close`, the last pattern stays."""

    model = "micromirror array"
    part = "dmd"

    @property
    def shape(self) -> tuple[int, int]:
        return self._table.ground_truth.dmd_shape

    @property
    def bit_depth(self) -> int:
        return 1

    @property
    def settle_time_s(self) -> float:
        return self._table.options.dmd.latency_s

    @property
    def max_sequence_length(self) -> int:
        return self._table.options.dmd.max_sequence_length

    @property
    def max_pattern_rate_hz(self) -> float:
        return self._table.options.dmd.max_pattern_rate_hz

    def _show(self, pattern: Pattern) -> Shown:
        with self._command as now_s:
            return Shown(self._table.dmd.show(pattern, now_s), now_s)

    def _load_sequence(self, patterns: Pattern) -> None:
        with self._command:
            self._table.dmd.load(patterns)
        self.clock.sleep(len(patterns) * self._table.options.dmd.load_time_s)

    def _play(self, rate_hz: float) -> Shown:
        with self._command as now_s:
            if not self._table.dmd.loaded:
                raise DeviceRefusedError(self.name, "has no sequence to play.", "Load one first.")
            number, start_s = self._table.dmd.play(rate_hz, now_s)
            self._table.detector.trigger(start_s)
            return Shown(number, now_s)

    def _open(self) -> None:
        with self._command:
            self._table.dmd.shown = 0

    def _close(self) -> None:
        pass

    def _read_status(self) -> DeviceStatus:
        with self._command:
            shown, loaded = self._table.dmd.shown, self._table.dmd.loaded
        return DeviceStatus(
            True, f"{shown} patterns shown, {loaded} in the sequence", {"patterns": shown, "sequence": loaded}
        )
