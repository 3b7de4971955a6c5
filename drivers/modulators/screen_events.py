"""What the process that shows patterns on a screen (`drivers.modulators.window`) says, a line of JSON each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from drivers.interfaces import DeviceRefusedError

_REFUSALS = {
    "in use": ("another program shows patterns on {screen}: {holder}.", "End it, or name another screen."),
    "several screens": (
        "several screens have the serial number {screen}: {screens}.",
        "Write the name of one of them.",
    ),
    "overlap": (
        "{screen} shows a part of the desktop that {screens} shows, too.",
        "Extend the desktop to it instead of mirroring it, or set allow_primary.",
    ),
    "scaled": (
        "the desktop scales {screen} by {scale}: pixels of a pattern are no pixels of it.",
        "Set its scale to 100 %.",
    ),
    "primary screen": (
        "{screen} is the primary screen, where people work. Screens here: {screens}.",
        "Name another screen, or set allow_primary.",
    ),
}
_NO_SUCH_SCREEN = (
    "there is no screen {screen!r}. Screens here: {screens}.",
    "Switch the modulator on, extend the desktop to it, and write its name as address into the bench file.",
)


@dataclass(frozen=True)
class ScreenFacts:
    """What the window system knows about a screen: its pixels, its name there, and what it says it is.

    serial_number: often empty. primary: whether it is the one where people work. in_use: who shows patterns on it;
    empty for nobody.
    """

    rows: int
    columns: int
    refresh_hz: float
    name: str
    manufacturer: str
    model: str
    serial_number: str
    primary: bool = False
    in_use: str = ""


def event_of(line: bytes) -> dict[str, Any]:
    """What a line of the window says; the event "garbled" for one that is none of its own."""
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        event = None
    if isinstance(event, dict) and isinstance(event.get("event"), str):
        return event
    return {"event": "garbled", "line": line[:80].decode("ascii", "backslashreplace")}


def x_window_of(event: dict[str, Any]) -> int | None:
    """The number of a window that is ready, on an X server; None elsewhere."""
    number = event.get("x_window")
    return number if isinstance(number, int) and 0 < number < 1 << 32 else None


def facts_of(event: dict[str, Any]) -> ScreenFacts | None:
    """The facts in what a window says when it is ready; None where they cannot be those of a screen."""
    texts = [event.get(name) for name in ("name", "manufacturer", "model", "serial_number")]
    numbers = [event.get(name) for name in ("rows", "columns", "refresh_hz")]
    primary = event.get("primary")
    if not all(isinstance(text, str) for text in texts) or not isinstance(primary, bool):
        return None
    if not all(isinstance(number, int | float) and 0 < number < 1e5 for number in numbers):
        return None
    rows, columns, refresh_hz = (float(number) for number in numbers if number is not None)
    name, manufacturer, model, serial_number = map(str, texts)
    return ScreenFacts(int(rows), int(columns), refresh_hz, name, manufacturer, model, serial_number, primary)


def refusal_of(event: dict[str, Any], device: str, screen: str) -> DeviceRefusedError:
    """Why a window was not opened on a screen, from its event "refused". device: name of the modulator on its bench."""
    message, remedy = _REFUSALS.get(str(event.get("reason")), _NO_SUCH_SCREEN)
    screens = ", ".join(event.get("screens", [])) or "none"
    holder, scale = event.get("holder"), event.get("scale")
    return DeviceRefusedError(
        device, message.format(screen=screen, screens=screens, holder=holder, scale=scale), remedy
    )
