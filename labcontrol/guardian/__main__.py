"""The guardian process: ``python -m labcontrol.guardian``, started by the application, spoken to on standard input."""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
import time
from dataclasses import asdict
from types import FrameType
from typing import IO, Any, TypeAlias, cast

from drivers.interfaces import DriverContext, Laser
from drivers.registry import load_driver
from labcontrol.guardian.guard import Guard
from labcontrol.guardian.words import Start, Transition

# When each arrived; None when the application is gone.
Requests: TypeAlias = "queue.SimpleQueue[tuple[float, dict[str, Any]] | None]"


def main() -> None:
    """Serve until the application is gone, then leave with the laser off."""
    # What a driver prints must not end up among the replies.
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the application, which says what it means
    signal.signal(signal.SIGTERM, _leave)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    start = Start.read(sys.stdin.readline())
    driver = cast("type[Laser]", load_driver(start.driver))
    laser = driver.from_bench(start.address, driver.Options.model_validate(start.options), DriverContext(start.device))
    requests: Requests = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin, requests), daemon=True).start()

    def send(message: dict[str, Any]) -> None:
        replies.write(json.dumps(message) + "\n")
        replies.flush()

    def tell(transition: Transition) -> None:
        send({"transition": asdict(transition)})

    guard = Guard(laser, start.limits, tell)
    try:
        _serve(guard, requests, send)
    finally:
        guard.application_gone()
        os._exit(0)  # the listening thread may be held up in a read that never returns


def _serve(guard: Guard, requests: Requests, send: Any) -> None:
    while True:
        try:
            request = requests.get(timeout=max(0.0, guard.next_look_s - time.monotonic()))
        except queue.Empty:
            guard.watch()
            continue
        if request is None:
            return
        arrived_s, asked = request
        reply = guard.obey(asked, arrived_s)
        if reply is not None:
            try:
                send(reply)
            except OSError:
                return
        if requests.empty():  # beats that waited during a long command count as well
            guard.watch()


def _listen(lines: IO[str], requests: Requests) -> None:
    try:
        for line in lines:
            requests.put((time.monotonic(), json.loads(line)))
    finally:
        requests.put(None)


def _leave(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise SystemExit(0)


if __name__ == "__main__":
    main()
