"""The process that shows patterns on one screen: ``python -m drivers.modulators.window SCREEN [--allow-primary]``.

With ``--list`` in place of a screen, it says what screens there are and ends.

A window of its own process needs no event loop in the program that runs the experiment, is not disturbed by that
program's own windows, and goes away with it: when standard input ends, the window closes.

Lines of JSON in: ``{"buffer": path, "paints": true}`` once, then
``{"show": number, "area": [left, top, width, height]}`` for each pattern in the buffer (one byte a pixel, row by row)
with the area in which it has changed. Lines out: ``{"event": "ready", ...}``, ``{"event": "shown", "number": ...}``,
``{"event": "fault", "reason": ...}``, ``{"event": "refused", "reason": ..., "screens": [...]}``.

On an X server, whoever started this may paint the window himself (``"paints": false``). Then he is told
``{"event": "exposed"}`` after something had covered the window.
"""

from __future__ import annotations

import json
import mmap
import os
import re
import sys
import threading
from pathlib import Path
from typing import Any, BinaryIO

from PyQt5 import sip
from PyQt5.QtCore import QLockFile, QObject, QRect, QStandardPaths, Qt, pyqtSignal
from PyQt5.QtGui import QGuiApplication, QImage, QPaintEngine, QPainter, QPaintEvent, QScreen
from PyQt5.QtWidgets import QApplication, QWidget


def say(event: str, **facts: Any) -> None:
    sys.stdout.write(json.dumps({"event": event, **facts}) + "\n")
    sys.stdout.flush()


class Orders(QObject):
    """Reads orders in a thread, hands them to the event loop."""

    came = pyqtSignal(dict)
    ended = pyqtSignal()

    def follow(self, stream: BinaryIO) -> None:
        threading.Thread(target=self._read, args=(stream,), daemon=True).start()

    def _read(self, stream: BinaryIO) -> None:
        for line in stream:
            self.came.emit(json.loads(line))
        self.ended.emit()


class PatternWindow(QWidget):
    """A window without frame that covers one screen, pixel by pixel."""

    def __init__(self, screen: QScreen) -> None:
        super().__init__()
        self.setWindowFlag(Qt.WindowType.FramelessWindowHint)
        self.setWindowFlag(Qt.WindowType.BypassWindowManagerHint)
        area = screen.geometry()
        self.rows, self.columns = area.height(), area.width()
        self._buffer: mmap.mmap | None = None
        self._image: QImage | None = None
        self._paints = True
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setCursor(Qt.CursorShape.BlankCursor)
        self.winId()  # creates the native window, which alone can be put on a screen
        handle = self.windowHandle()
        assert handle is not None
        handle.setScreen(screen)
        self.setGeometry(area)
        self.showFullScreen()

    def take_orders(self, order: dict[str, Any]) -> None:
        if not order.get("paints", True):
            self._paints = False
            self.setAttribute(Qt.WidgetAttribute.WA_PaintOnScreen)  # nothing of it is kept here, to be put there
        elif "buffer" in order:
            with Path(order["buffer"]).open("rb") as file:
                self._buffer = mmap.mmap(file.fileno(), self.rows * self.columns, access=mmap.ACCESS_READ)
            # Without a copy, neither here nor at every pattern: nobody writes to the buffer until a pattern is shown.
            # The image does not keep its pixels alive, the window does.
            pixels = sip.voidptr(memoryview(self._buffer))
            self._image = QImage(pixels, self.columns, self.rows, self.columns, QImage.Format.Format_Grayscale8)
        elif self._image is not None:
            self.repaint(QRect(*order["area"]))
            QGuiApplication.sync()  # until the window system has processed it
            say("shown", number=order["show"])

    def paintEngine(self) -> QPaintEngine | None:  # noqa: N802 (Qt's name)
        return super().paintEngine() if self._paints else None

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802 (Qt's name)
        assert event is not None
        if not self._paints:
            say("exposed")
            return
        painter = QPainter(self)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
        if self._image is None:
            painter.fillRect(event.rect(), Qt.GlobalColor.black)
        else:
            painter.drawImage(event.rect().topLeft(), self._image, event.rect())
        painter.end()


def find(name: str, screens: list[QScreen]) -> list[QScreen]:
    """The one screen of this name, or all of this serial number."""
    named = [screen for screen in screens if name == screen.name()]
    return named or [screen for screen in screens if name and name == screen.serialNumber()]


def overlapping(screen: QScreen, screens: list[QScreen]) -> list[QScreen]:
    """Other screens that show a part of the same desktop, mirrored ones above all."""
    return [each for each in screens if each is not screen and each.geometry().intersects(screen.geometry())]


def facts(screen: QScreen) -> dict[str, Any]:
    """What the window system knows of a screen, for `ScreenFacts`."""
    area = screen.geometry()
    return {
        "rows": area.height(),
        "columns": area.width(),
        "refresh_hz": screen.refreshRate(),
        "name": screen.name(),
        "manufacturer": screen.manufacturer(),
        "model": screen.model(),
        "serial_number": screen.serialNumber(),
        "primary": screen is QGuiApplication.primaryScreen(),
    }


def unfit(screen: QScreen, screens: list[QScreen], allow_primary: bool) -> dict[str, Any]:
    """Why nothing may be shown on a screen, as the facts of a refusal; empty where it may."""
    if screen is QGuiApplication.primaryScreen() and not allow_primary:
        return {"reason": "primary screen", "screens": [describe(each) for each in screens]}
    if (shared := overlapping(screen, screens)) and not allow_primary:
        return {"reason": "overlap", "screens": [describe(each) for each in shared]}
    if screen.devicePixelRatio() != 1:
        return {"reason": "scaled", "scale": screen.devicePixelRatio()}
    return {}


def lock_of(screen: QScreen) -> QLockFile:
    """The lock of a screen, not taken yet; held by whoever shows patterns on it, and gone with its process."""
    place = re.sub(r"\W+", "-", f"{os.environ.get('DISPLAY', '')} {screen.name()}")
    folder = Path(QStandardPaths.writableLocation(QStandardPaths.StandardLocation.GenericCacheLocation)) / "labcontrol"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # of this user: nobody else can hold or fake it
    lock = QLockFile(str(folder / f"screen-{place}.lock"))
    lock.setStaleLockTime(0)  # however long it shows
    return lock


def holder_of(lock: QLockFile) -> str:
    """Who holds a lock that cannot be had, in words."""
    known, number, _, _ = lock.getLockInfo()
    return f"process {number}" if known else "another program"


def in_use(screen: QScreen) -> str:
    """Who shows patterns on a screen, in words; empty for nobody."""
    lock = lock_of(screen)
    return "" if lock.tryLock(0) else holder_of(lock)


def describe(screen: QScreen) -> str:
    area = screen.geometry()
    primary = ", primary" if screen is QGuiApplication.primaryScreen() else ""
    number = f", serial number {screen.serialNumber()}" if screen.serialNumber() else ""
    return f"{screen.name()} ({area.width()} x {area.height()}{number}{primary})"


def main(arguments: list[str]) -> int:
    """Show patterns until standard input ends; exit code 1 when the screen cannot be used."""
    application = QApplication(sys.argv[:1])
    screens = application.screens()
    if arguments[0] == "--list":
        say("screens", screens=[facts(each) | {"in_use": in_use(each)} for each in screens])
        return 0
    found, allow_primary = find(arguments[0], screens), "--allow-primary" in arguments[1:]
    if len(found) != 1:
        reason = "several screens" if found else "no such screen"
        say("refused", reason=reason, screens=[describe(each) for each in found or screens])
        return 1
    screen = found[0]
    lock = lock_of(screen)
    if not lock.tryLock(0):
        say("refused", reason="in use", holder=holder_of(lock))
        return 1
    if why := unfit(screen, screens, allow_primary):
        say("refused", **why)
        return 1
    name = screen.name()
    window = PatternWindow(screen)
    orders = Orders()
    orders.came.connect(window.take_orders)
    orders.ended.connect(application.quit)
    application.screenRemoved.connect(
        lambda gone: say("fault", reason=f"screen {name} was removed") if gone.name() == name else None
    )
    screen.geometryChanged.connect(lambda _: say("fault", reason=f"screen {name} changed its resolution or place"))

    def check_overlap(*_: object) -> None:
        if not allow_primary and (shared := overlapping(screen, application.screens())):
            say("fault", reason=f"screen {name} shows what is on {describe(shared[0])}, too")

    for each in screens:
        each.geometryChanged.connect(check_overlap)
    application.screenAdded.connect(check_overlap)
    # The window is there, and has painted itself black, before anybody else paints it.
    for _ in range(2):
        QGuiApplication.sync()
    x_window = {"x_window": int(window.winId())} if QGuiApplication.platformName() == "xcb" else {}
    say("ready", **facts(screen), **x_window)
    orders.follow(sys.stdin.buffer)
    return int(application.exec_())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
