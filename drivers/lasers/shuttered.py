"""A shutter in front of any laser: a serial relay that opens and closes it is the switch for the light.

The relay is spoken to in bytes that the bench file names; by default those of relays on a serial port with one status
question (``FF 01 01`` on, ``FF 01 00`` off, ``FF 01 03`` asks). A shutter should close without power, so that a cable
that is pulled is dark.
"""

from __future__ import annotations

import time
from typing import Any, Self

from pydantic import Field, field_validator

from drivers.interfaces import (
    Device,
    DeviceError,
    DeviceFaultError,
    DeviceReplyError,
    DeviceStatus,
    DriverContext,
    DriverOptions,
    Identity,
    Laser,
)
from drivers.registry import load_driver
from drivers.transports import SerialLine
from drivers.transports.reply import shown


class ShutterOptions(DriverOptions):
    """Settings of a shutter and of the laser behind it."""

    laser: str = Field(min_length=1, description="driver of the laser behind the shutter, for example hand-operated")
    laser_address: str = Field("", description="address of that laser")
    laser_options: dict[str, Any] = Field(default_factory=dict, description="options of that laser's driver")
    baudrate_hz: int = Field(9600, gt=0, description="symbols per second on the line of the shutter")
    timeout_s: float = Field(0.5, gt=0, le=10, description="longest time for one answer of the shutter, in s")
    settle_s: float = Field(0.05, ge=0, le=10, description="time that the shutter takes to open or close, in s")
    open_bytes: str = Field("FF 01 01", description="what opens the shutter, in hexadecimal")
    close_bytes: str = Field("FF 01 00", description="what closes the shutter")
    question_bytes: str = Field("FF 01 03", description="what asks whether it is open")
    opened_bytes: str = Field("FF 01 01", description="the answer of an open shutter")
    closed_bytes: str = Field("FF 01 00", description="the answer of a closed shutter")

    @field_validator("open_bytes", "close_bytes", "question_bytes", "opened_bytes", "closed_bytes")
    @classmethod
    def _hexadecimal(cls, text: str) -> str:
        if not bytes.fromhex(text):
            raise ValueError("expected bytes in hexadecimal, for example FF 01 00")
        return text


class ShutteredLaser(Laser):
    """A laser whose light a shutter lets through. address: serial port of the shutter.

    "On" switches the laser on and then opens the shutter; "off" closes the shutter first, then switches the laser off.
    """

    Options = ShutterOptions

    def __init__(self, context: DriverContext, line: SerialLine, laser: Laser, options: ShutterOptions) -> None:
        super().__init__(context)
        self._line, self._laser, self._options = line, laser, options
        self._answered_s = float("-inf")

    @classmethod
    def from_bench(cls, address: str, options: ShutterOptions, context: DriverContext) -> Self:
        driver = load_driver(options.laser)
        if not (issubclass(driver, Device) and issubclass(driver, Laser)):
            raise TypeError(f"{options.laser} is not the driver of a laser")
        inner = driver.from_bench(options.laser_address, driver.Options.model_validate(options.laser_options), context)
        return cls(context, SerialLine(context.device, address, options.baudrate_hz), inner, options)

    @property
    def power_limits_w(self) -> tuple[float, float]:
        self._require_open()
        return self._laser.power_limits_w

    @property
    def warm_up_time_s(self) -> float:
        return self._laser.warm_up_time_s

    @property
    def last_answer_s(self) -> float:
        return min(self._answered_s, self._laser.last_answer_s)

    def emission_off_now(self) -> None:
        self._line.send_if_possible(bytes.fromhex(self._options.close_bytes))
        self._laser.emission_off_now()

    # --- device -------------------------------------------------------------------------------------------------
    def _open(self) -> None:
        self._line.open()
        self._close_shutter()
        self._laser.open()
        self._laser.emission_off()
        self._conditions = {"shutter": "closed", **self._laser.conditions}

    def _close(self) -> None:
        try:
            if self._line.is_open:
                self._close_shutter()
        finally:
            try:
                self._laser.close()
            finally:
                self._line.close()

    def _read_identity(self) -> Identity:
        laser = self._laser.identity
        return Identity(laser.vendor, f"{laser.model} behind a shutter", laser.serial_number, laser.firmware)

    def _read_status(self) -> DeviceStatus:
        status, is_open = self._laser.status(), self._is_open()
        words = "shutter open" if is_open else "shutter closed"
        return DeviceStatus(status.ok, f"{words}; {status.summary}", dict(status.values) | {"shutter_open": is_open})

    # --- laser --------------------------------------------------------------------------------------------------
    def _get_power_setpoint(self) -> float:
        return self._laser.power_setpoint_w

    def _set_power(self, watts: float) -> None:
        self._laser.power_setpoint_w = watts

    def _read_power(self) -> float:
        return self._laser.power_w if self._is_open() else 0.0

    def _read_emission(self) -> bool:
        return self._is_open() and self._laser.emission

    def _set_emission(self, on: bool) -> None:
        if not on:
            self._close_shutter()
            self._laser.emission_off()
            return
        self._laser.while_starting = self.while_starting
        self._laser.emission_on()
        try:
            self._move(self._options.open_bytes, is_open=True)
        except DeviceError:
            self.emission_off_now()
            raise

    def _read_interlock_closed(self) -> bool:
        return self._laser.interlock_closed

    def _read_faults(self) -> tuple[str, ...]:
        return self._laser.faults

    # --- shutter ------------------------------------------------------------------------------------------------
    def _close_shutter(self) -> None:
        """Closed, and seen to be closed; the laser is told to stop as well where that fails."""
        try:
            self._move(self._options.close_bytes, is_open=False)
        except DeviceError:
            self.emission_off_now()
            raise

    def _move(self, command: str, *, is_open: bool) -> None:
        self._line.send(bytes.fromhex(command))
        time.sleep(self._options.settle_s)
        if self._is_open() is not is_open:
            wanted = "open" if is_open else "close"
            raise DeviceFaultError(self.name, f"its shutter did not {wanted}.", "Check its supply and its cable.")

    def _is_open(self) -> bool:
        options = self._options
        answers = {bytes.fromhex(options.opened_bytes): True, bytes.fromhex(options.closed_bytes): False}
        self._line.unread(b"")
        self._line.send(bytes.fromhex(options.question_bytes))
        received = self._line.read_exactly(len(next(iter(answers))), options.timeout_s)
        if received not in answers:
            raise DeviceReplyError(
                self.name,
                f"its shutter answered {shown(received)}, expected {options.opened_bytes} or {options.closed_bytes}.",
                "Check the bytes in the bench file against the relay's manual.",
            )
        self._answered_s = time.monotonic()
        return answers[received]
