"""The packages that are installed beside this one, and what to do when another one of the same name is found first."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

COMPANIONS = ("drivers", "mock_devices")
_HERE = Path(__file__).resolve().parent.parent


def check_companions() -> None:
    """Make sure that the packages found under these names are ours.

    Their names are common words: a folder or another distribution of the same name may come first on Python's path.

    Raises
    ------
    ImportError
        If another package is found under a name, or none.
    """
    for name in COMPANIONS:
        ours, found = _HERE / name, _place_of(name)
        if not ours.is_dir():
            raise ImportError(
                f"labcontrol cannot find its own package {name!r}, which should be in {_HERE}. Another distribution of "
                "that name may have been uninstalled, and our files with it. Install labcontrol again: 'pip install "
                "--force-reinstall --no-deps', and the place that you installed it from."
            )
        if found != ours:
            raise ImportError(
                f"labcontrol needs its own package {name!r} in {_HERE}, but Python finds another one first: {found}. "
                "If that is a folder of yours beside your script, rename it or start Python elsewhere; if it belongs "
                "to another distribution, install labcontrol in an environment of its own."
            )


def _place_of(name: str) -> Path | None:
    """Folder of the package that an import would give; None for none, the file for a module."""
    loaded = sys.modules.get(name)
    spec = importlib.util.find_spec(name) if loaded is None else loaded.__spec__
    if spec is None:
        return None
    places = list(spec.submodule_search_locations or [])
    if places:
        return Path(places[0]).resolve()
    return None if spec.origin is None else Path(spec.origin).resolve()
