"""Lines between processes of one user on one computer: sockets in a private folder, on Windows pipes with a key."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import sys
import time
from multiprocessing import AuthenticationError, connection
from multiprocessing.connection import Connection
from pathlib import Path

from labcontrol.errors import UserError

CONNECT_S = 5.0
_RETRY_S = 0.01
_WAITING = 64  # clients that wait to be taken in
_CREDENTIALS = struct.Struct("3i")  # pid, uid and gid of the other end

Address = str


class ForeignUserError(Exception):
    """The process at the other end is another user's."""


def address_of(folder: Path, name: str) -> Address:
    """Where a host of this name listens."""
    return rf"\\.\pipe\labcontrol-{name}" if sys.platform == "win32" else str(folder / f"{name}.sock")


class Listener:
    """Takes in clients of the same user.

    Parameters
    ----------
    address : str
        From `address_of`. A socket that is there already is replaced: hold the lock of its host.
    key : bytes
        What a client must know on systems without sockets of a user's own.
    """

    def __init__(self, address: Address, key: bytes) -> None:
        self._address, self._key = address, key
        self._closing = False
        if sys.platform != "win32":
            with contextlib.suppress(FileNotFoundError):
                Path(address).unlink()
        # Without its own authkey: that would let one silent client keep all others out.
        self._listener = connection.Listener(address, backlog=_WAITING)
        if sys.platform != "win32":
            Path(address).chmod(0o600)

    def accept(self) -> Connection | None:
        """The next client, not yet authenticated; None after `close`."""
        while not self._closing:
            try:
                line = self._listener.accept()
            except OSError:  # it was gone again before it was taken in
                continue
            if self._closing:
                line.close()
                break
            return line
        return None

    def authenticate(self, line: Connection) -> None:
        """Make sure that the other end may be here; may wait for it.

        Raises
        ------
        ForeignUserError
            When it may not.
        EOFError, OSError
            When it is gone.
        """
        _require_same_user(line)
        if sys.platform == "win32":
            _challenge_first(line, self._key)

    def close(self) -> None:
        """Take in nobody else."""
        if self._closing:
            return
        self._closing = True
        with contextlib.suppress(OSError):  # wakes `accept`, which nothing else does on every system
            connection.Client(self._address).close()
        self._listener.close()


def connect(address: Address, key: bytes) -> Connection:
    """A line to a host.

    Raises
    ------
    UserError
        When nobody listens there, in time, or the listener is another user's.
    """
    try:
        line = _connected(address)
        if sys.platform == "win32":
            connection.answer_challenge(line, key)
            connection.deliver_challenge(line, key)
        _require_same_user(line)
    except ForeignUserError:
        line.close()
        raise UserError(
            f"The host at {address} is another user's.", "Only the user who started a host can attach to it."
        ) from None
    except PermissionError:
        raise UserError(
            f"The host at {address} does not let this user in.", "Only the user who started a host can attach to it."
        ) from None
    except (OSError, EOFError, AuthenticationError) as error:
        raise UserError(f"The host at {address} does not answer: {error}.", "'labcontrol ps' lists hosts.") from None
    return line


def hang_up(line: Connection) -> None:
    """Cut a line, also while another thread reads from it or writes to it."""
    if sys.platform == "win32":
        line.close()
        return
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(line.fileno())) as end:
        end.shutdown(socket.SHUT_RDWR)


def _connected(address: Address) -> Connection:
    if sys.platform == "win32":
        return connection.Client(address, family="AF_PIPE")
    deadline_s = time.monotonic() + CONNECT_S
    with socket.socket(socket.AF_UNIX) as end:
        end.setblocking(False)  # a host that is stopped, with a full queue, lets nobody wait for ever
        while True:
            try:
                end.connect(address)
                break
            except BlockingIOError:
                if time.monotonic() > deadline_s:
                    raise
                time.sleep(_RETRY_S)
        end.setblocking(True)
        return Connection(end.detach())


def _peer_uid(line: Connection) -> int | None:
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    with socket.socket(fileno=os.dup(line.fileno())) as end:
        found = end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    uid: int = _CREDENTIALS.unpack(found)[1]
    return uid


def _require_same_user(line: Connection) -> None:
    uid = _peer_uid(line)
    if sys.platform != "win32" and uid is not None and uid != os.getuid():
        raise ForeignUserError


def _challenge_first(line: Connection, key: bytes) -> None:
    connection.deliver_challenge(line, key)
    connection.answer_challenge(line, key)
