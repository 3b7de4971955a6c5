"""Where the hosts of a user are found: a private folder of this computer, with a lock a host and one a device.

A lock decides who owns what, never a file or a socket: it is given back by the system when a process dies, however.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import stat
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from labcontrol.errors import UserError
from labcontrol.host.transport import Address, address_of
from labcontrol.records.lock import try_lock

_LONGEST_ADDRESS = 107  # bytes of a socket's path, on Linux
_NAME = "0123456789ab.sock"
_OLD_LOG_S = 7 * 86400.0


class HostFile(BaseModel):
    """How a host is reached. Other versions may say more; what is here stays.

    Parameters
    ----------
    name : str
        Of the host; names its files.
    pid : int
        Its process.
    version, protocol : str, int
        Of the program, and of what it speaks.
    address : str
        Where it listens.
    key : str
        What a client must know where the system does not say whose process it is; hexadecimal.
    started_unix_s : float
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: str
    pid: int
    version: str
    protocol: int
    address: Address
    key: str
    started_unix_s: float


def hosts_folder() -> Path:
    """The folder, made if need be. Raises UserError when it is not this user's alone."""
    folder = _wanted_folder()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _require_private(folder)
    except OSError as error:
        raise UserError(
            f"The folder of hosts {folder} cannot be used: {error.strerror or error}.",
            "It has to be a folder that only you can read and write.",
        ) from None
    return folder


def _wanted_folder() -> Path:
    """One that outlives a login, and a computer of its own: a home may be shared by many."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "labcontrol" / "hosts"
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    computer = re.sub(r"[^A-Za-z0-9.-]", "_", platform.node()) or "computer"
    folder = state / "labcontrol" / "hosts" / computer
    if len(os.fsencode(folder / _NAME)) <= _LONGEST_ADDRESS:
        return folder
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:8]
    return Path("/tmp") / f"labcontrol-{os.getuid()}-{digest}"


def _require_private(folder: Path) -> None:
    """Nobody else may put a socket there, or take one away."""
    if sys.platform == "win32":
        return  # under the user's own folder, where others have no access
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise UserError(
            f"The folder of hosts {folder} is not a folder of this user.", "Remove it, or ask whoever it belongs to."
        )
    if found.st_mode & 0o077:
        raise UserError(
            f"Others may use the folder of hosts {folder} (mode {stat.S_IMODE(found.st_mode):o}, expected 700).",
            f"Look that nothing strange is in it, then: chmod 700 {folder}",
        )


class HeldError(Exception):
    """Another process has the lock."""


class Lock:
    """A lock file, held until `release` or the death of the process. Raises HeldError when another process has it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            if not try_lock(descriptor, shared=False):
                os.close(descriptor)
                raise HeldError(path.name)
            if _is_same_file(descriptor, path):  # whoever had it before may have removed it
                self._descriptor = descriptor
                return
            os.close(descriptor)

    def release(self) -> None:
        """Give it back; may be called more than once."""
        if self._descriptor < 0:
            return
        if sys.platform != "win32":
            self._path.unlink(missing_ok=True)
        os.close(self._descriptor)
        self._descriptor = -1
        if sys.platform == "win32":  # there a file in use cannot be removed
            with contextlib.suppress(OSError):
                self._path.unlink()


def _is_same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


class HostPlace:
    """The files of one host: its lock, how it is reached, its log, and the locks of the devices that it holds."""

    def __init__(self, folder: Path, name: str) -> None:
        """Take the name. Raises HeldError when it is taken."""
        self.folder, self.name = folder, name
        self._lock = Lock(folder / f"{name}.lock")
        self._devices: list[Lock] = []

    @property
    def address(self) -> Address:
        return address_of(self.folder, self.name)

    def publish(self, host: HostFile) -> None:
        """From now on others find this host."""
        path = self.folder / f"{self.name}.json"
        new = path.with_suffix(".new")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(host.model_dump_json())
        new.replace(path)

    def hold(self, devices: Iterable[str], bench: str) -> None:
        """Take the devices of a bench, all or none. Raises UserError when another host has one of them."""
        assert not self._devices
        try:
            for device in sorted(set(devices)):
                digest = hashlib.sha256(device.encode()).hexdigest()[:16]
                try:
                    self._devices.append(Lock(self.folder / f"device-{digest}.lock"))
                except HeldError:
                    raise UserError(
                        f"{device} of the bench {bench!r} is held by another host.",
                        "'labcontrol ps' tells which and what for: attach to it, or end what it does.",
                    ) from None
        except BaseException:
            self.let_go()
            raise

    def let_go(self) -> None:
        """Give the devices back."""
        while self._devices:
            self._devices.pop().release()

    def close(self) -> None:
        """Give everything back; may be called more than once."""
        self.let_go()
        _remove(self.folder, self.name)
        self._lock.release()


def _remove(folder: Path, name: str) -> None:
    for suffix in (".json", ".sock", ".new"):
        (folder / f"{name}{suffix}").unlink(missing_ok=True)


def log_file(folder: Path, name: str) -> Path:
    """Where a detached host writes what nobody is there to read."""
    return folder / f"{name}.log"


def hosts(folder: Path | None = None) -> list[HostFile]:
    """The hosts that are there, newest first. What killed ones have left behind is removed on the way."""
    folder = hosts_folder() if folder is None else folder
    found = [host for path in folder.glob("*.json") if (host := _living(folder, path)) is not None]
    _remove_old_logs(folder)
    return sorted(found, key=lambda host: host.started_unix_s, reverse=True)


def _living(folder: Path, path: Path) -> HostFile | None:
    name = path.stem
    with contextlib.suppress(HeldError):
        lock = Lock(folder / f"{name}.lock")
        _remove(folder, name)  # only under its lock: it is nobody's any more
        lock.release()
        return None
    try:
        return HostFile.model_validate_json(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValidationError):  # just gone, or not of this version
        return None


def _remove_old_logs(folder: Path) -> None:
    for path in _old(folder.glob("*.log")):
        path.unlink(missing_ok=True)


def _old(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > _OLD_LOG_S and not path.with_suffix(".json").exists():
                yield path
