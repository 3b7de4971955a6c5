"""What a run does about faults: laser off, paused with the reason, devices connected again, the same work once more."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from drivers.interfaces import (
    DeviceDisconnectedError,
    DeviceError,
    DeviceFaultError,
    DeviceLimitError,
    DeviceNotOpenError,
    DeviceRefusedError,
    DeviceReplyError,
    DeviceTimeoutError,
)
from labcontrol.bench import Bench
from labcontrol.config import FaultsConfig
from labcontrol.engine.control import RunControl, UnattendedError
from labcontrol.engine.drift import DriftError
from labcontrol.engine.events import Event, FaultSeen
from labcontrol.engine.status import PauseCause, RunState, StateMachine
from labcontrol.errors import UserError
from labcontrol.records import RETRIED, Fault, RecordAwayError, RecordFullError, RecordWriteError, RunWriter
from labcontrol.reservoir import Reservoir

log = logging.getLogger(__name__)

T = TypeVar("T")


class Answer(Enum):
    """What a run does about a fault that was not put right at once; the laser is off and the run paused meanwhile."""

    RECONNECT = "connect the device again, `faults.reconnects` times with growing waits; then wait for an operator"
    OPERATOR = "wait for an operator, `faults.give_up_after_s` at most"
    END = "end the run: only another value in the bench file helps"


@dataclass(frozen=True)
class Response:
    """One row of `RESPONSES`. device: where the answer is for one device only. kind: in one or two words."""

    error: type[DeviceError]
    kind: str
    answer: Answer
    device: str | None = None

    def is_for(self, fault: DeviceError) -> bool:
        """Whether this row answers a fault."""
        return isinstance(fault, self.error) and self.device in (None, fault.device)


RESPONSES: tuple[Response, ...] = (
    Response(DriftError, "drift", Answer.OPERATOR),
    Response(UnattendedError, "unattended", Answer.OPERATOR),
    Response(DeviceTimeoutError, "timeout", Answer.RECONNECT),
    Response(DeviceDisconnectedError, "disconnected", Answer.RECONNECT),
    Response(DeviceReplyError, "garbled reply", Answer.RECONNECT),
    Response(DeviceNotOpenError, "not open", Answer.RECONNECT),
    Response(DeviceLimitError, "refused", Answer.END),
    Response(DeviceRefusedError, "refused", Answer.OPERATOR),
    Response(DeviceFaultError, "fault", Answer.OPERATOR, "laser"),  # light that stopped is not started by a program
    Response(DeviceFaultError, "fault", Answer.RECONNECT),
    Response(DeviceError, "fault", Answer.RECONNECT),
)
"""Faults and their answers, the first that fits; what is tried again before is in `labcontrol.reservoir.retries`."""

_LIGHT_OFF_S = 60.0  # a full disk is waited for in the dark after this
_UNTIL_ROOM = "paused until there is room"


@dataclass(frozen=True)
class Recovery:
    """Keeps a run going through faults, and reports what it does in the record, the status and to listeners."""

    policy: FaultsConfig
    bench: Bench
    reservoir: Reservoir
    writer: RunWriter
    control: RunControl
    machine: StateMachine
    emit: Callable[[Event], None]

    # --- devices ------------------------------------------------------------------------------------------------
    def with_retry(self, work: Callable[[], T]) -> T:
        """Do something with the bench until it succeeds, by the table of `RESPONSES`.

        Parameters
        ----------
        work : callable
            Is done anew, whole, after each fault.

        Raises
        ------
        RunAbortedError
            When the run is aborted meanwhile.
        DeviceError
            When no operator came in time, or none could help.
        """
        state, light = self.machine.status.state, self.machine.status.laser_on
        tries = 0
        fault: DeviceError | None = None
        while True:
            try:
                if fault is not None:
                    self._connect_again(fault, light=light)
                    self.machine.move(state)
                return work()
            except DeviceError as error:
                fault = self._named(error)
                if _response(fault).answer is Answer.END:
                    raise fault from None
                tries += 1
                if tries > self.policy.reconnects or _response(fault).answer is Answer.OPERATOR:
                    self._wait_for_person(fault)
                    tries = 0
                else:
                    self._wait_a_little(fault, tries)

    def _connect_again(self, fault: DeviceError, *, light: bool) -> None:
        roles = [role for role, device in self.bench.devices.items() if role == fault.device or not device.is_open]
        for role in roles:
            self.bench.reconnect(role)
        self.reservoir.reset()
        if light:
            self.bench.light_on()
            self.machine.note(laser_on=True)

    def _named(self, error: DeviceError) -> DeviceError:
        """The fault behind a fault: frames stay dark because the laser has stopped."""
        if error.device == "laser" or not self.machine.status.laser_on:
            return error
        try:
            self.bench.check_light()
        except DeviceError as cause:
            return cause
        return error

    def _wait_a_little(self, fault: DeviceError, tries: int) -> None:
        wait_s = min(self.policy.first_wait_s * 2 ** (tries - 1), self.policy.longest_wait_s)
        what = f"connecting again in {wait_s:g} s ({tries} of {self.policy.reconnects})"
        since = self.control.requests
        self._pause(fault, what)
        self.control.rest(since, wait_s, self.bench.clock.sleep)

    def _wait_for_person(self, fault: DeviceError) -> None:
        what = "waiting for a person: resume the run when it is mended, or abort it; nothing measured is lost"
        since = self.control.requests
        self._pause(fault, what)
        if not self.control.stop_requested and not self.control.wait_for_person(since, self.policy.give_up_after_s):
            log.error("nobody came in time")
            raise fault
        if self.control.stop_requested:
            self.control.request_abort()  # without the device the epoch cannot be finished, nor the result measured
            self.control.raise_if_aborted()
        self.bench.light.arm_again()
        if self.bench.table is not None:
            self.bench.table.mend()

    def _pause(self, fault: DeviceError, what: str) -> None:
        """Dark and paused, with the reason on record, on display and in the log."""
        words = f"The {fault.device} {fault.message} {fault.remedy}".strip()
        dark = self.make_dark(words)
        light = "The laser is off" if dark else "The laser did NOT confirm that it is off, look at it"
        self.note(fault.device, _response(fault).kind, f"{fault.message} {fault.remedy}".strip(), f"{light}; {what}")
        self.machine.move(RunState.PAUSED, f"{words} {light}; {what}.", PauseCause.DEVICE)

    def make_dark(self, reason: str) -> bool:
        """Switch emission off, after a failure once more; False when the laser did not confirm it."""
        for _ in range(2):
            try:
                self.bench.light_off(reason)
            except DeviceError as error:
                log.error("the laser did not confirm that emission is off: %s", error)
            else:
                self.machine.note(laser_on=False)
                return True
        return False

    def note_retry(self, device: str, text: str) -> None:
        """A frame or sample that failed its checks and is acquired again at once."""
        self.note(device, RETRIED, text, "tried again", level=logging.INFO)

    def note(self, device: str, kind: str, text: str, action: str, *, level: int = logging.WARNING) -> None:
        """A fault, to the log, the record and the listeners."""
        log.log(level, "%s %s (%s)", device, text, action)
        try:
            self.writer.fault(device, kind, text, action)
        except RecordWriteError as error:
            log.error("the fault is not on record: %s", error)
        self.emit(FaultSeen(Fault(time.time(), device, kind, text, action, self.writer.epochs)))

    # --- the disk -----------------------------------------------------------------------------------------------
    def write_with_retry(self, write: Callable[[], T]) -> T:
        """Write to the record; while its disk is full or it is away, the run is paused.

        Raises RunAbortedError, RecordWriteError.
        """
        state, light = self.machine.status.state, self.machine.status.laser_on
        waited_s, since = 0.0, self.control.requests
        while True:
            try:
                done = write()
            except (RecordFullError, RecordAwayError) as error:
                since = self._wait_for_disk(error, waited_s, since)
                waited_s += self.policy.disk_check_s
            else:
                if waited_s:
                    self._go_on(state, light=light)
                return done

    def _wait_for_disk(self, error: RecordFullError | RecordAwayError, waited_s: float, since: int) -> int:
        """Wait a while, or until somebody asks to go on. since: requests seen before; returns those seen now."""
        away = isinstance(error, RecordAwayError)
        if waited_s == 0:
            self.note("disk", *(("away", str(error), "paused") if away else ("full", str(error), _UNTIL_ROOM)))
            self.machine.move(
                RunState.PAUSED, f"{error} Checking every {self.policy.disk_check_s:g} s.", PauseCause.DISK
            )
        elif waited_s >= _LIGHT_OFF_S and self.machine.status.laser_on:
            self.make_dark("the record cannot be written")
        patience_s = self.policy.give_up_after_s if self.policy.give_up_after_s is not None else self.control.patience_s
        if patience_s is not None and waited_s >= patience_s:
            raise error
        asked = self.control.wait_for_person(since, self.policy.disk_check_s)
        if asked and away:
            try:
                self.writer.write_again()
            except UserError as refused:
                log.error("the record cannot be written again: %s", refused)
        return self.control.requests if asked else since

    def _go_on(self, state: RunState, *, light: bool) -> None:
        if light and not self.machine.status.laser_on:
            self.with_retry(self.bench.light_on)
            self.machine.note(laser_on=True)
        self.machine.move(state)


def _response(fault: DeviceError) -> Response:
    return next(response for response in RESPONSES if response.is_for(fault))
