"""Public functions say what goes in and out in numpydoc sections that fit their signatures."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PUBLIC = (
    "drivers/interfaces",
    "drivers/registry.py",
    "labcontrol/testing",
    "labcontrol/engine/events.py",
    "labcontrol/engine/run.py",
    "labcontrol/learning/strategy.py",
    *(f"labcontrol/reservoir/{name}.py" for name in ("reservoir", "retries")),
)
"""What others build upon: every parameter and every result is described."""
INNER = (
    "drivers/cameras",
    "drivers/discovery",
    "drivers/modulators",
    "labcontrol/analysis",
    "labcontrol/engine/stop.py",
    "labcontrol/engine/whole_measurements.py",
    "labcontrol/learning/registry.py",
    *(f"mock_devices/wire/{name}.py" for name in ("desktop", "gige", "instrument", "line_faults", "ports")),
)
"""Where a few words may do; sections that there are fit the signature all the same."""
# Parameters missing, too many or out of order; Returns, Yields and Raises missing. Types are not compared with the
# annotations: those in docstrings say shapes and units instead.
CODES = {"DOC101", "DOC102", "DOC104", "DOC201", "DOC202", "DOC402", "DOC501"}
STYLE = ("--style=numpy", "--skip-checking-private-functions=True", "--check-class-attributes=False")


@pytest.mark.parametrize(("places", "short_may_do"), [(PUBLIC, False), (INNER, True)])
def test_docstrings_fit_their_signatures(places: tuple[str, ...], short_may_do: bool) -> None:
    assert all((ROOT / place).exists() for place in places)
    command = [str(Path(sys.executable).with_name("pydoclint")), "--quiet", *STYLE]
    command += [f"--skip-checking-short-docstrings={short_may_do}"]
    found = subprocess.run([*command, *places], cwd=ROOT, capture_output=True, text=True, encoding="utf-8").stderr
    wrong, path = [], ""
    for line in found.splitlines():
        if code := re.match(r"\s+(\d+): (DOC\d+): (.*)", line):
            wrong += [f"{path}:{code[1]}: {code[3]}"] if code[2] in CODES else []
        elif line:
            path = line
    assert path, found  # something was looked at: types always differ somewhere
    assert not wrong, "\n".join(wrong)
