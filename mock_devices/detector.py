"""The detector of the simulated table."""

from __future__ import annotations

from drivers.interfaces import Detector, DeviceStatus, DeviceTimeoutError, Samples
from mock_devices.on_table import OnTable


class SimulatedDetector(OnTable, Detector):
    """A photodiode with digitiser that sees the light from the DMD and listens to its trigger."""

    model = "photodiode"
    part = "detector"

    @property
    def max_rate_hz(self) -> float:
        return self._table.options.detector.max_rate_hz

    @property
    def max_samples(self) -> int:
        return self._table.options.detector.max_samples

    @property
    def has_trigger(self) -> bool:
        return True

    def _read(self, samples: int, rate_hz: float) -> Samples:
        with self._command as now_s:
            self._table.detector.start(samples, rate_hz, now_s)
        return self._fetch(2 * samples / rate_hz + 1)

    def _arm(self, samples: int, rate_hz: float) -> None:
        with self._command:
            self._table.detector.arm(samples, rate_hz)

    def _fetch(self, timeout_s: float) -> Samples:
        deadline_s = self.clock.now_s() + timeout_s
        while True:
            with self._command:
                samples = self._table.detector.take()
                due_s = self._table.detector.due_s
            if samples is not None:
                return samples
            if due_s > deadline_s:
                self._wait_until(deadline_s)
                raise DeviceTimeoutError(
                    self.name, f"gave no samples within {timeout_s:g} s.", "Was it armed and triggered?"
                )
            self._wait_until(due_s)

    def _open(self) -> None:
        with self._command:
            self._table.detector.reset()

    def _close(self) -> None:
        with self._table.lock:
            self._table.catch_up(self.clock.now_s())
            self._table.detector.reset()

    def _read_status(self) -> DeviceStatus:
        with self._command:
            counter = self._table.detector.counter
        return DeviceStatus(True, f"{counter} acquisitions", {"acquisitions": counter})
