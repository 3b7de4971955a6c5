"""Aravis through GObject introspection, also where Debian's bindings belong to the system's Python."""

from __future__ import annotations

import importlib.util
import sys
import warnings
from pathlib import Path
from typing import Any

_OF_DEBIAN = Path("/usr/lib/python3/dist-packages/gi")


def import_aravis() -> tuple[Any, Any]:
    """Import Aravis and GLib. Raises ImportError where they are missing, ValueError where they are of another version.

    An environment of its own does not see the packages of the system's Python, and `gi` on its own needs a compiler to
    be installed; so the system's is taken where it was built for this version of Python.
    """
    if importlib.util.find_spec("gi") is None:
        _load(_OF_DEBIAN)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ImportWarning)  # its importer is of an older kind than Python now expects
        import gi

        gi.require_version("Aravis", "0.8")
        from gi.repository import Aravis, GLib

    return Aravis, GLib


def _load(folder: Path) -> None:
    """Load this folder as the package gi, without the rest of what lies beside it."""
    if not (folder / "__init__.py").is_file():
        raise ImportError("No module named 'gi'")
    spec = importlib.util.spec_from_file_location(
        "gi", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["gi"] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules["gi"]
        raise
