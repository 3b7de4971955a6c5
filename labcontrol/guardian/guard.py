"""The guardian's side: holds the laser's driver, obeys, watches, and switches off.

Three threads meet here. The *worker* carries out what the application asks for and reads the laser, and waits for
answers. The *listener* hears the application. The *watch* waits for nobody: it trips when something is not as it must
be, and sends "off" blindly, again and again, until the worker could confirm it.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from drivers.interfaces import DeviceDisconnectedError, DeviceError, DeviceFaultError, DeviceRefusedError, Laser
from labcontrol.guardian.messages import (
    LATE_S,
    LONG_SILENCE_S,
    POLL_INTERVAL_S,
    UNREAD_S,
    Cause,
    Limits,
    Transition,
    error_message,
)
from labcontrol.guardian.sleep_inhibitor import SleepInhibitor

log = logging.getLogger(__name__)

WATCH_INTERVAL_S = 0.02
_READINGS = ("emission", "interlock_closed", "faults", "power_w")
_REPEAT_S = 0.2  # from one blind "off" to the next, while the worker is busy with something else
_CONFIRM_AGAIN_S = 0.3  # from one attempt to confirm that the laser is off to the next
_UNCONFIRMED_S = 0.5  # after a trip; then it is said
_LEAVE_AFTER_S = 60.0  # without an application: for so long a laser is tried to be reached that did not confirm


class Guard:
    """One laser and the permission to emit, which a person gives (`arm`) and every trip takes away.

    publish: sends a transition to the application; called from any of the three threads.
    wake: lets the worker call `attend` soon.
    clock: monotonic, in s. wall: time of day, in s, which goes on while the computer sleeps.
    """

    def __init__(
        self,
        laser: Laser,
        limits: Limits,
        publish: Callable[[Transition], None],
        wake: Callable[[], None] = lambda: None,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        inhibitor: SleepInhibitor | None = None,
    ) -> None:
        self._laser, self._limits, self._publish, self._wake = laser, limits, publish, wake
        laser.while_starting = lambda words: self._say("starting", words)
        self._clock, self._wall = clock, wall
        self._inhibitor = inhibitor or SleepInhibitor()
        self._lock = threading.RLock()  # for the permission and the trip, never held while the laser is waited for
        self._armed = False
        self._emitting = False  # as far as we know; true also while switching off is not confirmed
        self._trip: tuple[Cause, str] | None = None
        self._tripped_s = self._next_blind_s = 0.0
        self._doubt_is_said = False
        self._off_is_due = False  # somebody asked for it, and the worker has not begun
        self._busy = self._confirming = self._starting = False  # what the worker does
        self._journal: Path | None = None
        self._beat_s = self._watched_s = self._seen_s = self._next_poll_s = clock()
        self._skew_s = wall() - clock()
        self._next_reading = 0
        self._set_w = 0.0

    # --- listener -----------------------------------------------------------------------------------------------
    def hear(self) -> None:
        """The application is there: call for everything that comes from it, as soon as it comes."""
        with self._lock:
            now_s = self._clock()
            silence_s, self._beat_s = now_s - self._beat_s, now_s
            trip = self._trip
            if trip is not None and trip[0] is Cause.SILENCE and silence_s > LONG_SILENCE_S:
                # Too long for a computer that was merely busy: nobody may be watching any more.
                self._trip = (Cause.LONG_SILENCE, f"no sign of the application for {silence_s:.2f} s")
                self._say("tripped", *reversed(self._trip))

    @property
    def hears_the_application(self) -> bool:
        """Whether it was there lately; one that is stopped must not be written to until its pipe is full."""
        return self._clock() - self._beat_s < self._limits.silence_s + 1.0

    def off_is_due(self) -> None:
        """The application asks for "off", or is gone: what the worker is busy with does not hold it up."""
        with self._lock:
            if self._emitting:
                self._off_is_due = True
                self._next_blind_s = self._clock() + _REPEAT_S / 2  # unless the worker does it before
                if self._busy:
                    self._off_blindly()

    # --- watch --------------------------------------------------------------------------------------------------
    def watch(self) -> None:
        """Trip when something is not as it must be. Call every `WATCH_INTERVAL_S`, from a thread of its own."""
        with self._lock:
            now_s = self._clock()
            late_s, self._watched_s = now_s - self._watched_s, now_s
            skew_s = self._wall() - now_s
            jump_s, self._skew_s = skew_s - self._skew_s, skew_s
            if not self._emitting:
                return
            if self._trip is None:
                seen_s = max(self._seen_s, self._laser.last_answer_s)
                if jump_s > LATE_S:
                    self._trip_now(Cause.ASLEEP, f"the computer slept, or its clock jumped, for {jump_s:.2f} s")
                elif late_s > LATE_S:
                    self._trip_now(Cause.LATE, f"the guardian itself was held up for {late_s:.2f} s")
                elif now_s - self._beat_s >= self._limits.silence_s:
                    self._trip_now(Cause.SILENCE, f"no sign of the application for {now_s - self._beat_s:.2f} s")
                elif now_s - seen_s >= UNREAD_S and not self._starts_unseen:
                    self._trip_now(Cause.UNREADABLE, f"the laser has answered nothing for {now_s - seen_s:.2f} s")
            if self._trip is not None or self._off_is_due:
                # While the worker switches off itself, a blind command and its answer would only disturb it.
                if now_s >= self._next_blind_s and not self._confirming:
                    self._off_blindly()
                if self._trip is not None and now_s - self._tripped_s >= _UNCONFIRMED_S:
                    self._say_doubt(self._trip[1])

    @property
    def _starts_unseen(self) -> bool:
        """Whether the laser is being started by a driver that does not keep when it last had an answer."""
        return self._starting and self._laser.last_answer_s < 0.0

    def _trip_now(self, cause: Cause, reason: str) -> None:
        self._trip, self._armed = (cause, reason), False
        self._tripped_s, self._doubt_is_said = self._clock(), False
        self._off_blindly()
        self._wake()

    def _off_blindly(self) -> None:
        self._next_blind_s = self._clock() + _REPEAT_S
        self._laser.emission_off_now()

    def _say_doubt(self, reason: str) -> None:
        if not self._doubt_is_said:
            self._doubt_is_said = True
            self._say("NOT CONFIRMED OFF", reason)

    # --- worker -------------------------------------------------------------------------------------------------
    def obey(self, request: dict[str, Any]) -> dict[str, Any]:
        """Carry out one request; what to reply."""
        try:
            with self._at_work():
                return {"ok": getattr(self, f"_do_{request['do']}")(*request.get("with", ()))}
        except DeviceError as error:
            return {"error": error_message(error)}

    @property
    def next_attend_s(self) -> float:
        """When `attend` is to be called at the latest, by the guard's clock."""
        return self._next_poll_s if self._emitting else self._clock() + 1.0

    def attend(self) -> None:
        """Read the laser, or confirm that it is off: call whenever there is nothing to obey."""
        if not self._emitting or (self._trip is None and self._clock() < self._next_poll_s):
            return
        with self._at_work():
            if self._trip is None:
                self._next_poll_s = self._clock() + POLL_INTERVAL_S
                self._poll()
            elif self._clock() >= self._next_poll_s or not self._doubt_is_said:
                self._confirm_trip()

    def application_gone(self) -> None:
        """The other end of the pipe is closed: off, and tried again for a while where that is not confirmed."""
        with self._lock:
            if self._emitting and self._trip is None:
                self._trip_now(Cause.APPLICATION_ENDED, "the application has ended without switching off")
        deadline_s = self._clock() + _LEAVE_AFTER_S
        while self._emitting and self._clock() < deadline_s:
            with self._at_work():
                self._confirm_trip()
            if self._emitting:
                time.sleep(_CONFIRM_AGAIN_S)
        try:
            self._laser.close()
        except DeviceError as error:
            log.error("%s", error)
        self._inhibitor.release()

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        self._busy = True
        try:
            yield
        finally:
            self._busy = False

    # --- what the application asks for --------------------------------------------------------------------------
    def _do_open(self) -> dict[str, Any]:
        self._laser.open()
        self._say("dark", "opened")
        identity, laser = self._laser.identity, self._laser
        return {
            "identity": [identity.vendor, identity.model, identity.serial_number, identity.firmware],
            "power_limits_w": list(laser.power_limits_w),
            "warm_up_time_s": laser.warm_up_time_s,
            "conditions": dict(laser.conditions),
        }

    def _do_close(self) -> None:
        was_open, self._armed = self._armed or self._emitting, False
        if self._emitting:
            self._switch_off()  # where it is not confirmed, the laser stays open, so that it can be tried again
        self._laser.close()
        self._inhibitor.release()
        if was_open:
            self._say("dark", "closed")

    def _do_arm(self, who: str) -> None:
        self._inhibitor.hold()
        with self._lock:
            if self._emitting and self._trip is not None:
                raise DeviceFaultError(
                    self._laser.name,
                    f"did not confirm that it is off after: {self._trip[1]}.",
                    "Look at it, and switch it off at its key.",
                )
            self._armed, self._trip = True, None
        self._say("armed", who)

    def _do_disarm(self, who: str) -> None:
        self._switch_off()
        self._armed = False
        self._inhibitor.release()
        self._say("dark", who)

    def _do_trip(self, reason: str) -> None:
        self._trip_and_confirm(Cause.REPORTED, reason)

    def _do_emission(self, on: bool, reason: str) -> None:
        if not on:
            was_on = self._emitting
            self._switch_off()
            if was_on:
                self._say("armed" if self._armed else "dark", reason or "emission off")
            return
        with self._lock:
            if not self._armed:
                why = f"The guardian took the permission away: {self._trip[1]}." if self._trip else ""
                raise DeviceRefusedError(
                    self._laser.name,
                    f"is not armed, emission stays off. {why}".strip(),
                    "Arm it: labcontrol run --arm.",
                )
            self._emitting, self._starting, self._off_is_due = True, True, False
            self._seen_s = self._clock()
        try:
            self._laser.emission_on()
        except DeviceError:
            self._switch_off()
            raise
        finally:
            self._starting = False
        if self._trip is not None or self._off_is_due:
            self._switch_off()
            why = self._trip[1] if self._trip is not None else "the application asked for it"
            raise DeviceRefusedError(self._laser.name, f"was switched off while it started: {why}.", "Start it again.")
        self._seen_s = self._clock()
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
        self._seen_s = self._clock()
        self._set_w = watts

    def _do_get(self, name: str) -> Any:
        return self._read(name)

    def _do_status(self) -> dict[str, Any]:
        status = self._laser.status()
        self._seen_s = self._clock()
        values = dict(status.values) | {"armed": self._armed, "sleep_inhibited": self._inhibitor.holds}
        return {"ok": status.ok, "summary": status.summary, "values": values}

    def _do_journal(self, path: str) -> None:
        """Where transitions go that nobody is there to hear."""
        self._journal = Path(path) if path else None

    # --- what the worker sees for itself ------------------------------------------------------------------------
    def _poll(self) -> None:
        name = _READINGS[self._next_reading]
        self._next_reading = (self._next_reading + 1) % len(_READINGS)
        try:
            value = self._read(name)
        except DeviceDisconnectedError as error:
            self._trip_and_confirm(Cause.UNREADABLE, f"the line to the laser is lost ({error.message})")
            return
        except DeviceError as error:
            log.warning("%s", error)  # the watch trips where it lasts
            return
        if name == "emission" and not value:
            self._trip_and_confirm(Cause.STOPPED, "the laser stopped emission by itself")
        elif name == "interlock_closed" and not value:
            self._trip_and_confirm(Cause.INTERLOCK, "the interlock is open")
        elif name == "faults" and value:
            self._trip_and_confirm(Cause.FAULT, f"the laser reports {', '.join(value)}")
        elif name == "power_w":
            self._check_power(value)

    def _check_power(self, power_w: float) -> None:
        ceiling_w = self._limits.ceiling_w or self._limits.margin * self._set_w
        if power_w > ceiling_w:
            reason = f"{1e3 * power_w:.4g} mW come out, {1e3 * ceiling_w:.4g} mW are allowed"
            self._trip_and_confirm(Cause.POWER, reason)

    def _trip_and_confirm(self, cause: Cause, reason: str) -> None:
        with self._lock:
            if self._trip is None:
                self._trip, self._armed = (cause, reason), False
                self._tripped_s, self._doubt_is_said = self._clock(), False
        self._confirm_trip()

    def _confirm_trip(self) -> None:
        assert self._trip is not None
        cause, reason = self._trip
        try:
            self._switch_off()
        except DeviceError as error:
            self._say_doubt(f"{reason}; {error}")
            self._next_poll_s = self._clock() + _CONFIRM_AGAIN_S  # _emitting stays: it is tried again
            return
        self._say("tripped", reason, cause)

    # --- helpers ------------------------------------------------------------------------------------------------
    def _switch_off(self) -> None:
        """Off, confirmed. Raises DeviceError where the laser does not confirm it."""
        with self._switching_off():
            if self._laser.is_open:
                self._laser.emission_off()
        with self._lock:
            self._emitting = self._off_is_due = False

    @contextmanager
    def _switching_off(self) -> Iterator[None]:
        """The worker sends "off" itself now; the watch would only disturb it."""
        self._confirming = True
        try:
            yield
        finally:
            self._confirming = False

    def _read(self, name: str) -> Any:
        value = getattr(self._laser, name)
        self._seen_s = self._clock()
        return list(value) if isinstance(value, tuple) else value

    def _say(self, state: str, reason: str, cause: Cause | str = "") -> None:
        transition = Transition(time.time(), state, reason, str(cause))
        log.info("%s: %s", state, reason)
        try:
            self._publish(transition)
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
