"""The one small family of errors every driver raises.

A message names the device, says what was expected, what was found, and what to do next.
"""

from __future__ import annotations


class DeviceError(Exception):
    """Anything a device or the line to it did wrong.

    Parameters
    ----------
    device : str
        Name the device has on the bench, for example ``laser``.
    message : str
        What was expected and what was found.
    remedy : str
        What a person should do next; empty when nothing sensible can be said.
    """

    def __init__(self, device: str, message: str, remedy: str = "") -> None:
        self.device = device
        self.message = message
        self.remedy = remedy
        super().__init__(f"{device}: {message}" + (f" {remedy}" if remedy else ""))


class DeviceNotOpenError(DeviceError):
    """A call that needs an open device reached a closed one."""


class DeviceDisconnectedError(DeviceError):
    """The line to the device is gone: unplugged, powered off, or taken by another program."""


class DeviceTimeoutError(DeviceError):
    """The device did not answer within its time. Late replies are discarded, never used."""


class DeviceReplyError(DeviceError):
    """The device answered something its manual does not allow here."""


class DeviceRefusedError(DeviceError):
    """The device, or its driver, refused a value or a state change (limits, interlock, format)."""


class DeviceLimitError(DeviceRefusedError):
    """A value lies outside the device's limits: another value helps, trying again does not."""


class DeviceFaultError(DeviceError):
    """The device reports a fault of its own, for example a laser trip or a removed screen."""
