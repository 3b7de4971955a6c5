"""The guardian's side: holds the laser's driver, obeys, watches, and switches off."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from drivers.interfaces import DeviceDisconnectedError, DeviceError, DeviceRefusedError, Laser
from labcontrol.guardian.words import POLL_INTERVAL_S, SILENT, Limits, Transition, error_words

log = logging.getLogger(__name__)

_READINGS = ("emission", "interlock_closed", "faults", "power_w")
_RETRY_S = 0.5  # from one try to switch off to the next, when the laser did not confirm


class Guard:
    """One laser and the permission to emit, which a person gives (`arm`) and every trip takes away.

    tell: sends a transition to the application. clock: monotonic, in s.
    """

    def __init__(
        self,
        laser: Laser,
        limits: Limits,
        tell: Callable[[Transition], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._laser, self._limits, self._tell, self._clock = laser, limits, tell, clock
        self._armed = False
        self._emitting = False  # as far as we know; true also while switching off is not confirmed
        self._trip = ""
        self._journal: Path | None = None
        self._beat_s = self._next_poll_s = clock()
        self._next_reading = 0
        self._set_w = 0.0

    # --- what the application asks for --------------------------------------------------------------------------
    def obey(self, request: dict[str, Any], arrived_s: float) -> dict[str, Any] | None:
        """Carry out one request; what to reply, None for a beat. arrived_s: when it came in, by the guard's clock."""
        self._beat_s = arrived_s
        name = request["do"]
        if name == "beat":
            return None
        try:
            return {"ok": getattr(self, f"_do_{name}")(*request.get("with", ()))}
        except DeviceError as error:
            return {"error": error_words(error)}

    def _do_open(self) -> dict[str, Any]:
        self._laser.open()
        self._say("dark", "opened")
        identity, laser = self._laser.identity, self._laser
        return {
            "identity": [identity.vendor, identity.model, identity.serial_number, identity.firmware],
            "power_limits_w": list(laser.power_limits_w),
            "warm_up_time_s": laser.warm_up_time_s,
        }

    def _do_close(self) -> None:
        try:
            self._laser.close()
        finally:
            was_open, self._armed, self._emitting = self._armed or self._emitting, False, False
        if was_open:
            self._say("dark", "closed")

    def _do_arm(self, who: str) -> None:
        self._armed, self._trip = True, ""
        self._say("armed", who)

    def _do_disarm(self, who: str) -> None:
        self._switch_off()
        self._armed = False
        self._say("dark", who)

    def _do_trip(self, reason: str) -> None:
        self.trip(reason)

    def _do_emission(self, on: bool, reason: str) -> None:
        if not on:
            was_on = self._emitting
            self._switch_off()
            if was_on:
                self._say("armed" if self._armed else "dark", reason or "emission off")
            return
        if not self._armed:
            why = f"The guardian took the permission away: {self._trip}." if self._trip else ""
            raise DeviceRefusedError(
                self._laser.name, f"is not armed, emission stays off. {why}".strip(), "Arm it: labcontrol run --arm."
            )
        self._emitting = True
        try:
            self._laser.emission_on()
        except DeviceError:
            self._switch_off()
            raise
        self._say("emission", reason or f"{1e3 * self._laser.power_setpoint_w:.4g} mW set")
        self._next_poll_s = self._clock() + POLL_INTERVAL_S

    def _do_set_power(self, watts: float) -> None:
        ceiling_w = self._limits.ceiling_w
        if ceiling_w is not None and watts > ceiling_w:
            raise DeviceRefusedError(
                self._laser.name,
                f"may give {1e3 * ceiling_w:.4g} mW at most, not {1e3 * watts:.4g} mW.",
                "See laser.power_ceiling_w in the bench file.",
            )
        self._set_w = max(self._set_w, watts) if self._emitting else watts  # until the laser has followed
        self._laser.power_setpoint_w = watts
        self._set_w = watts

    def _do_get(self, name: str) -> Any:
        return self._read(name)

    def _do_status(self) -> dict[str, Any]:
        status = self._laser.status()
        return {"ok": status.ok, "summary": status.summary, "values": dict(status.values) | {"armed": self._armed}}

    def _do_journal(self, path: str) -> None:
        """Where transitions go that nobody is there to hear."""
        self._journal = Path(path) if path else None

    # --- what the guardian sees for itself ----------------------------------------------------------------------
    @property
    def next_look_s(self) -> float:
        """When `watch` is to be called at the latest."""
        if not self._emitting:
            return self._clock() + 1.0
        return min(self._beat_s + self._limits.silence_s, self._next_poll_s)

    def watch(self) -> None:
        """Call after every message, and at `next_look_s`: trips when something is not as it must be."""
        now_s = self._clock()
        if not self._emitting:
            return
        if now_s - self._beat_s >= self._limits.silence_s:
            self.trip(f"{SILENT} for {now_s - self._beat_s:.2f} s")
        elif now_s >= self._next_poll_s:
            self._next_poll_s = now_s + POLL_INTERVAL_S
            self._poll()

    def application_gone(self) -> None:
        """The other end of the pipe is closed."""
        if self._emitting:
            self.trip("the application has ended without switching off")
        try:
            self._laser.close()
        except DeviceError as error:
            log.error("%s", error)

    def trip(self, reason: str) -> None:
        """Emission off, permission gone, until a person arms again."""
        was_tripped = self._trip == reason
        self._trip, self._armed = reason, False
        try:
            self._switch_off()
        except DeviceError as error:
            if not was_tripped:
                self._say("NOT CONFIRMED OFF", f"{reason}; {error}")
            self._next_poll_s = self._clock() + _RETRY_S  # _emitting stays: the next watch tries again
            return
        self._say("tripped", reason)

    def _poll(self) -> None:
        if self._trip:
            self.trip(self._trip)
            return
        name = _READINGS[self._next_reading]
        self._next_reading = (self._next_reading + 1) % len(_READINGS)
        try:
            value = self._read(name)
        except DeviceDisconnectedError as error:
            self.trip(f"the line to the laser is lost ({error.message})")
            return
        except DeviceError as error:
            log.warning("%s", error)
            return
        if name == "emission" and not value:
            self.trip("the laser stopped emission by itself")
        elif name == "interlock_closed" and not value:
            self.trip("the interlock is open")
        elif name == "faults" and value:
            self.trip(f"the laser reports {', '.join(value)}")
        elif name == "power_w":
            self._check_power(value)

    def _check_power(self, power_w: float) -> None:
        ceiling_w = self._limits.ceiling_w or self._limits.margin * self._set_w
        if power_w > ceiling_w:
            self.trip(f"{1e3 * power_w:.4g} mW come out, {1e3 * ceiling_w:.4g} mW are allowed")

    # --- helpers ------------------------------------------------------------------------------------------------
    def _switch_off(self) -> None:
        if self._laser.is_open:
            self._laser.emission_off()
        self._emitting = False

    def _read(self, name: str) -> Any:
        value = getattr(self._laser, name)
        return list(value) if isinstance(value, tuple) else value

    def _say(self, state: str, reason: str) -> None:
        transition = Transition(time.time(), state, reason)
        log.info("%s: %s", state, reason)
        try:
            self._tell(transition)
        except OSError:
            self._write(transition)

    def _write(self, transition: Transition) -> None:
        if self._journal is None:
            return
        try:
            with self._journal.open("a", encoding="utf-8") as file:
                file.write(json.dumps(transition.__dict__) + "\n")
        except OSError as error:
            log.error("the transition is not on record: %s", error)
