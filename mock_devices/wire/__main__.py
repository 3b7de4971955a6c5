"""``python -m mock_devices.wire``: a simulated table behind real serial lines, sockets and screens, until Ctrl-C.

Prints the bench file to use. Needs Linux with Xorg's dummy video driver, and pypylon in the environment that uses it.
"""

from __future__ import annotations

import argparse
import math
import signal
import sys
import threading
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m mock_devices.wire", description="A simulated table over wires.")
    parser.add_argument("--neurons", type=int, default=64, help="neurons, a square number up to 14400")
    parser.add_argument("--seed", type=int, default=1, help="seed of the table's noise")
    parser.add_argument("--bench", type=Path, help="write the bench file here instead of printing it")
    arguments = parser.parse_args()
    if math.isqrt(max(arguments.neurons, 0)) ** 2 != arguments.neurons or not 1 <= arguments.neurons <= 14400:
        parser.error(f"--neurons should be a square number from 1 to 14400, found {arguments.neurons}")

    from mock_devices.wire.desktop import why_not

    if why_not():
        parser.error(f"there can be no screens here: {why_not()}")
    from mock_devices.wire.wired_table import WiredTable

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with WiredTable(arguments.neurons, arguments.seed) as table:
        if arguments.bench is None:
            sys.stdout.write(table.bench)
            sys.stdout.flush()
        else:
            arguments.bench.write_text(table.bench)
        stop.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
