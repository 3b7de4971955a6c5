"""Settings given as text, KEY=VALUE, on a command line."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from typing import Any

from labcontrol.errors import UserError


def settings_from_text(texts: Iterable[str], place: str, remedy: str) -> dict[str, Any]:
    """Values by key; a value is read as in TOML where it can be, else taken as plain text.

    place: where the text stands, remedy: where its keys are explained; both for the UserError when there is no KEY or
    no VALUE.
    """
    settings: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not (key and equals and value):
            raise UserError(f"{place} {text!r} should read KEY=VALUE.", remedy)
        try:
            settings[key] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            settings[key] = value
    return settings
