"""A host of its own: ``python -m labcontrol.host NAME``, started by `start_host`."""

from __future__ import annotations

import logging
import signal
import sys
import threading

from labcontrol.host.directory import HostPlace, hosts_folder
from labcontrol.host.server import Host


def main(name: str) -> None:
    """Serve until there is nothing to do."""
    # Neither the end of the terminal nor Ctrl-C in it is for the host.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    told_to_end = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told_to_end.set())  # the computer is shut down
    host = Host(HostPlace(hosts_folder(), name))
    host.start()
    try:
        while not host.wait(0.2) and not told_to_end.is_set():
            pass
    finally:
        host.stop()


if __name__ == "__main__":
    main(sys.argv[1])
