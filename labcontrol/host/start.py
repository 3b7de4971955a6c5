"""Starting a host that outlives whoever starts it."""

from __future__ import annotations

import logging
import os
import secrets
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from labcontrol.errors import UserError
from labcontrol.host.client import HostClient
from labcontrol.host.directory import HostFile, hosts, hosts_folder, log_file

log = logging.getLogger(__name__)

_START_S = 60.0
_POLL_S = 0.02
_LAST_LINES = 5


def start_host(client: str = "terminal", *, attends: bool = True) -> HostClient:
    """Start a host in a process of its own, which no end of a terminal or of a login takes with it, and attach to it.

    It holds nothing yet, and ends by itself when it is not asked to. Its folder and environment are those of the
    caller; what it prints and logs is in `directory.log_file`.

    Parameters
    ----------
    client, attends
        See `HostClient.connect`.

    Raises
    ------
    UserError
        When it does not start in time; with the last lines of its log.
    """
    folder, name = hosts_folder(), secrets.token_hex(6)
    process = _spawn(folder, name)
    # Reaps the process whenever it ends, and keeps how it did.
    threading.Thread(target=process.wait, name="host-reaper", daemon=True).start()
    deadline_s = time.monotonic() + _START_S
    while (found := _found(folder, name)) is None:
        if process.poll() is not None or time.monotonic() > deadline_s:
            process.kill()
            raise UserError(
                f"The process that is to hold the table did not start: {_last_words(log_file(folder, name))}",
                f"Its log is {log_file(folder, name)}.",
            )
        time.sleep(_POLL_S)
    return HostClient.connect(found, client, attends=attends, process=process)


def _spawn(folder: Path, name: str) -> subprocess.Popen[bytes]:
    options: dict[str, Any] = {"start_new_session": True}  # no signal of the terminal reaches it
    if sys.platform == "win32":
        options = {"creationflags": subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP}
    with os.fdopen(os.open(log_file(folder, name), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as output:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "labcontrol.host", name],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, close_fds=True, **options,
        )  # fmt: skip


def _found(folder: Path, name: str) -> HostFile | None:
    return next((host for host in hosts(folder) if host.name == name), None)


def _last_words(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return " / ".join(lines[-_LAST_LINES:]) or "it said nothing."
