"""What all lasers on a serial or VISA line have in common: safe opening and closing, limits, settings that are checked.

Emission is switched off, and seen to be off, when a laser is opened and when it is closed. The command to switch off is
safe in every state, so it is sent blindly before anything is asked and again after anything failed: it needs neither an
answer nor a line that works both ways. Only what was answered counts as confirmed. A power that the laser did not take
exactly is an error: nothing is clipped, neither here nor silently in the laser.
"""

from __future__ import annotations

import logging
import threading
from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from pydantic import Field

from drivers.interfaces import (
    DeviceDisconnectedError,
    DeviceError,
    DeviceFaultError,
    DeviceRefusedError,
    DriverContext,
    DriverOptions,
    Laser,
)
from drivers.transports import Condition, Conversation, establish

C = TypeVar("C", bound=Conversation)

START_POLL_S = 0.05

logger = logging.getLogger(__name__)


class WiredLaserOptions(DriverOptions):
    """Settings of every laser on a line."""

    timeout_s: float = Field(1.0, gt=0, le=60, description="longest time for one answer, in s")
    max_power_w: float | None = Field(
        None, gt=0, description="largest power allowed on this bench, in W; by default what the laser itself allows"
    )
    start_time_s: float = Field(
        120.0,
        gt=0,
        le=3600,
        description="longest time from switching on until light is there, in s: warm-up of the head, its key, the "
        "delay of its class",
    )
    warm_up_time_s: float = Field(
        300.0, ge=0, description="time from emission until the power is stable, in s; see the laser's data sheet"
    )


@dataclass(frozen=True)
class Waiting:
    """What a start waits for, and what a person can do about it."""

    for_what: str
    remedy: str = "Wait, or give it more time: start_time_s of the laser in the bench file."


class SerialLaserOptions(WiredLaserOptions):
    """Settings of a laser on a serial line."""

    baudrate_hz: int = Field(115200, gt=0, description="symbols per second on the line")


class WiredLaser(Laser, Generic[C]):
    """A laser that is talked to over a line; drivers of a family fill the hooks.

    resolution_w: step in which the laser takes and reports its power.
    off_commands: all that switch emission off, whatever state the laser is in.
    """

    resolution_w: ClassVar[float]
    off_commands: ClassVar[tuple[str, ...]]

    def __init__(self, context: DriverContext, talk: C, options: WiredLaserOptions) -> None:
        super().__init__(context)
        self._talk = talk
        self._options = options
        self._limits_w = (0.0, 0.0)
        self._off_asked = threading.Event()

    @property
    def power_limits_w(self) -> tuple[float, float]:
        self._require_open()
        low, high = self._limits_w
        return low, min(high, self._options.max_power_w or high)

    @property
    def warm_up_time_s(self) -> float:
        return self._options.warm_up_time_s

    @property
    def last_answer_s(self) -> float:
        return self._talk.last_answer_s

    def emission_off_now(self) -> None:
        self._off_asked.set()
        self._talk.send_blindly(self.off_commands)

    # --- for families -------------------------------------------------------------------------------------------
    @abstractmethod
    def _needed(self) -> Iterable[Condition]:
        """Every setting that this driver relies on, of the laser whose emission is off."""

    @abstractmethod
    def _read_power_limits(self) -> tuple[float, float]: ...

    @abstractmethod
    def _send_power(self, watts: float) -> None: ...

    @abstractmethod
    def _send_emission_on(self) -> None:
        """Tell the laser to start; it need not emit yet."""

    def _waits_for(self) -> Waiting | None:
        """What keeps a laser that was told to start from emitting; None when it emits.

        Raises DeviceFaultError or DeviceRefusedError when waiting is of no use, as by default.
        """
        if self._read_emission():
            return None
        raise DeviceFaultError(
            self.name,
            f"was told to emit and stays off: {', '.join(self._read_faults()) or 'no reason given'}.",
            "Check interlock, key switch and faults at the laser.",
        )

    @abstractmethod
    def _send_emission_off(self) -> None: ...

    # --- device -------------------------------------------------------------------------------------------------
    def _open(self) -> None:
        self._talk.open(self.off_commands)
        self._switch_off()
        self._conditions = establish(self._talk, self._needed())
        self._limits_w = self._read_power_limits()
        # Every question of a run is asked once here: one that this model does not know is found now, in the dark.
        self._read_interlock_closed()
        self._read_faults()
        self._get_power_setpoint()
        self._read_power()

    def _close(self) -> None:
        try:
            if self._talk.is_open or self._identity is not None:
                self._switch_off_with_retry()
        except DeviceError as error:
            logger.error("%s: closed without knowing whether emission is off: %s", self.name, error)
            gone = isinstance(error, DeviceDisconnectedError)
            if self._identity is not None and not gone:
                raise
        finally:
            self._talk.close()

    def _set_power(self, watts: float) -> None:
        self._send_power(watts)
        taken = self._get_power_setpoint()
        if abs(taken - watts) > max(self.resolution_w, 1e-3 * self._limits_w[1]):
            raise DeviceRefusedError(
                self.name,
                f"was told to emit {watts:g} W and set itself to {taken:g} W.",
                "Check the limits set in the laser.",
            )

    def _set_emission(self, on: bool) -> None:
        if not on:
            self._switch_off_with_retry()
            return
        self._off_asked.clear()
        try:
            self._start()
        except DeviceError as error:
            interrupted = self._off_asked.is_set()
            self._switch_off_with_retry()
            if interrupted:
                raise DeviceRefusedError(self.name, "was switched off while it started.", "Start it again.") from error
            raise

    def _start(self) -> None:
        """Tell the laser to start and wait until light is there, saying what it waits for."""
        self._send_emission_on()
        give_up_s = self.clock.now_s() + self._options.start_time_s
        said = ""
        while (waiting := self._waits_for() or self._waits_for_light()) is not None:
            if self._off_asked.is_set():
                raise DeviceRefusedError(self.name, "was switched off while it started.", "Start it again.")
            if self.clock.now_s() >= give_up_s:
                raise DeviceRefusedError(
                    self.name,
                    f"gave no light within {self._options.start_time_s:g} s, and is switched off: {waiting.for_what}.",
                    waiting.remedy,
                )
            if waiting.for_what != said:
                said = waiting.for_what
                self.while_starting(f"{said}. {waiting.remedy}")
            self.clock.sleep(START_POLL_S)

    def _waits_for_light(self) -> Waiting | None:
        """A laser may say that it emits while a gate or a modulation input holds the light back."""
        set_w = self._get_power_setpoint()
        if set_w <= 2 * self.resolution_w:
            return None
        power_w = self._read_power()
        if power_w >= 0.5 * set_w:
            return None
        return Waiting(
            f"emission is on, but {1e3 * power_w:.3g} mW come out of {1e3 * set_w:.3g} mW",
            "Check gate and modulation inputs of the laser; a cold one may need more time (start_time_s).",
        )

    def _switch_off_with_retry(self) -> None:
        """Off, and confirmed; after any failure once more, over a line opened anew where it was lost.

        It is sent blindly wherever something else has to come first: getting in step, or another thread's question.
        """
        self._talk.urgent = self.off_commands
        try:
            self._switch_off_twice()
        finally:
            self._talk.urgent = ()

    def _switch_off_twice(self) -> None:
        if not self._talk.in_step:
            self.emission_off_now()
        try:
            self._switch_off()
        except DeviceError as error:
            logger.info("%s: switching emission off once more after: %s", self.name, error)
        else:
            return
        lost = not self._talk.is_open
        try:
            if lost:
                self._talk.open(self.off_commands)
            else:
                self.emission_off_now()
            self._switch_off()
        except DeviceError:
            self.emission_off_now()
            raise
        finally:
            if lost:
                self._talk.close()  # it may have lost its settings, too: whoever goes on must open the laser anew

    def _switch_off(self) -> None:
        self._send_emission_off()
        if self._read_emission():
            raise DeviceFaultError(
                self.name, "was told to stop emission and still emits.", "Switch it off at its key or its mains."
            )
