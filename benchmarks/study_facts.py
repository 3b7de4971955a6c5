"""What a finished scaling study says, size by size, beside Law 1.

Printed for each rule and loss: tau/N and k(5 %)/N (means over runs), R2 of the exponential for single runs and for the
mean curve of all runs of a size, and how far the mean curve is from the coverage of the rule at most, in percent of the
start value.

    labcontrol scaling --states planted --output scaling/planted
    python benchmarks/study_facts.py scaling/planted
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from labcontrol.theory import coverage
from labcontrol.theory.scaling import Group, load_study


def main(directory: Path) -> None:
    """Print the facts of the study in DIRECTORY."""
    study = load_study(directory)
    table = Table(
        "selection", "loss", "neurons", "runs", "tau/N", "k(5 %)/N", "R2 of runs", "R2 of mean", "from coverage",
        title=f"{study.states} states",
    )  # fmt: skip
    for group in study.groups:
        for neurons in group.sizes:
            table.add_row(group.selection, group.loss, str(neurons), *_facts(group, neurons, study.grid))
    Console().print(table)
    for row in study.as_json()["exponents"]:
        print(
            f"{row['selection']:>8} {row['loss']:>5} exponent of {row['quantity']}: "
            f"{row['value']:.3f} ({row['low']:.3f} ... {row['high']:.3f})"
        )


def _facts(group: Group, neurons: int, grid: np.ndarray) -> tuple[str, ...]:
    tau, k5, r2 = (group.values(name)[neurons] for name in ("tau", "k5", "r2"))
    mean = group.collapsed[neurons]
    # Judged on equal steps of time, as the fit of a run is, and with the mean of its parameters.
    even = np.linspace(0, grid[-1], 200)
    curve = np.interp(even, grid, mean)
    exponential = np.exp(-even / np.nanmean(tau / neurons))
    slope, offset = np.polyfit(exponential, curve, 1)
    residual = curve - slope * exponential - offset
    of_mean = 1 - np.sum(residual**2) / np.sum((curve - curve.mean()) ** 2)
    try:
        distance = f"{100 * np.max(np.abs(mean - coverage(group.selection, neurons, grid * neurons))):.1f} %"
    except Exception:  # rules that need amplitudes
        distance = "-"
    return (
        str(len(tau)), f"{np.nanmean(tau) / neurons:.3f}", f"{np.nanmean(k5) / neurons:.3f}",
        f"{np.nanmean(r2):.4f}", f"{of_mean:.4f}", distance,
    )  # fmt: skip


if __name__ == "__main__":
    typer.run(main)
