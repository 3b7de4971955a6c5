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
    """What the window system knows about a screen.

    Attributes
    ----------
    rows : int
        Of pixels.
    columns : int
        Of pixels.
    refresh_hz : float
        Refresh rate, in Hz.
    name : str
        As the window system calls it.
    manufacturer : str
        As the screen says.
    model : str
        As the screen says.
    serial_number : str
        As the screen says; often empty.
    primary : bool
        Whether it is the one where people work.
    in_use : str
        Who shows patterns on it; empty for nobody.
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
    """Read a line of the window.

    Parameters
    ----------
    line : bytes
        As it came.

    Returns
    -------
    dict
        What it says; the event "garbled" for a line that is none of its own.
    """
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        event = None
    if isinstance(event, dict) and isinstance(event.get("event"), str):
        return event
    return {"event": "garbled", "line": line[:80].decode("ascii", "backslashreplace")}


def x_window_of(event: dict[str, Any]) -> int | None:
    """Read the number of a window that is ready.

    Parameters
    ----------
    event : dict
        What the window says.

    Returns
    -------
    int or None
        On an X server; None elsewhere.
    """
    number = event.get("x_window")
    return number if isinstance(number, int) and 0 < number < 1 << 32 else None


def facts_of(event: dict[str, Any]) -> ScreenFacts | None:
    """Read the facts of a window that is ready.

    Parameters
    ----------
    event : dict
        What the window says.

    Returns
    -------
    ScreenFacts or None
        None where they cannot be those of a screen.
    """
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
    """Say why a window was not opened.

    Parameters
    ----------
    event : dict
        "refused", as the window says it.
    device : str
        Name of the modulator on its bench.
    screen : str
        The screen that it was to be.

    Returns
    -------
    DeviceRefusedError
        To be raised.
    """
    message, remedy = _REFUSALS.get(str(event.get("reason")), _NO_SUCH_SCREEN)
    screens = ", ".join(event.get("screens", [])) or "none"
    holder, scale = event.get("holder"), event.get("scale")
    return DeviceRefusedError(
        device, message.format(screen=screen, screens=screens, holder=holder, scale=scale), remedy
    )
