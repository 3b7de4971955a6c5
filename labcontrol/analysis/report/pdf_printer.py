"""A page printed to PDF by a browser that is installed anyway."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from labcontrol.errors import UserError

_BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "msedge",
    "brave-browser",
)
_PLACES = (
    ("PROGRAMFILES", "Google/Chrome/Application/chrome.exe"),
    ("PROGRAMFILES(X86)", "Microsoft/Edge/Application/msedge.exe"),
    ("PROGRAMFILES", "Microsoft/Edge/Application/msedge.exe"),
)
_APPLICATIONS = (
    Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
    Path("/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge"),
)
_TIMEOUT_S = 60.0


def find_browser() -> Path | None:
    """A browser of the Chromium family, which can print without a window."""
    for name in _BROWSERS:
        found = shutil.which(name)
        if found is not None:
            return Path(found)
    places = [Path(os.environ[variable]) / place for variable, place in _PLACES if variable in os.environ]
    return next((path for path in (*places, *_APPLICATIONS) if path.is_file()), None)


def print_pdf(page: str, path: Path) -> None:
    """Print a page (HTML) to a PDF file. Raises UserError when no browser is found, or it does not print."""
    browser = find_browser()
    if browser is None:
        raise UserError(
            "A PDF is printed by Chrome, Chromium or Edge, and none of them was found.",
            "Write the report as .html, open it in any browser and print it to a file.",
        )
    with tempfile.TemporaryDirectory() as folder:
        source, printed = Path(folder) / "report.html", Path(folder) / "report.pdf"
        source.write_text(page, encoding="utf-8")
        command = [
            str(browser),
            "--headless",
            "--disable-gpu",
            "--no-first-run",
            "--no-pdf-header-footer",
            f"--user-data-dir={folder}/profile",
            f"--print-to-pdf={printed}",
            source.as_uri(),
        ]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            command.insert(1, "--no-sandbox")  # the sandbox refuses to work for root
        try:
            done = subprocess.run(command, capture_output=True, timeout=_TIMEOUT_S, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise UserError(f"{browser} did not print the report: {error}.", "Write it as .html.") from error
        if not printed.is_file():
            last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise UserError(f"{browser} did not print the report: {' '.join(last)}", "Write it as .html.")
        try:
            shutil.move(printed, path)
        except OSError as error:
            raise UserError(f"{path} cannot be written: {error.strerror or error}.", "Choose another place.") from error
