"""A table that hides its ground truth is calibrated over wires by the command a person would use, and compared.

Serial laser, two display modulators, pypylon camera and VISA detector against the emulated instruments of
`mock_devices.wire`; its camera has 8 bits, and an exposure that cannot be changed. Time on the table is virtual: how
long its drivers wait for light to settle is not tested here. Exit code 1 when a step fails or an error is too large.

    python benchmarks/wire_calibration.py                                # every step, 64 neurons: two minutes
    python benchmarks/wire_calibration.py --seeds 3 4 5
    python benchmarks/wire_calibration.py --neurons 36 registration      # one step and what it builds on
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from labcontrol.calibration import PROCEDURES, Calibration, store_of
from labcontrol.config import load_bench
from mock_devices.ground_truth import true_phase, true_pixels
from mock_devices.options import TableOptions
from mock_devices.wire.wired_table import WiredTable

_TRIES = 3
BOUNDS = {
    "registration (px rms)": 0.2,
    "phase response (waves rms)": 0.01,
    "grid on the SLM (px)": 0.0,
    "neurons on the DMD (mirrors rms)": 1.0,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("steps", nargs="*", help="what to calibrate, with all it builds on (default everything)")
    parser.add_argument("--neurons", type=int, default=64, help="a square number (default 64)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[3], help="what is hidden (default 3)")
    options = parser.parse_args()
    rows = []
    for seed in options.seeds:
        with (
            WiredTable(options.neurons, seed, misalignment_seed=seed) as table,
            tempfile.TemporaryDirectory() as folder,
        ):
            seconds, found = calibrate(table.bench, Path(folder), options.steps)
            errors = compare(table, found)
        rows.append((seed, seconds, found, errors))
    report(rows)
    good = all(c.passed for _, _, found, _ in rows for c in found.values())
    return 0 if good and all(e <= BOUNDS[name] for *_, errors in rows for name, e in errors.items()) else 1


def calibrate(bench: str, folder: Path, steps: list[str]) -> tuple[float, dict[str, Calibration]]:
    """Run the command on a bench file; seconds it took and what it found, by kind.

    Where the computer is too busy for the laser's guardian, the same command goes on, as it would for a person.
    """
    file = folder / "bench.toml"
    file.write_text(f'{bench}\n[calibration]\nstore = "calibrations"\n', encoding="utf-8")
    command = [sys.executable, "-m", "labcontrol", "calibrate", *steps, "--bench", str(file), "--arm", "--no-figures"]
    started = time.monotonic()
    for _ in range(_TRIES):
        if subprocess.run(command, check=False, stdout=sys.stderr).returncode == 0:
            break
    seconds = time.monotonic() - started
    store = store_of(load_bench(file))
    newest = {kind: store.newest(kind) for kind in PROCEDURES}
    return seconds, {kind: calibration for kind, calibration in newest.items() if calibration is not None}


def compare(table: WiredTable, found: dict[str, Calibration]) -> dict[str, float]:
    """Errors of what was found."""
    ground_truth, stated = (
        table.table.ground_truth,
        tomllib.loads(table.bench)["geometry"],
    )  # stated: where the modulators begin
    errors = {}
    if "registration" in found:
        arrays = found["registration"].outcome.arrays
        off = arrays["pixels"] - true_pixels(ground_truth, arrays["cells"])
        errors["registration (px rms)"] = float(np.sqrt(np.mean(np.sum(off**2, axis=1))))
    if "phase-response" in found:
        off = found["phase-response"].outcome.arrays["phase_rad"] - true_phase(ground_truth)
        errors["phase response (waves rms)"] = float(np.sqrt(np.mean(off**2))) / (2 * np.pi)
    if "window" in found:
        window = found["window"].outcome.quantities
        origin = np.array([window["origin_row_px"].value, window["origin_column_px"].value])
        true = np.array(stated["slm"]["origin_px"]) - table.table.options.slm.origin_px + ground_truth.slm.origin_px
        errors["grid on the SLM (px)"] = float(np.abs(origin - true).max())
    if "mirrors" in found:
        errors["neurons on the DMD (mirrors rms)"] = _off_the_mirrors(
            ground_truth, stated["dmd"]["origin_px"], found["mirrors"]
        )
    return errors


def _off_the_mirrors(ground_truth: TableOptions, first: list[int], found: Calibration) -> float:
    """Rms distance of the neurons' places on the DMD from where they are."""
    measured = found.outcome.settings["geometry"]["dmd"]
    cells = np.indices(ground_truth.cells).reshape(2, -1).T
    ours = cells @ np.array(measured["matrix"]).T + measured["offset_px"]
    theirs = cells @ np.array(ground_truth.dmd_matrix).T + ground_truth.dmd_offset_px + first
    return float(np.sqrt(np.mean(np.sum((ours - theirs) ** 2, axis=1))))


def report(rows: list[tuple[int, float, dict[str, Calibration], dict[str, float]]]) -> None:
    table = Table("hidden", "steps passed", "seconds", *BOUNDS)
    for seed, seconds, found, errors in rows:
        passed = f"{sum(c.passed for c in found.values())} of {len(found)}"
        figures = [f"{errors[name]:.2g}" if name in errors else "" for name in BOUNDS]
        table.add_row(str(seed), passed, f"{seconds:.0f}", *figures)
    table.add_row("asked for", "", "", *(f"{bound:g}" for bound in BOUNDS.values()), style="bold")
    Console().print(table)


if __name__ == "__main__":
    raise SystemExit(main())
