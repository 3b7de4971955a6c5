"""Files that are written whole or not at all, and files of people, which are read with limits."""

from __future__ import annotations

import codecs
import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Where to write a file that takes its place only when it is whole. Permissions of the one before are kept."""
    target = Path(os.path.realpath(path))
    partial = target.with_name(target.name + ".partial")
    try:
        yield partial
        with suppress(FileNotFoundError):
            shutil.copymode(target, partial)
        partial.replace(target)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def read_text(path: Path, most_bytes: int = 1 << 20) -> str:
    """The text of a file that a person wrote, in UTF-8 or with the encoding mark of UTF-16.

    Raises OSError, also for what is no file or too large, and UnicodeDecodeError.
    """
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is no file but a folder, a device or a pipe", str(path))
    with path.open("rb") as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise OSError(errno.EFBIG, f"it is larger than {most_bytes >> 20} MiB", str(path))
    utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if utf16 else "utf-8-sig")
