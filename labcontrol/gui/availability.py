"""Whether a window can be opened here, and what to do where it cannot. Never imports Qt.

Qt ends the whole program when it cannot load its platform plugin, so a child process tries it first.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys

_PROBE = "from PyQt5 import QtSvg, QtWidgets; QtWidgets.QApplication([]); import pyqtgraph"
_PROBE_TIMEOUT_S = 30.0

# Platforms of Qt that draw without a display.
_NEEDS_NO_DISPLAY = ("offscreen", "minimal", "vnc", "linuxfb", "eglfs")

# Everything the PyQt5 wheel does not bring along, by the names Debian and Ubuntu give it.
DEBIAN_PACKAGES = (
    "libgl1 libglib2.0-0 libfontconfig1 libdbus-1-3 libxkbcommon-x11-0 libxcb-icccm4 libxcb-keysyms1 libxcb-image0 "
    "libxcb-render-util0 libxcb-xinerama0 libxcb-shape0 libxcb-randr0"
)


def has_display() -> bool:
    """Whether there is a screen to open a window on, judged at once by the environment."""
    if not sys.platform.startswith("linux"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def why_not() -> str | None:
    """Why no window can be opened here, with the remedy; None where it can. Takes up to a second."""
    if not has_display() and not _draws_without_display():
        return (
            "There is no display: neither DISPLAY nor WAYLAND_DISPLAY is set. "
            "Start from a desktop session, or log in with 'ssh -X'."
        )
    try:
        probe = subprocess.run(
            [sys.executable, "-c", _PROBE],
            capture_output=True,
            text=True,
            timeout=_PROBE_TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
            env=os.environ | {"QT_DEBUG_PLUGINS": "1"},
        )
    except subprocess.TimeoutExpired:
        return f"Qt did not open within {_PROBE_TIMEOUT_S:g} s; the display {_display()} does not answer."
    return None if probe.returncode == 0 else explain(probe.stderr)


def explain(stderr: str) -> str:
    """What the last words of a failed attempt to open Qt mean, and the remedy."""
    library = re.search(r"(lib[\w.+-]+\.so[.\d]*): cannot open shared object", stderr)
    if library:
        return (
            f"Qt cannot open: the system library {library[1]} is missing. On Debian or Ubuntu: "
            f"sudo apt-get install {DEBIAN_PACKAGES}"
        )
    module = re.search(r"ModuleNotFoundError: No module named '([\w.]+)'", stderr)
    if module:
        return f"The Python package {module[1]} is missing. Install the program again: pip install --upgrade labcontrol"
    if re.search(r"could not connect to display|Failed to create wl_display", stderr):
        return (
            f"The display {_display()} refuses the connection. Check that it is running and that you may use it "
            "(xhost, XAUTHORITY, 'ssh -X')."
        )
    last = [line for line in stderr.splitlines() if line.strip() and "QFactoryLoader" not in line][-3:]
    return f"Qt cannot open: {' '.join(last) or 'it gave no reason'}"


def _draws_without_display() -> bool:
    return os.environ.get("QT_QPA_PLATFORM", "").startswith(_NEEDS_NO_DISPLAY)


def _display() -> str:
    return os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or ""
