"""Getting rid of a run in a way that can be undone, and of what killed runs leave behind."""

from __future__ import annotations

from pathlib import Path

from labcontrol.errors import UserError
from labcontrol.records.lock import RunLock, is_being_written


def files_of_run(record: Path) -> list[Path]:
    """The record first, then what lies beside it under its name: figures, report, note, exported tables."""
    beside = (path for path in record.parent.iterdir() if path.name.startswith(f"{record.stem}.") and path != record)
    return [record, *sorted(path for path in beside if path.is_file() and path.suffix != ".lock")]


def trash_run(record: Path) -> list[Path]:
    """Move a record and the files of its name to the system's trash. Returns what was moved.

    Raises UserError when the run goes on, or when the system has no trash for this place; then nothing is gone.
    """
    if not record.is_file():
        raise UserError(f"There is no run file {record}.", "`labcontrol runs` lists the runs of a folder.")
    if is_being_written(record):
        raise UserError(f"{record} is being written by another process.", "Stop that run first.")
    from send2trash import send2trash  # looks for the desktop when imported

    files = files_of_run(record)
    try:
        # The record last: should the system refuse half-way, the run is still there.
        for path in reversed(files):
            send2trash(path)
    except OSError as error:
        raise UserError(
            f"{path} cannot be moved to the trash: {error}.", "Delete it by hand if you are sure."
        ) from error
    return files


_LEFTOVERS = (".lock", ".partial", ".salvage")


def leftovers(folder: Path) -> list[Path]:
    """What killed runs and commands left in a folder beside records that are there and that nobody writes."""
    found = (path for suffix in _LEFTOVERS for path in folder.glob(f"*{suffix}") if path.is_file())
    return sorted(path for path in found if _owner(path).is_file() and not is_being_written(_owner(path)))


def remove_leftover(path: Path) -> None:
    """Delete one of `leftovers`, under the lock of its record. Raises UserError when that is written by now."""
    lock = RunLock(_owner(path))
    try:
        if path.suffix != ".lock":  # that goes with its release
            path.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"{path} cannot be deleted: {error.strerror or error}.", "Delete it by hand.") from error
    finally:
        lock.release()


def _owner(leftover: Path) -> Path:
    """The file that it was made for, as `run.h5` of `run.h5.partial`."""
    return leftover.with_suffix("")
