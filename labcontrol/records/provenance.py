"""What program, on what computer, made a record."""

from __future__ import annotations

import functools
import hashlib
import platform
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

_PROGRAM = "labcontrol"
_CHECKOUT = Path(__file__).resolve().parents[2]
_GIT_TIMEOUT_S = 5.0


@functools.cache
def provenance() -> dict[str, Any]:
    """Versions of the program and of what it depends on, git revision, computer, command line; JSON types.

    ``git`` is None when the program does not run from a checkout, or git is missing. Otherwise ``revision`` is the
    commit and ``changes_sha256`` a hash over the files that differ from it, empty when none does.
    """
    return {
        "version": _version(_PROGRAM),
        "git": git_state(_CHECKOUT),
        "python": platform.python_version(),
        "packages": _package_versions(),
        "host": platform.node(),
        "platform": platform.platform(),
        "command": sys.argv,
    }


def git_state(checkout: Path) -> dict[str, str] | None:
    """Revision of a checkout and a hash of its uncommitted changes; None when it is none.

    The hash covers path and content of every changed, added, removed or untracked file that git does not ignore.
    """
    if not (checkout / ".git").exists():  # git itself would go on looking in the folders above
        return None
    command = [
        "git",
        "--no-optional-locks",
        "-C",
        str(checkout),
        "status",
        "--porcelain=v2",
        "--branch",
        "-z",
        "--untracked-files=all",
    ]
    try:
        answer = subprocess.run(command, capture_output=True, timeout=_GIT_TIMEOUT_S, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    entries = iter(answer.decode(errors="surrogateescape").split("\0"))
    revision, changed = "", []
    for entry in entries:
        kind, _, rest = entry.partition(" ")
        if rest.startswith("branch.oid "):
            revision = rest.removeprefix("branch.oid ")
        elif kind == "?":
            changed.append(rest)
        elif kind in ("1", "2", "u"):  # a path follows 7, 8 or 9 fields without spaces
            changed.append(rest.split(" ", {"1": 7, "2": 8, "u": 9}[kind])[-1])
            if kind == "2":
                changed.append(next(entries))  # where a renamed file came from
    return {"revision": revision, "changes_sha256": _hash_of_files(checkout, changed) if changed else ""}


def _hash_of_files(folder: Path, names: list[str]) -> str:
    digest = hashlib.sha256()
    for name in sorted(names):
        file = folder / name
        content = file.read_bytes() if file.is_file() else b""
        digest.update(f"{name}\0{len(content)}\0".encode(errors="surrogateescape"))
        digest.update(content)
    return digest.hexdigest()


def _package_versions() -> dict[str, str]:
    """Of the packages this program requires, as installed."""
    try:
        requirements = metadata.requires(_PROGRAM) or []
    except metadata.PackageNotFoundError:
        return {}
    names = {re.split(r"[^\w.-]", text, maxsplit=1)[0] for text in requirements if "extra ==" not in text}
    return {name: _version(name) for name in sorted(names, key=str.lower)}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
