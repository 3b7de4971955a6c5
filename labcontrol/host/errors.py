"""Errors on their way from a host to its clients, in words that do not depend on their class."""

from __future__ import annotations

import traceback
from typing import Any

from drivers.interfaces import DeviceError
from labcontrol.errors import UserError


class ProgramError(Exception):
    """An error of the program in the host's process, in words."""


class VersionError(UserError):
    """Host and client are of versions that do not speak with each other."""


class LostHostError(UserError):
    """The host has ended without a word: nothing that it said about the laser holds any more."""


_USER, _PROGRAM, _VERSION = "user", "program", "version"


def described(error: BaseException) -> dict[str, str]:
    """An error as kind, message and remedy."""
    if isinstance(error, VersionError):
        return _described(_VERSION, error.message, error.remedy)
    if isinstance(error, UserError):
        return _described(_USER, error.message, error.remedy)
    if isinstance(error, DeviceError):
        return _described(_USER, f"{error.device}: {error.message}", error.remedy)
    return _described(_PROGRAM, "".join(traceback.format_exception_only(error)).strip(), "")


def _described(kind: str, message: str, remedy: str) -> dict[str, str]:
    return {"kind": kind, "message": message, "remedy": remedy}


def as_error(said: Any) -> Exception:
    """The error that `described` described."""
    said = said if isinstance(said, dict) else {}
    message, remedy = str(said.get("message", "")), str(said.get("remedy", ""))
    if said.get("kind") == _PROGRAM:
        return ProgramError(message)
    return VersionError(message, remedy) if said.get("kind") == _VERSION else UserError(message, remedy)
