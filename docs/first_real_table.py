"""Runs the commands of docs/first-real-table.md on emulated instruments and puts what they say into the page.

    python docs/first_real_table.py

Needs what ``python -m mock_devices.wire`` needs. Takes about ten minutes, most of it the learning run, whose figure
becomes docs/images/first-run.png.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

from PIL import Image

PAGE = Path(__file__).with_name("first-real-table.md")
BLOCK = re.compile(r"```console\n\$ (.*)\n(?:.*\n)*?```\n")
COLUMNS = 100
COLOURS = 160
PATIENCE_S = 60.0


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="first-table-") as folder:
        table = start_table(Path(folder))
        try:
            bench = tomllib.loads((Path(folder) / "practice.toml").read_text())
            page = BLOCK.sub(lambda block: repeated(with_places(block[1], bench), folder), PAGE.read_text())
            figures = list(Path(folder, "runs").glob("*.png"))
            if not figures:
                sys.exit(f"The run of the page failed, it stays as it was:\n{page}")
            figure = Image.open(figures[0])
            figure.convert("RGB").quantize(COLOURS).save(PAGE.parent / "images" / "first-run.png", optimize=True)
        finally:
            table.terminate()
            table.wait()
    PAGE.write_text(page)


def start_table(folder: Path) -> subprocess.Popen[bytes]:
    """The emulated table, when it is ready."""
    command = [sys.executable, "-m", "mock_devices.wire", "--neurons", "64", "--misalignment-seed", "3"]
    command += ["--bench", "practice.toml"]
    table = subprocess.Popen(command, cwd=folder)
    end_s = time.monotonic() + PATIENCE_S
    while not (folder / "practice.toml").exists() and table.poll() is None and time.monotonic() < end_s:
        time.sleep(0.1)
    time.sleep(0.5)
    return table


def with_places(command: str, bench: dict[str, dict[str, dict[str, str]]]) -> str:
    """A command of the page with the addresses that the table has now."""
    command = re.sub(r"--display \S+", f"--display {bench['slm']['options']['display']}", command)
    command = re.sub(r"--at /\S+", f"--at {bench['laser']['address']}", command)
    return re.sub(r"--at TCPIP\S+", f"--at {bench['detector']['address']}", command)


def repeated(command: str, folder: str) -> str:
    """The block of one command: what it prints now."""
    sys.stderr.write(f"$ {command}\n")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "COLUMNS": str(COLUMNS), "NO_COLOR": "1", "PYLON_CAMEMU": "1"}
    environment.pop("DISPLAY", None)
    done = subprocess.run(
        command, shell=True, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    lines = [line.rstrip() for line in done.stdout.replace(f"{folder}{os.sep}", "").splitlines()]
    return "\n".join(["```console", f"$ {command}", *lines, "```", ""])


if __name__ == "__main__":
    main()
