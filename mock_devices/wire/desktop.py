"""A desktop without monitors (Xorg with its dummy driver), and an eye that sees what is really on its screens."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import mss

NEEDS = "apt-get install xserver-xorg-core xserver-xorg-video-dummy x11-xserver-utils"
_CONFIGURATION = """
Section "Device"
  Identifier "device"
  Driver "dummy"
  VideoRam 256000
EndSection
Section "Monitor"
  Identifier "monitor"
  HorizSync 5.0-1000.0
  VertRefresh 5.0-200.0
EndSection
Section "Screen"
  Identifier "screen"
  Device "device"
  Monitor "monitor"
  DefaultDepth 24
  SubSection "Display"
    Depth 24
    Virtual 8192 2160
  EndSubSection
EndSection
"""


def why_not() -> str:
    """Why there can be no such desktop here; empty when there can."""
    if importlib.util.find_spec("mss") is None:
        return 'needs the package mss: pip install "labcontrol[wire]"'
    driver = any(Path(folder, "dummy_drv.so").exists() for folder in _driver_folders())
    missing = [name for name in ("Xorg", "xrandr") if shutil.which(name) is None]
    if missing or not driver:
        return f"needs {', '.join([*missing, *([] if driver else ['the dummy video driver'])])}: {NEEDS}"
    return ""


def _driver_folders() -> list[str]:
    return ["/usr/lib/xorg/modules/drivers", "/usr/lib64/xorg/modules/drivers"]


class VirtualDesktop:
    """Screens side by side, the first one primary.

    Parameters
    ----------
    *sizes : (int, int)
        Columns and rows of each screen, from modes the X server knows: (640, 480), (800, 600), (1280, 800), (1920,
        1080), ...

    Attributes
    ----------
    names : list of str
        How the window system calls them.
    display : str
        The X display.
    """

    def __init__(self, *sizes: tuple[int, int]) -> None:
        self.sizes = sizes
        self.names = [f"DUMMY{number}" for number in range(len(sizes))]
        self.display = ""
        self._server: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._eye: mss.MSS | None = None
        self._dark: set[str] = set()
        self._lock = threading.Lock()

    def start(self) -> Self:
        """Start the X server. Raises RuntimeError when it does not come up."""
        self._folder = tempfile.TemporaryDirectory(prefix="labcontrol-desktop-")
        folder = Path(self._folder.name)
        (folder / "xorg.conf").write_text(_CONFIGURATION)
        read, write = os.pipe()
        log = ["-logfile", str(folder / "log")]
        # Xorg takes a relative name only, where it runs with more rights than who started it.
        options = ["-config", "xorg.conf", *log, "-noreset", "-nolisten", "tcp", "-displayfd", str(write)]
        self._server = subprocess.Popen(
            ["Xorg", *options], cwd=folder, pass_fds=[write], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(write)
        with os.fdopen(read) as numbers:
            number = numbers.readline().strip()
        if not number:
            log_text = (folder / "log").read_text() if (folder / "log").exists() else ""
            self.close()
            raise RuntimeError(f"the X server did not start: {log_text[-500:]}")
        self.display = f":{number}"
        for name, (columns, rows) in zip(self.names, self.sizes, strict=True):
            self._xrandr("--addmode", name, f"{columns}x{rows}")
            self.plug_in(name)
        self._xrandr("--output", self.names[0], "--primary")
        self._xrandr("--query")  # without it, the dummy driver does not tell programs of its new screens
        import mss

        self._eye = mss.MSS(display=self.display)
        return self

    def close(self) -> None:
        eye, self._eye = self._eye, None
        if eye is not None:
            eye.close()
        server, self._server = self._server, None
        if server is not None:
            server.terminate()
            server.wait()
        folder, self._folder = self._folder, None
        if folder is not None:
            folder.cleanup()

    def unplug(self, name: str) -> None:
        """Take a screen away."""
        with self._lock:
            self._dark.add(name)
            self._xrandr("--output", name, "--off")

    def plug_in(self, name: str) -> None:
        """Put a screen back where it was."""
        index = self.names.index(name)
        columns, rows = self.sizes[index]
        with self._lock:
            self._xrandr("--output", name, "--mode", f"{columns}x{rows}", "--pos", f"{self._left(index)}x0")
            self._xrandr("--query")
            self._dark.discard(name)

    def see(
        self, name: str, corner: tuple[int, int] = (0, 0), shape: tuple[int, int] | None = None
    ) -> NDArray[np.uint8]:
        """See what is on a screen now.

        Parameters
        ----------
        name : str
            Of the screen.
        corner : (int, int)
            First row and column of the part to see.
        shape : (int, int) or None
            Rows and columns of that part; the rest of the screen where None.

        Returns
        -------
        ndarray of uint8, shape (rows, columns)
            Grey levels, black where the screen was taken away.

        Raises
        ------
        ValueError
            For anything but grey.
        """
        index = self.names.index(name)
        columns, rows = self.sizes[index]
        top, left = corner
        rows, columns = shape or (rows - top, columns - left)
        assert self._eye is not None
        part = {"left": self._left(index) + left, "top": top, "width": columns, "height": rows}
        with self._lock:
            if name in self._dark:
                return np.zeros((rows, columns), dtype=np.uint8)
            seen = np.frombuffer(self._eye.grab(part).raw, dtype=np.uint8).reshape(rows, columns, 4)
        if (seen[..., :2] != seen[..., 2:3]).any():
            raise ValueError(f"screen {name} is not grey everywhere")
        return seen[..., 0].copy()

    def _left(self, index: int) -> int:
        return sum(columns for columns, _ in self.sizes[:index])

    def _xrandr(self, *arguments: str) -> None:
        subprocess.run(["xrandr", "--display", self.display, *arguments], check=True, capture_output=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()
