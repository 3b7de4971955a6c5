"""What the electronics of any laser do, whatever protocol they speak: interlock, key, faults, set power, emission."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from drivers.interfaces import RealClock


class Light(Protocol):
    """The light that the electronics drive, for example the laser of a simulated table."""

    def set_power(self, watts: float) -> None:
        """Drive the diode for this power, in W, as soon as it emits."""
        ...

    def set_emission(self, on: bool) -> None: ...

    def power_w(self) -> float:
        """What the photodiode in the laser sees now, in W."""
        ...


class Lamp:
    """Light without any optics behind it: the power set is the power that comes out."""

    def __init__(self) -> None:
        self._set_w = 0.0
        self._on = False

    def set_power(self, watts: float) -> None:
        self._set_w = watts

    def set_emission(self, on: bool) -> None:
        self._on = on

    def power_w(self) -> float:
        return self._set_w if self._on else 0.0


class LaserElectronics:
    """A laser head with interlock and key switch.

    max_power_w: largest power that can be set.
    start_delay_s: from switching on until light comes out (CDRH delay, warming up).
    emission_log: every change of emission, as (time in s, on); what really happened, for tests of safety.
    gated: a modulation or gate input holds the light back, while the laser counts as emitting.
    on_key_turned: called when the key is turned from off to on.
    """

    def __init__(
        self,
        light: Light | None = None,
        *,
        max_power_w: float = 0.1,
        min_power_w: float = 0.0,
        start_delay_s: float = 0.0,
    ) -> None:
        self.light = light or Lamp()
        self.max_power_w = max_power_w
        self.min_power_w = min_power_w
        self.start_delay_s = start_delay_s
        self.setpoint_w = min_power_w
        self.interlock_closed = True
        self.key_on = True
        self.faults: list[str] = []
        self.emission_log: list[tuple[float, bool]] = []
        self.gated = False
        self.on_key_turned: Callable[[], object] = lambda: None
        self._clock = RealClock()
        self._on_at_s: float | None = None
        self._emitting = False

    # --- what the protocol asks for -----------------------------------------------------------------------------
    @property
    def ready(self) -> bool:
        """Whether nothing forbids emission."""
        return self.interlock_closed and self.key_on and not self.faults

    @property
    def starting(self) -> bool:
        """Whether it is switched on but does not emit yet."""
        return self._on_at_s is not None and not self.emitting

    @property
    def emitting(self) -> bool:
        self._update()
        return self._emitting

    def power_w(self) -> float:
        self._update()
        return 0.0 if self.gated else self.light.power_w()

    def set_power(self, watts: float) -> bool:
        """Whether the power was taken."""
        if not self.min_power_w <= watts <= self.max_power_w:
            return False
        self.setpoint_w = watts
        self.light.set_power(watts)
        return True

    def switch_on(self) -> bool:
        """Whether it will emit."""
        if not self.ready:
            return False
        if self._on_at_s is None:
            self._on_at_s = self._clock.now_s() + self.start_delay_s
        self._update()
        return True

    def switch_off(self) -> None:
        self._on_at_s = None
        self._update()

    def clear_faults(self) -> None:
        self.faults = [] if self.interlock_closed else ["interlock"]

    # --- what happens to it -------------------------------------------------------------------------------------
    def open_interlock(self) -> None:
        """Somebody opens the door: emission stops, and a fault stays until it is cleared."""
        self.interlock_closed = False
        self.trip("interlock")

    def close_interlock(self) -> None:
        self.interlock_closed = True

    def turn_key(self, on: bool) -> None:
        turned_on, self.key_on = on and not self.key_on, on
        if not on:
            self.switch_off()
        elif turned_on:
            self.on_key_turned()

    def trip(self, fault: str) -> None:
        """The laser finds something wrong with itself and stops."""
        if fault not in self.faults:
            self.faults.append(fault)
        self.switch_off()

    def _update(self) -> None:
        now_s = self._clock.now_s()
        emitting = self._on_at_s is not None and now_s >= self._on_at_s
        if emitting != self._emitting:
            self._emitting = emitting
            self.emission_log.append((now_s, emitting))
            if emitting:
                self.light.set_power(self.setpoint_w)
            self.light.set_emission(emitting)
