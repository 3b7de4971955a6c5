"""Toptica iBeam smart diode lasers on their serial port (also behind a USB adapter).

Source: the command reference of the iBeam smart manual, as used by pylablib, pymeasure and Micro-Manager.
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterable
from typing import Self

from pydantic import Field

from drivers.interfaces import (
    DeviceError,
    DeviceRefusedError,
    DeviceStatus,
    DriverContext,
    Found,
    Identity,
    Search,
)
from drivers.lasers.wired_laser import SerialLaserOptions, WiredLaser
from drivers.transports import Condition, LandmarkConversation, Line, Reply, SerialLine

logger = logging.getLogger(__name__)

_SWITCH = {b"ON": True, b"OFF": False}
_UNIT_W = {b"uW": 1e-6, b"mW": 1e-3}
_POWER = re.compile(rb"PIC\s*=\s*(\d{1,9}(?:\.\d{1,6})?)\s*(uW|mW)")
_TEMPERATURE = re.compile(rb"TEMP\s*=\s*(-?\d{1,4}(?:\.\d{1,3})?)\s*C")
_LEVEL = re.compile(rb"CH(\d),\s*PWR:\s*(\d{1,6}(?:\.\d{1,6})?)\s*(uW|mW)")
_LARGEST = re.compile(rb"Pmax:\s*(\d{1,6}(?:\.\d{1,3})?)\s*mW")
_SERIAL = re.compile(rb"SN:\s*(\S{1,60})")
_NAME = re.compile(rb"iBEAM-[^\s]{1,60}", re.IGNORECASE)
_CLIP = {b"GOOD": (), b"PASS": (), b"FAIL": ("the clip test failed",)}


class IBeamOptions(SerialLaserOptions):
    """Settings of an iBeam smart."""

    channel: int = Field(
        2,
        ge=1,
        le=5,
        description="channel that sets the power: 2 is the operating level, 1 the bias; all others are disabled",
    )


class IBeamConversation(LandmarkConversation):
    """Replies are lines closed by ``[OK]``; a line that starts with ``%SYS-`` is a message of the controller.

    Its letter is I for information, W for a warning, which goes to the log, E or F for an error, which is a refusal.
    """

    ending = b"\r\n"
    reply_ending = b"\r\n"
    landmarks = ("show serial", "version")

    def write(self, command: str) -> None:
        self.ask(command, lambda reply: reply.nothing_but(b""))

    def close(self) -> None:
        """Let go of the line, with the prompt back on, which the maker's own program waits for."""
        with self._lock:
            if self.is_open:
                with contextlib.suppress(DeviceError):
                    self._send("prom on")
            super().close()

    def _prepare(self) -> None:
        for setting in ("echo off", "prom off", "talk usual"):
            self._send(setting)
            self.line.drain(self.quiet_s)

    def _read_reply(self, timeout_s: float) -> bytes:
        lines = [line.strip() for line in self._read_lines(timeout_s, lambda line: line.strip() == b"[OK]")]
        for warning in (line for line in lines if line.startswith(b"%SYS-W")):
            logger.warning("%s: the controller warns: %s", self.device, warning.decode("ascii", "replace"))
        return b"\n".join(line for line in lines[:-1] if line and not line.startswith((b"%SYS-I", b"%SYS-W")))

    def _check(self, reply: Reply) -> None:
        if reply.received.startswith(b"%SYS-"):
            raise reply.refusal()


class IBeamLaser(WiredLaser[IBeamConversation]):
    """A Toptica iBeam smart, with one of its channels. address: serial port.

    The controller cannot be asked for its interlock. An open interlock stops emission, so emission that was started
    here and is found stopped is taken for an open interlock until it is switched off.
    """

    Options = IBeamOptions
    resolution_w = 1e-6
    off_commands = ("laser off",)

    def __init__(self, context: DriverContext, line: Line, options: IBeamOptions) -> None:
        super().__init__(context, IBeamConversation(line, timeout_s=options.timeout_s), options)
        self._channel = options.channel
        self._started = False

    @classmethod
    def from_bench(cls, address: str, options: IBeamOptions, context: DriverContext) -> Self:
        return cls(context, SerialLine(context.device, address, options.baudrate_hz), options)

    @classmethod
    def discover(cls, search: Search) -> Iterable[Found]:
        """By its serial number, which says that it is one; its USB adapter is like those of others."""
        return search.on_serial_ports(usb_vendors=(), question=b"show serial\r\n", answer=_NAME)

    def emission_on(self) -> None:
        """Start emission; after it has stopped by itself, acknowledge that first by switching off."""
        self._require_open()
        if self._started and not self._read_emission():
            self._set_emission(False)
        super().emission_on()

    # --- device -------------------------------------------------------------------------------------------------
    def _needed(self) -> Iterable[Condition]:
        levels = self._talk.ask("show level power", _levels)
        self._require_channel(levels)
        for channel in levels:
            wanted, command = (("ON",), "enable") if channel == self._channel else (("OFF",), "disable")
            yield Condition(f"channel_{channel}", f"status channel {channel}", wanted, f"{command} {channel}")
        yield Condition("external_gating", "", command="disable ext")
        yield Condition("fine", "status fine", ("OFF",), "fine off", optional=True)

    def _read_identity(self) -> Identity:
        serial, firmware = self._talk.landmark_replies
        name = serial.matching(_SERIAL, "SN: and the serial number")[1].decode("ascii", "replace")
        model, _, number = name.rpartition("-")
        return Identity("TOPTICA", model or name, number or name, firmware.text())

    def _read_status(self) -> DeviceStatus:
        emission, faults = self._read_emission(), self._read_faults()
        stopped = self._started and not emission
        return DeviceStatus(
            ok=not faults and not stopped,
            summary=", ".join(faults) or ("stopped by itself" if stopped else "on" if emission else "off"),
            values={
                "emission": emission,
                "channel": self._channel,
                "power_w": self._read_power(),
                "power_setpoint_w": self._get_power_setpoint(),
                "diode_temperature_c": self._talk.ask("show temperature", _temperature),
                "system_temperature_c": self._talk.ask("show temperature system", _temperature),
                **self._conditions,
                "round_trip_s": self._talk.round_trip_s,
            },
        )

    # --- laser --------------------------------------------------------------------------------------------------
    def _read_power_limits(self) -> tuple[float, float]:
        return 0.0, self._talk.ask("sh sat", _largest_power)

    def _get_power_setpoint(self) -> float:
        levels = self._talk.ask("show level power", _levels)
        self._require_channel(levels)
        return levels[self._channel]

    def _require_channel(self, levels: dict[int, float]) -> None:
        if self._channel not in levels:
            raise DeviceRefusedError(
                self.name,
                f"has no channel {self._channel}, only {', '.join(map(str, levels))}.",
                "Set the channel in the bench file.",
            )

    def _send_power(self, watts: float) -> None:
        self._talk.write(f"channel {self._channel} power {round(watts * 1e6)} micro")

    def _read_power(self) -> float:
        return self._talk.ask("show power", _power)

    def _read_emission(self) -> bool:
        return self._talk.ask("status laser", lambda reply: reply.one_of(_SWITCH))

    def _read_interlock_closed(self) -> bool:
        return not self._started or self._read_emission()

    def _read_faults(self) -> tuple[str, ...]:
        return self._talk.ask("sta clip", lambda reply: reply.one_of(_CLIP))

    def _send_emission_on(self) -> None:
        self._started = False
        self._talk.write("laser on")
        self._started = self._read_emission()

    def _send_emission_off(self) -> None:
        self._started = False
        self._talk.write("laser off")


def _power(reply: Reply) -> float:
    match = reply.matching(_POWER, "a power such as PIC = 001500 uW")
    return float(match[1]) * _UNIT_W[match[2]]


def _temperature(reply: Reply) -> float:
    return float(reply.matching(_TEMPERATURE, "a temperature such as TEMP = 025.0 C")[1])


def _levels(reply: Reply) -> dict[int, float]:
    levels = {}
    for line in reply.received.split(b"\n"):
        match = _LEVEL.fullmatch(line)
        if match is None or int(match[1]) in levels:
            raise reply.unexpected("a line such as CH1, PWR: 1.500 mW for each channel")
        levels[int(match[1])] = float(match[2]) * _UNIT_W[match[3]]
    return levels


def _largest_power(reply: Reply) -> float:
    found = [match for line in reply.received.split(b"\n") if (match := _LARGEST.search(line))]
    if len(found) != 1:
        raise reply.unexpected("one line with Pmax: and the largest power in mW")
    return 1e-3 * float(found[0][1])
