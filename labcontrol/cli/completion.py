"""What a shell completes beside commands and options: names that the program knows, runs, and files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import typer

Completer = Callable[[str], list[str]]


def names(known: Iterable[str], suffix: str = "") -> Completer:
    """Of these names, and with `suffix` of the files that end so."""

    def completer(incomplete: str) -> list[str]:
        files = _files(incomplete, suffix) if suffix else []
        return [name for name in known if name.startswith(incomplete)] + files

    return completer


def runs(context: typer.Context, incomplete: str) -> list[str]:
    """Of the runs in the folder that the line names, newest last."""
    from labcontrol.records.catalogue import LATEST, run_files

    folder = Path(context.params.get("folder") or "runs")
    known = [path.stem for path in run_files(folder)] if folder.is_dir() else []
    return [name for name in (LATEST, *known) if name.startswith(incomplete)]


def _files(incomplete: str, suffix: str) -> list[str]:
    folder, _, begun = incomplete.rpartition("/")
    place = Path(folder) if folder else Path()
    found = sorted(path for path in place.glob("*") if path.is_dir() or path.suffix == suffix) if place.is_dir() else []
    return [
        (path.as_posix() + "/" if path.is_dir() else path.as_posix()) for path in found if path.name.startswith(begun)
    ]
