"""What all tests rely on: no display that is not there, no window from a figure."""

from __future__ import annotations

import os
import sys

os.environ.setdefault("MPLBACKEND", "agg")
if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
