"""What all tests rely on: no stale compiled code, no display that is not there, no window from a figure."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

os.environ.setdefault("MPLBACKEND", "agg")
if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


def _compiled_sources_hash() -> str:
    sources = (path for package in ("labcontrol", "mock_devices") for path in sorted((ROOT / package).rglob("*.py")))
    texts = (text for path in sources if b"compiled" in (text := path.read_bytes()))
    return hashlib.sha256(b"".join(texts)).hexdigest()[:16]


# Numba looks only at the file of a function to see whether its cached code is stale, not at the files of the functions
# it calls; a cache of its own for each state of the sources keeps tests from running yesterday's inner loops.
os.environ.setdefault("NUMBA_CACHE_DIR", str(ROOT / ".pytest_cache" / "numba" / _compiled_sources_hash()))
