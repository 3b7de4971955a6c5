"""``python -m mock_devices.wire``: a simulated table behind real serial lines, sockets and screens, until Ctrl-C.

Prints the bench file to use. Needs Linux with Xorg's dummy video driver, and the extra ``wire``.
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
    parser.add_argument("--screen", default="640x480", help="columns x rows of the screens of SLM and DMD")
    parser.add_argument("--noise", type=float, default=1.0, help="factor on all noise of the table")
    parser.add_argument("--slm-pixels", type=int, default=4, help="screen pixels along a neuron's edge, up to 64")
    parser.add_argument("--real-time", action="store_true", help="let everything take as long as on a real table")
    parser.add_argument(
        "--misalignment-seed",
        type=int,
        help="hide where things are: the bench file is right but for geometry and response",
    )
    parser.add_argument("--bench", type=Path, help="write the bench file here instead of printing it")
    arguments = parser.parse_args()
    if math.isqrt(max(arguments.neurons, 0)) ** 2 != arguments.neurons or not 1 <= arguments.neurons <= 14400:
        parser.error(f"--neurons should be a square number from 1 to 14400, found {arguments.neurons}")
    screen = _size(arguments.screen)
    if screen is None:
        parser.error(f"--screen should be columns x rows, such as 1920x1080, found {arguments.screen!r}")

    from mock_devices.wire.desktop import why_not

    if why_not():
        parser.error(f"there can be no screens here: {why_not()}")
    from mock_devices.wire.wire_bench import Time
    from mock_devices.wire.wired_table import WiredTable

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    time: Time = "real" if arguments.real_time else "virtual"
    neurons = arguments.neurons
    try:
        table = WiredTable(
            neurons,
            arguments.seed,
            screen=screen,
            time=time,
            misalignment_seed=arguments.misalignment_seed,
            slm_pixels=arguments.slm_pixels,
            noise=arguments.noise,
        )
    except ValueError as error:
        parser.error(str(error))
    with table:
        if arguments.bench is None:
            sys.stdout.write(table.bench)
            sys.stdout.flush()
        else:
            arguments.bench.write_text(table.bench)
            sys.stderr.write(
                f"ready until Ctrl-C:  labcontrol run --bench {arguments.bench} --neurons {neurons} --arm\n"
            )
        stop.wait()
    return 0


def _size(text: str) -> tuple[int, int] | None:
    columns, _, rows = text.partition("x")
    return (int(columns), int(rows)) if columns.isdigit() and rows.isdigit() else None


if __name__ == "__main__":
    sys.exit(main())
