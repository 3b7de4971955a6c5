"""Ten thousand wrong answers for every question of every driver, and what comes of them.

    python benchmarks/fuzz_campaign.py                        # everything: an hour on a free core
    python benchmarks/fuzz_campaign.py --only "cobolt or meter" --inputs 1000

Runs the property tests of the reply parsers (tests/drivers, hypothesis) with this many inputs each: only errors of
drivers.interfaces may come out, soon, and the next answer must be understood again. Exit code 1 when one did not.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROPERTIES = (
    "tests/drivers/test_fuzzed_replies.py",
    "tests/drivers/test_fuzzed_inputs.py",
    "tests/drivers/test_reply.py",
    "tests/drivers/test_transports.py",
    "tests/drivers/test_detector_bytes.py::test_whatever_comes_as_preamble_is_a_waveform_or_our_error",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=10_000, help="for each question")
    parser.add_argument("--only", default="whatever", help="names of tests, as pytest's -k")
    arguments = parser.parse_args()
    started_s = time.monotonic()
    environment = os.environ | {"LABCONTROL_FUZZ": str(arguments.inputs), "QT_QPA_PLATFORM": "offscreen"}
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", *PROPERTIES, "-k", f"whatever and ({arguments.only})"]
        options = ["--timeout", "7200", "--show-capture", "no", "--junit-xml", str(report)]
        run = subprocess.run([*command, *options], cwd=ROOT, env=environment, check=False)
        cases = list(ET.parse(report).iter("testcase"))
    of_driver = Counter(case.get("name", "").partition("[")[2].partition(":")[0] or "parsers" for case in cases)
    for name, questions in sorted(of_driver.items()):
        print(f"{name}: {questions} questions, {arguments.inputs} answers each")
    print(f"{len(cases)} questions and parsers in {time.monotonic() - started_s:.0f} s")
    return run.returncode


if __name__ == "__main__":
    sys.exit(main())
