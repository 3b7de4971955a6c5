"""The link to the process that shows patterns on a screen (`drivers.modulators.window`)."""

from __future__ import annotations

import json
import logging
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from drivers.interfaces import (
    DeviceDisconnectedError,
    DeviceFaultError,
    DeviceRefusedError,
    DeviceReplyError,
    DeviceTimeoutError,
)
from drivers.modulators.areas import Area, whole_area
from drivers.modulators.screen_events import ScreenFacts, event_of, facts_of, refusal_of, x_window_of
from drivers.modulators.x_painter import PainterError, XPainter
from drivers.modulators.x_screen import WatchError, XScreenWatch

logger = logging.getLogger(__name__)

START_TIMEOUT_S = 20.0
SHOW_TIMEOUT_S = 2.0
WATCH_INTERVAL_S = 1.0
_ENDED: dict[str, Any] = {"event": "ended"}
_REMEDY = "Close what covers it; switch night light, colour profile, scaling and screen saver off for this screen."


def list_screens(display: str | None = None) -> list[ScreenFacts]:
    """The screens of an X display, by default of this program's; nothing is shown on them.

    Raises DeviceDisconnectedError where there is no desktop.
    """
    command = [sys.executable, "-m", "drivers.modulators.window", "--list"]
    try:
        listing = subprocess.run(command, env=_environment(display), capture_output=True, timeout=START_TIMEOUT_S)
        event = json.loads(listing.stdout.splitlines()[-1])
        found = [(facts_of(screen), str(screen.get("in_use", ""))) for screen in event["screens"]]
        return [replace(facts, in_use=in_use) for facts, in_use in found if facts is not None]
    except (subprocess.SubprocessError, OSError, ValueError, LookupError) as error:
        raise DeviceDisconnectedError(
            "screens", "the window system cannot be asked.", "Check that there is a desktop (DISPLAY)."
        ) from error


class ScreenLink:
    """A window on one screen, in a process of its own.

    screen: name or serial number, as the window system has it. allow_primary: whether the primary screen may be
    covered. display: X display the screen belongs to; None for the one this program runs on. pixels: (rows, columns),
    what is shown next.
    """

    def __init__(self, device: str, screen: str, allow_primary: bool, display: str | None = None) -> None:
        self.device = device
        self.screen = screen
        self.allow_primary = allow_primary
        self.display = display
        self.pixels: NDArray[np.uint8] = np.zeros((0, 0), dtype=np.uint8)
        self._process: subprocess.Popen[bytes] | None = None
        self._events: queue.Queue[dict[str, Any]] = queue.Queue()
        self._complaints: list[str] = []
        self._last_words: threading.Thread | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._painter: XPainter | None = None
        self._watch: XScreenWatch | None = None
        self._watch_next_s = 0.0
        self._number = 0
        self._fault = ""

    def open(self) -> ScreenFacts:
        """Open the window; `pixels` is then what `show` will show next.

        Raises DeviceRefusedError where the screen is missing, the primary one, or would not show what it is sent,
        DeviceReplyError where the window says what it must not, DeviceDisconnectedError where there is no desktop.
        """
        self._events, self._complaints, self._number, self._fault = queue.Queue(), [], 0, ""
        command = [sys.executable, "-m", "drivers.modulators.window", self.screen]
        self._process = subprocess.Popen(
            command + ["--allow-primary"] * self.allow_primary,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(self.display),
        )
        _in_background(_follow_events, self._process.stdout, self._events, self._paint_again)
        self._last_words = _in_background(_follow_errors, self._process.stderr, self._complaints)
        event = self._next(START_TIMEOUT_S)
        if event["event"] == "refused":
            raise refusal_of(event, self.device, self.screen)
        facts = facts_of(event)
        if facts is None:
            raise self._unexpected(event)
        self._share_pixels(facts.rows, facts.columns, x_window_of(event))
        self._begin_watching(facts, x_window_of(event))
        return facts

    def close(self) -> None:
        """Close the window; may be called in any state."""
        painter, self._painter = self._painter, None
        watch, self._watch = self._watch, None
        for each in (painter, watch):
            if each is not None:
                each.close()
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None
            with suppress(OSError):
                process.stdin.close()  # the window goes away when its orders end
            try:
                process.wait(2.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.pixels = np.zeros((0, 0), dtype=np.uint8)
        folder, self._folder = self._folder, None
        if folder is not None:
            with suppress(OSError):  # on Windows the file lives as long as its mapping
                folder.cleanup()

    def show(self, area: Area) -> int:
        """Show `pixels`, changed in an area; returns their number, from 1, when the window system has them."""
        self.check(thorough=False)
        self._number += 1
        if self._painter is None:
            self._let_window_show(area)
        else:
            self._paint(self._painter, area)
        self.check(thorough=False)
        return self._number

    def check(self, *, thorough: bool = True) -> None:
        """Raises DeviceFaultError where the screen is not what it was, or does not show what it is sent.

        thorough: whether the window system is asked; otherwise it is now and then.
        """
        with suppress(queue.Empty):
            while True:
                self._note(self._events.get_nowait())
        if self._fault:
            raise DeviceFaultError(
                self.device, f"{self._fault}.", "Connect the screen as it was, close the device and open it again."
            )
        if trouble := self._trouble(thorough):
            raise DeviceFaultError(
                self.device, f"its screen {self.screen} does not show what it is sent: {trouble}.", _REMEDY
            )

    # --- inner workings -----------------------------------------------------------------------------------------
    def _begin_watching(self, facts: ScreenFacts, x_window: int | None) -> None:
        if x_window is None:
            return
        try:
            self._watch = XScreenWatch(self.display, facts.name, x_window, (facts.rows, facts.columns))
        except WatchError as error:
            logger.debug("%s: its screen is not watched: %s", self.device, error)
        if trouble := self._trouble(thorough=True):
            raise DeviceRefusedError(
                self.device, f"the screen {self.screen} would not show what it is sent: {trouble}.", _REMEDY
            )

    def _trouble(self, thorough: bool) -> str:
        if self._watch is None:
            return ""
        now_s = time.monotonic()
        thorough = thorough or now_s >= self._watch_next_s
        if thorough:
            self._watch_next_s = now_s + WATCH_INTERVAL_S
        try:
            return self._watch.trouble(thorough)
        except TimeoutError:
            raise self._no_answer() from None

    def _let_window_show(self, area: Area) -> None:
        rows, columns = area
        place = [columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start]
        self._send({"show": self._number, "area": place})
        deadline = time.monotonic() + SHOW_TIMEOUT_S
        event: dict[str, Any] = {}
        while (event.get("event"), event.get("number")) != ("shown", self._number):
            event = self._next(deadline - time.monotonic())
            self._note(event)

    def _paint(self, painter: XPainter, area: Area) -> None:
        try:
            painter.paint(area, SHOW_TIMEOUT_S)
        except TimeoutError:
            raise self._no_answer() from None
        except PainterError as error:
            logger.debug("%s: %s", self.device, error)
            self._note(self._next(SHOW_TIMEOUT_S))  # the window's process says why

    def _paint_again(self) -> None:
        """Something had covered the window."""
        if (painter := self._painter) is not None:
            with suppress(PainterError, TimeoutError):  # the next pattern will tell
                painter.paint(whole_area(self.pixels), SHOW_TIMEOUT_S)

    def _share_pixels(self, rows: int, columns: int, x_window: int | None) -> None:
        # A file both processes map: patterns of megabytes a hundred times a second do not go through a pipe.
        memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
        self._folder = tempfile.TemporaryDirectory(prefix="labcontrol-screen-", dir=memory, ignore_cleanup_errors=True)
        path = Path(self._folder.name) / "pixels"
        self.pixels = np.memmap(path, dtype=np.uint8, mode="w+", shape=(rows, columns))
        if x_window is not None:
            try:
                self._painter = XPainter(self.display, x_window, path, rows, columns)
            except PainterError as error:
                logger.debug("%s: its window paints itself: %s", self.device, error)
        self._send({"buffer": str(path), "paints": self._painter is None})

    def _send(self, order: dict[str, Any]) -> None:
        if self._process is None:
            raise DeviceDisconnectedError(self.device, "has no window.", "Close the device and open it again.")
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            self._died()

    def _next(self, timeout_s: float) -> dict[str, Any]:
        try:
            event = self._events.get(timeout=max(0.0, timeout_s))
        except queue.Empty:
            raise self._no_answer() from None
        if event is _ENDED:
            self._died()
        return event

    def _no_answer(self) -> DeviceTimeoutError:
        return DeviceTimeoutError(
            self.device,
            f"got no answer from its window on screen {self.screen}.",
            "Close the device and open it again; check that the desktop responds.",
        )

    def _note(self, event: dict[str, Any]) -> None:
        if event is _ENDED:
            self._died()
        if event["event"] == "fault":
            self._fault = str(event.get("reason"))
        elif event["event"] != "shown":
            raise self._unexpected(event)

    def _died(self) -> None:
        if self._last_words is not None:
            self._last_words.join(1.0)
        words = " ".join(line for line in self._complaints if "XDG_RUNTIME_DIR" not in line)[:200].strip()
        raise DeviceDisconnectedError(
            self.device,
            f"its window on screen {self.screen} is gone{': ' + words if words else ''}.",
            "Check that there is a desktop (DISPLAY), then close the device and open it again.",
        )

    def _unexpected(self, event: dict[str, Any]) -> DeviceReplyError:
        return DeviceReplyError(self.device, f"got {event!r} from its window.", "Install the package anew.")


def _in_background(follow: Callable[..., None], *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=follow, args=arguments, daemon=True)
    thread.start()
    return thread


def _follow_events(source: IO[bytes], events: queue.Queue[dict[str, Any]], when_exposed: Callable[[], None]) -> None:
    with source:
        for line in source:
            event = event_of(line)
            if event["event"] == "exposed":
                when_exposed()
            else:
                events.put(event)
    events.put(_ENDED)


def _follow_errors(source: IO[bytes], complaints: list[str]) -> None:
    with source:
        for line in source:
            complaints.append(line.decode("utf-8", "replace").strip())
            del complaints[20:]


def _environment(display: str | None) -> dict[str, str]:
    """For a window whose pixels are the screen's pixels.

    Nothing of what a desktop, a user or an imported package (OpenCV sets its own plug-ins) tells Qt reaches it.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("QT_", "QSG_", "QML"))}
    environment |= {"QT_ENABLE_HIGHDPI_SCALING": "0", "QT_AUTO_SCREEN_SCALE_FACTOR": "0", "QT_SCALE_FACTOR": "1"}
    if display is not None:
        environment["DISPLAY"] = display
    if sys.platform.startswith("linux"):
        environment["QT_QPA_PLATFORM"] = (
            "xcb"  # under Wayland a window cannot choose its screen; through XWayland it can
        )
    return environment
