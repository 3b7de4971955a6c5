"""The light of a bench: on only where it is allowed, off from every state, every change told with its reason."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from drivers.interfaces import (
    DeviceDisconnectedError,
    DeviceError,
    DeviceFaultError,
    DeviceRefusedError,
    DeviceTimeoutError,
    Laser,
    Table,
)
from labcontrol.config import LaserEntry
from labcontrol.guardian import GuardedLaser, Transition
from labcontrol.guardian.messages import Cause

Listener = Callable[[Transition], None]


class Light:
    """The laser as a run uses it.

    A laser that is no part of a simulated table is held by its guardian and emits only after a person has armed it.
    table: where a laser of its own lights a simulated table.
    """

    def __init__(self, laser: Laser, entry: LaserEntry, table: Table | None) -> None:
        self._laser, self._entry = laser, entry
        self._table = table if not laser.on_table else None
        self._guarded = laser if isinstance(laser, GuardedLaser) else None
        self._power_w = entry.power_w
        self._armed_by = ""
        self._by_a_person = False  # since the laser was last switched on
        self._on = False
        self.listener: Listener = _not_told

    @property
    def needs_arming(self) -> bool:
        return self._guarded is not None

    @property
    def armed_by(self) -> str:
        """On whose word the laser may emit; empty when it may not."""
        return self._armed_by

    def arm(self, who: str) -> None:
        """A person allows emission from now on. who: for the record, for example ``labcontrol run --arm``."""
        self._armed_by, self._by_a_person = who, True

    def arm_again(self) -> None:
        """A person who has looked lets it go on, after whatever took the permission away."""
        self._by_a_person = True

    def disarm(self, who: str) -> None:
        """Take that back; emission goes off."""
        self._armed_by = ""
        if self._guarded is not None and self._guarded.is_open:
            self._guarded.disarm(who)
        self.publish()

    def on(self, wait: Callable[[float], None], power_w: float | None, reason: str) -> None:
        """Set the power, start emission and wait until it is warm."""
        self._power_w = self._entry.power_w if power_w is None else power_w
        if self._guarded is not None:
            if not self._armed_by:
                raise DeviceRefusedError(
                    "laser", "is a real one and was not armed, emission stays off.", "Arm it: labcontrol run --arm."
                )
            self._guarded.arm(self._armed_by, by_a_person=self._by_a_person)
            self._by_a_person = False
            self._guarded.because(reason)
            self._guarded.while_waiting = lambda: self._while_waiting(wait)
        self._laser.power_setpoint_w = self._power_w
        self._laser.emission_on()
        if self._table is not None:
            self._table.shine(self._power_w)
        self._note(on=True, reason=reason or f"{1e3 * self._power_w:.4g} mW")
        wait(self._laser.warm_up_time_s)

    def _while_waiting(self, wait: Callable[[float], None]) -> None:
        """Pass on what a start waits for; a wait that was ended, by an abort for example, ends the start."""
        self.publish()
        wait(0.0)

    def off(self, reason: str) -> None:
        """Emission off, from any state.

        Raises DeviceError when it is not confirmed: also when the laser was on and is now out of reach.
        """
        if self._table is not None:
            self._table.shine(0.0)
        if self._laser.is_open:
            if self._guarded is not None:
                self._guarded.because(reason)
            self._laser.emission_off()
            self._note(on=False, reason=reason)
        elif self._on:
            raise DeviceDisconnectedError(
                "laser", "was on and cannot be reached now.", "Look at the laser: check that it is off."
            )

    def trip(self, reason: str) -> None:
        """Off, and the permission is gone until a person has looked: for what the laser cannot see of its light."""
        if self._guarded is not None:
            self._guarded.trip(reason)
        self.off(reason)

    def check(self) -> None:
        """Raises DeviceError when the laser does not give the light it was told to give.

        One reading says that all is well, because every reading takes its time on a line; only then is asked why not.
        What took the permission away decides the kind of error, and with it whether a run goes on by itself: see the
        table of causes in docs/faults.md.
        """
        self.publish()
        laser, set_w = self._laser, self._power_w
        self._raise_for_lost_guardian()
        try:
            power_w = laser.power_w
        except DeviceError:
            self._raise_for_lost_guardian()
            raise
        cause, tripped = self._trip
        if not tripped and abs(power_w - set_w) <= self._entry.power_tolerance * set_w:
            return
        if cause is Cause.SILENCE:
            raise DeviceTimeoutError("laser", f"was switched off by its guardian: {tripped}.", "Is the computer busy?")
        if cause is Cause.UNREADABLE:
            raise DeviceDisconnectedError("laser", f"was switched off by its guardian: {tripped}.", "Check its cable.")
        if not laser.interlock_closed:
            raise DeviceFaultError("laser", "stopped because its interlock is open.", "Close the interlock.")
        if faults := laser.faults:
            raise DeviceFaultError("laser", f"reports {', '.join(faults)}.", "Clear the fault at the laser.")
        if tripped:
            raise DeviceFaultError("laser", f"was switched off by its guardian: {tripped}.", "Look at the table.")
        if not laser.emission:
            raise DeviceFaultError("laser", "has stopped emission without saying why.", "Look at its key and cover.")
        raise DeviceFaultError(
            "laser",
            f"gives {1e3 * power_w:.4g} mW instead of {1e3 * set_w:.4g} mW.",
            "Look at its temperature and age; laser.power_tolerance in the bench file is what is allowed.",
        )

    @property
    def _trip(self) -> tuple[Cause | None, str]:
        """What took the permission away since the laser was armed, and in words."""
        return (self._guarded.trip_cause, self._guarded.tripped) if self._guarded is not None else (None, "")

    def _raise_for_lost_guardian(self) -> None:
        """Raise DeviceFaultError where it is not the laser that can say why it is dark."""
        cause, tripped = self._trip
        if cause in (Cause.LONG_SILENCE, Cause.GUARDIAN_ENDED, Cause.ASLEEP, Cause.LATE):
            raise DeviceFaultError("laser", f"was switched off by its guardian: {tripped}.", "Look at the table.")

    def keep_journal(self, path: Path) -> None:
        """Where the guardian writes what happens when this program has been killed."""
        if self._guarded is not None:
            self._guarded.keep_journal(str(path))

    def expect_heartbeats(self, patience_s: float) -> None:
        """From now on a real laser goes off when `heartbeat` is not called this often."""
        if self._guarded is not None:
            self._guarded.expect_heartbeats(patience_s)

    def heartbeat(self) -> None:
        """The run goes on, or waits as it was told to."""
        if self._guarded is not None:
            self._guarded.heartbeat()

    def publish(self) -> None:
        """Pass on what the guardian reported since the last time."""
        if self._guarded is not None:
            for transition in self._guarded.transitions():
                self.listener(transition)

    def _note(self, *, on: bool, reason: str) -> None:
        if self._guarded is not None:
            self.publish()  # the guardian knows better when it was
        elif on != self._on:
            self.listener(Transition(time.time(), "emission" if on else "dark", reason))
        self._on = on


def _not_told(transition: Transition) -> None:
    """Changes of the light, where nobody keeps a record."""
