"""Waiting for what other processes and threads do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from labcontrol.host import HostClient

PATIENCE_S = 60.0


def until(met: Callable[[], Any], *clients: HostClient) -> Any:
    """What a condition gives as soon as it is true; these clients poll meanwhile."""
    pause, deadline_s = threading.Event(), time.monotonic() + PATIENCE_S
    while not (found := met()):
        assert time.monotonic() < deadline_s, "it did not come to that"
        for client in clients:
            client.poll()
        pause.wait(0.01)
    return found
