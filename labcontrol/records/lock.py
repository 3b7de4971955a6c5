"""Who writes a run file: one process at a time, known to all others, forgotten by the system when that process dies."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from labcontrol.errors import UserError

if sys.platform == "win32":
    import msvcrt

    def try_lock(descriptor: int, *, shared: bool) -> bool:  # noqa: ARG001 - Windows has exclusive locks only
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def try_lock(descriptor: int, *, shared: bool) -> bool:
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


class NoLocksError(UserError):
    """The file system has no locks, as some network drives."""


_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}

# A process that only looks holds the lock for microseconds; a writer waits this long for it.
_PATIENCE_S = 0.5


def _lock_path(run: Path) -> Path:
    return run.with_name(run.name + ".lock")


class RunLock:
    """The right to write one run file, held until `release` or the death of the process."""

    def __init__(self, run: Path) -> None:
        """Take it. Raises UserError when another process has it, OSError when the folder cannot be written."""
        self._path = _lock_path(run)
        deadline_s = time.monotonic() + _PATIENCE_S
        while True:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
            # The previous holder removes its file: a lock on a removed file is worth nothing.
            try:
                locked = try_lock(descriptor, shared=False)
            except OSError as error:
                os.close(descriptor)
                if error.errno not in _NO_LOCKS:
                    raise
                self._path.unlink(missing_ok=True)
                raise NoLocksError(
                    f"The file system of {run.parent} has no locks: two programs could write {run.name} at once.",
                    "Write records on a disk of this computer and copy them there; reading works from anywhere.",
                ) from error
            if locked and _is_same_file(descriptor, self._path):
                self._descriptor = descriptor
                return
            os.close(descriptor)
            if time.monotonic() > deadline_s:
                raise UserError(
                    f"{run} is being written by another process.", "Wait until that run has ended, or stop it there."
                )
            time.sleep(0.01)

    def release(self) -> None:
        """Give it back; may be called more than once."""
        if self._descriptor < 0:
            return
        with contextlib.suppress(OSError):  # Windows removes it only when nobody looks
            if sys.platform != "win32":
                self._path.unlink()
        os.close(self._descriptor)
        self._descriptor = -1
        if sys.platform == "win32":
            with contextlib.suppress(OSError):
                self._path.unlink()


def is_being_written(run: Path) -> bool:
    """Whether some process holds the lock of this run file now."""
    try:
        descriptor = os.open(_lock_path(run), os.O_RDWR if sys.platform == "win32" else os.O_RDONLY)
    except FileNotFoundError:
        return False
    except PermissionError:
        return True
    try:
        return not try_lock(descriptor, shared=True)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return False  # nobody can write there
    finally:
        os.close(descriptor)


def _is_same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def sole_writer(path: Path, held: RunLock | None = None) -> Iterator[RunLock]:
    """The lock of a file about to be written, kept if all goes well. What the system refuses becomes a UserError.

    held: the lock, where it was taken before.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = RunLock(path) if held is None else held
    except OSError as error:
        raise _not_writable(path, error) from error
    try:
        yield lock
    except BaseException as error:
        lock.release()
        if isinstance(error, OSError | RuntimeError):
            raise _not_writable(path, error) from error
        raise


def _not_writable(path: Path, error: Exception) -> UserError:
    reason = getattr(error, "strerror", None) or error
    return UserError(f"The record {path} cannot be written: {reason}.", "Choose a folder that you may write in.")
