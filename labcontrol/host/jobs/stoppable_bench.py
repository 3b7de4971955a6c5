"""A bench that obeys two threads: one measures, the other one may want it dark."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from labcontrol.bench import Bench
from labcontrol.config import BenchConfig
from labcontrol.host.jobs.calibration_events import Activity, LightChanged


class StoppedError(Exception):
    """Somebody wants it dark."""


class StoppableBench(Bench):
    """A bench whose light obeys two threads, and whose waits end when it is wanted dark."""

    def __init__(
        self,
        config: BenchConfig,
        lock: AbstractContextManager[Any],
        check: Callable[[], None],
        emit: Callable[[Any], None],
    ) -> None:
        super().__init__(config)
        self._lock, self._check, self._emit = lock, check, emit
        self.wait = self._wait
        self.lit_w: float | None = None
        """Power while the program has emission switched on."""

    def light_on(
        self, wait: Callable[[float], None] | None = None, *, power_w: float | None = None, reason: str = ""
    ) -> None:
        with self._lock:
            self._check()
            super().light_on(lambda _: None, power_w=power_w, reason=reason)
            self.lit_w = self.config.laser.power_w if power_w is None else power_w
        self._emit(LightChanged(True, self.lit_w))
        self._emit(Activity(f"the laser warms up, {self.laser.warm_up_time_s:.0f} s"))
        (wait or self.wait)(self.laser.warm_up_time_s)

    def light_off(self, reason: str = "") -> None:
        with self._lock:
            super().light_off(reason)
            self.lit_w = None
        self._emit(LightChanged(False, 0.0))

    def _wait(self, seconds: float) -> None:
        pieces = max(1, round(seconds / 0.2))
        for _ in range(pieces):
            self._check()
            self.clock.sleep(seconds / pieces)
