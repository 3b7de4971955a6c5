"""Room on the disk: made sure of before anything is written, because HDF5 cannot be trusted after a failed write."""

from __future__ import annotations

import errno
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from labcontrol.errors import UserError

# What HDF5 may write besides the rows of one append: object headers, chunk indices, and a new chunk of at most 64 KiB
# in each dataset of the epochs (together 340 KiB) or of the end.
_OVERHEAD_BYTES = 1 << 19
_FULL = {errno.ENOSPC, errno.EFBIG} | {getattr(errno, name) for name in ("EDQUOT",) if hasattr(errno, name)}


class RecordWriteError(UserError):
    """The record could not be written. What was appended before is safe; the same call may be made again."""


class RecordFullError(RecordWriteError):
    """There is no room on the disk. What was appended before is safe; make room and make the same call again."""


class RecordAwayError(RecordWriteError):
    """The record is not in its place. Nothing is lost: put it back, or let `RunWriter.write_again` write it."""


def free_bytes(folder: Path) -> int:
    """Room left for this user on the disk that holds a folder."""
    return shutil.disk_usage(folder).free


@dataclass(frozen=True)
class DiskRoom:
    """How much room a record needs.

    reserve_bytes: left on the disk by epochs and pilots, so that the log and the end of a run still find room.
    free_bytes: tells the room in a folder.
    """

    reserve_bytes: int = 1 << 19
    free_bytes: Callable[[Path], int] = free_bytes

    def require(self, path: Path, new_bytes: int, *, use_reserve: bool = False) -> None:
        """Raises RecordFullError unless so many bytes can be added to a file."""
        needed = new_bytes + _OVERHEAD_BYTES + (0 if use_reserve else self.reserve_bytes)
        free = self.free_bytes(path.parent)
        if free < needed:
            raise RecordFullError(
                f"The disk of {path} is full: {free / 1e6:.1f} MB are free, {needed / 1e6:.1f} MB are needed.",
                "Make room on it; the run can then go on.",
            )


def write_error(path: Path, error: Exception) -> RecordWriteError:
    """What a failed HDF5 call means. HDF5 tells the system's error number in its text only."""
    number = getattr(error, "errno", None) or next(map(int, re.findall(r"errno = (\d+)", str(error))), None)
    if number in _FULL:
        return RecordFullError(
            f"The disk of {path} is full, or a limit is reached.", "Make room; the run can then go on."
        )
    return RecordWriteError(f"{path} could not be written: {error}", "Check the disk and the connection to it.")
