"""Public functions say what goes in and out in numpydoc sections that fit their signatures."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
ANALYSIS = ("curve_facts", "model_curve", "record_follower", "run_models", "run_outcome", "twin_model", "verdict")
DONE = (
    "drivers/cameras",
    "drivers/discovery",
    "drivers/interfaces",
    "drivers/modulators",
    "drivers/registry.py",
    "labcontrol/testing",
    *(f"labcontrol/engine/{name}.py" for name in ("events", "run", "stop", "whole_measurements")),
    *(f"labcontrol/learning/{name}.py" for name in ("registry", "strategy")),
    *(f"labcontrol/reservoir/{name}.py" for name in ("reservoir", "retries")),
    *(f"mock_devices/wire/{name}.py" for name in ("desktop", "gige", "instrument", "line_faults", "ports")),
    *(f"labcontrol/analysis/{name}.py" for name in ANALYSIS),
)
"""What is written in numpydoc so far."""
# Parameters missing, too many or out of order; Returns, Yields and Raises missing. Types are not compared with the
# annotations: those in docstrings say shapes and units instead.
CODES = {"DOC101", "DOC102", "DOC104", "DOC201", "DOC202", "DOC402", "DOC501"}
STYLE = ("--style=numpy", "--skip-checking-short-docstrings=False", "--skip-checking-private-functions=True")


def test_public_docstrings_fit_their_signatures() -> None:
    command = [str(Path(sys.executable).with_name("pydoclint")), "--quiet", *STYLE, "--check-class-attributes=False"]
    found = subprocess.run([*command, *DONE], cwd=ROOT, capture_output=True, text=True, encoding="utf-8").stderr
    wrong, path = [], ""
    for line in found.splitlines():
        if code := re.match(r"\s+(\d+): (DOC\d+): (.*)", line):
            wrong += [f"{path}:{code[1]}: {code[3]}"] if code[2] in CODES else []
        elif line:
            path = line
    assert path, found  # something was looked at: types always differ somewhere
    assert not wrong, "\n".join(wrong)
