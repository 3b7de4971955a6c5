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
from labcontrol.guardian.guard import WATCH_INTERVAL_S, Guard
from labcontrol.guardian.messages import HEARTBEAT_INTERVAL_S, Start, Transition

# A request; empty where the guard wants to be attended to; None when the application is gone.
Requests: TypeAlias = "queue.SimpleQueue[dict[str, Any] | None]"


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
    sending = threading.Lock()

    def send(message: dict[str, Any]) -> None:
        with sending:
            replies.write(json.dumps(message) + "\n")
            replies.flush()

    def publish(transition: Transition) -> None:
        send({"transition": asdict(transition)})

    guard = Guard(laser, start.limits, publish, wake=lambda: requests.put({}))
    threading.Thread(target=_listen, args=(sys.stdin, guard, requests), name="listener", daemon=True).start()
    threading.Thread(target=_watch, args=(guard, send), name="watch", daemon=True).start()
    try:
        _serve(guard, requests, send)
    finally:
        guard.application_gone()
        os._exit(0)  # the listening thread may be held up in a read that never returns


def _serve(guard: Guard, requests: Requests, send: Any) -> None:
    """The worker: whatever waits for the laser happens here."""
    while True:
        try:
            request = requests.get(timeout=max(0.0, guard.next_attend_s - time.monotonic()))
        except queue.Empty:
            request = {}
        if request is None:
            return
        if request:
            reply = guard.obey(request)
            try:
                send(reply)
            except OSError:
                return
        guard.attend()


def _listen(lines: IO[str], guard: Guard, requests: Requests) -> None:
    """Every line says that the application is there; what switches off is seen to before its turn comes."""
    try:
        for line in lines:
            guard.hear()
            request = json.loads(line)
            if request["do"] == "off":  # comes before the request that has to wait for its turn
                guard.off_is_due()
            elif request["do"] != "beat":
                requests.put(request)
    finally:
        guard.off_is_due()
        requests.put(None)


def _watch(guard: Guard, send: Any) -> None:
    """Look after the laser, and say that the guardian is there."""
    next_beat_s = 0.0
    while True:
        guard.watch()
        if time.monotonic() >= next_beat_s and guard.hears_the_application:
            next_beat_s = time.monotonic() + HEARTBEAT_INTERVAL_S
            try:
                send({"alive": True})
            except OSError:
                next_beat_s = float("inf")  # nobody listens any more; the laser is looked after all the same
        time.sleep(WATCH_INTERVAL_S)


def _leave(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise SystemExit(0)


if __name__ == "__main__":
    main()
