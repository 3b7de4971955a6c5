"""The application's side: a laser like any other, whose driver lives in the guardian process."""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Self

from drivers.interfaces import (
    DeviceDisconnectedError,
    DeviceError,
    DeviceFaultError,
    DeviceStatus,
    DeviceTimeoutError,
    DriverContext,
    DriverOptions,
    Identity,
    Laser,
)
from labcontrol.guardian.messages import (
    GUARDIAN_SILENCE_S,
    HEARTBEAT_INTERVAL_S,
    Cause,
    Limits,
    Start,
    Transition,
    as_error,
)

log = logging.getLogger(__name__)

_ANSWER_S = 60.0  # longest time for one answer: a driver may have to get in step with its laser, several times
_START_S = 30.0
_END_S = 5.0
_SILENCE_IN_THE_DARK_S = 5.0  # a guardian that loads a driver may be busy for a moment
_STAND_IN_AGAIN_S = 0.5


class GuardedLaser(Laser):
    """A laser held by a guardian process, which is started when the laser is opened.

    driver: name in the registry; driver_class: the same as a class. limits: what the guardian allows.
    """

    def __init__(
        self,
        context: DriverContext,
        driver: str,
        driver_class: type[Laser],
        address: str,
        options: DriverOptions,
        limits: Limits,
    ) -> None:
        super().__init__(context)
        self._start = Start(context.device, driver, address, options.model_dump(mode="json"), limits)
        self._build: Callable[[], Laser] = lambda: driver_class.from_bench(address, options, context)
        self._process: subprocess.Popen[str] | None = None
        self._listener: threading.Thread | None = None
        self._sending, self._asking = threading.Lock(), threading.Lock()
        self._replies: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._transitions: queue.SimpleQueue[Transition] = queue.SimpleQueue()
        self._facts: dict[str, Any] = {}
        self._emits = False  # as far as we know
        self._reason = self._journal = ""
        self._trip: Transition | None = None
        self._guardian_s = float("inf")  # when the guardian was last heard; infinite until it was for the first time
        self.while_waiting: Callable[[], None] = lambda: None
        """Called all the time while a start is waited for; whatever it raises ends the start, dark."""
        self._leftover: subprocess.Popen[str] | None = None
        self._patience_s = float("inf")
        self._sign_s = time.monotonic()
        self._leaving = threading.Event()
        self._opening_anew = threading.Event()

    @classmethod
    def from_bench(cls, address: str, options: Any, context: DriverContext) -> Self:
        """Not this way: the bench makes a guarded laser from the driver that it guards."""
        raise TypeError(f"{context.device} at {address!r} with {options!r} is to be made from a driver")

    # --- permission ---------------------------------------------------------------------------------------------
    @property
    def tripped(self) -> str:
        """Why the guardian switched off; empty since the laser was armed."""
        return self._trip.reason if self._trip is not None else ""

    @property
    def trip_cause(self) -> Cause | None:
        """The kind of the last trip; None since the laser was armed."""
        return Cause(self._trip.cause) if self._trip is not None else None

    def arm(self, who: str, *, by_a_person: bool = True) -> None:
        """Give the permission to emit, which every trip takes away.

        who: on whose word, for the record. by_a_person: now; otherwise on what a person said before a trip, which
        only counts for causes that need nobody. Raises DeviceFaultError where it does not count.
        """
        self._require_open()
        cause = self.trip_cause
        if cause is not None and cause.needs_a_person and not by_a_person:
            raise DeviceFaultError(
                self.name, f"was switched off by its guardian: {self.tripped}.", "Look at the table, then arm it again."
            )
        self._ask("arm", who)
        self._trip = None

    def disarm(self, who: str) -> None:
        """Take the permission back; emission goes off."""
        self._require_open()
        self._say_that_off_is_due()
        self._ask("disarm", who)
        self._emits = False

    def trip(self, reason: str) -> None:
        """Report what the guardian cannot see, for example a camera full of light: emission off, permission gone."""
        self._require_open()
        self._say_that_off_is_due()
        self._ask("trip", reason)
        self._emits = False

    @property
    def guardian_pid(self) -> int | None:
        """Number of the guardian's process; None where there is none."""
        return self._process.pid if self._process is not None else None

    def because(self, reason: str) -> None:
        """The reason that the record gives for the next change of emission."""
        self._reason = reason

    def expect_heartbeats(self, patience_s: float) -> None:
        """From now on the guardian hears of this program only while `heartbeat` is called at least this often."""
        self._patience_s = patience_s
        self.heartbeat()

    def heartbeat(self) -> None:
        """The run goes on, or waits as it was told to."""
        self._sign_s = time.monotonic()

    def keep_journal(self, path: str) -> None:
        """Where the guardian writes what happens when this program is not there any more; empty for nowhere.

        It holds for every later guardian of this laser as well.
        """
        self._require_open()
        self._journal = path
        self._ask("journal", path)

    def transitions(self) -> list[Transition]:
        """What changed since the last call."""
        found = []
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(self._transitions.get_nowait())
        return found

    # --- device -------------------------------------------------------------------------------------------------
    def _open(self) -> None:
        self._end_leftover()
        self._replies = queue.SimpleQueue()
        self._guardian_s = float("inf")
        self._leaving = threading.Event()
        options: dict[str, Any] = {"start_new_session": True}  # Ctrl-C and a closed terminal are not for the guardian
        if sys.platform == "win32":
            options = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "labcontrol.guardian"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8", **options,
        )  # fmt: skip
        atexit.register(self._let_go)
        self._send_line(self._start.line())
        self._listener = threading.Thread(
            target=self._listen, args=(self._process, self._replies, self._leaving), name="guardian", daemon=True
        )
        self._listener.start()
        threading.Thread(target=self._beat, args=(self._process, self._leaving), name="heartbeat", daemon=True).start()
        self._facts = self._ask("open", timeout_s=_START_S)
        self._conditions = self._facts["conditions"]
        self._emits = False
        if self._journal:
            self._ask("journal", self._journal)
        log.info("the guardian of %s is process %d", self.name, self._process.pid)

    def _close(self) -> None:
        if self._process is None:
            return
        try:
            if self._process.poll() is None:
                self._say_that_off_is_due()
                self._ask("close")
                self._emits = False
        except DeviceDisconnectedError as error:
            if self._emits and not self._guardian_has_ended:  # it goes on trying without us, see `Guard`
                self._note(Transition(time.time(), "NOT CONFIRMED OFF", str(error)))
        finally:
            self._let_go()

    def _let_go(self) -> None:
        """End the guardian, which leaves with the laser off; one that was killed has not, see `_listen`."""
        process, self._process = self._process, None
        if process is None:
            return
        self._leaving.set()
        atexit.unregister(self._let_go)
        with contextlib.suppress(OSError):
            assert process.stdin is not None
            process.stdin.close()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            log.error("the guardian of %s has not ended: it goes on trying to switch the laser off", self.name)
            self._leftover = process
            return
        self._wait_for_listener()

    def _end_leftover(self) -> None:
        """Whoever could not yet confirm that the laser is off holds its line; to open it is to switch it off."""
        self._opening_anew.set()
        process, self._leftover = self._leftover, None
        if process is not None and process.poll() is None:
            process.kill()
            process.wait()
        self._wait_for_listener()
        self._opening_anew.clear()

    def _wait_for_listener(self) -> None:
        """It may be about to switch off in the guardian's place, and holds the line meanwhile."""
        if self._listener is not None and self._listener is not threading.current_thread():
            self._listener.join(_END_S)

    def _read_identity(self) -> Identity:
        return Identity(*self._facts["identity"])

    def _read_status(self) -> DeviceStatus:
        status = self._ask("status")
        return DeviceStatus(status["ok"], status["summary"], status["values"])

    # --- laser --------------------------------------------------------------------------------------------------
    @property
    def power_limits_w(self) -> tuple[float, float]:
        self._require_open()
        low, high = self._facts["power_limits_w"]
        return low, high

    @property
    def warm_up_time_s(self) -> float:
        self._require_open()
        return float(self._facts["warm_up_time_s"])

    def _get_power_setpoint(self) -> float:
        return float(self._ask("get", "power_setpoint_w"))

    def _set_power(self, watts: float) -> None:
        self._ask("set_power", watts)

    def _read_power(self) -> float:
        return float(self._ask("get", "power_w"))

    def _read_emission(self) -> bool:
        return bool(self._ask("get", "emission"))

    def _set_emission(self, on: bool) -> None:
        reason, self._reason = self._reason, ""
        self._emits = self._emits or on
        if not on:
            self._say_that_off_is_due()
        try:
            if on:
                self._start_emission(reason)
            else:
                self._ask("emission", on, reason)
        except DeviceDisconnectedError:
            if on or self._emits or not self._guardian_has_ended:
                raise
            return  # switched off in the guardian's place
        self._emits = on

    def _start_emission(self, reason: str) -> None:
        """Ask for light, and wait as long as the guardian is there: it is the driver that knows when it is too long.

        Whoever does not want to wait any longer, and says so by raising in `while_waiting`, has it switched off.
        """
        with self._asking:
            self._send_line(json.dumps({"do": "emission", "with": (True, reason)}) + "\n")
            given_up: BaseException | None = None
            while True:
                try:
                    reply = self._replies.get(timeout=HEARTBEAT_INTERVAL_S)
                    break
                except queue.Empty:
                    self.heartbeat()
                if given_up is None:
                    try:
                        self.while_waiting()
                    except BaseException as error:
                        given_up = error
                        self._say_that_off_is_due()
        if given_up is not None:
            self._ask("emission", False, "given up while it started")
            self._emits = False
            raise given_up
        self._meaning(reply)

    def _read_interlock_closed(self) -> bool:
        return bool(self._ask("get", "interlock_closed"))

    def _read_faults(self) -> tuple[str, ...]:
        return tuple(self._ask("get", "faults"))

    # --- the pipe -----------------------------------------------------------------------------------------------
    def _ask(self, name: str, *arguments: Any, timeout_s: float = _ANSWER_S) -> Any:
        with self._asking:
            self._send_line(json.dumps({"do": name, "with": arguments}) + "\n")
            try:
                reply = self._replies.get(timeout=timeout_s)
            except queue.Empty:
                self._let_go()  # its answer must not be taken for another one's
                raise DeviceTimeoutError(
                    self.name, f"has a guardian that did not answer within {timeout_s:g} s.", "Look at the laser."
                ) from None
        return self._meaning(reply)

    def _meaning(self, reply: dict[str, Any] | None) -> Any:
        if reply is None:
            raise self._gone()
        if "error" in reply:
            raise as_error(reply["error"])
        return reply["ok"]

    def emission_off_now(self) -> None:
        self._say_that_off_is_due()

    def _say_that_off_is_due(self) -> None:
        """At once, past what another thread has asked and waits for."""
        if self._emits:
            with contextlib.suppress(DeviceDisconnectedError):
                self._send_line('{"do": "off"}\n')

    def _send_line(self, line: str) -> None:
        process = self._process
        if process is None or process.stdin is None:
            raise self._gone()
        try:
            with self._sending:
                process.stdin.write(line)
                process.stdin.flush()
        except (OSError, ValueError) as error:
            raise self._gone() from error

    @property
    def _guardian_has_ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def _gone(self) -> DeviceDisconnectedError:
        self._wait_for_listener()
        remedy = "Look at the laser: check that it is off." if self._emits else "Emission is off. Connect again."
        return DeviceDisconnectedError(self.name, "has lost its guardian process.", remedy)

    def _listen(
        self,
        process: subprocess.Popen[str],
        replies: queue.SimpleQueue[dict[str, Any] | None],
        leaving: threading.Event,
    ) -> None:
        """Take in what the guardian says, in a thread; when it ended before its time, switch off in its place.

        It is asked how it ended, not only whether it was let go: a guardian that was killed may be let go before this
        thread has noticed.
        """
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                message = json.loads(line)
                self._guardian_s = time.monotonic()
                if "transition" in message:
                    self._note(Transition(**message["transition"]))
                elif "alive" not in message:
                    replies.put(message)
        if process.wait() != 0 or not leaving.is_set():
            leaving.set()
            self._switch_off_here()
        replies.put(None)

    def _note(self, transition: Transition) -> None:
        if transition.state == "tripped":
            self._trip = transition
        self._transitions.put(transition)

    def _switch_off_here(self) -> None:
        """The guardian is gone: nobody else holds the line, so that the driver can be opened here, which is dark.

        Tried again until the laser confirms it, or is opened anew.
        """
        if not self._emits:
            return
        reason = "the guardian process has ended; switched off by the application"
        self._trip = Transition(time.time(), "tripped", reason, Cause.GUARDIAN_ENDED)
        laser, doubt = self._build(), False
        while True:
            try:
                laser.open()
                laser.close()
            except DeviceError as error:
                if not doubt:
                    doubt = True
                    log.error("the guardian has ended and the laser did not confirm that emission is off: %s", error)
                    self._note(Transition(time.time(), "NOT CONFIRMED OFF", f"{reason}; {error}"))
            else:
                self._emits = False
                self._note(self._trip)
                return
            if self._opening_anew.wait(_STAND_IN_AGAIN_S):
                return

    def _beat(self, process: subprocess.Popen[str], leaving: threading.Event) -> None:
        """Say that we are there, and see that the guardian is: one that is held up can protect nobody."""
        beat_s = time.monotonic()
        while not leaving.wait(HEARTBEAT_INTERVAL_S):
            now_s = time.monotonic()
            if now_s - beat_s > GUARDIAN_SILENCE_S / 2:
                self._guardian_s = now_s  # it was us who were held up
            beat_s = now_s
            silence_s = GUARDIAN_SILENCE_S if self._emits else _SILENCE_IN_THE_DARK_S
            if now_s - self._guardian_s > silence_s:
                log.error("the guardian of %s was not heard for %.2f s and is ended", self.name, silence_s)
                process.kill()  # `_listen` does the rest
                return
            if now_s - self._sign_s < self._patience_s:
                try:
                    self._send_line('{"do": "beat"}\n')
                except DeviceDisconnectedError:
                    return
