"""What all lasers on a serial or VISA line have in common: safe opening and closing, limits, settings that are checked.

Emission is switched off, and seen to be off, when a laser is opened and when it is closed. The command to switch off is
safe in every state, so it is sent blindly before anything is asked and again after anything failed: it needs neither an
answer nor a line that works both ways. Only what was answered counts as confirmed. A power that the laser did not take
exactly is an error: nothing is clipped, neither here nor silently in the laser.
"""

from __future__ import annotations

import logging
from abc import abstractmethod
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
from drivers.transports import Conversation

C = TypeVar("C", bound=Conversation)

logger = logging.getLogger(__name__)


class WiredLaserOptions(DriverOptions):
    """Settings of every laser on a line."""

    timeout_s: float = Field(1.0, gt=0, le=60, description="longest time for one answer, in s")
    max_power_w: float | None = Field(
        None, gt=0, description="largest power allowed on this bench, in W; by default what the laser itself allows"
    )
    warm_up_time_s: float = Field(
        300.0, ge=0, description="time from emission until the power is stable, in s; see the laser's data sheet"
    )


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
        self._talk.send_blindly(self.off_commands)

    # --- for families -------------------------------------------------------------------------------------------
    @abstractmethod
    def _prepare(self) -> None:
        """Bring the laser, whose emission is off, into the mode in which this driver works."""

    @abstractmethod
    def _read_power_limits(self) -> tuple[float, float]: ...

    @abstractmethod
    def _send_power(self, watts: float) -> None: ...

    @abstractmethod
    def _send_emission_on(self) -> None:
        """Start emission and raise, with emission off, when the laser does not start."""

    @abstractmethod
    def _send_emission_off(self) -> None: ...

    # --- device -------------------------------------------------------------------------------------------------
    def _open(self) -> None:
        self._talk.open(self.off_commands)
        self._switch_off()
        self._prepare()
        self._limits_w = self._read_power_limits()

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
        if on:
            self._send_emission_on()
        else:
            self._switch_off_with_retry()

    def _switch_off_with_retry(self) -> None:
        """Off, and confirmed; after any failure once more, over a line opened anew where it was lost.

        It is sent blindly wherever something else has to come first: getting in step, or another thread's question.
        """
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
